"""One track, one verdict. Ambiguity is silence."""

from __future__ import annotations

from dataclasses import dataclass

from agent.stages.evidence import Evidence
from agent.values import Candidates, Decision, Track, Verdict


@dataclass(frozen=True, slots=True)
class DecisionRule:
    """What a match needs.

    Attributes:
        min_shots: distinct shots.
        threshold: cosine of the track's template with the entry, at least.
        margin: cosine over the best other subject, at least.
    """

    min_shots: int
    threshold: float
    margin: float


def decide(
    track: Track, evidence: Evidence, candidates: Candidates, rule: DecisionRule
) -> Decision:
    """Hold the evidence of a track against the rule.

    The first thing that is missing names the verdict, in the order of `Verdict`'s reasons: too
    few shots, nobody on the list, below the threshold, another subject too close. What cannot
    be compared (not a number) is silence too.
    """
    verdict = _verdict(evidence.shots, candidates, rule)
    best = candidates.best
    return Decision(
        track=track.id,
        verdict=verdict,
        ref=best.ref if best is not None and verdict is Verdict.MATCH else None,
        similarity=best.similarity if best is not None else 0.0,
        threshold=rule.threshold,
        margin=candidates.margin,
        shots=evidence.shots,
        face=evidence.face,
        first_seen=track.first_seen,
        last_seen=track.last_seen,
    )


def _verdict(shots: int, candidates: Candidates, rule: DecisionRule) -> Verdict:
    if shots < rule.min_shots:
        return Verdict.TOO_FEW_SHOTS
    if candidates.best is None:
        return Verdict.NO_ENTRY
    if not candidates.best.similarity >= rule.threshold:
        return Verdict.BELOW_THRESHOLD
    return Verdict.MATCH if candidates.margin >= rule.margin else Verdict.AMBIGUOUS
