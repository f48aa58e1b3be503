"""How sure a measured share is."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The 97.5 % point of the normal distribution: a two-sided 95 % interval."""


def wilson(successes: int, trials: int, *, z: float = Z95) -> tuple[float, float]:
    """Score interval of a binomial share (E. B. Wilson, JASA 22, 1927).

    Args:
        successes: 0..trials.
        trials: independent trials; 0 tells nothing and gives (0, 1).
        z: normal quantile of the confidence wanted.

    Returns:
        (low, high), both in [0, 1] and around successes / trials.

    Raises:
        ValueError: successes outside 0..trials.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"expected 0..{trials} successes, got {successes}")
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    weight = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / weight
    half = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2) / weight
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high
