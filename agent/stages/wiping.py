"""Overwriting what must not stay in memory."""

from __future__ import annotations

from typing import Final

from agent.values import Array, Monotonic

EVERY_S: Final = 8.0
"""What libraries keep is overwritten so long after the first face since the last time. Invariant 1
of the design allows 10 s. What all of forgetting costs: tests/bench/forgetting.py."""
STILL_S: Final = 1.0
"""No frame has come for so long: the last picture is not waited for any longer."""


def wipe(*arrays: Array) -> None:
    """Fill every array with zeros, in place. Read-only arrays are left: they are not ours."""
    for array in arrays:
        if array.flags.writeable:
            array.fill(0)


class Traces:
    """When the buffers inside the libraries are to be overwritten.

    A network's arena and a matrix product's packed panels are overwritten by the next picture, as
    long as one comes; a blank one costs as much. So it is done now and then while there are faces,
    once after the last of them, and soon after the last frame.
    """

    def __init__(self) -> None:
        self._looked: Monotonic | None = None
        self._since: Monotonic | None = None

    def looked(self, *, faces: bool, now: Monotonic) -> None:
        """A picture was looked at; `faces`: somebody was in it, or is still followed."""
        self._looked = now
        if faces and self._since is None:
            self._since = now

    def due(self, *, now: Monotonic) -> bool:
        """Whether it is time."""
        if self._looked is None:
            return False
        if now < self._looked or now - self._looked >= STILL_S:
            return True
        return self._since is not None and now - self._since >= EVERY_S

    def gone(self) -> bool:
        """They were, or are now, overwritten; whether there were any."""
        had = self._looked is not None
        self._looked = self._since = None
        return had
