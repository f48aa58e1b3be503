from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import DataError
from agent.metrics.pairs import ImageRef, Pair, parse_pairs

DEV = "2\nAnn\t1\t2\nBob\t3\t14\nAnn\t1\tBob\t2\nCay\t1\tDee\t1\n"
FOLDED = "2 1\nAnn 1 2\nAnn 1 Bob 2\nBob 1 2\nCay 1 Dee 1\n"


def test_development_form():
    listed = parse_pairs(DEV)
    assert listed.folds == 1
    assert listed.pairs == (
        Pair(ImageRef("Ann", 1), ImageRef("Ann", 2), same=True, fold=0),
        Pair(ImageRef("Bob", 3), ImageRef("Bob", 14), same=True, fold=0),
        Pair(ImageRef("Ann", 1), ImageRef("Bob", 2), same=False, fold=0),
        Pair(ImageRef("Cay", 1), ImageRef("Dee", 1), same=False, fold=0),
    )


def test_folded_form():
    listed = parse_pairs(FOLDED)
    assert listed.folds == 2
    assert [(p.fold, p.same) for p in listed.pairs] == [
        (0, True),
        (0, False),
        (1, True),
        (1, False),
    ]


def test_images_are_named_once_with_four_digits():
    listed = parse_pairs(DEV)
    assert [ref.stem for ref in listed.images] == [
        "Ann/Ann_0001",
        "Ann/Ann_0002",
        "Bob/Bob_0002",
        "Bob/Bob_0003",
        "Bob/Bob_0014",
        "Cay/Cay_0001",
        "Dee/Dee_0001",
    ]


def test_windows_line_ends_blank_lines_and_names_with_spaces():
    listed = parse_pairs("1\r\n\r\nAnn B\t1\t2\r\nAnn B\t1\tBob\t2\r\n\r\n")
    assert listed.pairs[0].left == ImageRef("Ann B", 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.txt: empty"),
        ("\n \n", "p.txt: empty"),
        ("Ann 1 2\n", "line 1: expected `FOLDS COUNT` or `COUNT`"),
        ("0\n", "line 1: expected `FOLDS COUNT`"),
        ("10 0\n", "line 1: expected `FOLDS COUNT`"),
        ("-1\n", "line 1: expected `FOLDS COUNT`"),
        ("1 2 3\n", "line 1: expected `FOLDS COUNT`"),
        ("9999999999\n", "line 1: expected `FOLDS COUNT`"),
        ("1\nAnn 1 2\nAnn 1 2\n", r"line 3: expected NAME I NAME J \(two people\), got 3 fields"),
        ("1\nAnn 1 Bob 2\nAnn 1 Bob 2\n", r"line 2: expected NAME I J \(one person\), got 4"),
        ("1\nAnn x 2\nAnn 1 Bob 2\n", "line 2: picture numbers must be whole and over 0"),
        ("1\nAnn 0 2\nAnn 1 Bob 2\n", "line 2: picture numbers must be whole and over 0"),
        ("1\nAnn 1 2\nAnn 1 Ann 2\n", "line 3: expected two people, got 'Ann' twice"),
        ("1\n.. 1 2\nAnn 1 Bob 2\n", "line 2: '..' cannot be the name of a folder"),
        ("1\na/b 1 2\nAnn 1 Bob 2\n", "line 2: 'a/b' cannot be the name of a folder"),
        ("1\nAnn 1 2\n", "line 2: the file ends with 1 pairs; the header says 2"),
        ("1\n", "line 1: the file ends with 0 pairs; the header says 2"),
        (
            "1\nAnn 1 2\nAnn 1 Bob 2\n\nCay 1 Dee 2\n",
            "line 5: more pairs than the 2 the header says",
        ),
    ],
)
def test_problems_name_their_line(text, message):
    with pytest.raises(DataError, match=message):
        parse_pairs(text, "p.txt")


def test_every_problem_is_told():
    with pytest.raises(DataError) as caught:
        parse_pairs("2\nAnn 1\nAnn 1 2\nAnn 1 Bob\nCay 1 Dee 0\nmore\n", "p.txt")
    assert [line[:14] for line in str(caught.value).splitlines()] == [
        "p.txt: line 2:",
        "p.txt: line 4:",
        "p.txt: line 5:",
        "p.txt: line 6:",
    ]


def test_a_flood_of_problems_is_counted():
    with pytest.raises(DataError) as caught:
        parse_pairs("50\n" + "x\n" * 100, "p.txt")
    assert str(caught.value).splitlines()[-1] == "p.txt: and 80 more problems"


@given(st.text(alphabet="0123456789 \t\nAb/.-", max_size=80))
def test_any_text_is_read_or_refused(text):
    try:
        listed = parse_pairs(text)
    except DataError:
        return
    assert listed.folds >= 1
    assert sum(p.same for p in listed.pairs) * 2 == len(listed.pairs)
