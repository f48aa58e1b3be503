"""A policy: what the agency allows its cameras, as a frozen value with a canonical form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from agent.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Policy:
    """What is allowed, and the bounds that local configuration cannot loosen.

    Attributes:
        name: for people.
        version: rises with every change.
        floor: least similarity threshold, cosine.
        target_fpir: false alerts per unlisted subject passing the camera.
        extrapolate: whether a threshold may lie beyond the measured curve.
        min_shots: least distinct shots behind an alert.
        min_margin: least cosine over the best other subject.
        min_cooldown_s: least seconds between two alerts for one subject.
        test: every event is marked as a test.
        max_templates: longest list.
        max_list_age_s: a synced list made longer ago than this is not used, seconds.
        bases, purposes: codes that an entry may carry.
        max_authorisation_s: longest authorisation, seconds.
        remote_arm: the agency may arm from afar.
        evidence: alerts carry a picture of the matched face, in sealed events only.
        test_alerts: whoever commands a device may raise an alert about nobody, to try the way.
    """

    name: str
    version: int
    floor: float
    target_fpir: float
    extrapolate: bool
    min_shots: int
    min_margin: float
    min_cooldown_s: float
    test: bool
    max_templates: int
    max_list_age_s: float
    bases: tuple[str, ...]
    purposes: tuple[str, ...]
    max_authorisation_s: float
    remote_arm: bool = False
    evidence: bool = False
    test_alerts: bool = True

    def canonical_json(self) -> str:
        """The one text of this policy: keys sorted, no spaces, ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def sha256(self) -> str:
        """Hexadecimal hash of the canonical text; what events and audit records cite."""
        return hashlib.sha256(self.canonical_json().encode("ascii")).hexdigest()

    def check_entry(self, *, basis: str, purpose: str) -> None:
        """Whether an entry may be on a list under this policy.

        Raises:
            RefusedError: its basis or purpose is not among the allowed codes.
        """
        for what, code, allowed in (
            ("basis", basis, self.bases),
            ("purpose", purpose, self.purposes),
        ):
            if code not in allowed:
                raise RefusedError(
                    f"{what} {code!r} is not allowed by the policy {self.name}: use one of "
                    f"{', '.join(allowed)}"
                )

    def check_authorisation(self, *, seconds: float) -> None:
        """Whether an authorisation may be this long.

        Raises:
            RefusedError: it is longer than the policy allows, or has no length.
        """
        if not 0 < seconds <= self.max_authorisation_s:
            raise RefusedError(
                f"an authorisation of {seconds:g} s is not allowed by the policy {self.name}: it "
                f"must be more than 0 and at most {self.max_authorisation_s:g} s"
            )
