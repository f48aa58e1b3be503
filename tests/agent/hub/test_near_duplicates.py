import numpy as np
import pytest

from agent.hub.near_duplicates import default_similarity, near_duplicates
from agent.watchlist.columns import Columns
from tests.support.lists import a_meta, columns_of, units


def people(vectors: np.ndarray, subjects: list[str]) -> Columns:
    metas = [a_meta(at, subject=subject) for at, subject in enumerate(subjects)]
    return columns_of(metas, [1] * len(metas), vectors)


def everybody(columns: Columns) -> np.ndarray:
    return np.ones(len(columns), np.bool_)


def test_two_subjects_with_one_face_are_named_with_their_similarity() -> None:
    vectors = units(40)
    vectors[7] = vectors[31]
    columns = people(vectors, [f"S-{at}" for at in range(40)])
    found = near_duplicates(columns, everybody(columns), least=0.99)
    assert [(one.entry, one.other) for one in found.pairs] == [("E-7", "E-31")]
    assert found.pairs[0].similarity == pytest.approx(1.0)
    assert found.count == 1


def test_two_entries_of_one_subject_may_look_alike() -> None:
    vectors = units(3)
    vectors[0] = vectors[1]
    columns = people(vectors, ["S-1", "S-1", "S-2"])
    assert near_duplicates(columns, everybody(columns), least=0.99).count == 0


def test_only_pairs_with_a_new_entry_are_looked_for() -> None:
    vectors = units(6)
    vectors[1] = vectors[0]
    vectors[5] = vectors[3]
    columns = people(vectors, [f"S-{at}" for at in range(6)])
    new = np.array([False] * 5 + [True])
    found = near_duplicates(columns, new, least=0.99)
    assert [(one.entry, one.other) for one in found.pairs] == [("E-3", "E-5")]


def test_blocks_find_what_one_product_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.hub.near_duplicates._ROWS", 7)
    monkeypatch.setattr("agent.hub.near_duplicates._COLUMNS", 11)
    vectors = units(60, dim=8)
    columns = people(vectors, [f"S-{at % 50}" for at in range(60)])
    found = near_duplicates(columns, everybody(columns), least=0.6)
    product = vectors @ vectors.T
    expected = {
        (f"E-{a}", f"E-{b}")
        for a in range(60)
        for b in range(a + 1, 60)
        if product[a, b] >= 0.6 and a % 50 != b % 50
    }
    assert len(expected) > 20
    assert {(one.entry, one.other) for one in found.pairs} == expected
    values = [one.similarity for one in found.pairs]
    assert values == sorted(values, reverse=True)


def test_the_default_lies_where_one_pair_in_a_million_does() -> None:
    curve = ((0.3, 1e-2), (0.5, 1e-5), (0.7, 1e-7))
    assert default_similarity(curve) == pytest.approx(0.6)
