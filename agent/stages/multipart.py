"""Parts out of an HTTP `multipart/x-mixed-replace` stream, without any I/O.

The framing is RFC 2046, section 5.1, as cameras speak it: with or without Content-Length, bare
line feeds, a boundary parameter that already carries its two dashes, no line break before the
boundary. What a stream yields does not depend on how it was cut into chunks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from agent.values import Wall

_PADDING = 64  # blanks allowed after a boundary
_MAX_BOUNDARY = 200  # RFC 2046 says 70
_LATEST = 2.0**33  # seconds; year 2242


@dataclass(frozen=True, slots=True)
class MultipartLimits:
    """Bounds in bytes; a part or header block beyond them is dropped.

    Attributes:
        part: a 4K picture at full quality stays well below.
        headers: of one part.
    """

    part: int = 16 * 1024 * 1024
    headers: int = 8 * 1024


@dataclass(frozen=True, slots=True, eq=True)
class Part:
    """One part.

    Attributes:
        headers: names in lower case.
        body: bytes as sent.
    """

    headers: Mapping[str, str]
    body: bytes


class _State(Enum):
    SEEK = "looking for a boundary"
    HEADERS = "in the headers of a part"
    SIZED = "in a body of known size"
    OPEN = "in a body that ends at the next boundary"
    ENDED = "after the closing boundary"


def boundary_of(content_type: str) -> str | None:
    """The boundary of a multipart Content-Type value; None when it is something else."""
    if not content_type.strip().lower().startswith("multipart/"):
        return None
    found = re.search(
        r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', content_type, re.IGNORECASE
    )
    if found is None:
        return None
    quoted, plain = found.groups()
    boundary = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
    return boundary if 0 < len(boundary) <= _MAX_BOUNDARY else None


def capture_time(headers: Mapping[str, str]) -> Wall | None:
    """`X-Timestamp: <unix seconds>[.<fraction>]` of a part; None when missing or not a time."""
    text = headers.get("x-timestamp", "").strip()
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
        return None
    seconds = float(text)
    return Wall(seconds) if seconds < _LATEST else None


class MultipartParser:
    """Feed it bytes, take parts.

    Attributes:
        ended: the closing boundary has been seen; nothing more will come.
        dropped: parts given up (too large) and stretches of garbage between parts.
    """

    def __init__(self, boundary: str, limits: MultipartLimits | None = None) -> None:
        """`boundary` as in the Content-Type, see `boundary_of`."""
        self.ended = False
        self.dropped = 0
        self._limits = limits or MultipartLimits()
        self._delimiter = _delimiter(boundary)
        self._longest = len(boundary) + _PADDING + 10
        self._buffer = bytearray()
        self._state = _State.SEEK
        self._scanned = 0
        self._dirty = False
        self._headers: dict[str, str] = {}
        self._header_bytes = 0
        self._size = 0

    def feed(self, data: bytes) -> list[Part]:
        """Take the next bytes of the stream; the parts that are complete with them."""
        self._buffer += data
        parts: list[Part] = []
        steps = {
            _State.SEEK: self._seek,
            _State.HEADERS: self._header_line,
            _State.SIZED: self._sized_body,
            _State.OPEN: self._open_body,
        }
        while not self.ended and steps[self._state](parts):
            pass
        if self.ended:
            self._buffer.clear()
        return parts

    def _seek(self, _parts: list[Part]) -> bool:
        """Skip to the next boundary; anything but blanks on the way is garbage."""
        found = self._delimiter.search(self._buffer)
        skipped = found.start() if found else max(len(self._buffer) - self._longest, 0)
        self._dirty = self._dirty or bool(self._buffer[:skipped].strip())
        if found is None:
            # A line break in front of what may become a boundary must stay with it, and what is
            # now the start of the buffer must not pass for the start of a line.
            if skipped:
                self._buffer[:skipped] = b" "
            return False
        self.dropped += self._dirty
        self._after_boundary(found)
        return True

    def _after_boundary(self, found: re.Match[bytes]) -> None:
        self.ended = found.group("close") is not None
        del self._buffer[: found.end()]
        self._dirty = False
        self._headers = {}
        self._header_bytes = 0
        self._state = _State.ENDED if self.ended else _State.HEADERS

    def _header_line(self, _parts: list[Part]) -> bool:
        end = self._buffer.find(b"\n")
        length = end + 1 if end >= 0 else len(self._buffer)
        if self._header_bytes + length > self._limits.headers:
            return self._give_up()
        if end < 0:
            return False
        line = self._buffer[:end].decode("latin-1").strip()
        if line and (found := self._delimiter.match(self._buffer)):  # no blank line, no body
            self.dropped += 1
            self._after_boundary(found)
            return True
        del self._buffer[:length]
        self._header_bytes += length
        if line:
            name, _, value = line.partition(":")
            self._headers[name.strip().lower()] = value.strip()
        else:
            self._start_body()
        return True

    def _start_body(self) -> None:
        declared = self._headers.get("content-length", "")
        self._scanned = 0
        if not re.fullmatch("[0-9]{1,18}", declared):
            self._state = _State.OPEN
        elif int(declared) <= self._limits.part:
            self._state, self._size = _State.SIZED, int(declared)
        else:
            self._give_up()

    def _sized_body(self, parts: list[Part]) -> bool:
        if len(self._buffer) < self._size:
            return False
        self._take(parts, self._size)
        self._state = _State.SEEK
        return True

    def _open_body(self, parts: list[Part]) -> bool:
        found = self._delimiter.search(self._buffer, max(self._scanned - self._longest, 0))
        length = found.start() if found else len(self._buffer) - self._longest
        if length > self._limits.part:
            return self._give_up()
        if found is None:
            self._scanned = len(self._buffer)
            return False
        self._take(parts, length)
        self._state = _State.SEEK
        return True

    def _take(self, parts: list[Part], length: int) -> None:
        parts.append(Part(self._headers, bytes(self._buffer[:length])))
        del self._buffer[:length]

    def _give_up(self) -> bool:
        """Drop the part that is being read, and look for the next boundary."""
        self._dirty = True
        self._state = _State.SEEK
        return True


def _delimiter(boundary: str) -> re.Pattern[bytes]:
    """A boundary line with the line break before it, or at the very start of the buffer.

    Cameras that declare `boundary=--x` send `--x` as often as `----x`.
    """
    name = boundary.encode("latin-1", "replace")
    dashes = rb"(?:--)?" if name.startswith(b"--") else rb"--"
    return re.compile(
        rb"(?:\A|\r?\n)" + dashes + re.escape(name) + rb"(?:(?P<close>--)|[ \t]{0,64}\r?\n)"
    )
