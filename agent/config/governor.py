"""When the device does less than it could: a table of rules, each with its own hysteresis."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from agent.config.section import Section, Slug

Measure = Literal["battery", "temperature", "load", "faces"]


class GovernorRule(Section):
    name: Slug = Field(description="Told in `ctl status` while the rule is in force.")
    measure: Measure = Field(
        description="battery: charge in percent, while not charging. temperature: of the hottest "
        "zone, degrees Celsius. load: share of time that the pipeline works, 0..1, live sources "
        "only. faces: people followed now."
    )
    at: float = Field(
        ge=-60,
        le=10_000,
        description="The rule comes into force at this: at or below it for battery, at or above "
        "it for the others.",
    )
    back: float = Field(ge=-60, le=10_000, description="And out of force beyond this.")
    rate_hz: float = Field(
        0.0, ge=0, le=240, description="Detections per second at most meanwhile; 0: as configured."
    )
    face_scale: float = Field(
        1.0,
        ge=1,
        le=8,
        description="The smallest face to find is so many times as wide meanwhile, so that the "
        "frame is searched at a lower resolution.",
    )
    shots_per_s: float = Field(
        0.0,
        ge=0,
        le=30,
        description="Embeddings per second of each undecided track at most meanwhile; 0: as "
        "configured.",
    )

    @model_validator(mode="after")
    def _apart(self) -> GovernorRule:
        rising = self.measure != "battery"
        if (self.back >= self.at) if rising else (self.back <= self.at):
            side = "below" if rising else "above"
            raise ValueError(f"rule {self.name}: back must lie {side} at, or the rule would flap")
        return self


def _rule(name: str, measure: Measure, at: float, back: float, **less: float) -> GovernorRule:
    return GovernorRule(name=name, measure=measure, at=at, back=back, **less)


DEFAULT_RULES = (
    _rule("battery-low", "battery", 30, 35, rate_hz=6, shots_per_s=3),
    _rule("battery-critical", "battery", 10, 15, rate_hz=3, face_scale=1.5, shots_per_s=2),
    _rule("battery-empty", "battery", 5, 10, rate_hz=1),
    _rule("warm", "temperature", 75, 70, rate_hz=6, shots_per_s=3),
    _rule("hot", "temperature", 82, 76, rate_hz=3, face_scale=1.5, shots_per_s=2),
    _rule("overheated", "temperature", 90, 80, rate_hz=1),
    _rule("busy", "load", 0.97, 0.5, rate_hz=6),
    _rule("crowd", "faces", 40, 25, shots_per_s=2),
)
"""The last one of battery and of temperature lies below what a policy asks for by default: the
device disarms then, and keeps what is left for its alerts."""


class GovernorConfig(Section):
    enabled: bool = Field(True, description="Do less when battery, heat, load or scene ask for it.")
    after_s: float = Field(
        4.0, ge=0, le=600, description="A rule comes into force when it has held for so long, s."
    )
    hold_s: float = Field(
        30.0, ge=1, le=3600, description="And out of force when it has not for so long, s."
    )
    rules: tuple[GovernorRule, ...] = Field(
        DEFAULT_RULES,
        max_length=50,
        description="Of all rules in force the least of each figure holds.",
    )

    @model_validator(mode="after")
    def _named_once(self) -> GovernorConfig:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("two rules have the same name")
        return self
