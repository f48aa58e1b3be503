"""What the pipeline goes by, and what arms it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.config import Config, DetectionConfig
from agent.policy import Limits
from agent.stages.appearance import ReturnRule
from agent.stages.decide import DecisionRule
from agent.stages.shots import ShotSettings
from agent.stages.threshold import Curve, threshold_for
from agent.stages.tracking import TrackerSettings
from agent.values import EntryRef, Monotonic


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Settings of every stage.

    Attributes:
        detection: rate of detections.
        tracker: of the tracker.
        shots: which faces are embedded.
        returning: when a new track is one that was lost.
    """

    detection: DetectionConfig
    tracker: TrackerSettings
    shots: ShotSettings
    returning: ReturnRule = field(default_factory=ReturnRule)

    @staticmethod
    def of(config: Config) -> PipelineSettings:
        """The settings that the configuration asks for."""
        return PipelineSettings(
            detection=config.detection,
            tracker=TrackerSettings(rules=config.tracking),
            shots=ShotSettings(rates=config.recognition),
        )


@dataclass(frozen=True, slots=True)
class Activation:
    """One arming, and what holds under it.

    Attributes:
        id: ULID.
        rule_for: the decision rule for a list of so many templates; raises RefusedError where
            policy or the measured curve forbid it. See `decision_rule`.
        cooldown_s: seconds between two alerts for one subject.
        test: events are marked as tests.
        remembered: cool-down marks of this activation from before a restart: subject to (id of
            the first alert, monotonic end of its cool-down).
        evidence: alerts carry a picture of the matched face.
        policy: hash of the policy in force; empty: of the built-in one.
        armed_under: id of the authorisation.
        min_face_px: least width of a face; a larger one that is configured counts.
        silenced: see `agent.stages.alerting.AlertContext`.
    """

    id: str
    rule_for: Callable[[int], DecisionRule]
    cooldown_s: float
    test: bool
    remembered: Mapping[str, tuple[str, Monotonic]] = field(default_factory=dict)
    evidence: bool = False
    policy: str = ""
    armed_under: str = ""
    min_face_px: int = 0
    silenced: Callable[[EntryRef], bool] = lambda _: False


def decision_rule(limits: Limits, curve: Curve, templates: int) -> DecisionRule:
    """The rule for a list of `templates` under `limits`.

    Args:
        limits: policy and local configuration combined.
        curve: measured (similarity, false match rate) points of the embedder in use.
        templates: on the list.

    Raises:
        RefusedError: the list is longer than policy or the measured curve allow.
        DataError: the curve is not one.
    """
    limits.check_list(templates)
    threshold = threshold_for(
        curve,
        target_fpir=limits.target_fpir,
        templates=templates,
        floor=limits.floor,
        extrapolate=limits.extrapolate,
    )
    return DecisionRule(limits.min_shots, threshold.similarity, limits.margin)
