from __future__ import annotations

import hashlib

import numpy as np
import pytest

from agent.adapters.vector_file import columns_of, read_vectors
from agent.errors import DataError, MissingFileError
from agent.watchlist.check import check
from agent.watchlist.entries import Kind
from tests.support.lists import EMBEDDER, units

HEAD = "entry,subject,basis,purpose,authorisation,not_after"
LINES = [f"E-{n},S-{n},consent,test,T-1,2026-12-31" for n in range(3)]


def write(tmp_path, vectors=None, lines=None, head=HEAD):
    np.save(tmp_path / "v.npy", units(3) if vectors is None else vectors)
    text = "\n".join([head, *(LINES if lines is None else lines)]) + "\n"
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    return tmp_path / "v.npy", tmp_path / "m.csv"


def load(path, metadata=None):
    return columns_of(read_vectors(path, metadata), EMBEDDER)


def test_vectors_with_their_csv(tmp_path):
    path, metadata = write(tmp_path)
    columns = load(path, metadata)
    check(columns)
    assert [columns.meta(row).entry for row in range(3)] == ["E-0", "E-1", "E-2"]
    assert columns.meta(0).not_after == 1_798_761_600
    origin = columns.provenance(0)[0]
    assert origin.kind is Kind.VECTORS
    assert origin.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert origin.embedder == EMBEDDER
    assert np.array_equal(columns.vectors, units(3))


def test_lines_of_one_entry_are_its_templates_wherever_they_stand(tmp_path):
    lines = [LINES[0], LINES[1], LINES[0]]
    columns = load(*write(tmp_path, lines=lines))
    check(columns)
    assert columns.owner.tolist() == [0, 0, 1]
    assert np.array_equal(columns.vectors, units(3)[[0, 2, 1]])


def test_optional_columns(tmp_path):
    head = HEAD + ",priority,not_before,sha256,embedder"
    lines = [f"{LINES[0]},7,2026-01-01,{'a' * 64},{'b' * 64}", f"{LINES[1]},,,,"]
    columns = load(*write(tmp_path, units(2), lines, head))
    assert [columns.meta(row).priority for row in (0, 1)] == [7, 0]
    assert [columns.meta(row).not_before for row in (0, 1)] == [1_767_225_600, 0]
    assert columns.provenance(0)[0].sha256 == "a" * 64
    assert [columns.provenance(row)[0].embedder for row in (0, 1)] == ["b" * 64, EMBEDDER]


def test_an_npz_may_hold_everything(tmp_path):
    path = tmp_path / "list.npz"
    names = HEAD.split(",")
    table = dict(zip(names, np.array([line.split(",") for line in LINES]).T, strict=True))
    np.savez(path, vectors=units(3).astype(np.float64), **table)
    columns = load(path)
    assert [columns.meta(row).subject for row in range(3)] == ["S-0", "S-1", "S-2"]
    assert columns.vectors.dtype == np.float32


def test_progress_is_told(tmp_path):
    told = []
    columns_of(read_vectors(*write(tmp_path)), EMBEDDER, lambda *now: told.append(now))
    assert told == [(3, 3)]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (LINES[:2], "2 lines of metadata for 3 vectors"),
        ([*LINES[:2], "E-2,S-2,,test,T-1,2026-12-31"], "entry 'E-2': basis: missing"),
        ([*LINES[:2], "E-2,S-2,consent,test,T-1,soon"], "entry 'E-2': not_after: 'soon'"),
        ([*LINES[:2], ",S-2,consent,test,T-1,2026-12-31"], "entry '.without id.': entry: missing"),
        ([*LINES[:2], "E-2,S-2"], "line 4 has not as many fields"),
        ([*LINES[:2], LINES[2] + ",more"], "line 4 has not as many fields"),
        ([*LINES[:2], "E-1,S-9,consent,test,T-1,2026-12-31"], "'E-1': its templates disagree on s"),
        ([*LINES[:2], '"E-2'], "not a CSV file"),
    ],
)
def test_a_bad_line_is_named(tmp_path, lines, says):
    with pytest.raises(DataError, match=says) as caught:
        load(*write(tmp_path, lines=lines))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (HEAD.replace("basis,", ""), "lacks the columns basis"),
        (HEAD.replace("basis", "name"), "lacks the columns basis"),
        (HEAD + ",name", "unknown columns name"),
    ],
)
def test_a_bad_header_is_told(tmp_path, head, says):
    with pytest.raises(DataError, match=says):
        load(*write(tmp_path, head=head))


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (units(3) * 2, "entry 'E-0': its vector is not of unit length"),
        (np.where(np.arange(3)[:, None] == 1, np.nan, units(3)), "entry 'E-1'"),
        (units(3).ravel(), "array `vectors` of floats"),
        (np.ones((3, 16), np.int32), "array `vectors` of floats"),
        (np.zeros((0, 16), np.float32), "0 vectors"),
    ],
)
def test_bad_vectors_are_refused(tmp_path, vectors, says):
    lines = LINES if len(vectors) else []
    with pytest.raises(DataError, match=says):
        load(*write(tmp_path, vectors, lines))


def test_no_pickle_is_ever_opened(tmp_path):
    path, metadata = write(tmp_path)
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(DataError, match="plain numbers"):
        load(path, metadata)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize("data", [b"", b"noise" * 100, b"PK\x03\x04"])
def test_what_is_no_numpy_file_is_refused(tmp_path, name, data):
    _, metadata = write(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="not a NumPy"):
        load(tmp_path / name, metadata)


def test_text_that_is_not_utf8(tmp_path):
    path, metadata = write(tmp_path)
    metadata.write_bytes(HEAD.encode() + b"\n\xff\xfe\n")
    with pytest.raises(DataError, match="not UTF-8"):
        load(path, metadata)


def test_files_that_are_not_there(tmp_path):
    path, metadata = write(tmp_path)
    for pair in ((tmp_path / "no.npy", metadata), (path, tmp_path / "no.csv")):
        with pytest.raises(MissingFileError, match=r"no\.(npy|csv): no such file"):
            read_vectors(*pair)
