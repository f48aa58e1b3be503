"""Wire formats. Pydantic models; unknown fields are refused; every field is bounded."""

from agent.messages.ids import new_ulid
from agent.messages.match import (
    MATCH_TYPE,
    NOTICE,
    UPDATE_TYPE,
    FaceInfo,
    Location,
    MatchData,
    MatchEvent,
    ModelHashes,
    WatchlistInfo,
)
from agent.messages.state import StateMessage
from agent.messages.times import iso_utc

__all__ = [
    "MATCH_TYPE",
    "NOTICE",
    "UPDATE_TYPE",
    "FaceInfo",
    "Location",
    "MatchData",
    "MatchEvent",
    "ModelHashes",
    "StateMessage",
    "WatchlistInfo",
    "iso_utc",
    "new_ulid",
]
