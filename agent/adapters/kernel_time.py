"""Whether the kernel's clock is set by a time server."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Final, Literal

ClockState = Literal["synchronised", "free-running", "unknown"]

_TIMEX_BYTES: Final = 1024
"""More than `struct timex` has; its first member, `modes`, is 0: nothing is to be changed."""
_TIME_ERROR: Final = 5
"""adjtimex(2): the clock is not synchronised."""


def clock_state(adjtimex: Callable[[ctypes.Array[ctypes.c_char]], int] | None = None) -> ClockState:
    """As adjtimex(2) tells; unknown where there is none, or where it may not be asked.

    Args:
        adjtimex: the system call; None: the one of the C library.
    """
    try:
        call = adjtimex or ctypes.CDLL(None).adjtimex
        answer = call(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (AttributeError, OSError):
        return "unknown"
    if answer < 0:
        return "unknown"
    return "free-running" if answer == _TIME_ERROR else "synchronised"
