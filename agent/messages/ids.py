"""ULIDs: sortable ids of 48 bits of milliseconds and 80 random bits (github.com/ulid/spec)."""

from __future__ import annotations

import re

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ULID_PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def new_ulid(*, wall_s: float, randomness: bytes) -> str:
    """A ULID from a wall-clock time and ten random bytes, both passed in.

    Args:
        wall_s: seconds since 1970 UTC, 0 <= wall_s < 2**48 / 1000.
        randomness: exactly 10 bytes.
    """
    if len(randomness) != 10:  # noqa: PLR2004
        raise ValueError(f"randomness: expected 10 bytes, got {len(randomness)}")
    milliseconds = int(wall_s * 1000)
    if not 0 <= milliseconds < 1 << 48:
        raise ValueError("wall_s is outside what a ULID can hold")
    number = milliseconds << 80 | int.from_bytes(randomness, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def ulid_wall_s(ulid: str) -> float | None:
    """The wall-clock seconds in a ULID; None when the text is none."""
    if not re.match(ULID_PATTERN, ulid):
        return None
    number = 0
    for letter in ulid[:10]:
        number = number << 5 | _ALPHABET.index(letter)
    return number / 1000
