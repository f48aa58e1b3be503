"""Policy and local configuration together: the stricter of the two, knob by knob."""

from __future__ import annotations

from dataclasses import dataclass

from agent.config import DecisionConfig
from agent.errors import RefusedError
from agent.policy.values import Policy


@dataclass(frozen=True, slots=True)
class Limits:
    """What this device goes by.

    Attributes:
        floor: least similarity threshold, cosine.
        target_fpir: false alerts per unlisted subject.
        extrapolate: whether a threshold may lie beyond the measured curve.
        min_shots: distinct shots.
        margin: cosine over the best other subject.
        cooldown_s: seconds between two alerts for one subject.
        max_templates: longest list.
        test: events are marked as tests.
        evidence: sealed alerts carry a picture of the matched face.
        min_face_px: least width of a face, pixels; 0: as configured.
        alerts_per_day: most events about one subject within 24 hours; 0: no such bound.
        policy: hash that events cite.
    """

    floor: float
    target_fpir: float
    extrapolate: bool
    min_shots: int
    margin: float
    cooldown_s: float
    max_templates: int
    test: bool
    evidence: bool = False
    min_face_px: int = 0
    alerts_per_day: int = 0
    policy: str = ""

    def check_list(self, templates: int) -> None:
        """Whether a list may be this long.

        Raises:
            RefusedError: it is longer than the policy allows.
        """
        if templates > self.max_templates:
            raise RefusedError(
                f"the list has {templates} templates, the policy allows {self.max_templates}: "
                "remove entries"
            )


def list_rules(policy: Policy) -> tuple[object, ...]:
    """What a policy says of lists: where two policies agree in it, a list need not be held to the
    second one anew.
    """
    return policy.bases, policy.purposes, policy.max_templates, policy.max_list_age_s


def combine(policy: Policy, local: DecisionConfig, *, sealed: bool = False) -> Limits:
    """Local settings count only where they are stricter than the policy.

    Args:
        policy: of the agency.
        local: configuration of the device.
        sealed: its events are; only then may they carry a picture.
    """
    return Limits(
        floor=max(policy.floor, local.threshold),
        target_fpir=policy.target_fpir,
        extrapolate=policy.extrapolate,
        min_shots=max(policy.min_shots, local.min_shots),
        margin=max(policy.min_margin, local.margin),
        cooldown_s=max(policy.min_cooldown_s, local.cooldown_s),
        max_templates=policy.max_templates,
        test=policy.test,
        evidence=policy.evidence and sealed,
        min_face_px=policy.min_face_px,
        alerts_per_day=policy.alerts_per_day,
        policy=policy.sha256(),
    )
