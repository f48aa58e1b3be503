"""The size of a picture from its first bytes, so that a bomb is refused before it is decoded.

Formats: JPEG (ITU-T T.81, annex B), PNG (W3C PNG, section 11.2.2), BMP (BITMAPINFOHEADER) and
WebP (RFC 9649, section 2). Also tells whether the end of a JPEG or PNG is there: decoders fill a
picture cut short with grey and call it good.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_MARK, _SOS = 0xFF, 0xDA
# SOF0..SOF15 but DHT (C4), JPG (C8) and DAC (CC), which share the range.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PNG_CHUNK = 12  # bytes of length, type and checksum around the data
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the first bytes of a picture say.

    Attributes:
        kind: `jpeg`, `png`, `bmp` or `webp`.
        width, height: pixels as stored, before any EXIF rotation.
        complete: False when the data ends before the picture does.
    """

    kind: str
    width: int
    height: int
    complete: bool

    @property
    def pixels(self) -> int:
        return self.width * self.height


def read_header(data: bytes) -> ImageHeader | None:
    """The header of a JPEG, PNG, BMP or WebP picture; None when it is none of them."""
    try:
        if data.startswith(_SOI):
            return _jpeg(data)
        if data.startswith(PNG_SIGNATURE):
            return _png(data)
        if data.startswith(b"BM"):
            return _bmp(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        return None
    return None


def _jpeg(data: bytes) -> ImageHeader | None:
    """Walk the marker segments up to the first scan, noting the start of frame on the way."""
    size: tuple[int, int] | None = None
    at = 2
    while True:
        if data[at] != _MARK:
            return None
        marker = data[at + 1]
        if marker == _MARK:  # fill byte
            at += 1
            continue
        at += 2
        if marker in _WITHOUT_LENGTH:
            continue
        if marker == _SOS:
            break
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _START_OF_FRAME and size is None:
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = (width, height)
        at += max(length, 2)
    if size is None or 0 in size:
        return None
    # In a scan 0xFF is always followed by 0x00 or a restart, so this cannot be image data.
    return ImageHeader("jpeg", *size, complete=data.find(_EOI, at) >= 0)


def _png(data: bytes) -> ImageHeader | None:
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return _checked("png", width, height, complete=_png_chunks_fit(data))


def _png_chunks_fit(data: bytes) -> bool:
    """Whether the chunks lead to the end chunk.

    OpenCV reserves what a chunk declares before it reads it: gigabytes, for a file of a few bytes.
    """
    at = len(PNG_SIGNATURE)
    while at + _PNG_CHUNK <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += _PNG_CHUNK + length
        if kind == b"IEND":
            return bool(at <= len(data))
    return False


def _bmp(data: bytes) -> ImageHeader | None:
    (declared,) = struct.unpack_from("<I", data, 2)
    width, height = struct.unpack_from("<ii", data, 18)
    return _checked("bmp", width, abs(height), complete=len(data) >= declared)


def _webp(data: bytes) -> ImageHeader | None:
    (declared,) = struct.unpack_from("<I", data, 4)
    complete = len(data) >= declared + 8
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
    elif chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return _checked("webp", width, height, complete=complete)


def _checked(kind: str, width: int, height: int, *, complete: bool) -> ImageHeader | None:
    if width <= 0 or height <= 0:
        return None
    return ImageHeader(kind, width, height, complete)
