"""Decisions and alerts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from agent.values.arrays import U8
from agent.values.gallery import EntryRef
from agent.values.place import Fix
from agent.values.times import Monotonic, Wall


class Verdict(str, Enum):
    """What the evidence of a track says. All but MATCH are silence."""

    MATCH = "match"
    TOO_FEW_SHOTS = "too_few_shots"
    BELOW_THRESHOLD = "below_threshold"
    AMBIGUOUS = "ambiguous"
    NO_ENTRY = "no_entry"


@dataclass(frozen=True, slots=True)
class FaceMeasure:
    """Size and quality of the best face behind a decision.

    Attributes:
        width_px: pixels of the frame.
        quality: in [0, 1].
    """

    width_px: float
    quality: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict on one track.

    Attributes:
        track: id of the track.
        verdict: see `Verdict`.
        ref: the entry, only with MATCH.
        similarity: cosine of the track's template with the best entry.
        threshold: the one it was held against.
        margin: over the best other subject.
        shots: distinct shots behind it.
        face: the best of them.
        first_seen, last_seen: monotonic seconds of the track.
    """

    track: int
    verdict: Verdict
    ref: EntryRef | None
    similarity: float
    threshold: float
    margin: float
    shots: int
    face: FaceMeasure
    first_seen: Monotonic
    last_seen: Monotonic


@dataclass(frozen=True, slots=True)
class WatchlistRef:
    """Which list, and which version of it, was searched.

    Attributes:
        id, version: of the list.
        sha256: of the signed manifest of a synced list, of the file of a local one; empty where
            it is not known. For the audit log: id and version say which list it is.
    """

    id: str
    version: int
    sha256: str = field(default="", compare=False)

    @property
    def cited(self) -> dict[str, str]:
        """What a record says of it besides id and version."""
        return {"sha256": self.sha256} if self.sha256 else {}


@dataclass(frozen=True, slots=True)
class Alert:
    """A match that has to reach a human. A lead, never an identification.

    Attributes:
        id: ULID; never changes over retries and restarts.
        match: id of the first alert, when this one is an update; None for the first.
        ref: the entry.
        similarity, threshold, margin: cosine similarities.
        shots: distinct shots behind it.
        face: size and quality of the best shot.
        first_seen, last_seen, raised_at: wall-clock seconds.
        watchlist: the list and version searched.
        activation: id of the arming under which it was raised.
        test: raised under a field-test policy.
        policy: hash of the policy in force; empty: of the built-in one.
        armed_under: id of the authorisation that the device was armed under; empty for a drill.
        drill: nobody was seen; it tests the way to the agency.
        place: where the camera was; None: not known.
        evidence: (n,) uint8, a JPEG of the matched face alone; None without one. To be wiped once
            the alert is sealed.
    """

    id: str
    match: str | None
    ref: EntryRef
    similarity: float
    threshold: float
    margin: float
    shots: int
    face: FaceMeasure
    first_seen: Wall
    last_seen: Wall
    raised_at: Wall
    watchlist: WatchlistRef
    activation: str
    test: bool
    policy: str = ""
    armed_under: str = ""
    drill: bool = False
    place: Fix | None = None
    evidence: U8 | None = field(default=None, repr=False, compare=False)
