import pytest

from agent.stages.decide import DecisionRule, decide
from agent.stages.evidence import Evidence
from agent.values import (
    Candidate,
    Candidates,
    Embedding,
    EntryRef,
    FaceMeasure,
    Verdict,
)
from tests.support.faces import a_track, unit

RULE = DecisionRule(min_shots=3, threshold=0.5, margin=0.05)
REF = EntryRef("e-1", "s-1", "a-1")
OTHER = EntryRef("e-2", "s-2", "a-1")
FACE = FaceMeasure(64.0, 0.7)


def found(best: float | None, runner_up: float | None = None) -> Candidates:
    return Candidates(
        None if best is None else Candidate(REF, best),
        None if runner_up is None else Candidate(OTHER, runner_up),
    )


@pytest.mark.parametrize(
    ("shots", "candidates", "verdict"),
    [
        (3, found(0.6), Verdict.MATCH),
        (3, found(0.5), Verdict.MATCH),
        (3, found(0.6, 0.5), Verdict.MATCH),
        (2, found(0.9), Verdict.TOO_FEW_SHOTS),
        (0, found(None), Verdict.TOO_FEW_SHOTS),
        (3, found(None), Verdict.NO_ENTRY),
        (3, found(0.4999), Verdict.BELOW_THRESHOLD),
        (3, found(0.6, 0.56), Verdict.AMBIGUOUS),
        (3, found(0.6, 0.6), Verdict.AMBIGUOUS),
        (3, found(float("nan")), Verdict.BELOW_THRESHOLD),
        (3, found(0.6, float("nan")), Verdict.AMBIGUOUS),
    ],
)
def test_the_verdict_table(shots: int, candidates: Candidates, verdict: Verdict) -> None:
    evidence = Evidence(Embedding(unit(1, 0)), shots, FACE)
    decision = decide(a_track(7, first=1.0, last=2.5), evidence, candidates, RULE)
    assert decision.verdict is verdict
    assert decision.ref == (REF if verdict is Verdict.MATCH else None)
    assert (decision.track, decision.shots, decision.threshold) == (7, shots, 0.5)
    assert (decision.first_seen, decision.last_seen, decision.face) == (1.0, 2.5, FACE)


def test_a_match_says_how_close_and_by_how_much() -> None:
    evidence = Evidence(Embedding(unit(1, 0)), 4, FACE)
    decision = decide(a_track(), evidence, found(0.75, 0.25), RULE)
    assert (decision.similarity, decision.margin) == (0.75, 0.5)
