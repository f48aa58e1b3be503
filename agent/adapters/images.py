"""Photographs from disk, and pictures from bytes, with every bad one refused in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from agent.adapters.opencv_quiet import quieten_opencv
from agent.errors import DataError, MissingFileError
from agent.stages.image_header import ImageHeader, read_header
from agent.values import BgrImage

MAX_PIXELS = 120_000_000
"""Largest picture decoded (360 MB as BGR); enough for a 108-megapixel telephone."""
MAX_BYTES = 256 * 1024 * 1024
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
"""File names that count as pictures in a folder, in lower case."""
KINDS = frozenset({"jpeg", "png", "bmp", "webp"})


def read_image(path: Path | str) -> BgrImage:
    """A photograph as it should be seen: EXIF orientation applied, grey widened, alpha on white.

    Returns:
        (height, width, 3) uint8 BGR.

    Raises:
        MissingFileError: no such file, or it may not be read.
        DataError: empty, not a JPEG, PNG, BMP or WebP picture, damaged, or larger than
            `MAX_PIXELS`.
    """
    return decode_image(read_picture_bytes(Path(path)), str(path))


def read_picture_bytes(path: Path) -> bytes:
    """The bytes of a file of at most `MAX_BYTES`; errors as `read_image`."""
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder, a picture is needed")
        if not path.exists():
            raise MissingFileError(f"{path}: no such file")
        if not path.is_file():
            raise DataError(f"{path}: is not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES >> 20} MB; scale it down")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise MissingFileError(f"{path}: cannot be read ({reason})") from None


def decode_image(
    data: bytes, name: str, *, max_pixels: int = MAX_PIXELS, kinds: frozenset[str] = KINDS
) -> BgrImage:
    """Decode a picture after its header has been found sound.

    Args:
        data: a whole JPEG, PNG, BMP or WebP file.
        name: what to call it in an error.
        max_pixels: refuse larger ones undecoded.
        kinds: refuse others than these undecoded.

    Raises:
        DataError: as `read_image`.
    """
    header = _sound_header(data, name, max_pixels, kinds)
    quieten_opencv()
    raw = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR)
        if image is not None and header.kind in ("png", "webp") and not _has_exif(data):
            image = _on_white(image, cv2.imdecode(raw, cv2.IMREAD_UNCHANGED))
    except cv2.error:
        image = None
    if image is None:
        raise DataError(f"{name}: damaged {header.kind.upper()} picture, it cannot be decoded")
    return np.asarray(image, np.uint8)


def _sound_header(data: bytes, name: str, max_pixels: int, kinds: frozenset[str]) -> ImageHeader:
    if not data:
        raise DataError(f"{name}: the file is empty")
    header = read_header(data)
    if header is None or header.kind not in kinds:
        known = " or ".join(kind.upper() for kind in sorted(kinds))
        raise DataError(f"{name}: not a {known} picture")
    if header.pixels > max_pixels:
        raise DataError(
            f"{name}: {header.width}x{header.height} is too large, "
            f"at most {max_pixels // 1_000_000} megapixels; scale it down"
        )
    if not header.complete:
        raise DataError(f"{name}: {header.kind.upper()} picture cut short; copy it again")
    return header


def _has_exif(data: bytes) -> bool:
    """An orientation may be in it, which the decoding that keeps alpha would not follow."""
    return b"eXIf" in data or b"EXIF" in data


def _on_white(image: BgrImage, raw: BgrImage | None) -> BgrImage:
    """What a viewer shows of a transparent picture, never the hidden colours under it."""
    if raw is None or raw.ndim != 3 or raw.shape[2] != 4:  # noqa: PLR2004 - no alpha
        return image
    opaque = float(np.iinfo(raw.dtype).max)
    shown = np.array(image)
    for top in range(0, len(shown), 256):  # in strips: the floats of a large picture are heavy
        rows = slice(top, top + 256)
        alpha = raw[rows, :, 3:].astype(np.float32) / opaque
        shown[rows] = shown[rows] * alpha + 255.0 * (1.0 - alpha) + 0.5
    return shown
