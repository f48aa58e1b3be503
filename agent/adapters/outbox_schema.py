"""The tables of the outbox, how older ones become these, and what makes a row whole."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
from pathlib import Path
from typing import Any

from agent.errors import DataError

_BUSY_TIMEOUT_S = 5.0
_LOG_PAGES = 64
"""The log is emptied into the file when it has so many pages: a full disk must have room for
that, and erased alerts should not linger in it."""
_OVERWRITTEN = (
    "Could not decode",
    "no such",
    "has no column",
    "already exists",
    "duplicate column",
)
_MIGRATIONS = (
    """
    CREATE TABLE IF NOT EXISTS entry (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL,
        payload BLOB NOT NULL,
        priority INTEGER NOT NULL,
        created_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        parked TEXT
    );
    CREATE INDEX IF NOT EXISTS entry_order ON entry (priority DESC, seq) WHERE parked IS NULL;
    CREATE TABLE IF NOT EXISTS cooldown (
        key TEXT PRIMARY KEY, id TEXT NOT NULL, until REAL NOT NULL
    );
    CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
    """,
    """
    ALTER TABLE entry ADD COLUMN gap INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entry ADD COLUMN boot TEXT NOT NULL DEFAULT '';
    ALTER TABLE entry ADD COLUMN at REAL;
    ALTER TABLE entry ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entry ADD COLUMN sum BLOB NOT NULL DEFAULT x'';
    UPDATE entry SET size = length(payload),
        sum = checksum(id, topic, payload, priority, created_at, gap, boot, at);
    CREATE INDEX entry_weight ON entry (priority, seq, gap, size);
    CREATE INDEX entry_parked ON entry (seq) WHERE parked IS NOT NULL;
    CREATE INDEX entry_live ON entry (boot, at) WHERE parked IS NULL;
    CREATE TABLE given_up (
        reason TEXT PRIMARY KEY,
        events INTEGER NOT NULL,
        first REAL NOT NULL,
        last REAL NOT NULL,
        exact INTEGER NOT NULL
    );
    """,
)
"""Entry n takes the file from user_version n to n + 1. Append only. The first is written so that
a file that was made but never got its number is taken over as well."""
FORMAT = len(_MIGRATIONS)
TABLES = ("entry", "cooldown", "meta", "given_up")


def connect(path: Path) -> sqlite3.Connection:
    """Open the outbox, made when it is not there, and bring it to today's format.

    WAL with synchronous FULL syncs the log at every commit: a commit survives a loss of power
    (sqlite.org/pragma.html#pragma_synchronous). `secure_delete` overwrites what is deleted.

    Raises:
        sqlite3.DatabaseError: it is damaged (no subclass of it), or something else failed.
        OSError: the file cannot be made.
        DataError: a newer agent made it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.create_function("checksum", 8, checksum, deterministic=True)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        _check(db)
        _migrate(db, path)
    except BaseException:
        db.close()
        raise
    return db


def is_damage(error: BaseException) -> bool:
    """Whether an error means that the file is not a sound database of ours.

    SQLITE_CORRUPT and SQLITE_NOTADB have no subclass of their own in Python. Text that is no text,
    in a message too, and names that are gone come from pages overwritten unseen: the statements
    here never change.
    """
    if isinstance(error, sqlite3.OperationalError):
        return any(sign in str(error) for sign in _OVERWRITTEN)
    return type(error) is sqlite3.DatabaseError or isinstance(error, UnicodeDecodeError)


def checksum(*content: Any) -> bytes:
    """What a row must still say: BLAKE2b (RFC 7693) of all that never changes in it.

    SQLite has no checksums of its own: a flipped bit in a payload would be sent as it is.

    Args:
        content: id, topic, payload, priority, created_at, gap, boot, at (or None).
    """
    event, topic, payload, priority, created_at, gap, boot, at = content
    digest = hashlib.blake2b(digest_size=16)
    for text in (event, topic, boot):
        digest.update(struct.pack(">I", len(text.encode())) + text.encode())
    moment = b"" if at is None else struct.pack(">d", at)
    digest.update(struct.pack(">qdq", priority, created_at, gap) + moment + payload)
    return digest.digest()


def _check(db: sqlite3.Connection) -> None:
    problem: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(problem)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise DataError(f"{path}: made by a newer agent (format {version}); install that version")
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if not found.issuperset(TABLES):
        raise sqlite3.DatabaseError("a table is missing")
