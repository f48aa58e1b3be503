"""Looking for a newer list, again and again; what is refused is audited once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.adapters.http_fetch import HttpFetcher
from agent.adapters.tuf_client import LookError
from agent.app.look import Look
from agent.app.sync_parts import Progress, SyncParts
from agent.errors import BodycamError, DataError, RefusedError, UnavailableError
from agent.values import Wall
from agent.values.sync import (
    Fault,
    Installed,
    NoChange,
    Refused,
    SyncReport,
    SyncResult,
    Unreachable,
    Withdrawn,
)

GOOD_LOOK: Final = "good-look"
"""An empty file; its time is what counts."""
_NAMES = re.compile(r"[0-9a-f]{12,}|[0-9]+")
"""Shards, versions and times: with these a server could make any number of different records."""


class ListSync:
    """Looks, again and again. Not for several threads at once.

    Args:
        parts: see `SyncParts`.
    """

    def __init__(self, parts: SyncParts) -> None:
        self._parts = parts
        self._told: set[str] = set()

    def look(self, wait: Callable[[float], bool], progress: Progress | None = None) -> SyncReport:
        """One look. An expected failure is a result; it is audited once, not at every look.

        Args:
            wait: sleeps so many seconds, or until somebody wants us to stop; says whether so.
            progress: see `Progress`.

        Raises:
            DiskError: the audit log cannot be written.
        """
        received = 0
        try:
            fetcher = HttpFetcher(self._parts.http, clock=self._parts.clock, wait=wait)
            try:
                result = Look(self._parts, fetcher, progress).run()
            finally:
                received = fetcher.received
                fetcher.close()
        except BodycamError as error:
            result = _failure(error)
        self._audit(result)
        return SyncReport(result, received)

    def _audit(self, result: SyncResult) -> None:
        if isinstance(result, (NoChange, Installed, Withdrawn)):
            self._told.clear()
            note_good_look(self._parts.metadata, self._parts.clock.wall())
        elif isinstance(result, Refused):
            reason = f"{result.fault.value}: {result.reason}"
            same = _NAMES.sub("#", reason)
            if same not in self._told:
                self._parts.ledger.append("refusal", what="sync", reason=reason)
                self._told.add(same)


def note_good_look(metadata: Path, now: Wall) -> None:
    """Remember when the server last had nothing wrong to say; a time, not a promise."""
    with suppress(OSError):
        (metadata / GOOD_LOOK).touch()
        os.utime(metadata / GOOD_LOOK, (now, now))


def last_good_look(metadata: Path) -> Wall | None:
    """When that was, wall seconds."""
    try:
        return Wall((metadata / GOOD_LOOK).stat().st_mtime)
    except OSError:
        return None


def _failure(error: BodycamError) -> Unreachable | Refused:
    if isinstance(error, LookError):
        return error.result
    if isinstance(error, UnavailableError):
        return Unreachable(str(error))
    if isinstance(error, (DataError, RefusedError)):
        return Refused(Fault.CONTENT, str(error))
    return Refused(Fault.DEVICE, " ".join(str(error).split()))
