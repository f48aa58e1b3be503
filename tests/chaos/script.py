"""Who is seen, in the place of camera, networks and list."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from agent.pipeline import Activation
from agent.pipeline.result import StepResult
from agent.stages.alerting import AlertBook, AlertContext, Moment, raise_alert
from agent.stages.decide import DecisionRule
from agent.values import (
    Decision,
    EntryRef,
    FaceMeasure,
    Frame,
    Monotonic,
    Verdict,
    WatchlistRef,
)
from tests.chaos.truth import Raised, TruthFile

AUTHORISATION = "CHAOS-1"
AGAIN = 0.3
"""Share of sights that are of somebody who was seen a moment ago."""


class Script:
    """In the place of the pipeline: says who is seen, and raises alerts by the agent's own rules.

    Args:
        truth: told of everything before it is committed.
        known: what earlier lives raised.
        chance: decides who is seen.
        subjects: how many people there are.
        new_id: a ULID for a wall-clock time.
    """

    rule = DecisionRule(2, 0.5, 0.05)

    def __init__(
        self,
        truth: TruthFile,
        known: dict[str, Raised],
        chance: random.Random,
        subjects: int,
        new_id: Any,
    ) -> None:
        self._truth = truth
        self._chance = chance
        self._subjects = subjects
        self._new_id = new_id
        self._recent = deque((one.subject for one in known.values()), maxlen=20)
        self._context: AlertContext | None = None
        self._book = AlertBook()
        self._open: set[str] = set()

    def arm(self, activation: Activation) -> None:
        self._book = AlertBook.remembering(activation.remembered)
        self._context = AlertContext(
            activation.id, WatchlistRef("L-1", 1), activation.cooldown_s, activation.test,
            self._new_id,
        )  # fmt: skip

    def disarm(self) -> tuple[int, ...]:
        self._context = None
        return ()

    def close(self) -> None:
        self.disarm()

    def expire(self, now: Monotonic) -> tuple[int, ...]:
        return ()

    def committed(self, event: str) -> None:
        """The outbox has said so."""
        self._open.discard(event)
        self._truth.fate(event, "raised")

    def step(self, frame: Frame) -> StepResult:
        for event in self._open:
            self._truth.fate(event, "given_up")
        self._open.clear()
        if self._context is None:
            return StepResult(armed=False)
        decision = self._sight(frame)
        moment = Moment(frame.at, frame.captured_at)
        self._book, alert = raise_alert(self._book, decision, self._context, now=moment)
        if alert is None:
            return StepResult(looked=True)
        self._truth.about(
            id=alert.id, subject=alert.ref.subject, activation=alert.activation,
            first=alert.match is None, at=frame.at, priority=alert.ref.priority,
        )  # fmt: skip
        self._open.add(alert.id)
        self._recent.append(alert.ref.subject)
        return StepResult(looked=True, alerts=(alert,))

    def _sight(self, frame: Frame) -> Decision:
        chance = self._chance
        subject = f"S-{chance.randrange(self._subjects)}"
        if self._recent and chance.random() < AGAIN:
            subject = chance.choice(self._recent)
        number = int(subject[2:])
        ref = EntryRef(f"E-{number}", subject, AUTHORISATION, priority=number % 3)
        similarity = chance.uniform(0.5, 0.9)
        face = FaceMeasure(80.0, 0.8)
        return Decision(
            1, Verdict.MATCH, ref, similarity, 0.5, 0.2, 3, face, frame.at, frame.at
        )  # fmt: skip
