"""Checkpoints of the audit log as they lie in the outbox: signed, open, and behind every alert."""

from __future__ import annotations

from typing import Final

from agent.audit.checkpoint import Checkpoint
from agent.delivery.events import MATCH_TOPIC
from agent.delivery.sealing import stored, tagged
from agent.values import HOUSEKEEPING, OutboxEntry

_TAG: Final = "checkpoint"


def checkpoint_entry(made: Checkpoint) -> OutboxEntry:
    """The entry to commit for a checkpoint."""
    return OutboxEntry(
        id=made.id,
        topic=MATCH_TOPIC,
        payload=stored(made.event, "", _TAG),
        priority=HOUSEKEEPING,
        created_at=made.time,
    )


def waiting_checkpoints() -> bytes:
    """What the payload of each waiting checkpoint begins with."""
    return tagged(_TAG)
