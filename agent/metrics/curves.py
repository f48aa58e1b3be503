"""How often strangers look alike: the curve from similarity to false match rate.

A curve belongs to one embedder file, and goes into its model card. It keeps counts, not shares,
so that it says how far down it was measured, and so that parts may be added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agent.metrics.intervals import wilson

F64: TypeAlias = npt.NDArray[np.float64]
I64: TypeAlias = npt.NDArray[np.int64]


def similarity_grid(step: float = 0.001) -> F64:
    """Similarities from -1 to 1 in equal steps, (2 / step + 1,), rising.

    SFace loses a decade of FMR in about 0.06 of similarity: a step of 0.001 is 4 % of FMR.
    """
    return np.round(np.linspace(-1.0, 1.0, round(2.0 / step) + 1), 9)


@dataclass(frozen=True, slots=True, eq=False)
class FmrCurve:
    """Counts of impostor comparisons at or over each similarity.

    Attributes:
        similarities: (k,) float64, rising.
        accepted: (k,) int64, falling: comparisons with a score at or over each similarity.
        total: all impostor comparisons.

    Raises:
        ValueError: the arrays are not such a curve.
    """

    similarities: F64
    accepted: I64
    total: int

    def __post_init__(self) -> None:
        if self.similarities.ndim != 1 or self.similarities.shape != self.accepted.shape:
            raise ValueError(
                f"expected two rows of one length, got {self.similarities.shape} and "
                f"{self.accepted.shape}"
            )
        if not len(self.similarities) or (np.diff(self.similarities) <= 0).any():
            raise ValueError("similarities must rise")
        if (np.diff(self.accepted) > 0).any() or not (
            self.accepted[-1] >= 0 and self.accepted[0] <= self.total
        ):
            raise ValueError(f"counts must fall, from at most {self.total} to at least 0")

    @property
    def floor(self) -> float:
        """The lowest false match rate that was seen (over 0); 1.0 when none was."""
        seen = self.accepted[self.accepted > 0]
        return float(seen[-1] / self.total) if len(seen) else 1.0

    def fmr(self, similarity: float) -> float:
        """False match rate of a threshold, read at the next lower similarity of the curve.

        So it is never too low. Below the curve it is 1; 0 means less than could be measured.
        """
        index = int(np.searchsorted(self.similarities, similarity, side="right")) - 1
        return float(self.accepted[index] / self.total) if index >= 0 and self.total else 1.0

    def fmr_high(self, similarity: float) -> float:
        """Upper end of the 95 % interval of `fmr`, were the comparisons independent.

        They are not (each face is in many of them), so the truth may be still higher.
        """
        index = int(np.searchsorted(self.similarities, similarity, side="right")) - 1
        return wilson(int(self.accepted[index]), self.total)[1] if index >= 0 else 1.0

    def similarity_at(self, fmr: float) -> float | None:
        """The lowest similarity of the curve whose false match rate is at most `fmr`.

        None where it was never measured so far down (`fmr` below `floor`), or the curve ends
        before it.
        """
        if fmr < self.floor:
            return None
        low_enough = np.flatnonzero(self.accepted <= fmr * self.total * (1 + 1e-12))
        return float(self.similarities[low_enough[0]]) if len(low_enough) else None

    def points(self, rates: Sequence[float], *, least: int = 1) -> list[tuple[float, float]]:
        """(similarity, false match rate) pairs for a card, similarity rising, rate falling.

        Args:
            rates: false match rates wanted; each gives the point of `similarity_at`, with the rate
                counted there. Those never measured give none.
            least: false matches that a point must rest on. With 30 the rate is within 30 % of the
                truth in nine cases of ten (G. Doddington's rule, Speech Communication 31, 2000).
        """
        found: dict[float, float] = {}
        for rate in sorted(rates, reverse=True):
            similarity = self.similarity_at(rate)
            if similarity is not None and self.fmr(similarity) * self.total >= least - 0.5:
                found[similarity] = self.fmr(similarity)
        return list(found.items())

    def add(self, other: FmrCurve) -> FmrCurve:
        """Both sets of comparisons together.

        Raises:
            ValueError: the curves have different similarities.
        """
        if not np.array_equal(self.similarities, other.similarities):
            raise ValueError("curves over different similarities cannot be added")
        accepted = self.accepted + other.accepted
        return FmrCurve(self.similarities, accepted, self.total + other.total)


def fmr_curve(impostor: npt.NDArray[np.floating], similarities: F64) -> FmrCurve:
    """Count impostor scores.

    Args:
        impostor: scores of comparisons of two people, any shape; float32 is not widened.
        similarities: (k,) rising, see `similarity_grid`.
    """
    ordered = np.sort(impostor, axis=None)
    accepted = ordered.size - np.searchsorted(ordered, similarities.astype(ordered.dtype))
    return FmrCurve(similarities, accepted.astype(np.int64), ordered.size)
