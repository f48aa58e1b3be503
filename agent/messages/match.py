"""The match event: CloudEvents 1.0, structured JSON (github.com/cloudevents/spec)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.messages.ids import ULID_PATTERN
from agent.messages.times import IsoUtc

MATCH_TYPE = "bodycam.match.v1"
UPDATE_TYPE = "bodycam.match.update.v1"
TEST_TYPE: Final = "bodycam.test.v1"
"""A test alert: nobody was seen. For the way to the agency and back."""
TEST_ID: Final = "TEST"
"""Entry and subject of every test alert, and of nobody on any list."""
NOTICE: Final = (
    "Investigative lead, not an identification. "
    "A trained person must compare the images before any action."
)

Ulid = Annotated[str, Field(pattern=ULID_PATTERN)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
OpaqueId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
Similarity = Annotated[float, Field(ge=-1.0, le=1.0)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FaceInfo(_Wire):
    """The best shot: width in pixels of the frame, quality 0..1."""

    width_px: float = Field(ge=0, le=10_000)
    quality: float = Field(ge=0, le=1)


class Location(_Wire):
    """Where the camera was, WGS 84."""

    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)
    accuracy_m: float = Field(ge=0, le=100_000)
    fix_time: IsoUtc


class WatchlistInfo(_Wire):
    id: OpaqueId
    version: int = Field(ge=0, le=2**53)


class ModelHashes(_Wire):
    """sha256 of the network files that made the match."""

    detector: Sha256
    embedder: Sha256


class Evidence(_Wire):
    """The matched face alone, everybody else in the picture painted over; in sealed events only.

    Attributes:
        data: the file, base64 on one line: at most 40 kB before that.
    """

    media_type: Literal["image/jpeg"] = "image/jpeg"
    data: str = Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=54_616)


class MatchData(_Wire):
    """What a match says. Nothing in it describes anybody but the listed subject."""

    entry: OpaqueId
    subject: OpaqueId
    similarity: Similarity
    threshold: Similarity
    margin: float = Field(ge=0, le=2)
    shots: int = Field(ge=1, le=1000)
    first_seen: IsoUtc
    last_seen: IsoUtc
    face: FaceInfo
    location: Location | None = None
    watchlist: WatchlistInfo
    models: ModelHashes
    policy: Sha256
    authorisation: OpaqueId
    activation: Ulid
    armed_under: OpaqueId | None = Field(
        None, description="Authorisation that the camera was armed under; null in a test alert."
    )
    historical: bool = False
    test: bool
    evidence: Evidence | None = None
    notice: Literal[
        "Investigative lead, not an identification. "
        "A trained person must compare the images before any action."
    ] = NOTICE
    match: Ulid | None = Field(None, description="Updates only: id of the first event.")


class MatchEvent(_Wire):
    """A CloudEvent of type `bodycam.match.v1` or `bodycam.match.update.v1`; or `bodycam.test.v1`,
    which speaks of nobody: `TEST` in the place of entry and subject, a similarity of 0 held against
    a threshold of 1, no evidence.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Ulid
    source: str = Field(pattern=r"^/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", max_length=140)
    type: Literal["bodycam.match.v1", "bodycam.match.update.v1", "bodycam.test.v1"]
    time: IsoUtc
    subject: OpaqueId
    datacontenttype: Literal["application/json"] = "application/json"
    data: MatchData

    @model_validator(mode="after")
    def _tests_speak_of_nobody(self) -> MatchEvent:
        data = self.data
        if self.type == TEST_TYPE and not (
            (self.subject, data.subject, data.entry) == (TEST_ID, TEST_ID, TEST_ID)
            and data.test
            and data.similarity < data.threshold
            and data.evidence is None
            and data.match is None
        ):
            raise ValueError("a test alert speaks of nobody")
        return self
