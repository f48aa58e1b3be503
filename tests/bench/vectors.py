"""Templates of nobody with the geometry of real ones, for a long list.

Embeddings of SFace fp32 on one photograph each of 2,200 people of LFW have a mean of length 0.287
and a covariance whose sorted eigenvalues fall like exp(-k / 96). A Gaussian of that shape, put back
on the sphere, gives the quantiles of similarity between strangers within 0.006 from the median
to 1 in 100,000 (0.083, 0.293, 0.358, 0.409, 0.453 against 0.082, 0.288, 0.356, 0.411, 0.452 at
0.5, 0.99, 0.999, 0.9999, 0.99999). Vectors without any structure would make the search harder
than it is, and nobody's list is like that. hnswlib finds as much in these as in the real ones: with
2,200 of each and ef=16 the best of 97.7 % and 97.9 % of the probes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from agent.values import F32, Vectors

DIM = 128
MEAN_LENGTH = 0.287
DECAY = 96.0
GENUINE_MEAN, GENUINE_SPREAD = 0.69, 0.1
"""Similarity of two pictures of one person: LFW's genuine pairs, of which 93 % lie over 0.56 and
64 % over 0.668."""


def templates(count: int, seed: int) -> Vectors:
    """(count, 128) unit vectors; the same seed gives the same ones."""
    rng = np.random.default_rng(seed)
    spread = np.exp(-np.arange(DIM) / DECAY)
    spread *= (1 - MEAN_LENGTH**2) / spread.sum()
    drawn = rng.standard_normal((count, DIM), dtype=np.float32)
    drawn *= np.sqrt(spread).astype(np.float32)
    drawn += np.float32(MEAN_LENGTH / np.sqrt(DIM))
    return _unit(drawn)


def new_pictures(listed: Vectors, count: int, seed: int) -> Vectors:
    """(count, 128) probes: new pictures of people on the list, alike as far as real ones are."""
    rng = np.random.default_rng(seed)
    known = listed[rng.choice(len(listed), count, replace=False)]
    alike = np.clip(rng.normal(GENUINE_MEAN, GENUINE_SPREAD, (count, 1)), 0.3, 0.97)
    return _turned(known, alike, rng)


def pictures_within(listed: Vectors, low: float, high: float, count: int, seed: int) -> Vectors:
    """(count, 128) probes, each alike between `low` and `high` to a template of its own."""
    rng = np.random.default_rng(seed)
    known = listed[rng.choice(len(listed), count, replace=False)]
    return _turned(known, rng.uniform(low, high, (count, 1)), rng)


def _turned(known: Vectors, alike: npt.NDArray[np.float64], rng: np.random.Generator) -> Vectors:
    noise = rng.standard_normal(known.shape, dtype=np.float32)
    noise = _unit(noise - (noise * known).sum(axis=1, keepdims=True) * known)
    return _unit((alike * known + np.sqrt(1 - alike**2) * noise).astype(np.float32))


def exact_two(listed: Vectors, asked: Vectors, block: int = 50) -> tuple[F32, F32]:
    """(n,) the highest and the next similarity of each probe, by full products."""
    first, second = [], []
    for at in range(0, len(asked), block):
        scores = asked[at : at + block] @ listed.T
        rows = np.arange(len(scores))
        best = scores.argmax(axis=1)
        first.append(scores[rows, best])
        scores[rows, best] = -2
        second.append(scores.max(axis=1))
    return np.concatenate(first), np.concatenate(second)


def exact_best(listed: Vectors, asked: Vectors, block: int = 100) -> F32:
    """(n,) the highest similarity of each probe to any template, by a full product."""
    rows = range(0, len(asked), block)
    return np.concatenate([(asked[at : at + block] @ listed.T).max(axis=1) for at in rows])


def _unit(rows: Vectors) -> Vectors:
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
