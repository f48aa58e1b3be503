"""Counters that never go back, in the outbox and in a file beside it."""

from __future__ import annotations

from pathlib import Path

from agent.adapters.counter_file import overwrite_counter, read_counter, write_counter
from agent.adapters.outbox_file import OutboxFile
from agent.adapters.reserve import Reserve
from agent.errors import DiskError


class Counters:
    """For one thread at a time.

    Args:
        file: the outbox.
        beside: the file beside it.
        reserve: let go when the disk is full; None: a full disk raises DiskError.
    """

    def __init__(self, file: OutboxFile, beside: Path, reserve: Reserve | None) -> None:
        self._file = file
        self._beside = beside
        self._reserve = reserve

    def count_up(self, key: str) -> int:
        """Add one to a named counter, from 0, and return it.

        The larger of database and file counts, so that the loss of either takes none back.
        """
        rows = self._file.read("SELECT value FROM meta WHERE key = ?", (key,))
        value = 1 + max(read_counter(self._beside, key), rows[0][0] if rows else 0)
        beside = self._write_beside(key, value)
        try:
            self._file.write(lambda db: db.execute("REPLACE INTO meta VALUES (?, ?)", (key, value)))
        except DiskError as error:  # a start there must not stop what waits from being delivered
            if not (beside and self._reserve is not None and self._reserve.is_full(error)):
                raise
        return value

    def _write_beside(self, key: str, value: int) -> bool:
        """On a full disk in the reserve, or else in place; whether it is on the medium."""
        if self._reserve is None:
            write_counter(self._beside, key, value)
            return True
        try:
            self._reserve.keep_going(lambda: write_counter(self._beside, key, value))
        except DiskError as error:
            if not self._reserve.is_full(error):
                raise
            return overwrite_counter(self._beside, key, value)
        return True
