"""Counts over yes/no columns, 64 rows to a word.

A plane holds one bit of every row. A count over many planes is kept bit-sliced, as one plane for
each of its binary digits, and grows by carry-save adders: five bitwise operations take three
planes of one weight to one of the same and one of twice the weight, for all rows at once
(Harley and Seal; see Warren, Hacker's Delight, chapter 5). An adder of complements gives the
complements, so that planes that count where they are clear go in first, as they are, and what
they came to is turned over once.

Which planes meet depends only on how many there are. So it is written down once (`_plan`), and
followed by a loop that does little else than call numpy, whose calls are half of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agent.stages.wiping import wipe

Plane = npt.NDArray[np.uint64]
"""(words,): row r is bit r % 8 of byte r // 8."""
Bits = npt.NDArray[np.bool_]

_BYTES = 8
_TOGETHER = 5000
"""Words of a plane, 40 kB, that are counted at a time: a dozen of these stay in a cache of 512 kB,
and the calls of numpy do not take longer than their work."""
_and, _or, _xor, _not = np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.bitwise_not


def words(rows: int) -> int:
    """Words of a plane."""
    return -(-rows // 64)


def packed(bits: Bits) -> npt.NDArray[np.uint64]:
    """Planes of the columns of (rows, columns) bits; missing rows of the last word are 0."""
    rows, columns = bits.shape
    out = np.zeros((columns, words(rows) * _BYTES), np.uint8)
    out[:, : -(-rows // 8)] = np.packbits(bits, axis=0, bitorder="little").T
    return out.view(np.uint64)


def rows_of(plane: Plane) -> npt.NDArray[np.intp]:
    """Rows whose bit is set, ascending; quick when they are few."""
    octets = plane.view(np.uint8)
    used = np.flatnonzero(octets != 0)
    at = np.flatnonzero(np.unpackbits(octets.take(used), bitorder="little").view(np.bool_))
    rows: npt.NDArray[np.intp] = used.take(at >> 3)
    rows <<= 3
    at &= 7
    rows |= at
    return rows


def has(plane: Plane, rows: npt.NDArray[np.intp]) -> Bits:
    """Whether each row's bit is set."""
    octets = plane.view(np.uint8)[rows >> 3]
    bits: Bits = (octets >> (rows & 7).astype(np.uint8) & 1).astype(np.bool_)
    return bits


def at_least(least: int, yes: Sequence[Plane], no: Sequence[Plane], spare: list[Plane]) -> Plane:
    """Rows of which `least` planes or more say yes, as a plane.

    Bits behind the last row are without meaning.

    Args:
        least: of the planes.
        yes: (words,) planes, at least one of these and the next, which stay as they are.
        no: planes that say yes where their bit is clear.
        spare: empty, or as an earlier call on as many words left it: buffers to work in, all
            overwritten in the end.
    """
    plan, given = _plan(len(no), len(yes)), [*no, *yes]
    over = np.empty_like(given[0])
    step = _at_a_time(len(over))
    spare += [np.empty(step, np.uint64) for _ in range(plan.buffers - len(spare))]
    for start in range(0, len(over), step):
        part = over[start : start + step]
        planes = [plane[start : start + step] for plane in given]
        planes += [plane[: len(part)] for plane in spare]
        _follow(plan.steps, planes, planes[len(given)])
        _compare(least, [planes[digit] for digit in plan.digits], part)
    wipe(*spare)
    return over


def _at_a_time(width: int) -> int:
    """Words that are looked at together."""
    return -(-width // -(-width // _TOGETHER))


def _compare(least: int, digits: list[Plane], over: Plane) -> None:
    """As many or more, from the lowest digit that is not 0 up."""
    if least <= 0 or least >> len(digits):
        over.fill(~np.uint64(0) if least <= 0 else 0)
        return
    first = (least & -least).bit_length() - 1
    over[:] = digits[first]
    for place in range(first + 1, len(digits)):
        (_and if least >> place & 1 else _or)(over, digits[place], over)


_NONE = -1


class _Step(NamedTuple):
    """Numbers of planes: c, a and b become their total and carry, which may be c and a.

    Without b, c and a do; without a too, the total is c turned over.
    """

    c: int
    a: int
    b: int
    total: int
    carry: int


class _Plan(NamedTuple):
    """How planes are counted. Those that say yes where clear are numbered first, then the
    others, then buffers, the first of which is scratch.

    Attributes:
        steps: in turn.
        digits: planes of the count's binary digits in the end, lowest first.
        buffers: how many there must be.
    """

    steps: tuple[_Step, ...]
    digits: tuple[int, ...]
    buffers: int


def _follow(steps: tuple[_Step, ...], planes: list[Plane], differ: Plane) -> None:
    for at_c, at_a, at_b, at_total, at_carry in steps:
        c, total = planes[at_c], planes[at_total]
        if at_b != _NONE:
            a, b, carry = planes[at_a], planes[at_b], planes[at_carry]
            _xor(a, b, differ)
            _xor(c, b, carry)
            _xor(c, differ, total)
            _and(carry, differ, carry)
            _xor(carry, b, carry)
        elif at_a != _NONE:
            _and(c, planes[at_a], planes[at_carry])
            _xor(c, planes[at_a], total)
        else:
            _not(c, total)


@lru_cache(maxsize=256)
def _plan(no: int, yes: int) -> _Plan:
    planner = _Planner(no + yes)
    for plane in range(no):
        planner.push(0, plane)
    planner.turn()
    for plane in range(no, no + yes):
        planner.push(0, plane)
    return planner.finished()


class _Planner:
    """Planes are added as they come and carried on at once, in place, and the buffer used last is
    used next, so that the few in use stay in the nearest caches.
    """

    def __init__(self, given: int) -> None:
        self._given = given
        self._steps: list[_Step] = []
        self._waiting: list[list[int]] = []
        self._buffers = 1
        self._free: list[int] = []

    def push(self, place: int, plane: int) -> None:
        """Add a plane to a digit."""
        if place == len(self._waiting):
            self._waiting.append([])
        waiting = self._waiting[place]
        waiting.append(plane)
        if len(waiting) == 3:  # noqa: PLR2004 - an adder takes three
            c, a, b = waiting
            total, carry = self._over(c), self._over(a)
            self._steps.append(_Step(c, a, b, total, carry))
            self._give_back(b)
            waiting[:] = (total,)
            self.push(place + 1, carry)

    def turn(self) -> None:
        """Turn over all that was counted."""
        for waiting in self._waiting:
            turned = [self._over(plane) for plane in waiting]
            pairs = zip(waiting, turned, strict=True)
            self._steps += [_Step(plane, _NONE, _NONE, over, _NONE) for plane, over in pairs]
            waiting[:] = turned

    def finished(self) -> _Plan:
        for place, waiting in enumerate(self._waiting):
            if len(waiting) == 2:  # noqa: PLR2004
                c, a = waiting
                total, carry = self._over(c), self._new()
                self._steps.append(_Step(c, a, _NONE, total, carry))
                self._give_back(a)
                waiting[:] = (total,)
                self.push(place + 1, carry)
        digits = tuple(waiting[0] for waiting in self._waiting)
        return _Plan(tuple(self._steps), digits, self._buffers)

    def _over(self, plane: int) -> int:
        """The plane itself to write to, or a buffer when it must stay as it is."""
        return self._new() if plane < self._given else plane

    def _new(self) -> int:
        if self._free:
            return self._free.pop()
        self._buffers += 1
        return self._given + self._buffers - 1

    def _give_back(self, plane: int) -> None:
        if plane >= self._given:
            self._free.append(plane)
