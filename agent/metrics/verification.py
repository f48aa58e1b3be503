"""One-to-one figures: is it the same person, yes or no.

Conventions, the same everywhere here:

* A pair is accepted when its score is at or over the threshold.
* A pair one of whose pictures gave no face scores `FAILED` (-1). It stays in every denominator,
  and no threshold ever accepts it (failure to acquire as a rejection: ISO/IEC 19795-1).
* FAR is the share of accepted pairs among those of two people, TAR among those of one person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

F64: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

FAILED = -1.0
"""Score of a pair that could not be compared. Cosine similarities are never lower."""

TAR_AT = (0.01, 0.001)
"""False accept rates at which the true accept rate is reported."""


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Scored pairs.

    Attributes:
        scores: (n,) float64 in [-1, 1]; `FAILED` where there was nothing to compare.
        same: (n,) bool, True for one person.
        folds: (n,) integers from 0.

    Raises:
        ValueError: lengths differ, there is no pair of one of the kinds, or a score is out of
            range.
    """

    scores: F64
    same: Mask
    folds: npt.NDArray[np.intp]

    def __post_init__(self) -> None:
        if not self.scores.shape == self.same.shape == self.folds.shape == (len(self.scores),):
            raise ValueError(
                f"expected three arrays of one length, got {self.scores.shape}, "
                f"{self.same.shape}, {self.folds.shape}"
            )
        if not self.same.any() or self.same.all():
            raise ValueError("expected pairs of one person and pairs of two people")
        if not (np.abs(self.scores) <= 1.0).all():
            raise ValueError("expected scores in [-1, 1]")

    @property
    def genuine(self) -> F64:
        """Scores of pairs of one person."""
        return self.scores[self.same]

    @property
    def impostor(self) -> F64:
        """Scores of pairs of two people."""
        return self.scores[~self.same]


@dataclass(frozen=True, slots=True)
class Verification:
    """The figures of one evaluation.

    Attributes:
        pairs: how many.
        failed_to_acquire: pairs scored `FAILED`.
        accuracy_mean: mean over the folds of the share of right answers.
        accuracy_std: standard deviation over the folds with n - 1 below, as the LFW report
            estimates it; 0 with one fold.
        threshold: the one used; the mean over the folds when each has its own.
        eer: equal error rate, over all pairs.
        tar_at_far: TAR at each of `TAR_AT`, over all pairs.
    """

    pairs: int
    failed_to_acquire: int
    accuracy_mean: float
    accuracy_std: float
    threshold: float
    eer: float
    tar_at_far: dict[float, float]


def best_threshold(scores: F64, same: Mask) -> float:
    """The threshold with the most right answers.

    Candidates lie half way between neighbouring distinct scores, and just outside the range on
    both sides; among equally good ones the median is taken (the lower of the two middle ones),
    which is the least tied to single scores.

    Args:
        scores: (n,) in [-1, 1], n at least 1.
        same: (n,) True for one person.

    Returns:
        A number over -1, so that a failed acquisition is never accepted.
    """
    levels = np.unique(scores)
    middle = (levels[:-1] + levels[1:]) / 2
    candidates = np.concatenate(([levels[0]], middle, [np.nextafter(levels[-1], 2.0)]))
    candidates = candidates[candidates > FAILED]
    genuine, impostor = np.sort(scores[same]), np.sort(scores[~same])
    right = (
        len(genuine) - np.searchsorted(genuine, candidates) + np.searchsorted(impostor, candidates)
    )
    best = np.flatnonzero(right == right.max())
    return float(candidates[best[(len(best) - 1) // 2]])


def accuracy(scores: F64, same: Mask, threshold: float) -> float:
    """Share of right answers at a threshold."""
    return float(np.mean((scores >= threshold) == same))


def eer(genuine: F64, impostor: F64) -> float:
    """Equal error rate: where as many impostors are accepted as genuine pairs are refused.

    Both rates are known at every distinct score and just above the highest; between two
    neighbours in which their order changes both are taken as straight lines.
    """
    levels = np.unique(np.concatenate((genuine, impostor)))
    levels = np.append(levels[levels > FAILED], np.inf)
    refused = np.searchsorted(np.sort(genuine), levels) / len(genuine)
    accepted = 1.0 - np.searchsorted(np.sort(impostor), levels) / len(impostor)
    gap = refused - accepted
    after = int(np.argmax(gap >= 0))
    if after == 0:
        return float((refused[0] + accepted[0]) / 2)
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(refused[after - 1] + share * (refused[after] - refused[after - 1]))


def tar_at_far(genuine: F64, impostor: F64, far: float) -> float:
    """True accept rate at the lowest threshold whose FAR is at most `far`.

    That is the share of genuine pairs over the (floor(far * n) + 1)-th highest of the n impostor
    scores; with too few impostors for `far`, over all of them.
    """
    allowed = math.floor(far * len(impostor) + 1e-9)
    if allowed >= len(impostor):
        return float(np.mean(genuine > FAILED))
    barrier = np.sort(impostor)[len(impostor) - 1 - allowed]
    return float(np.mean(genuine > barrier))


def verify(trials: Trials, *, threshold: float | None = None) -> Verification:
    """All figures.

    Args:
        trials: the scored pairs.
        threshold: fixed beforehand; None to choose one for each fold on all others (the LFW
            protocol), or, with a single fold, on that fold itself (which flatters).
    """
    numbers = np.unique(trials.folds)
    thresholds = [_fold_threshold(trials, k, threshold) for k in numbers]
    rates = [
        accuracy(trials.scores[trials.folds == k], trials.same[trials.folds == k], chosen)
        for k, chosen in zip(numbers, thresholds, strict=True)
    ]
    return Verification(
        pairs=len(trials.scores),
        failed_to_acquire=int(np.count_nonzero(trials.scores == FAILED)),
        accuracy_mean=float(np.mean(rates)),
        accuracy_std=float(np.std(rates, ddof=1)) if len(rates) > 1 else 0.0,
        threshold=float(np.mean(thresholds)),
        eer=eer(trials.genuine, trials.impostor),
        tar_at_far={far: tar_at_far(trials.genuine, trials.impostor, far) for far in TAR_AT},
    )


def refold(trials: Trials, folds: int) -> Trials:
    """The same pairs dealt into `folds` equal parts, each kind in its order, in runs.

    Raises:
        ValueError: fewer pairs of one kind than folds.
    """
    numbers = np.empty(len(trials.scores), np.intp)
    for kind in (trials.same, ~trials.same):
        count = int(kind.sum())
        if count < folds:
            raise ValueError(f"{count} pairs of one kind cannot make {folds} folds")
        numbers[kind] = np.arange(count) * folds // count
    return Trials(trials.scores, trials.same, numbers)


def _fold_threshold(trials: Trials, fold: int, fixed: float | None) -> float:
    if fixed is not None:
        return fixed
    others = trials.folds != fold
    if not others.any():
        others = ~others
    return best_threshold(trials.scores[others], trials.same[others])
