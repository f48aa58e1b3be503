"""Wire formats. Pydantic models; unknown fields are refused; every field is bounded."""

from agent.messages.ack import Ack
from agent.messages.command import Command, CommandArguments
from agent.messages.gap import GAP_TYPE, GapData, GapEvent, GapReasons
from agent.messages.ids import new_ulid, ulid_wall_s
from agent.messages.match import (
    MATCH_TYPE,
    NOTICE,
    TEST_ID,
    TEST_TYPE,
    UPDATE_TYPE,
    Evidence,
    FaceInfo,
    Location,
    MatchData,
    MatchEvent,
    ModelHashes,
    WatchlistInfo,
)
from agent.messages.sealed import SealedContent, SealedEvent
from agent.messages.state import StateMessage
from agent.messages.times import iso_utc

__all__ = [
    "GAP_TYPE",
    "MATCH_TYPE",
    "NOTICE",
    "TEST_ID",
    "TEST_TYPE",
    "UPDATE_TYPE",
    "Ack",
    "Command",
    "CommandArguments",
    "Evidence",
    "FaceInfo",
    "GapData",
    "GapEvent",
    "GapReasons",
    "Location",
    "MatchData",
    "MatchEvent",
    "ModelHashes",
    "SealedContent",
    "SealedEvent",
    "StateMessage",
    "WatchlistInfo",
    "iso_utc",
    "new_ulid",
    "ulid_wall_s",
]
