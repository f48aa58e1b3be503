from pathlib import Path

import pytest

from agent.errors import DataError, MissingFileError
from agent.hub.photo_sources import read_photographs, skipped

GROUNDS = {
    "basis": "consent",
    "purpose": "test",
    "authorisation": "A-1",
    "not_after": "2027-01-01",
}
HEADER = "image,entry,subject,basis,purpose,authorisation,priority,not_before,not_after\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_lines_of_one_entry_give_one_entry_with_several_photographs(tmp_path: Path) -> None:
    path = write(
        tmp_path / "list.csv",
        HEADER
        + "a/1.jpg,E-1,S-1,consent,test,A-1,5,2026-01-01,2026-12-31\n"
        + "b.jpg,E-2,S-2,consent,test,A-1,,,2026-12-31\n"
        + "a/2.jpg,E-1,S-1,consent,test,A-1,5,2026-01-01,2026-12-31\n",
    )
    photos = read_photographs(path, {})
    named = [(photo.meta.entry, photo.path) for photo in photos]
    assert named == [
        ("E-1", tmp_path / "a/1.jpg"),
        ("E-1", tmp_path / "a/2.jpg"),
        ("E-2", tmp_path / "b.jpg"),
    ]
    assert photos[0].meta.priority == 5
    assert photos[2].meta.not_before == 0.0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a.jpg,E-2,John Smith,consent,test,A-1,0,,2027-01-01", "line 3: entry 'E-2': subject:"),
        ("a.jpg,E-2,S-2,,test,A-1,0,,2027-01-01", "line 3: entry 'E-2': basis: missing"),
        ("a.jpg,E-2,S-2,consent,test,A-1,0,,", "line 3: entry 'E-2': not_after: missing"),
        (
            "a.jpg,E-2,S-2,consent,test,A-1,0,,tomorrow",
            "line 3: entry 'E-2': not_after: 'tomorrow'",
        ),
        (",E-2,S-2,consent,test,A-1,0,,2027-01-01", "line 3: names no image"),
        ("a.jpg,E-2,S-2", "line 3: not as many fields"),
        (
            "a.jpg,E-1,S-9,consent,test,A-1,0,,2027-01-01",
            "line 3: entry 'E-1' is not what line 2 says of it (subject)",
        ),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, says: str) -> None:
    good = "a.jpg,E-1,S-1,consent,test,A-1,0,,2027-01-01\n"
    path = write(tmp_path / "list.csv", HEADER + good + line + "\n")
    with pytest.raises(DataError) as caught:
        read_photographs(path, {})
    assert says in str(caught.value)


def test_every_bad_line_is_named_at_once(tmp_path: Path) -> None:
    bad = ["a.jpg,E-2,S-2,,test,A-1,0,,2027-01-01", "a.jpg,E-3,S-3,consent,test,A-1,0,,soon"]
    path = write(tmp_path / "list.csv", HEADER + "\n".join(bad) + "\n")
    with pytest.raises(DataError) as caught:
        read_photographs(path, {})
    first, second = str(caught.value).splitlines()
    assert "line 2: entry 'E-2': basis: missing" in first
    assert "line 3: entry 'E-3': not_after: 'soon'" in second
    path = write(tmp_path / "list.csv", HEADER + (bad[0] + "\n") * 50)
    with pytest.raises(DataError, match=r"line 21: .*\nand 30 more like these$"):
        read_photographs(path, {})


@pytest.mark.parametrize("priority", ["normal", "99999", "-1", "1.5"])
def test_what_a_priority_is(tmp_path: Path, priority: str) -> None:
    line = f"a.jpg,E-2,S-2,consent,test,A-1,{priority},,2027-01-01\n"
    with pytest.raises(DataError, match="priority: a whole number from 0 to 1000"):
        read_photographs(write(tmp_path / "list.csv", HEADER + line), {})


def test_what_gives_no_photograph_is_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "S-3").mkdir()
    for name in ("loose.jpg", "S-2/d.HEIC", ".DS_Store", "S-3/e.tiff"):
        write(folder / name, "")
    write(folder / "grounds.csv", "subject\n")
    assert skipped(folder) == (
        "S-3/ (no photograph)",
        "S-1/notes.txt",
        "S-2/d.HEIC",
        "S-3/e.tiff",
        "loose.jpg",
    )
    assert skipped(folder / "grounds.csv") == ()


def test_the_command_line_fills_columns_that_are_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "image,subject\na.jpg,S-1\n")
    (photo,) = read_photographs(path, GROUNDS)
    assert (photo.meta.entry, photo.meta.basis) == ("S-1-1", "consent")
    with pytest.raises(DataError, match="lacks the columns basis, purpose, authorisation, not_aft"):
        read_photographs(path, {})


def test_unknown_columns_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "image,subject,name\na.jpg,S-1,John\n")
    with pytest.raises(DataError, match="unknown columns 'name'"):
        read_photographs(path, GROUNDS)


def folder_of(tmp_path: Path) -> Path:
    for name in ("S-1/a.jpg", "S-1/b.PNG", "S-1/notes.txt", "S-2/c.webp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    return tmp_path


def test_each_folder_is_a_subject(tmp_path: Path) -> None:
    photos = read_photographs(folder_of(tmp_path), GROUNDS)
    assert [(photo.meta.subject, photo.meta.entry, photo.path.name) for photo in photos] == [
        ("S-1", "S-1-1", "a.jpg"),
        ("S-1", "S-1-1", "b.PNG"),
        ("S-2", "S-2-1", "c.webp"),
    ]


def test_grounds_csv_says_why_each_subject_is_listed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write(
        folder / "grounds.csv",
        "subject,entry,basis,purpose,authorisation,not_after\nS-1,E-7,consent,test,A-7,2027-01-01\n",
    )
    with pytest.raises(DataError, match="S-2: nothing says why this subject is listed: give --bas"):
        read_photographs(folder, {})
    photos = read_photographs(folder, GROUNDS)
    assert [(photo.meta.entry, photo.meta.authorisation) for photo in photos] == [
        ("E-7", "A-7"),
        ("E-7", "A-7"),
        ("S-2-1", "A-1"),
    ]


def test_grounds_of_a_subject_without_a_folder_are_a_mistake(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    write(folder / "grounds.csv", "subject\nS-3\n")
    with pytest.raises(DataError, match="there is no folder 'S-3'"):
        read_photographs(folder, GROUNDS)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_photographs(tmp_path / "none.csv", {})
    with pytest.raises(DataError, match="names no photograph"):
        read_photographs(tmp_path, GROUNDS)
