"""`python -m tests.bench.recall COUNT [--graph]`: what each way of searching a list costs when it
must find what exact search finds.

Templates have the geometry of real ones, probes are those of the agent's own exam
(`search_trial`). The graph takes minutes to build when COUNT is large. Times are CPU times of one
thread; set OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import math
import time

from agent.adapters.hnsw_index import graph_for
from agent.adapters.search_trial import Exam
from agent.adapters.sketch import sketch_for
from agent.config import WatchlistConfig
from tests.bench import vectors
from tests.bench.machine import machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--graph", action="store_true", help="an hnswlib graph too")
    parser.add_argument("--threads", type=int, default=2, help="for building the graph")
    args = parser.parse_args()
    print(machine(), flush=True)
    exam = Exam.of(vectors.templates(args.count, seed=1))
    assert exam is not None, "it is never told to stop"
    began, cpu = time.perf_counter(), time.process_time()
    sketch = sketch_for(exam)
    _tell(args.count, sketch and sketch[1], began, cpu)
    if args.graph:
        began, cpu = time.perf_counter(), time.process_time()
        graph = graph_for(exam, WatchlistConfig(), rival=math.inf, threads=args.threads)
        _tell(args.count, graph and graph[1], began, cpu)


def _tell(count: int, trial: object, began: float, cpu: float) -> None:
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{count}, built and tried in {seconds:.1f} s ({cpu:.1f} s CPU): {trial}", flush=True)


if __name__ == "__main__":
    main()
