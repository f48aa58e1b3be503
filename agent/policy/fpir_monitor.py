"""Is the rate of false alerts still what the policy promises? Wald's test says when it is not.

Each subject who passes is an observation: an alert about him that a reviewer rejected, or none. The
sequential probability ratio test (A. Wald, Annals of Mathematical Statistics 16(2), 1945) holds the
target rate p0 against p1 = 3 p0: every subject adds the logarithm of the ratio of the two
likelihoods, and the sum ends the test at one of two bounds. At the upper one the target is
exceeded: with at most alpha / (1 - beta) probability although the rate is p0. At the lower one it
is kept, and the next test begins: without that a quiet year would pay for a bad week.

Reviews come late and in any order. So the place of a rejected alert is where its subject passed
(how many had been counted when the alert was raised), and the sum is walked anew over all of them:
the answer does not depend on when anybody reviewed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

WORSE = 3.0
ERROR = 0.05
_ROUNDING = 1e-9
_WORST_FPIR = 0.3
"""A test against three times a target needs one below a third."""
TRACK_S = 2.0
"""Who was in sight for less is not counted as a subject: strictly, a subject less is a stricter
test."""


@dataclass(frozen=True, slots=True)
class Sprt:
    """The test.

    Attributes:
        p0: rejected alerts per subject that are promised, 0 < p0 < 1 / worse.
        worse: p1 / p0, above 1.
        alpha, beta: probabilities of the two errors, 0 < each < 0.5.
    """

    p0: float
    worse: float = WORSE
    alpha: float = ERROR
    beta: float = ERROR

    def __post_init__(self) -> None:
        if not (self.worse > 1 and self.p0 > 0 and self.p0 * self.worse < 1):
            raise ValueError(f"no test of {self.p0} against {self.worse} times as much")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):  # noqa: PLR2004 -- worse than a coin
            raise ValueError(f"error probabilities {self.alpha} and {self.beta}")

    @property
    def step(self) -> float:
        """What a subject without a rejected alert adds; negative."""
        return math.log1p(-self.p0 * self.worse) - math.log1p(-self.p0)

    @property
    def jump(self) -> float:
        """What a subject with one adds."""
        return math.log(self.worse)

    @property
    def upper(self) -> float:
        return math.log((1 - self.beta) / self.alpha)

    @property
    def lower(self) -> float:
        return math.log(self.beta / (1 - self.alpha))

    def judge(self, subjects: float, rejected: Sequence[float]) -> Judgement:
        """Walk over everybody who passed.

        Args:
            subjects: counted so far.
            rejected: for each rejected alert, how many subjects had been counted when it was
                raised; in any order. More of them than subjects are counted all the same.
        """
        passed, sum_, at = 0, 0.0, 0.0
        for place in sorted(rejected):
            tests, sum_ = self._descend(sum_, max(place - at, 0.0))
            passed, at = passed + tests, max(place, at)
            sum_ += self.jump
            if sum_ >= self.upper:
                return Judgement(True, passed, sum_)
            at += 1.0  # he is counted: not among those without
        tests, sum_ = self._descend(sum_, max(subjects - at, 0.0))
        return Judgement(False, passed + tests, sum_)

    def _descend(self, sum_: float, subjects: float) -> tuple[int, float]:
        """So many subjects without a rejected alert: tests that ended well, and the sum then."""
        to_go = math.ceil((self.lower - sum_) / self.step - _ROUNDING)
        if subjects < to_go:
            return 0, sum_ + subjects * self.step
        whole = math.ceil(self.lower / self.step - _ROUNDING)
        more, rest = divmod(subjects - to_go, whole)
        return 1 + int(more), rest * self.step


def sprt_for(target_fpir: float) -> Sprt:
    """The test of a policy's target; a target that no test could tell from three times as much is
    tested as the largest that one can.
    """
    return Sprt(min(target_fpir, _WORST_FPIR))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the test says.

    Attributes:
        exceeded: the upper bound was reached.
        passed: tests that ended at the lower bound before.
        evidence: the sum of the test that runs, or that ended at the upper bound.
    """

    exceeded: bool
    passed: int
    evidence: float


@dataclass(frozen=True, slots=True)
class FpirCounts:
    """Counts since the last reset. Nothing of anybody who is not on the list.

    Attributes:
        tracks: of at least `TRACK_S` with enough shots.
        raised: alerts that nobody has rejected so far: id to the tracks counted when it was raised;
            oldest first, at most `RAISED`.
        confirmed: ids of those that were confirmed.
        rejected: the tracks counted when each rejected one was raised.
    """

    tracks: int = 0
    raised: tuple[tuple[str, int], ...] = ()
    confirmed: tuple[str, ...] = ()
    rejected: tuple[int, ...] = ()

    def seen(self, tracks: int) -> FpirCounts:
        return replace(self, tracks=self.tracks + tracks)

    def with_raised(self, event: str) -> FpirCounts:
        raised = (*self.raised, (event, self.tracks))[-RAISED:]
        known = {one for one, _ in raised}
        return replace(
            self, raised=raised, confirmed=tuple(one for one in self.confirmed if one in known)
        )

    def with_review(self, event: str, outcome: Outcome) -> FpirCounts:
        """An alert was reviewed. One that is not known, or whose review says nothing new, changes
        nothing: so a replayed review does nothing. A rejection is for good.
        """
        places = dict(self.raised)
        if event not in places or (outcome == "confirmed" and event in self.confirmed):
            return self
        if outcome == "confirmed":
            return replace(self, confirmed=(*self.confirmed, event))
        place = places.pop(event)
        return replace(
            self,
            raised=tuple(places.items()),
            confirmed=tuple(one for one in self.confirmed if one != event),
            rejected=(*self.rejected, place)[-REJECTED:],
        )


Outcome = Literal["confirmed", "rejected"]
RAISED = 2000
REJECTED = 5000
"""More belong to tests that ended long ago."""


def exceeded(counts: FpirCounts, sprt: Sprt, fragmentation: float) -> str | None:
    """Why nothing may be matched any more, in one line; None while the target is kept.

    Args:
        counts: so far.
        sprt: the test.
        fragmentation: tracks per subject, at least 1.
    """
    subjects = counts.tracks / fragmentation
    places = [place / fragmentation for place in counts.rejected]
    if not sprt.judge(subjects, places).exceeded:
        return None
    return (
        f"too many false alerts: {len(counts.rejected)} rejected among {round(subjects)} subjects, "
        f"more than {sprt.p0:g} each; the agency must reset the monitor"
    )
