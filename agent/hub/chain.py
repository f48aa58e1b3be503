"""The hub's own log: the same chain as on the cameras, kept in the database of events.

A record is written in the transaction of what it tells of, so that neither is there without the
other. The hub signs for it with the key of its acknowledgements, as device `hub`. Whoever runs the
hub has that key: what keeps the agency to its log is that its head is published
(`bodycam-hub report --events`) and handed to others (`bodycam-hub audit export`).
"""

from __future__ import annotations

import os
import sqlite3
from typing import Final

from agent.adapters.signing import Signs, verify
from agent.audit.chain import Link, make_record, read_record
from agent.audit.checkpoint import KIND, CheckpointKey, make_checkpoint
from agent.audit.walk import ChainReport, Trust
from agent.audit.walk import verify as walk
from agent.errors import DataError
from agent.hub.events_database import EventsDatabase
from agent.messages import new_ulid
from agent.values import Wall

HUB: Final = "hub"
_LATEST: Final = "SELECT CAST(line AS BLOB) FROM chain ORDER BY seq DESC LIMIT 1"
_CHECKPOINTS: Final = "SELECT max(seq) FROM chain WHERE instr(line, ?)"
_MARK: Final = b'"kind":"checkpoint"'


def write_log(db: sqlite3.Connection, kind: str, now: float, **fields: str | int) -> None:
    """A record, within a transaction.

    Raises:
        DataError: the latest record was changed; nothing is added to a broken chain.
        ValueError: this one may not be made.
    """
    line, link = make_record(_latest(db), kind, fields, now=Wall(now))
    db.execute("INSERT INTO chain VALUES (?, ?)", (link.seq, line))


def sign_log(database: EventsDatabase, agency: str, signer: Signs, now: float) -> None:
    """A checkpoint, when anything was recorded since the one before."""
    with database.transaction() as db:
        before = db.execute(_CHECKPOINTS, (_MARK,)).fetchone()[0]
        last = _latest(db)
        if last.seq < 0 or last.seq == before:
            return
        key = CheckpointKey(agency, HUB, signer.sign_key, signer.sign)
        ulid = new_ulid(wall_s=now, randomness=os.urandom(10))
        _, fields = make_checkpoint(last, before or 0, key, checkpoint_id=ulid, now=Wall(now))
        line, link = make_record(last, KIND, fields, now=Wall(now))
        db.execute("INSERT INTO chain VALUES (?, ?)", (link.seq, line))


def log_lines(database: EventsDatabase) -> list[bytes]:
    """Every record, oldest first, each with its newline."""
    return [
        bytes(row[0]) for row in database.read("SELECT CAST(line AS BLOB) FROM chain ORDER BY seq")
    ]


def verify_log(database: EventsDatabase, public: bytes) -> ChainReport:
    """Walk the hub's log.

    Args:
        database: of events.
        public: Ed25519 public key that the hub signs with, 32 bytes.
    """
    return walk(log_lines(database), verify, Trust(public.hex()))


def _latest(db: sqlite3.Connection) -> Link:
    row = db.execute(_LATEST).fetchone()
    if row is None:
        return Link()
    try:
        record = read_record(bytes(row[0])[:-1])
    except ValueError as error:
        raise DataError(f"the hub's log: {error}; see `bodycam-hub audit verify`") from None
    return Link(record["seq"], record["hash"])
