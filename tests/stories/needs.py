"""What a story needs of this machine beyond Python, and whether that is here."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterable
from pathlib import Path

from firmware_sim.story.format import Story
from tests.chaos.world import faketime
from tests.support.small_disk import CannotMountError, mounted

NO_FAKETIME = "libfaketime is not installed (Debian: apt-get install faketime)"


def missing(story: Story) -> str:
    """Why it cannot be played here, in one line; empty when it can."""
    return lacking({event.do for event in story.events})


def lacking(events: Iterable[str]) -> str:
    """The same for kinds of events."""
    kinds = set(events)
    if "shift_clock" in kinds and not faketime():
        return f"shift_clock: {NO_FAKETIME}"
    why = _no_disk() if "fill_disk" in kinds else ""
    return f"fill_disk: {why}" if why else ""


@functools.cache
def _no_disk() -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder), 64):
                return ""
        except CannotMountError as error:
            return str(error)
