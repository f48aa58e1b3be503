"""The trial must see what a graph misses: exact products are the oracle, time is counted."""

from __future__ import annotations

from collections.abc import Callable

import hnswlib
import numpy as np
import pytest

from agent.adapters import hnsw_index
from agent.adapters.hnsw_index import AGREEMENT, NOISE, Graph, Trial, graph_for, noisy_probes
from agent.config import WatchlistConfig
from agent.values import Vectors
from tests.support.lists import units

INDEX = hnswlib.Index
NARROW = WatchlistConfig(ef_search=10, candidates=4)


class Costs:
    """Seconds pass by what was asked: `graph` for a block of probes, `exact` for a product."""

    def __init__(self, *, exact: float, graph: float) -> None:
        self.now, self.exact, self.graph = 0.0, exact, graph
        self.timed, self.calls = exact, 0

    def __call__(self) -> float:
        """Read before and after each timed piece of work; the first 50 are exact products."""
        self.calls += 1
        if self.calls % 2 == 0:
            products = 2 * 5 * 5
            self.now += self.exact if self.calls <= products else self.graph
        return self.now


def tried(
    vectors: Vectors,
    *,
    exact: float = 1.0,
    graph: float = 0.001,
    go_on: Callable[[], bool] = lambda: True,
    config: WatchlistConfig = NARROW,
) -> tuple[Graph, Trial] | None:
    timer = Costs(exact=exact, graph=graph)
    return graph_for(vectors, config, threads=1, go_on=go_on, timer=timer)


def trial_of(vectors: Vectors, **how: float) -> Trial:
    found = tried(vectors, **how)  # type: ignore[arg-type]
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Without structure, so that a narrow search misses much; 32 dimensions keep it quick."""
    return units(1000, 32)


@pytest.fixture(scope="module")
def graph(vectors: Vectors) -> Graph:
    return Graph(vectors, threads=1, go_on=lambda: True)


def agreement(graph: Graph, vectors: Vectors, probes: Vectors) -> float:
    """By float64 products."""
    scores = probes.astype(np.float64) @ vectors.astype(np.float64).T
    rows = graph.near(probes, 4)
    assert rows is not None
    found = np.take_along_axis(scores, rows, axis=1).max(axis=1)
    return float((found >= scores.max(axis=1) - 1e-6).mean())


def test_noisy_probes_lie_where_thresholds_do(vectors: Vectors) -> None:
    probes = noisy_probes(vectors, 200)
    np.testing.assert_allclose(np.linalg.norm(probes, axis=1), 1, atol=1e-5)
    rng = np.random.default_rng(673)
    own = vectors[rng.choice(len(vectors), 200, replace=False)]
    alike = np.einsum("ij,ij->i", probes, own)
    assert NOISE[0] - 1e-4 <= alike.min() < 0.51
    assert 0.59 < alike.max() <= NOISE[1] + 1e-4
    np.testing.assert_array_equal(probes, noisy_probes(vectors, 200))


def test_the_breadth_grows_until_noisy_probes_agree(vectors: Vectors) -> None:
    found = tried(vectors)
    assert found is not None
    graph, trial = found
    assert trial.ef > 10
    assert trial.agreement >= AGREEMENT
    assert trial.probes == len(vectors)
    probes = noisy_probes(vectors, len(vectors))
    assert agreement(graph, vectors, probes) == pytest.approx(trial.agreement, abs=1e-9)
    graph.widen(10)
    assert agreement(graph, vectors, probes[:300]) < AGREEMENT


def test_templates_that_look_for_themselves_would_not_have_seen_it(
    vectors: Vectors, graph: Graph
) -> None:
    """Why the probes are noisy."""
    graph.widen(4)
    itself, noisy = vectors[:500], noisy_probes(vectors, 500)
    assert agreement(graph, vectors, itself) > 0.99
    assert agreement(graph, vectors, noisy) < 0.9


def test_a_graph_that_costs_more_is_not_used(vectors: Vectors) -> None:
    trial = trial_of(vectors, exact=1.0, graph=51.0)
    assert (trial.batch, trial.ef) == (0, 10)
    assert trial.exact_ms == pytest.approx(1000)
    assert trial.graph_ms == pytest.approx(1020)
    assert str(trial).startswith("searched exactly: at ef 10 the graph finds")


def test_the_graph_is_for_as_many_probes_as_it_is_cheaper_for(vectors: Vectors) -> None:
    """One probe takes 10 ms (0.5 s for a block of 50); a product 45 ms, however many."""
    trial = trial_of(vectors, exact=0.045, graph=0.5)
    assert trial.batch == 4
    assert str(trial).startswith("searched by graph, up to 4 probes at once: at ef")


class Scrambled(INDEX):  # type: ignore[misc]
    """An index that answers with the wrong rows, as a broken build or bad memory would."""

    def knn_query(self, data, k=1, num_threads=-1):  # type: ignore[no-untyped-def]
        labels, distances = super().knn_query(data, k=k, num_threads=num_threads)
        return (labels + 1) % self.get_current_count(), distances


class Short(INDEX):  # type: ignore[misc]
    """An index whose graph fell apart: fewer than k can be reached."""

    def knn_query(self, data, k=1, num_threads=-1):  # type: ignore[no-untyped-def]
        raise RuntimeError("Cannot return the results in a contiguous 2D array")


@pytest.mark.parametrize("broken", [Scrambled, Short])
def test_a_broken_graph_is_never_used(
    broken: type, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hnsw_index.hnswlib, "Index", broken)
    trial = trial_of(vectors[:500])
    assert trial.batch == 0
    assert trial.agreement < 0.5
    assert trial.ef >= 500


def test_one_thread_builds_the_same_again(vectors: Vectors) -> None:
    probes = units(20, 32, 77)
    first, second = (Graph(vectors[:400], threads=1, go_on=lambda: True) for _ in range(2))
    np.testing.assert_array_equal(first.near(probes, 4), second.near(probes, 4))


@pytest.mark.parametrize("looks", [0, 3, 10, 68, 70])
def test_it_gives_up_wherever_it_is(looks: int, vectors: Vectors) -> None:
    left = iter([True] * looks)
    assert tried(vectors, go_on=lambda: next(left, False)) is None


def test_the_probe_is_not_changed_and_its_copy_is_wiped(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    wiped: list[np.ndarray] = []

    def keep(*arrays: np.ndarray) -> None:
        hnsw_index_wipe(*arrays)
        wiped.extend(arrays)

    hnsw_index_wipe = hnsw_index.wipe
    monkeypatch.setattr(hnsw_index, "wipe", keep)
    probes = units(2, 32, 5)
    before = probes.copy()
    graph.near(probes, 4)
    np.testing.assert_array_equal(probes, before)
    assert [array.shape for array in wiped] == [(2, 32)]
    assert not wiped[0].any()


def test_templates_that_are_all_one_do_not_divide_by_nothing() -> None:
    graph = Graph(np.repeat(units(1, 32), 60, axis=0), threads=1, go_on=lambda: True)
    rows = graph.near(units(1, 32, 4), 4)
    assert rows is not None
    assert rows.shape == (1, 4)
