"""The health message: counts and conditions of the device, and nothing of those it has seen.

Nothing in it may single out a person. So: how many faces a minute is told in wide bins whose edges
are blurred, frames in hundreds, latencies only of work that is the same whoever is there (finding
faces) or that concerns alerts, in steps; memory in steps. What is made only of faces (embedding,
searching, whole frames) is left out: whether it happened at all would tell that somebody was there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.messages.match import OpaqueId
from agent.messages.times import IsoUtc

FacesPerMinute = Literal["0-9", "10-29", "30-99", "100-299", "300+"]
"""People who passed in a minute, blurred: an empty street and a single passer-by are alike."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Days = Annotated[int, Field(ge=-10_000_000, le=10_000_000)]
Milliseconds = Annotated[float, Field(ge=0, le=10_000_000)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Frames(_Wire):
    """Since the message before, to the nearest hundred."""

    processed: Count
    dropped: Count


class Latency(_Wire):
    """Milliseconds, in steps of 1, 2, 5, 10, 20, ... rounded up."""

    p50: Milliseconds
    p95: Milliseconds


class Latencies(_Wire):
    """Since the start; null when there was none.

    Attributes:
        detect: finding faces in a frame, however many there are.
        alert_to_ack: from an alert on disk to its confirmation.
    """

    detect: Latency | None = None
    alert_to_ack: Latency | None = None


class Battery(_Wire):
    percent: float = Field(ge=0, le=100)
    charging: bool | None = None


class Disk(_Wire):
    """Attributes:
    free_mb: for this user, on the disk of the state folder.
    reserve: what is set aside for alerts and the audit log when the disk is full.
    """

    free_mb: Count | None
    reserve: Literal["held", "in-use", "used-up", "none"]


class OutboxHealth(_Wire):
    """Events: waiting (parked ones included), refused for good, and lost but not yet reported."""

    waiting: Count
    parked: Count
    given_up: Count


class ListHealth(_Wire):
    """The list in service.

    Attributes:
        age_s: since the agency made this version; null for a local one.
        not_after: when this version may not be used any more; null likewise.
    """

    id: OpaqueId
    version: Count
    age_s: Count | None = None
    not_after: IsoUtc | None = None


class SyncHealth(_Wire):
    """What the latest look for a newer list came to."""

    kind: Literal["", "nochange", "installed", "withdrawn", "unreachable", "refused"]
    fault: str | None = Field(None, pattern=r"^[a-z-]{1,40}$")
    last_good: IsoUtc | None = None


class LinkCertificates(_Wire):
    """Whole days left, negative when over; null without a certificate."""

    certificate_days: Days | None = None
    broker_certificate_days: Days | None = None


class GovernorHealth(_Wire):
    """How much the device does, as far as battery and heat go. What load and scene take away is not
    told: it would follow how many people are there.

    Attributes:
        rules: in force.
        rate_hz: detections per second at most; 0: every frame.
        face_px: smallest face to find, pixels of the frame.
        shots_per_s: embeddings per second of each undecided track, at most.
    """

    rules: tuple[OpaqueId, ...] = Field(max_length=50)
    rate_hz: float = Field(ge=0, le=240)
    face_px: float = Field(ge=0, le=10_000)
    shots_per_s: float = Field(ge=0, le=30)


class FalseAlerts(_Wire):
    """The running monitor of false alerts, since it was reset.

    Attributes:
        rejected: alerts that reviewers rejected.
        exceeded: more than the policy's target; nothing is matched until the agency resets it.
    """

    rejected: Count
    exceeded: bool


class HealthMessage(_Wire):
    """How the device is doing; on `.../health` every `health.every_s`, never retained.

    Attributes:
        every_s: seconds between two of them, as configured.
        clock: set by a time server as far as the kernel knows, or running free.
        memory_mb: largest resident memory so far, in steps of 16.
        governor: null where it is switched off.
        temperature_c, battery: null where the hardware does not tell.
    """

    schema_: Literal["bodycam.health.v1"] = Field("bodycam.health.v1", alias="schema")
    time: IsoUtc
    session: Count
    version: str = Field(max_length=40)
    test: bool
    uptime_s: Count
    every_s: float = Field(gt=0, le=86_400)
    state: Literal["off", "disarmed", "arming", "armed", "degraded", "locked"]
    armed: bool
    frames: Frames
    faces_per_minute: FacesPerMinute
    latency_ms: Latencies
    temperature_c: float | None = Field(None, ge=-100, le=300)
    battery: Battery | None = None
    governor: GovernorHealth | None = None
    disk: Disk
    memory_mb: Count
    outbox: OutboxHealth
    watchlist: ListHealth | None
    sync: SyncHealth | None
    link: LinkCertificates
    clock: Literal["synchronised", "free-running", "unknown"]
    false_alerts: FalseAlerts | None = None
