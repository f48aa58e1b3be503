"""Log lines on stderr, fit for a terminal and for the journal.

Fields are an allow-list, because a log is the easiest place for a person to leak into: a field
that is not on it is withheld, whatever its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

FIELDS = frozenset(
    {
        "depth", "dropped", "entries", "id", "pause_s", "reason", "source", "stage",
        "templates", "uid", "version",
    }
)  # fmt: skip
_INFO, _WARNING, _ERROR = 6, 4, 3  # syslog severities, RFC 5424 section 6.2.1


class StderrLog:
    """Writes one line an event.

    Args:
        stream: where to, usually stderr.
        journal: prefix each line with its severity as `sd-daemon(3)` has it, so that the
            journal files it rightly.
        quiet: leave out what is merely informative.
    """

    def __init__(self, stream: TextIO, *, journal: bool = False, quiet: bool = False) -> None:
        self._stream = stream
        self._journal = journal
        self._quiet = quiet

    def info(self, message: str, **fields: str | float) -> None:
        if not self._quiet:
            self._write(_INFO, message, fields)

    def warning(self, message: str, **fields: str | float) -> None:
        self._write(_WARNING, message, fields)

    def error(self, message: str, **fields: str | float) -> None:
        self._write(_ERROR, message, fields)

    def _write(self, severity: int, message: str, fields: Mapping[str, str | float]) -> None:
        prefix = f"<{severity}>" if self._journal else ""
        parts = [message, *(_field(name, value) for name, value in fields.items())]
        line = " ".join(" ".join(parts).splitlines())
        try:
            self._stream.write(f"{prefix}{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # a log that cannot be written must not stop the agent


def _field(name: str, value: str | float) -> str:
    if name not in FIELDS:
        return f"{name}=[withheld]"
    shown = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f"{name}={shown!r}" if " " in shown else f"{name}={shown}"
