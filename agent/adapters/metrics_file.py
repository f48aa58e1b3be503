"""The file that node_exporter's textfile collector reads."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.adapters.private_files import why
from agent.errors import DiskError

_READABLE: Final = 0o644
"""Counts only; node_exporter runs as another user."""


class MetricsFile:
    """Written whole: a reader sees the old or the new. Not flushed to the medium, as it is worth
    nothing after a power cut.

    Args:
        path: of the file, in a folder that exists and is ours to write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(f".{path.name}.new")

    def write(self, text: str) -> None:
        """Replace the file.

        Raises:
            DiskError: it cannot be written.
        """
        try:
            with suppress(FileNotFoundError):
                self._new.unlink()
            handle = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                os.fchmod(handle, _READABLE)
                stream.write(text)
            self._new.replace(self._path)
        except OSError as error:
            raise DiskError(f"health.prometheus_file {self._path}: {why(error)}") from None

    def remove(self) -> None:
        """The agent ends: its last figures must not look like a running one's."""
        with suppress(OSError):
            self._path.unlink()
