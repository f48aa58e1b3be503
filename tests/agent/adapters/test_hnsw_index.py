"""A graph is as wide as it must be, and is dropped where it costs more than its rival."""

from __future__ import annotations

import hnswlib
import numpy as np
import pytest

from agent.adapters import hnsw_index
from agent.adapters.bit_planes import packed
from agent.adapters.hnsw_index import Graph, graph_for
from agent.adapters.search_trial import Exam
from agent.config import WatchlistConfig
from agent.values import Vectors
from tests.support.lists import units

NARROW = WatchlistConfig(ef_search=10, candidates=4)


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Without structure, so that a narrow search misses much; 32 dimensions keep it quick."""
    return units(1000, 32)


@pytest.fixture(scope="module")
def exam(vectors: Vectors) -> Exam:
    made = Exam.of(vectors)
    assert made is not None
    return made


def test_it_is_widened_until_it_agrees(exam: Exam) -> None:
    found = graph_for(exam, NARROW, rival=np.inf, threads=1)
    assert found is not None
    trial = found[1]
    assert trial.agrees
    assert trial.way.startswith("graph at ef ")
    assert int(trial.way.rsplit(maxsplit=1)[1]) > 10


def test_it_is_not_widened_beyond_what_the_rival_costs(exam: Exam) -> None:
    found = graph_for(exam, NARROW, rival=0.0, threads=1)
    assert found is not None
    assert found[1].way == "graph at ef 10"
    assert not found[1].agrees


def test_who_is_not_alive_is_not_given(vectors: Vectors) -> None:
    graph = Graph(vectors, k=8, threads=1, go_on=lambda: True)
    graph.widen(64)
    (alive,) = packed((np.arange(1000) != 5)[:, None])
    everybody, others = graph.near(vectors[5]), graph.near(vectors[5], alive)
    assert everybody is not None
    assert others is not None
    assert 5 in everybody
    assert sorted(others) == sorted(set(everybody) - {5})


def test_a_graph_that_fell_apart_cannot_tell(
    vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Torn(hnswlib.Index):  # type: ignore[misc]
        def knn_query(self, *_args: object, **_how: object) -> None:
            raise RuntimeError("Cannot return the results in a contiguous 2D array")

    monkeypatch.setattr(hnsw_index.hnswlib, "Index", Torn)
    graph = Graph(vectors, k=8, threads=1, go_on=lambda: True)
    assert graph.near(vectors[0]) is None


def test_it_is_given_up_when_it_is_not_to_go_on(exam: Exam) -> None:
    stopped = Exam(exam.vectors, exam.probes, exam.rows, exam.best, exam.timer, lambda: False)
    assert graph_for(stopped, NARROW, rival=1.0, threads=1) is None
