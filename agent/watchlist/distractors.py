"""Templates of nobody: they fill a list for tests of speed and of false alerts, and say so."""

from __future__ import annotations

import hashlib

import numpy as np

from agent.values import Vectors
from agent.watchlist.columns import Columns, StoredList, from_entries, text
from agent.watchlist.entries import EntryMeta, Kind, Provenance

PREFIX = "distractor-"


def distractors(
    count: int,
    seed: int,
    *,
    first: int,
    dim: int,
    embedder: str,
    grounds: EntryMeta,
) -> Columns:
    """Entries with random unit vectors, uniform on the sphere.

    Args:
        count: how many, at least 1.
        seed: the same seed and first number give the same vectors.
        first: number of the first, as in `distractor-000001`.
        dim: numbers in a vector.
        embedder: sha256 of the network whose list they fill.
        grounds: basis, purpose, authorisation and period of them all.
    """
    rng = np.random.default_rng([seed, first])
    said = f"{count} distractors, seed {seed}, first {first}, dim {dim}"
    origin = (Provenance(hashlib.sha256(said.encode()).hexdigest(), Kind.DISTRACTOR, embedder),)
    names = [f"{PREFIX}{number:06d}" for number in range(first, first + count)]
    metas = [grounds.model_copy(update={"entry": name, "subject": name}) for name in names]
    return from_entries(metas, [origin] * count, _unit(rng, count, dim))


def next_number(stored: StoredList) -> int:
    """The first number after those of the distractors on the list."""
    taken = [text(one) for one in stored.columns.entry if one.startswith(PREFIX.encode())]
    numbers = [int(one[len(PREFIX) :]) for one in taken if one[len(PREFIX) :].isdigit()]
    return max(numbers, default=0) + 1


def _unit(rng: np.random.Generator, count: int, dim: int) -> Vectors:
    vectors = rng.standard_normal((count, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors
