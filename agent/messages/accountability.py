"""The accountability report: how a camera was used, for publication. Counts, hashes and figures of
accuracy; nothing that names a person or stands for one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.messages.match import OpaqueId
from agent.messages.times import IsoUtc

Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Sentence = Annotated[str, Field(max_length=500)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(_Wire):
    """Of a measured curve: comparisons of different people at least so similar, as a share."""

    similarity: float = Field(ge=-1, le=1)
    fmr: float = Field(gt=0, le=1)


class Network(_Wire):
    """One network that was in use. `name` and what follows are empty for one of the user's own.

    Attributes:
        measured: accuracy, and the data it was measured on.
        curve: of embedders.
    """

    role: Literal["detector", "embedder"]
    sha256: Sha256
    name: str = Field("", max_length=100)
    precision: str = Field("", max_length=10)
    measured: dict[str, str] = {}
    curve: tuple[Point, ...] = ()


class ListInUse(_Wire):
    """A version of a list that was armed with; null where the log does not say."""

    list: OpaqueId
    version: Count
    templates: Count | None = None
    subjects: Count | None = None
    sha256: Sha256 | None = None


class Rules(_Wire):
    """What a policy says.

    Attributes:
        target_fpir: false alerts per person passing who is not listed.
        threshold_floor: similarity that no alert may lie under.
        retention_days: how long the hub keeps an alert; null: not set.
    """

    name: str = Field(max_length=100)
    version: Count
    test: bool
    target_fpir: Share
    threshold_floor: Share
    longest_list: Count
    longest_list_age_h: float = Field(ge=0)
    reviews: Count
    evidence: bool
    retention_days: float | None = None


class PolicyInForce(_Wire):
    """A policy that was in force in the period.

    Attributes:
        sha256: of its signed text.
        first, last: days, UTC, of the first and the last record under it.
        uses: armings under it.
        rules: null: its text was not at hand.
    """

    sha256: Sha256
    first: Day
    last: Day
    uses: Count
    rules: Rules | None


class DayOfUse(_Wire):
    """One day, UTC. Hours of all cameras together, to the nearest tenth."""

    day: Day
    hours: float = Field(ge=0)
    uses: Count
    alerts: Count
    refusals: Count


class Use(_Wire):
    """Attributes:
    uses: armings.
    hours_armed: altogether, to the nearest tenth.
    cut_short: uses that ended without a disarming, such as by a loss of power.
    ended: all others, by cause.
    by_day: days with records.
    """

    uses: Count
    hours_armed: float = Field(ge=0)
    cut_short: Count
    ended: dict[OpaqueId, Count]
    by_day: tuple[DayOfUse, ...]


class Subjects(_Wire):
    """People who passed while armed, as tracks: who leaves the picture and returns counts again.

    Attributes:
        about: the sum of what the uses say, each blurred and rounded to tens.
        uses_without: uses that do not say.
    """

    about: Count
    uses_without: Count


class Reviews(_Wire):
    """What people at the agency decided about the alerts that arrived.

    Attributes:
        pending: there, and not decided.
        lapsed: purged before anybody decided.
        purged: decided or not.
        false_share: rejected of those decided; null without one decided.
        false_share_low, false_share_high: 95 % interval of it (Wilson).
        false_per_1000: rejected per 1,000 people who passed, to two figures, as they are counted in
            tens; null where nobody was counted.
        false_per_1000_low, false_per_1000_high: 95 % interval of it.
    """

    alerts: Count
    confirmed: Count
    rejected: Count
    pending: Count
    lapsed: Count
    purged: Count
    false_share: Share | None = None
    false_share_low: Share | None = None
    false_share_high: Share | None = None
    false_per_1000: float | None = None
    false_per_1000_low: float | None = None
    false_per_1000_high: float | None = None


class MonitorNow(_Wire):
    """The running monitor of false alerts of one camera, when the report was made: a sequential
    probability ratio test of rejected alerts over people who passed.

    Attributes:
        subjects: who passed since the last reset, about: tracks over `fragmentation`, in tens.
        rejected, confirmed, pending: alerts of these, by what reviewers said.
        target: rejected alerts per subject that the policy allows.
        alarm: the rate against which that is held.
        errors: probabilities of a false stop and of a missed one.
        evidence: the sum of the test now; null where the counts cannot be read.
        bound: at this evidence matching stops.
        kept: tests that ended with the target kept.
        fragmentation: tracks per subject that it reckons with.
        stopped: nothing is matched until the agency resets it.
    """

    subjects: Count
    rejected: Count
    confirmed: Count
    pending: Count
    target: Share
    alarm: Share
    errors: tuple[Share, Share]
    evidence: float | None
    bound: float
    kept: Count
    fragmentation: float = Field(ge=1)
    stopped: bool


class Monitor(_Wire):
    """Attributes:
    stops: times in the period that a monitor ended a use.
    resets: times in the period that the agency reset one.
    now: of the camera that the report was made on; null: of several, or the policy was not at hand.
    """

    stops: Count
    resets: Count
    now: MonitorNow | None


class LogFacts(_Wire):
    """An audit log that the report was made of, one for each camera.

    Attributes:
        head: hash of its last record: published here, it anchors the log.
        signed_records: how many records, from the first, a checkpoint covers.
        anchored: whether it was held against what the hub knows of it.
    """

    records: Count
    head: Sha256
    signed_records: Count
    anchored: bool


class AccountabilityReport(_Wire):
    """What `bodycam-agent report` writes.

    Attributes:
        first, last: days, UTC, both included.
        policies: all that were in force, in order.
        refusals: by what was refused.
        revoked: authorisations whose revocation reached a camera; of several cameras the sum.
        alerts: first alerts, as the cameras' logs have them.
        updates: of these, sent while somebody stays in view.
        searches: photographs searched by hand: uses, images, faces, matches.
        lost: events that never arrived, and records that could not be kept.
        reviews: from the hub; null: not at hand.
    """

    format: Literal["bodycam.accountability.v1"] = "bodycam.accountability.v1"
    agency: str = Field(max_length=64)
    first: Day
    last: Day
    made: IsoUtc
    versions: tuple[str, ...]
    networks: tuple[Network, ...]
    policies: tuple[PolicyInForce, ...]
    lists: tuple[ListInUse, ...]
    use: Use
    subjects: Subjects
    alerts: Count
    updates: Count
    test_alerts: Count
    lost: Count
    reviews: Reviews | None
    monitor: Monitor
    refusals: dict[OpaqueId, Count]
    revoked: Count
    searches: dict[str, Count]
    changes: dict[str, Count]
    retention: tuple[Sentence, ...]
    limits: tuple[Sentence, ...]
    logs: Annotated[tuple[LogFacts, ...], Field(min_length=1, max_length=100_000)]


class HubDay(_Wire):
    """Alerts raised on one day, UTC, and what has been decided about them since."""

    day: Day
    alerts: Count
    confirmed: Count
    rejected: Count


class HubReport(_Wire):
    """What `bodycam-hub report --events` writes, and `bodycam-agent report --hub` reads.

    Attributes:
        device: whose events; null: of all cameras.
        alerts: raised in this time, without updates and test alerts; purged ones are counted too.
        confirmed, rejected: what has been decided about them until now.
        pending: there, and not decided.
        lapsed: purged before anybody decided.
        purged: of the alerts, decided or not.
        refused: messages that were not believed, by reason.
        forks: cameras with two audit logs.
        log_head: hash of the hub's last record: published, it anchors the hub's log.
    """

    format: Literal["bodycam.hub-report.v1"] = "bodycam.hub-report.v1"
    agency: str = Field(max_length=64)
    device: str | None = Field(None, max_length=64)
    first: Day
    last: Day
    made: IsoUtc
    alerts: Count
    updates: Count
    test_alerts: Count
    gaps: Count
    confirmed: Count
    rejected: Count
    pending: Count
    lapsed: Count
    purged: Count
    by_day: tuple[HubDay, ...]
    refused: dict[str, Count]
    holds: Count
    forks: Count
    log_records: Count
    log_head: Sha256 | None
