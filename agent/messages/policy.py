"""A policy as the agency writes and signs it: YAML, read by people, small enough to publish.

What is signed is the text itself, comments included, so that `sha256sum policy.yaml` gives the
hash that every event and audit record cites. Nothing in it has a default: whoever signs sees each
clause.

Times of the week are UTC. The same bytes then mean the same seconds on every camera and in every
court, without a database of time zones, whose rules change and which small devices lack.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from agent.messages.signed import Slug

POLICY_FORMAT: Final = "bodycam.policy.v1"
MAX_POLICY: Final = 64 << 10
"""Bytes."""
POLICY_TARGET: Final = "policy/policy.yaml"
"""Its name in the agency's repository."""

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Corner = tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=180)]]
Kind = Literal["warrant", "court-order", "exigency", "missing-person", "consent-test"]
"""What an authorisation may be."""
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MAX_SPAN: Final = 180.0


class _Clause(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AreaClause(_Clause):
    """A polygon, WGS 84.

    Attributes:
        name: for people.
        polygon: corners as [latitude, longitude], degrees, in order; not across the date line.
    """

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
    polygon: tuple[Corner, ...] = Field(min_length=3, max_length=100)

    @model_validator(mode="after")
    def _possible(self) -> AreaClause:
        longitudes = [lon for _, lon in self.polygon]
        if max(longitudes) - min(longitudes) >= _MAX_SPAN:
            raise ValueError("a polygon may not cross the date line: write two areas")
        if len(set(self.polygon)) < 3:  # noqa: PLR2004
            raise ValueError("a polygon needs three different corners")
        return self


class WindowClause(_Clause):
    """Some days of the week from one time to another, UTC; over midnight needs two.

    Attributes:
        days: of the week.
        begin, end: `HH:MM`; the end is outside, and may be 24:00.
    """

    days: tuple[Day, ...] = Field(min_length=1, max_length=7)
    begin: str = Field(alias="from", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(alias="to", pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    @model_validator(mode="after")
    def _forward(self) -> WindowClause:
        if self.begin >= self.end:
            raise ValueError("`from` must be before `to`; over midnight needs two windows")
        return self


class MatchingClauses(_Clause):
    """When somebody counts as matched.

    Attributes:
        similarity_floor: least similarity, cosine.
        target_fpir: false alerts per unlisted subject passing the camera.
        extrapolate: a threshold may lie beyond what was measured of the model.
        min_shots: least distinct shots.
        min_face_px: least width of a face, pixels of the frame.
        min_margin: least cosine over the best other subject.
        min_cooldown_s: least seconds between two alerts for one subject.
        alerts_per_subject_and_day: most events about one subject within 24 hours, updates
            included; a brake on following one person about.
    """

    similarity_floor: float = Field(ge=0, le=1)
    target_fpir: float = Field(gt=0, le=0.1)
    extrapolate: bool
    min_shots: int = Field(ge=1, le=50)
    min_face_px: int = Field(ge=16, le=500)
    min_margin: float = Field(ge=0, le=1)
    min_cooldown_s: float = Field(ge=1, le=86_400)
    alerts_per_subject_and_day: int = Field(ge=1, le=1000)


class EffortClauses(_Clause):
    """The least that a device must do; with less than this it does not match at all. What is saved
    on battery, heat and load stays above it.

    Attributes:
        min_detections_per_s: how often it looks.
        min_shots_per_s: how often it embeds each person that is not decided on.
        faces_from_px: faces of this width and more are looked for, pixels of the frame.
    """

    min_detections_per_s: float = Field(ge=0.1, le=30)
    min_shots_per_s: float = Field(ge=0.1, le=30)
    faces_from_px: float = Field(ge=16, le=500)


class ListClauses(_Clause):
    """What may be on a list.

    Attributes:
        bases, purposes: codes that an entry may carry.
        loaded_authorisations_only: an entry counts only while the authorisation that it names is
            loaded on the camera and in force; else an id that no authorisation has is taken as a
            reference to a decision kept elsewhere. One that is revoked, over or not begun never
            counts.
        max_templates: longest list.
        max_age_hours: a list made longer ago is not used.
    """

    bases: tuple[Code, ...] = Field(min_length=1, max_length=32)
    purposes: tuple[Code, ...] = Field(min_length=1, max_length=32)
    loaded_authorisations_only: bool
    max_templates: int = Field(ge=1, le=1_000_000)
    max_age_hours: float = Field(gt=0, le=24 * 366)


class AuthorisationClauses(_Clause):
    """What permits matching.

    Attributes:
        types: that are allowed.
        max_hours: longest.
        remote_arm: the agency may arm from afar.
    """

    types: tuple[Kind, ...] = Field(min_length=1, max_length=5)
    max_hours: float = Field(gt=0, le=24 * 366)
    remote_arm: bool


class BoundsClauses(_Clause):
    """Where and when.

    Attributes:
        schedule: matching happens within one of these; always without any.
        areas: matching happens within one of these; everywhere without any.
        max_fix_age_s: an older position counts as outside every area, s.
        max_fix_error_m: so does one that is less certain, metres, or does not tell.
        time_sources: what may vouch for the clock: `ntp` (the kernel says it is set by a time
            server), `gps`, `rtc` (a hardware clock agrees).
    """

    schedule: tuple[WindowClause, ...] = Field(max_length=50)
    areas: tuple[AreaClause, ...] = Field(max_length=50)
    max_fix_age_s: float = Field(gt=0, le=600)
    max_fix_error_m: float = Field(gt=0, le=10_000)
    time_sources: tuple[Literal["ntp", "gps", "rtc"], ...] = Field(min_length=1, max_length=3)


class AlertClauses(_Clause):
    """What becomes of alerts.

    Attributes:
        evidence: they carry a picture of the matched face, in sealed events only.
        reviews: people who must confirm one before it counts.
        retention_days: the hub deletes them after so long unless they are held.
        test_alerts: whoever commands a device may raise one about nobody, to try the way.
    """

    evidence: bool
    reviews: int = Field(ge=1, le=2)
    retention_days: float = Field(gt=0, le=3660)
    test_alerts: bool


class PolicyDocument(_Clause):
    """Everything an agency allows its cameras.

    Attributes:
        name: for people.
        agency: whose; a policy of another agency is refused.
        version: rises with every change; an older one is refused.
        not_before, not_after: it counts from then until then.
        test: every event is marked as a test.
    """

    format: Literal["bodycam.policy.v1"]
    name: Code
    agency: Slug
    version: int = Field(ge=1, le=2**31)
    not_before: AwareDatetime
    not_after: AwareDatetime
    test: bool
    matching: MatchingClauses
    effort: EffortClauses
    lists: ListClauses
    authorisations: AuthorisationClauses
    bounds: BoundsClauses
    alerts: AlertClauses

    @model_validator(mode="after")
    def _in_order(self) -> PolicyDocument:
        if self.not_before >= self.not_after:
            raise ValueError("not_after must be later than not_before")
        return self
