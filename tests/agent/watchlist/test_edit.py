from __future__ import annotations

import numpy as np
import pytest

from agent.errors import DataError
from agent.watchlist.columns import StoredList
from agent.watchlist.edit import add, find, free_entry_id, remove, require_space, similar_others
from tests.support.lists import SPACE, a_list, a_meta, columns_of, some_columns, units


def ids(stored):
    return [stored.columns.meta(row).entry for row in range(len(stored.columns))]


def test_the_first_entries_decide_the_space():
    stored = add(StoredList.empty(), some_columns(2), SPACE)
    assert (ids(stored), stored.space) == (["E-1", "E-2"], SPACE)


def test_adding_keeps_what_is_there():
    assert ids(add(a_list(), some_columns(2, first=7), SPACE)) == [
        "E-1",
        "E-2",
        "E-3",
        "E-7",
        "E-8",
    ]


@pytest.mark.parametrize(
    ("new", "space", "says"),
    [
        (some_columns(1, first=9), "other", "made by 'sface', this device runs 'other'"),
        (some_columns(1, first=9, dim=32), SPACE, "vectors of 16 numbers, not 32"),
        (some_columns(1), SPACE, "'E-1': is on the list already"),
    ],
)
def test_what_does_not_fit_is_refused(new, space, says):
    with pytest.raises(DataError, match=says):
        add(a_list(), new, space)


def test_an_empty_list_fits_every_embedder():
    require_space(StoredList.empty(), "anything")


def test_removing_entries_and_subjects():
    metas = [a_meta(1), a_meta(2, subject="S-1"), a_meta(3), a_meta(4)]
    stored = a_list(columns_of(metas, [1, 2, 1, 1], units(5)))
    assert ids(remove(stored, entries=["E-3"], subjects=["S-1"])) == ["E-4"]
    assert ids(remove(stored, entries=["E-1"])) == ["E-2", "E-3", "E-4"]
    assert ids(remove(remove(stored, entries=["E-3", "E-4"]), subjects=["S-1"])) == []


@pytest.mark.parametrize("gone", [{"entries": ["E-1", "E-9"]}, {"subjects": ["E-1"]}])
def test_removing_what_is_not_there_removes_nothing(gone):
    with pytest.raises(DataError, match="not on the list"):
        remove(a_list(), **gone)


def test_finding_an_entry():
    assert find(a_list(), "E-2") == 1
    with pytest.raises(DataError, match="'é': not on the list"):
        find(a_list(), "é")


def test_the_next_free_id_of_a_subject():
    metas = [a_meta(1, entry="S-1-1", subject="S-1"), a_meta(2, entry="S-1-2", subject="other")]
    stored = a_list(columns_of(metas, [1, 1], units(2)))
    assert free_entry_id(stored, "S-1") == "S-1-3"
    assert free_entry_id(stored, "S-2") == "S-2-1"


def test_only_other_subjects_count_as_similar():
    near = units(1)
    metas = [a_meta(1), a_meta(2), a_meta(3, subject="S-2")]
    off = near + 0.4 * units(1, seed=5)
    vectors = np.concatenate([near, near, off / np.linalg.norm(off), -near])
    columns = columns_of(metas, [1, 2, 1], vectors)
    assert similar_others(columns, "S-1", near, least=0.6) == [("E-2", pytest.approx(1.0))]
    assert [entry for entry, _ in similar_others(columns, "S-9", near, least=0.6)] == ["E-1", "E-2"]
    assert similar_others(columns, "S-2", near[:0], least=0.6) == []
