"""What of this process's memory may outlive its use: nothing, as far as the process can say so.

No core dump: RLIMIT_CORE does not bind a core handler that the kernel pipes to, PR_SET_DUMPABLE
does (core(5), prctl(2)). It is lost at every exec, so each program sets it again at its start; a
forked child keeps it. Root reads the memory of a process that is not dumpable all the same.

What is freed is overwritten: libraries that decode, scale and multiply pictures keep copies of
their own and give them back unwiped. Once it is asked to (mallopt(3), M_PERTURB), glibc overwrites
all that it is given back, but for blocks of about a kilobyte and less that a thread keeps for
itself; what it gives out is zeros then. So that this costs little, freed memory is kept for the
next frame instead of being handed back to the kernel: new pages for each frame cost more.
"""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_PERTURB = -1, -3, -6
_KEPT = 64 << 20
_LARGE = 32 << 20
"""Bytes kept for the next frame; and from which on a block has pages of its own, the most that
glibc allows."""
_OVER = 0xFF
"""Freed bytes become this, allocated ones its complement."""


def seal_memory() -> None:
    """No dump of this process from now on; what it frees is overwritten. At the start of a program.

    Where the C library cannot overwrite (it is not glibc), that is left out: `overwrites` tells.
    """
    with suppress(OSError, ValueError):  # a sandbox may forbid it, and has set it then
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    tune = getattr(libc, "mallopt", None)
    if tune is not None:
        tune(_M_PERTURB, _OVER)
        tune(_M_TRIM_THRESHOLD, _KEPT)
        tune(_M_MMAP_THRESHOLD, _LARGE)


def dumpable() -> bool:
    """Whether a crash of this process may write its memory down."""
    return bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))


def core_limit() -> int:
    """The largest core dump that this process may leave as a file, bytes; -1 without a limit."""
    return resource.getrlimit(resource.RLIMIT_CORE)[0]


def overwrites() -> bool:
    """Whether freed memory is overwritten: tried on a block of its own."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    seen = b""
    for _ in range(2):  # the second time it is the same block, as a rule
        block = libc.malloc(_PROBE)
        if not block:
            return False
        seen = ctypes.string_at(block, _PROBE)
        ctypes.memset(block, _OVER >> 1, _PROBE)
        libc.free(block)
    return seen == bytes(_PROBE)


_PROBE = 4096
