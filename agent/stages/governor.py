"""How much the device does: rules on battery, heat, load and scene, each with hysteresis.

A rule comes into force when its measure has been beyond `at` for `after_s` without a break, and out
of force when it has been beyond `back` for `hold_s`. In between nothing changes, nor while a
measure is not known. Of all rules in force the least of each figure holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.config.governor import GovernorConfig, GovernorRule
from agent.values import Monotonic


@dataclass(frozen=True, slots=True)
class Measures:
    """What is so now; None: not known.

    Attributes:
        battery: charge in percent; charging: whether a charger is at work.
        temperature: degrees Celsius.
        load: share of time that the pipeline works, 0..1.
        faces: people followed.
    """

    battery: float | None = None
    charging: bool | None = None
    temperature: float | None = None
    load: float | None = None
    faces: float | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """What the pipeline may do.

    Attributes:
        rate_hz: detections per second at most; 0: every frame.
        face_px: smallest face to find, pixels of the frame.
        shots_per_s: embeddings per second of each undecided track, at most.
    """

    rate_hz: float
    face_px: float
    shots_per_s: float

    def short_of(self, least: Effort) -> str:
        """What is too little, in words; empty when nothing is.

        Args:
            least: the policy's minimum.
        """
        found: list[str] = []
        if 0 < self.rate_hz < least.rate_hz:
            found.append(f"{self.rate_hz:g} detections/s, {least.rate_hz:g} are the least")
        if self.face_px > least.face_px:
            found.append(f"faces from {self.face_px:g} px, {least.face_px:g} px are the most")
        if self.shots_per_s < least.shots_per_s:
            found.append(f"{self.shots_per_s:g} shots/s, {least.shots_per_s:g} are the least")
        return "; ".join(found)


@dataclass(frozen=True, slots=True)
class RuleState:
    """Attributes:
    on: in force.
    since: monotonic seconds since when the measure has spoken for the other; None: it does not.
    """

    on: bool = False
    since: Monotonic | None = None


States = tuple[RuleState, ...]
"""One for each rule of the table, in its order."""


def at_first(config: GovernorConfig) -> States:
    """Before anything was measured."""
    return tuple(RuleState() for _ in config.rules)


def govern(states: States, measures: Measures, config: GovernorConfig, *, now: Monotonic) -> States:
    """Each rule after these measures, taken at `now`."""
    return tuple(
        _after(state, _speaks_for(rule, measures, on=state.on), config, now)
        for state, rule in zip(states, config.rules, strict=True)
    )


def in_force(states: States, config: GovernorConfig) -> tuple[GovernorRule, ...]:
    return tuple(rule for state, rule in zip(states, config.rules, strict=True) if state.on)


def effort(rules: Sequence[GovernorRule], asked: Effort) -> Effort:
    """What is left of the configured effort under these rules."""
    rates = [rate for rate in (asked.rate_hz, *(rule.rate_hz for rule in rules)) if rate > 0]
    shots = [rule.shots_per_s for rule in rules if rule.shots_per_s > 0]
    return Effort(
        rate_hz=min(rates, default=0.0),
        face_px=asked.face_px * max((rule.face_scale for rule in rules), default=1.0),
        shots_per_s=min([asked.shots_per_s, *shots]),
    )


def _after(
    state: RuleState, other: bool | None, config: GovernorConfig, now: Monotonic
) -> RuleState:
    """`other`: the measure speaks for the other state; None: it is not known."""
    if not other:
        return RuleState(state.on)
    since = now if state.since is None else state.since
    wait_s = config.hold_s if state.on else config.after_s
    return RuleState(not state.on) if now - since >= wait_s else RuleState(state.on, since)


def _speaks_for(rule: GovernorRule, measures: Measures, *, on: bool) -> bool | None:
    """Whether the measure asks for a change; None: not known."""
    value: float | None = getattr(measures, rule.measure)
    if rule.measure == "battery":
        if measures.charging:
            return on
        if value is None:
            return None
        return value > rule.back if on else value <= rule.at
    if value is None:
        return None
    return value < rule.back if on else value >= rule.at
