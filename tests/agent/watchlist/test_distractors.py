from __future__ import annotations

import numpy as np

from agent.watchlist.check import check
from agent.watchlist.distractors import distractors, next_number
from agent.watchlist.entries import Kind
from tests.support.lists import EMBEDDER, a_list, a_meta, some_columns

SETTINGS = {"dim": 16, "embedder": EMBEDDER, "grounds": a_meta(authorisation="T-9")}


def test_they_say_what_they_are():
    columns = distractors(20, 1, first=1, **SETTINGS)
    check(columns)
    assert columns.meta(0).entry == columns.meta(0).subject == "distractor-000001"
    assert columns.meta(19).entry == "distractor-000020"
    assert columns.meta(7).authorisation == "T-9"
    assert {columns.provenance(row)[0].kind for row in range(20)} == {Kind.DISTRACTOR}


def test_the_seed_decides():
    a, b, c = (distractors(5, seed, first=1, **SETTINGS).vectors for seed in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_numbering_goes_on():
    assert next_number(a_list(some_columns())) == 1
    assert next_number(a_list(distractors(5, 1, first=4, **SETTINGS))) == 9
