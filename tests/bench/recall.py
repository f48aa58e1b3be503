"""`python -m tests.bench.recall COUNT [SPACE:M:EF_CONSTRUCTION ...]`: what a graph costs when it
must find what exact search finds.

SPACE is `ip`, `centred` (moved by the list's mean, put back on the sphere) or `moved` (not put
back). Without any, the agent's own index is built and tried as on a device. Probes are noisy
templates (`noisy_probes`), strangers and new pictures; templates have the geometry of real ones.
Times are CPU times of one thread; set OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import hnswlib
import numpy as np

from agent.adapters.hnsw_index import AGREEMENT, PROBES, noisy_probes
from agent.values import F32, Vectors
from tests.bench import ours, vectors
from tests.bench.machine import machine

K = 16
Way = Callable[[Vectors], Vectors]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("variants", nargs="*")
    parser.add_argument("--threads", type=int, default=2, help="for building")
    args = parser.parse_args()
    print(machine(), flush=True)
    listed = vectors.templates(args.count, seed=1)
    if not args.variants:
        _own(listed, args.threads)
        return
    asked = noisy_probes(listed, PROBES)
    strangers = vectors.templates(PROBES, seed=3)
    print(f"{args.count}: exact search {_exact_ms(listed, asked)}", flush=True)
    best = vectors.exact_best(listed, asked), vectors.exact_best(listed, strangers)
    for variant in args.variants:
        space, m, breadth = variant.split(":")
        move = _WAYS[space](listed.mean(axis=0))
        index = _built(move(listed), int(m), int(breadth), args.threads, variant)
        for ef in (64, 128, 256, 512, 1024, 2048, 4096):
            index.set_ef(ef)
            found, ms = _share(index, listed, asked, move, best[0])
            others, _ = _share(index, listed, strangers, move, best[1])
            print(f"  ef {ef}: {ms:.2f} ms, best of {found:.4f}; of strangers {others:.4f}")
            sys.stdout.flush()
            if found >= AGREEMENT:
                break


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


_WAYS: dict[str, Callable[[F32], Way]] = {
    "ip": lambda _mean: lambda rows: rows,
    "moved": lambda mean: lambda rows: rows - mean,
    "centred": lambda mean: lambda rows: _unit(rows - mean),
}


def _built(rows: Vectors, m: int, breadth: int, threads: int, name: str) -> hnswlib.Index:
    index = hnswlib.Index(space="ip", dim=rows.shape[1])
    index.init_index(max_elements=len(rows), M=m, ef_construction=breadth, random_seed=100)
    began, wall = time.process_time(), time.perf_counter()
    index.add_items(rows, np.arange(len(rows)), num_threads=threads)
    cpu, wall = time.process_time() - began, time.perf_counter() - wall
    size = index.index_file_size() / 1e6
    print(f"{name}: built in {cpu:.0f} s CPU, {wall:.0f} s; {size:.0f} MB", flush=True)
    return index


def _share(
    index: hnswlib.Index, listed: Vectors, asked: Vectors, move: Way, best: F32
) -> tuple[float, float]:
    """Share of probes whose best template is found, and CPU ms of one."""
    moved = np.ascontiguousarray(move(asked), np.float32)
    began = time.thread_time()
    rows, _ = index.knn_query(moved, k=K, num_threads=1)
    ms = 1000 * (time.thread_time() - began) / len(asked)
    alike = np.einsum("pkd,pd->pk", listed[rows.astype(np.intp)], asked).max(axis=1)
    return float((alike >= best - 1e-6).mean()), ms


def _exact_ms(listed: Vectors, asked: Vectors) -> str:
    """Median CPU ms of so many probes at once."""
    found = {}
    for size in (1, 2, 4, 8, 16):
        times = []
        for _ in range(15):
            began = time.thread_time()
            (asked[:size] @ listed.T).argmax(axis=1)
            times.append(1000 * (time.thread_time() - began))
        found[size] = float(np.median(times))
    return ", ".join(f"{size} at once {ms:.2f} ms" for size, ms in found.items())


def _own(listed: Vectors, threads: int) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    plain = ours.gallery(listed, threads)
    gallery = plain.indexed() or plain
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{len(listed)}, in {seconds:.0f} s ({cpu:.0f} s CPU): {gallery.how}", flush=True)
    sets = {
        "new pictures": vectors.new_pictures(listed, 1000, seed=2),
        "strangers": vectors.templates(1000, seed=3),
    }
    for name, asked in sets.items():
        times, alike = [], []
        for at in range(len(asked)):
            start = time.thread_time()
            (one,) = gallery.search(asked[at : at + 1])
            times.append(1000 * (time.thread_time() - start))
            alike.append(one.best.similarity if one.best else -1.0)
        missed = vectors.exact_best(listed, asked) - np.array(alike) > 1e-5
        print(
            f"  {name}: best of {1 - missed.mean():.4f}, median {np.median(times):.2f} ms, "
            f"p99 {np.quantile(times, 0.99):.2f} ms"
        )


if __name__ == "__main__":
    main()
