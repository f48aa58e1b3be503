"""A policy: what the agency allows its cameras, as a frozen value with a canonical form."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from agent.errors import RefusedError
from agent.values import Wall
from agent.values.bounds import Area, Window


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
        loaded_authorisations_only: an entry counts only while the authorisation that it names is
            loaded here and in force; else one that is not loaded is a reference to elsewhere.
        max_authorisation_s: longest authorisation, seconds.
        remote_arm: the agency may arm from afar.
        evidence: alerts carry a picture of the matched face, in sealed events only.
        test_alerts: whoever commands a device may raise an alert about nobody, to try the way.
        agency: whose; empty for the built-in one, which is nobody's.
        not_before, not_after: it counts from then until then, wall seconds; None: for ever.
        min_face_px: least width of a face, pixels.
        least_rate_hz, least_shots_per_s: detections per second, and embeddings per second of each
            undecided track, with which matching is still allowed.
        faces_from_px: so is it while faces of this width, pixels of the frame, are looked for.
        alerts_per_day: most events about one subject within 24 hours; 0: as many as there are.
        schedule, areas: matching happens within one of these; empty: always, everywhere.
        max_fix_age_s, max_fix_error_m: an older or less certain position is outside every area.
        time_sources: what may vouch for the clock; empty: nothing needs to.
        types: of authorisations; empty: the built-in consent, which is under any id.
        reviews: people who must confirm an alert.
        retention_days: how long the hub keeps an alert.
        digest: sha256 of the signed text, hexadecimal; empty for the built-in one.
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
    agency: str = ""
    not_before: Wall = Wall(0.0)  # noqa: RUF009 -- a number
    not_after: Wall | None = None
    min_face_px: int = 0
    least_rate_hz: float = 2.0
    least_shots_per_s: float = 1.0
    faces_from_px: float = 64.0
    alerts_per_day: int = 0
    schedule: tuple[Window, ...] = ()
    areas: tuple[Area, ...] = ()
    max_fix_age_s: float = 30.0
    max_fix_error_m: float = 100.0
    time_sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    reviews: int = 1
    retention_days: float = 31.0
    loaded_authorisations_only: bool = False
    digest: str = ""

    @property
    def signed(self) -> bool:
        """Whether the agency signed it; the built-in one is for tests on people who consented."""
        return bool(self.digest)

    def canonical_json(self) -> str:
        """The one text of this policy: keys sorted, no spaces, ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def sha256(self) -> str:
        """What events and audit records cite: hexadecimal hash of the signed text; of the
        canonical one for the built-in policy.
        """
        return self.digest or hashlib.sha256(self.canonical_json().encode("ascii")).hexdigest()

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
