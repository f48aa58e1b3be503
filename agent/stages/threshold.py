"""The similarity threshold that a list of a given length asks for.

A subject who is not listed is compared with every template. By the union bound his chance of a
false alert is at most the number of templates times the false match rate of one comparison:
FPIR <= N * FMR (for independent comparisons 1 - (1 - FMR)^N, Wayman 1999; terms of ISO/IEC
19795-1). So the rate needed is target / N, and the similarity that gives it is read from the
curve measured on this very embedder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.errors import DataError, RefusedError

Curve = Sequence[tuple[float, float]]
"""(similarity, false match rate), similarity rising, rate falling and above zero."""

HIGHEST = 0.95
"""No threshold is set above this: the same photograph twice must still match."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and where it came from.

    Attributes:
        similarity: cosine.
        fmr: false match rate that the list asks for.
        extrapolated: beyond what was measured.
    """

    similarity: float
    fmr: float
    extrapolated: bool


def needed_fmr(*, target_fpir: float, templates: int) -> float:
    """False match rate of one comparison so that FPIR stays at `target_fpir`."""
    return target_fpir / max(templates, 1)


def largest_list(curve: Curve, *, target_fpir: float) -> int:
    """Templates that the measured part of the curve can serve."""
    return int(target_fpir / check_curve(curve)[-1][1] * (1 + 1e-9))


def threshold_for(
    curve: Curve, *, target_fpir: float, templates: int, floor: float, extrapolate: bool
) -> Threshold:
    """The similarity threshold for a list, never below `floor`.

    Between measured points the logarithm of the rate is taken as linear in the similarity. A
    rate above the first point gets the first similarity.

    Args:
        curve: at least two points.
        target_fpir: false alerts per subject passing the camera, 0 < target < 1.
        templates: on the list.
        floor: least similarity, from policy.
        extrapolate: whether to follow the line of the last two points beyond the measured end,
            up to `HIGHEST`.

    Raises:
        DataError: the curve is not one.
        RefusedError: the list needs more than was measured.
    """
    points = check_curve(curve)
    fmr = needed_fmr(target_fpir=target_fpir, templates=templates)
    beyond = fmr < points[-1][1] * (1 - 1e-9)
    if beyond and not extrapolate:
        raise RefusedError(
            f"{templates} templates at a target FPIR of {target_fpir:g} need a false match rate "
            f"of {fmr:.1e}, but the embedder was measured down to {points[-1][1]:.1e} only: use a "
            f"list of at most {largest_list(points, target_fpir=target_fpir)} templates, or a "
            "policy that allows extrapolation"
        )
    similarity = min(_read(points, fmr), HIGHEST)
    return Threshold(max(similarity, floor), fmr, beyond)


def check_curve(curve: Curve) -> Curve:
    """The curve itself, once it is known to be one.

    Raises:
        DataError: fewer than two points, or not rising and falling as it should.
    """
    fine = len(curve) >= 2 and all(0 < fmr <= 1 for _, fmr in curve)  # noqa: PLR2004
    if not fine or any(a[0] >= b[0] or a[1] <= b[1] for a, b in pairwise(curve)):
        raise DataError(
            "similarity-to-FMR curve: needs two or more (similarity, rate) points with rising "
            "similarity and falling rate in (0, 1]; rebuild the models"
        )
    return curve


def _read(curve: Curve, fmr: float) -> float:
    if fmr >= curve[0][1]:
        return curve[0][0]
    segments = list(pairwise(curve))
    low, high = next((s for s in segments if fmr >= s[1][1]), segments[-1])
    share = math.log(low[1] / fmr) / math.log(low[1] / high[1])
    return low[0] + share * (high[0] - low[0])
