"""`build/bench.json`: one entry to a thing measured, merged over runs; spreads lie beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tests.bench.timing import Spread

Unit = Literal["ms", "ms/face", "frames/s"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against a peer, at the same work with the same number of threads.

    Attributes:
        ours, peer: medians and extremes, in `unit`.
        peer_name: library and version.
        peer_model: the files that the peer loads.
        ours_precision: of the networks that took part in `ours`.
        how: in one sentence, what each side did.
    """

    ours: Spread
    peer: Spread
    peer_name: str
    peer_model: str
    unit: Unit
    threads: int
    ours_precision: str
    how: str

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        if self.unit == "frames/s":
            return self.ours.median / self.peer.median
        return self.peer.median / self.ours.median

    def entry(self) -> dict[str, Any]:
        """As it stands in bench.json."""
        return {
            "ours": round(self.ours.median, 3),
            "peer": round(self.peer.median, 3),
            "peer_name": self.peer_name,
            "peer_model": self.peer_model,
            "unit": self.unit,
            "threads": self.threads,
            "ours_precision": self.ours_precision,
            "ratio": round(self.ratio, 3),
        }

    def detail(self) -> dict[str, Any]:
        """As it stands in bench-detail.json: the entry, the extremes and how it was done."""
        return {
            **self.entry(),
            "ours_spread": asdict(self.ours),
            "peer_spread": asdict(self.peer),
            "how": self.how,
        }


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Both results; where both know a thing, the new one holds. `machine` comes first.

    A thing that is a mapping of plain figures (`watchlist_300k`) is merged figure by figure, so
    that those another program adds to it stay.
    """
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if name == "watchlist_300k" and isinstance(before, dict) and isinstance(value, dict):
            merged[name] = {**before, **value}
        else:
            merged[name] = value
    return {
        name: merged[name] for name in sorted(merged, key=lambda name: (name != "machine", name))
    }


def load(path: Path) -> dict[str, Any]:
    """What an earlier run left; nothing when it left nothing, or something else than results."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def save(path: Path, results: Mapping[str, Any]) -> None:
    """Write results whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def merge_into(path: Path, new: Mapping[str, Any]) -> dict[str, Any]:
    """Merge with what lies at `path`, save, and return all of it.

    Figures of two machines must not stand side by side: those of another one are dropped.
    """
    old = load(path)
    if "machine" in old and "machine" in new and old["machine"]["cpu"] != new["machine"]["cpu"]:
        old = {}
    merged = merge(old, new)
    save(path, merged)
    return merged
