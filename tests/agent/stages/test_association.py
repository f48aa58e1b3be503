"""Costs, gates and the assignment, against hand-made tables and brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from agent.stages import kalman
from agent.stages.association import Gate, assign, costs, giou
from tests.support.faces import boxes_of

small = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=5)
tables = small.flatmap(
    lambda shape: st.tuples(
        arrays(np.float64, shape, elements=st.integers(0, 20).map(float)),
        arrays(np.bool_, shape),
    )
)


def best_by_trying_all(cost: np.ndarray, allowed: np.ndarray) -> tuple[int, float]:
    """Most pairs, then least cost, over every assignment."""
    rows, columns = cost.shape
    slots = max(rows, columns)
    best = (0, 0.0)
    for order in permutations(range(slots), rows):
        pairs = [(r, c) for r, c in enumerate(order) if c < columns and allowed[r, c]]
        total = (-len(pairs), sum(cost[p] for p in pairs))
        best = min(best, total)
    return -best[0], best[1]


@settings(max_examples=50, deadline=None)
@given(tables)
def test_the_assignment_is_the_best_there_is(table: tuple[np.ndarray, np.ndarray]) -> None:
    cost, allowed = table
    pairs = assign(cost, allowed)
    count, total = best_by_trying_all(cost, allowed)
    assert len(pairs) == count
    assert sum(cost[pair] for pair in pairs) == pytest.approx(total)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_each_row_and_column_is_used_once_and_only_where_allowed(
    table: tuple[np.ndarray, np.ndarray],
) -> None:
    cost, allowed = table
    pairs = assign(cost, allowed)
    assert all(allowed[pair] for pair in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)


def test_the_greedy_choice_is_not_taken_where_it_costs_more() -> None:
    cost = np.array([[0.1, 0.2], [0.2, 1.0]])
    assert assign(cost, np.ones((2, 2), bool)) == [(0, 1), (1, 0)]


def test_ties_go_to_the_lower_column() -> None:
    assert assign(np.zeros((1, 3)), np.ones((1, 3), bool)) == [(0, 0)]


def test_a_large_ambiguous_table_is_solved() -> None:
    rng = np.random.default_rng(0)
    cost = rng.random((100, 80))
    pairs = assign(cost, np.ones_like(cost, dtype=bool))
    assert len(pairs) == 80
    assert sum(cost[p] for p in pairs) < 80 * 0.05


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10), 1.0),
        ((5, 0, 10), 1 / 3),
        ((10, 0, 10), 0.0),
        ((20, 0, 10), -1 / 3),
        ((0, 0, 20), 0.25),
    ],
)
def test_giou_by_hand(other: tuple[float, float, float], expected: float) -> None:
    value = giou(boxes_of([(0, 0, 10)]), boxes_of([other]))
    assert value.shape == (1, 1)
    assert value[0, 0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("face", "allowed"),
    [
        ((100, 100, 40), True),
        ((150, 100, 40), True),
        ((185, 100, 40), False),  # more than two faces away
        ((100, 100, 85), False),  # more than twice the size
        ((100, 100, 15), False),
    ],
)
def test_the_gate_lets_through_what_a_person_can_do(
    face: tuple[float, float, float], allowed: bool
) -> None:
    bank = kalman.predict(kalman.start(boxes_of([(100, 100, 40)])), 0.2)
    _, mask = costs(bank, boxes_of([face]), Gate())
    assert mask.tolist() == [[allowed]]
