"""Which topics were announced to Home Assistant: they must be taken away again one day."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.adapters.private_files import read_private, write_private
from agent.errors import BodycamError

_LONGEST: Final = 65_536
_TOPIC: Final = re.compile(r"homeassistant(/[A-Za-z0-9_-]{1,200}){3}/config", re.ASCII)


class AnnouncedTopics:
    """A file of ours. A damaged one counts as empty: what it held stays with the broker until
    somebody removes it by hand.

    Args:
        path: of the file, 0600.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[str, ...]:
        try:
            found = json.loads(read_private(self._path, _LONGEST))
        except (BodycamError, ValueError):
            return ()
        if not isinstance(found, list):
            return ()
        return tuple(topic for topic in found if isinstance(topic, str) and _TOPIC.fullmatch(topic))

    def write(self, topics: Collection[str]) -> None:
        """Replace what was there; nothing to remember needs no file.

        Raises:
            DiskError: it cannot be written.
        """
        if topics:
            write_private(self._path, json.dumps(sorted(topics)).encode())
        else:
            with suppress(OSError):
                self._path.unlink()
