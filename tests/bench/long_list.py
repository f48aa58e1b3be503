"""Search, start and change of a long list; each pass runs in a process of its own (`worker`)."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agent.adapters.gallery import ListGallery, build_gallery, renewed
from agent.adapters.watchlist_store import WatchlistStore
from agent.config import WatchlistConfig
from agent.values import F32, Vectors, Wall
from agent.watchlist.columns import StoredList, concat
from tests.bench import ours, vectors

BANDS = ((0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.95))
CHANGED = 100
"""One entry in so many is another after the change."""
NOW = Wall(1.8e9)
_MISSED = 1e-5
_COLD = np.zeros(8 << 20)
"""64 MB: written to before a probe, they push the list out of the caches."""

Figures = dict[str, Any]


def searching(templates: int, probes: int) -> Callable[[Figures], Figures]:
    """Times and agreement with exact search, by how much alike the best template is.

    A task with `bands: false` asks for new pictures of people on the list only.
    """
    listed = vectors.templates(templates, seed=1)
    plain = ours.gallery(listed, threads=1)
    began = time.perf_counter()
    gallery = plain.indexed() or plain
    index_s = time.perf_counter() - began
    sets = {
        "new pictures": vectors.new_pictures(listed, probes, seed=2),
        "strangers": vectors.templates(probes, seed=3),
    } | {
        f"{low:.2f} to {high:.2f}": vectors.pictures_within(listed, low, high, probes, seed=4)
        for low, high in BANDS
    }

    def run(task: Figures) -> Figures:
        asked = sets if task.get("bands", True) else {"new pictures": sets["new pictures"]}
        return {
            "how": gallery.how,
            "index_s": round(index_s, 2),
            "exact_p50_ms": _ms(_searched(plain, sets["new pictures"][:100])[0], 0.5),
            "bands": {name: _band(gallery, listed, rows) for name, rows in asked.items()},
            "batch_of_16_ms": _batches(gallery, sets["new pictures"]),
            "cold_p50_ms": _cold(gallery, sets["new pictures"][:100]),
        }

    return run


def _band(gallery: ListGallery, listed: Vectors, asked: Vectors) -> Figures:
    _searched(gallery, asked[:50])
    times, cpu, best, other = _searched(gallery, asked)
    first, second = vectors.exact_two(listed, asked)
    right, both = first - best < _MISSED, second - other < _MISSED
    return {
        "p50_ms": _ms(times, 0.5),
        "p99_ms": _ms(times, 0.99),
        "cpu_p50_ms": _ms(cpu, 0.5),
        "cpu_p99_ms": _ms(cpu, 0.99),
        "top1_agreement": round(float(right.mean()), 5),
        "best_over_0_5_missed": int((~right & (first >= 0.5)).sum()),
        "margin_agreement": round(float((right & both).mean()), 5),
        "too_high": int(((best - first > _MISSED) | (right & (other - second > _MISSED))).sum()),
    }


def _searched(gallery: ListGallery, asked: Vectors) -> tuple[F32, F32, F32, F32]:
    """Wall and CPU milliseconds, and the best two similarities, of probes searched one by one."""
    figures = np.empty((4, len(asked)), np.float32)
    for at in range(len(asked)):
        cpu, wall = time.thread_time(), time.perf_counter()
        (found,) = gallery.search(asked[at : at + 1])
        figures[:2, at] = 1000 * (time.perf_counter() - wall), 1000 * (time.thread_time() - cpu)
        figures[2:, at] = [
            -1 if one is None else one.similarity for one in (found.best, found.runner_up)
        ]
    return figures[0], figures[1], figures[2], figures[3]


def _batches(gallery: ListGallery, asked: Vectors) -> float:
    times = []
    for at in range(0, min(len(asked), 480), 16):
        began = time.perf_counter()
        gallery.search(asked[at : at + 16])
        times.append(1000 * (time.perf_counter() - began))
    return _ms(np.array(times, np.float32), 0.5)


def _cold(gallery: ListGallery, asked: Vectors) -> float:
    """With the caches full of something else, as after a frame."""
    times = []
    for at in range(len(asked)):
        _COLD[:] = at
        began = time.perf_counter()
        gallery.search(asked[at : at + 1])
        times.append(1000 * (time.perf_counter() - began))
    return _ms(np.array(times, np.float32), 0.5)


def writing(templates: int, folder: Path) -> Callable[[Figures], Figures]:
    """Writes a list, and the same list with 1 % of its entries changed, for `serving`."""
    listed = ours.stored(vectors.templates(templates, seed=1))
    fresh = ours.stored(vectors.templates(templates // CHANGED, seed=9), name="new")
    old = listed.columns.take(np.arange(templates) % CHANGED != 0)
    changed = replace(listed, columns=concat([fresh.columns, old]))

    def run(_task: Figures) -> Figures:
        _write(folder / "before", listed)
        _write(folder / "after", changed)
        return {}

    return run


def _write(folder: Path, stored: StoredList) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    WatchlistStore(folder).update(lambda _: stored, record=lambda _: None)


def serving(folder: Path) -> Callable[[Figures], Figures]:
    """Start, memory and change of the list that `writing` left, without the networks.

    `rss_mb` is the interpreter, the list and its index; `swap_peak_mb` the most there was while
    the changed list was read, applied to a clone, and later built anew with its index.
    """
    config = WatchlistConfig()

    def load(name: str) -> StoredList:
        return WatchlistStore(folder / name).load()

    def run(_task: Figures) -> Figures:
        began = time.perf_counter()
        gallery = build_gallery(load("before"), now=NOW, config=config, threads=1)
        gallery.search(vectors.templates(1, seed=5))
        start_s = time.perf_counter() - began
        gallery = gallery.indexed() or gallery
        index_s = time.perf_counter() - began - start_s
        rss = _resident_mb()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        began = time.perf_counter()
        clone = renewed(load("after"), now=NOW, previous=gallery, config=config, threads=1)
        change_s, change_mb = time.perf_counter() - began, _peak_mb()
        began = time.perf_counter()
        clone.at(Wall(NOW + 1))
        at_s = time.perf_counter() - began
        del gallery
        built = build_gallery(load("after"), now=NOW, config=config, threads=1)
        built = built.indexed() or built
        return {
            "start_s": round(start_s, 2),
            "index_s": round(index_s, 2),
            "rss_mb": rss,
            "change_s": round(change_s, 2),
            "change_peak_mb": change_mb,
            "applied_to_clone": clone.stale,
            "expiry_s": round(at_s, 4),
            "swap_peak_mb": _peak_mb(),
        }

    return run


def _ms(times: F32, share: float) -> float:
    return round(float(np.quantile(times, share)), 3)


def _resident_mb() -> float:
    """What the process holds now, interpreter and list included."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * resource.getpagesize() / 2**20, 1)


def _peak_mb() -> float:
    """The most it held since `clear_refs`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = int(status.partition("VmHWM:")[2].split()[0])
    return round(kilobytes / 1024, 1)
