"""How long to pause after a failure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential pauses with a cap, half of each left to chance.

    "Equal jitter" of M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015:
    a fleet that lost the same broker does not come back in step, and no pause is ever zero.

    Attributes:
        first_s: the longest first pause, s.
        cap_s: the longest pause, s.
    """

    first_s: float
    cap_s: float

    def pause_s(self, failures: int, chance: float) -> float:
        """The pause after so many failures in a row, s.

        Args:
            failures: 1 or more.
            chance: uniform in [0, 1].
        """
        doublings = min(failures - 1, 64)
        longest = min(self.cap_s, self.first_s * 2.0**doublings)
        return longest * (0.5 + 0.5 * chance)
