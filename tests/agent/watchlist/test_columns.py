from __future__ import annotations

import numpy as np
import pytest

from agent.errors import DataError
from agent.values import EntryRef, Wall
from agent.watchlist.check import check
from agent.watchlist.columns import Coded, StoredList, concat, no_entries
from agent.watchlist.entries import Kind
from tests.support.lists import BEGIN, END, a_meta, columns_of, some_columns, units


def test_what_goes_in_comes_out():
    metas = [a_meta(1), a_meta(2, subject="S-1", basis="warrant", not_before=0.0)]
    columns = columns_of(metas, [2, 1], units(3))
    check(columns)
    assert [columns.meta(row) for row in (0, 1)] == metas
    assert columns.ref(1) == EntryRef("E-2", "S-1", "TEST-1", 2)
    assert [one.sha256 for one in columns.provenance(0)] == [f"{0:064x}"] * 2
    assert [one.kind for one in columns.provenance(1)] == [Kind.PHOTOGRAPH]


def test_validity_is_half_open():
    columns = columns_of([a_meta(1), a_meta(2, not_before=BEGIN + 10)], [1, 1], units(2))
    masks = {now: columns.valid_at(Wall(now)).tolist() for now in (BEGIN - 1, BEGIN, END - 1, END)}
    assert masks == {
        BEGIN - 1: [False, False],
        BEGIN: [True, False],
        END - 1: [True, True],
        END: [False, False],
    }


@pytest.mark.parametrize(
    ("now", "change"),
    [(0, BEGIN), (BEGIN, BEGIN + 10), (BEGIN + 10, END), (END - 1, END), (END, None)],
)
def test_the_next_change_is_the_first_begin_or_end_to_come(now, change):
    columns = columns_of([a_meta(1), a_meta(2, not_before=BEGIN + 10)], [1, 1], units(2))
    assert columns.next_change(Wall(now)) == change


def test_taking_keeps_entries_and_templates_together():
    columns = columns_of([a_meta(n) for n in range(4)], [1, 3, 2, 1], units(7))
    part = columns.take(np.array([False, True, False, True]))
    check(part)
    assert [part.meta(row).entry for row in range(2)] == ["E-1", "E-3"]
    assert part.owner.tolist() == [0, 0, 0, 1]
    assert np.array_equal(part.vectors, columns.vectors[[1, 2, 3, 6]])


def test_taking_all_copies_nothing():
    columns = some_columns()
    assert columns.take(np.ones(3, bool)) is columns


def test_joining_merges_dictionaries_and_widths():
    a = columns_of([a_meta(1, basis="b1")], [2], units(2))
    b = columns_of([a_meta(20_000, basis="b2"), a_meta(3, basis="b1")], [1, 1], units(2, seed=1))
    both = concat([a, b])
    check(both)
    assert [both.meta(row) for row in range(3)] == [a.meta(0), b.meta(0), b.meta(1)]
    assert both.basis.values == ("b1", "b2")


def test_joining_with_nothing():
    columns = concat([no_entries(16), some_columns()])
    check(columns)
    assert [columns.meta(row) for row in range(3)] == [some_columns().meta(r) for r in range(3)]


def test_more_codes_than_fit_are_refused():
    parts = [Coded.of([f"a{n}" for n in range(4000)]), Coded.of([f"b{n}" for n in range(100)])]
    with pytest.raises(DataError, match="more than 4096"):
        Coded.joined(parts)


def test_reprs_show_no_numbers_of_a_template():
    assert "Columns(entries=3, templates=3, dim=16)" in repr(
        StoredList("x", 1, "s", some_columns())
    )


def test_rows_are_picked_in_any_order_each_with_its_templates():
    columns = columns_of([a_meta(number) for number in range(4)], [1, 3, 2, 1], units(7))
    rows = [2, 0, 2, 1]
    picked = columns.pick(np.array(rows))
    assert picked.owner.tolist() == [0, 0, 1, 2, 2, 3, 3, 3]
    assert [picked.meta(at) for at in range(4)] == [columns.meta(row) for row in rows]
    assert [picked.provenance(at) for at in range(4)] == [columns.provenance(row) for row in rows]
    assert np.array_equal(picked.vectors, columns.vectors[[4, 5, 0, 4, 5, 1, 2, 3]])
    assert len(columns.pick(np.zeros(0, np.intp))) == 0
