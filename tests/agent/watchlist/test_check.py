from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.errors import DataError
from agent.watchlist.check import bad_vectors, check
from agent.watchlist.columns import Coded
from tests.support.lists import END, some_columns, units


def put(array, row, value):
    changed = np.array(array)
    changed[row] = value
    return changed


def coded(column, row, value):
    texts = [column[at] for at in range(len(column.codes))]
    texts[row] = value
    return Coded.of(texts)


BREAKS = {
    "an id with a space": (
        lambda c: {"entry": put(c.entry, 1, b"E 2")},
        r"entry id b'E 2' in row 1",
    ),
    "an empty id": (lambda c: {"entry": put(c.entry, 1, b"")}, "entry id b'' in row 1"),
    "a hole in an id": (lambda c: {"subject": put(c.subject, 2, b"a\0b")}, "subject id"),
    "an id twice": (lambda c: {"entry": put(c.entry, 2, b"E-1")}, "'E-1': is on the list twice"),
    "no basis": (lambda c: {"basis": coded(c.basis, 1, "")}, "'E-2': has no usable basis"),
    "no purpose": (lambda c: {"purpose": coded(c.purpose, 1, "")}, "'E-2': has no usable purpose"),
    "no authorisation": (
        lambda c: {"authorisation": coded(c.authorisation, 0, " ")},
        "'E-1': has no usable authorisation",
    ),
    "a code without a value": (
        lambda c: {"basis": Coded(put(c.basis.codes, 2, 1), c.basis.values)},
        "'E-3': has no usable basis",
    ),
    "no expiry": (lambda c: {"not_after": put(c.not_after, 1, 0)}, "'E-2': needs an expiry"),
    "an expiry that is no number": (
        lambda c: {"not_after": put(c.not_after, 1, np.nan)},
        "'E-2': needs an expiry",
    ),
    "an endless expiry": (
        lambda c: {"not_after": put(c.not_after, 1, np.inf)},
        "'E-2': needs an expiry",
    ),
    "an end before the begin": (
        lambda c: {"not_before": put(c.not_before, 0, END)},
        "'E-1': needs an expiry",
    ),
    "a priority out of range": (
        lambda c: {"priority": put(c.priority, 2, 1001)},
        "'E-3': priority",
    ),
    "a vector too long": (
        lambda c: {"vectors": put(c.vectors, 1, c.vectors[1] * 1.01)},
        "'E-2': has a template that is not",
    ),
    "a vector of nothing": (lambda c: {"vectors": put(c.vectors, 1, 0)}, "'E-2': has a template"),
    "a NaN": (lambda c: {"vectors": put(c.vectors, (2, 3), np.nan)}, "'E-3': has a template"),
    "an infinity": (lambda c: {"vectors": put(c.vectors, (2, 3), np.inf)}, "'E-3': has a templ"),
    "an unknown kind": (lambda c: {"kind": put(c.kind, 0, 9)}, "'E-1': has a template of unknown"),
    "no embedder": (
        lambda c: {"embedder": coded(c.embedder, 1, "abc")},
        "'E-2': has no usable embedder",
    ),
    "an entry without a template": (
        lambda c: {"owner": np.array([0, 2, 2], np.int32)},
        "not in the order of their entries, or missing",
    ),
    "templates out of order": (lambda c: {"owner": np.array([0, 2, 1], np.int32)}, "order"),
    "a template of nobody": (lambda c: {"owner": np.array([0, 1, 3], np.int32)}, "order"),
}


def test_a_good_list_passes():
    check(some_columns())


@pytest.mark.parametrize("name", BREAKS)
def test_one_bad_entry_is_named(name):
    break_, says = BREAKS[name]
    columns = some_columns()
    with pytest.raises(DataError, match=says) as caught:
        check(replace(columns, **break_(columns)))
    assert "\n" not in str(caught.value)


def test_too_many_templates_of_one_entry():
    columns = some_columns()
    owner = np.sort(np.concatenate([np.arange(3), np.ones(100)])).astype(np.int32)
    many = replace(
        columns,
        owner=owner,
        kind=np.ones(103, np.uint8),
        source=np.zeros((103, 32), np.uint8),
        embedder=Coded(np.zeros(103, np.uint16), columns.embedder.values),
        vectors=units(103),
    )
    with pytest.raises(DataError, match="'E-2': has more than 100 templates"):
        check(many)


def test_a_dimension_that_no_embedder_has():
    with pytest.raises(DataError, match="vectors of 4 numbers"):
        check(some_columns(dim=4))


def test_bad_vectors_are_all_found_without_a_warning():
    vectors = np.stack([units(1)[0], units(1)[0] * 3e38, np.full(16, np.nan), units(1)[0]])
    assert bad_vectors(vectors.astype(np.float32)).tolist() == [1, 2]
