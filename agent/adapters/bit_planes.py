"""Sums of weighted yes/no columns, 64 rows to a word.

A plane holds one bit of every row. A sum over many planes is kept bit-sliced, as one plane for
each of its binary digits, and grows by carry-save adders: five bitwise operations take three
planes of one weight to one of the same and one of twice the weight, for all rows at once
(Harley and Seal; see Warren, Hacker's Delight, chapter 5). Complements cost nothing where three
meet, since both outputs of the adder are self-dual.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agent.stages.wiping import wipe

Plane = npt.NDArray[np.uint64]
"""(words,): row r is bit r % 8 of byte r // 8."""
Bits = npt.NDArray[np.bool_]

_BYTES = 8
_and, _or, _xor = np.bitwise_and, np.bitwise_or, np.bitwise_xor


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
    at = np.flatnonzero(np.unpackbits(octets[used], bitorder="little"))
    rows: npt.NDArray[np.intp] = used[at >> 3] * 8 + (at & 7)
    return rows


def has(plane: Plane, rows: npt.NDArray[np.intp]) -> Bits:
    """Whether each row's bit is set."""
    octets = plane.view(np.uint8)[rows >> 3]
    bits: Bits = (octets >> (rows & 7).astype(np.uint8) & 1).astype(np.bool_)
    return bits


class Sum:
    """Planes summed up, by weight and by whether they count where the bit is clear.

    Planes are added as they come and carried on at once, so that the few buffers in use stay in
    the nearest caches.

    Args:
        planes: (columns, words), which stay as they are.
        weights: of each column: 0 leaves it out, else 1 or 2.
        agree: whether a row counts where its bit is set (else where it is clear).
        spare: buffers of `words` to work in; more are made when needed, and all are in it again,
            overwritten, after `at_least`.
    """

    def __init__(
        self,
        planes: Sequence[Plane],
        weights: npt.NDArray[np.intp],
        agree: Bits,
        spare: list[Plane],
    ) -> None:
        self._words = len(planes[0])
        self._levels: list[tuple[list[Plane], list[Plane]]] = [([], []), ([], [])]
        self._spare = spare
        self._all = list(spare)
        self._ours = {id(plane) for plane in spare}
        chosen = np.flatnonzero(weights)
        for column, weight, straight in zip(
            chosen.tolist(), weights[chosen].tolist(), agree[chosen].tolist(), strict=True
        ):
            self._push(weight - 1, not straight, planes[column])

    def at_least(self, least: int) -> Plane:
        """Rows whose sum is `least` or more, as a plane. To be called once.

        Bits behind the last row are without meaning.
        """
        digits = self._digits()
        over, level = np.zeros(self._words, np.uint64), np.full(self._words, ~np.uint64(0))
        if not least >> len(digits):
            for place in range(len(digits) - 1, -1, -1):
                if least >> place & 1:
                    level &= digits[place]
                else:
                    over |= level & digits[place]
            over |= level
        wipe(*self._all)
        self._spare[:] = self._all
        return over

    def _push(self, level: int, side: int, plane: Plane) -> None:
        if level == len(self._levels):
            self._levels.append(([], []))
        waiting = self._levels[level][side]
        waiting.append(plane)
        if len(waiting) == 3:  # noqa: PLR2004 - an adder takes three
            self._push(level + 1, side, self._add(waiting))

    def _digits(self) -> list[Plane]:
        """The planes of the sum's binary digits, lowest first."""
        digits: list[Plane] = []
        while len(digits) < len(self._levels):
            place = len(digits)
            straight, inverse = self._levels[place]
            while inverse:
                self._push(place, 0, self._not(inverse.pop()))
            if len(straight) == 2:  # noqa: PLR2004
                self._push(place + 1, 0, self._add_two(straight))
            digits.append(straight[0] if straight else np.zeros(self._words, np.uint64))
        return digits

    def _add(self, three: list[Plane]) -> Plane:
        """Three planes become their sum; the carry is given back."""
        a, b, c = three
        total, carry, both = self._new(), self._new(), self._new()
        _xor(a, b, total)
        _and(a, b, carry)
        _and(total, c, both)
        _or(carry, both, carry)
        _xor(total, c, total)
        self._give_back(a, b, c, both)
        three[:] = (total,)
        return carry

    def _add_two(self, two: list[Plane]) -> Plane:
        a, b = two
        total, carry = self._new(), self._new()
        _xor(a, b, total)
        _and(a, b, carry)
        self._give_back(a, b)
        two[:] = (total,)
        return carry

    def _not(self, plane: Plane) -> Plane:
        out = np.bitwise_not(plane, self._new())
        self._give_back(plane)
        return out

    def _new(self) -> Plane:
        """A buffer, the one used last when there is one: it is still in the nearest cache."""
        if self._spare:
            return self._spare.pop()
        made = np.empty(self._words, np.uint64)
        self._ours.add(id(made))
        self._all.append(made)
        return made

    def _give_back(self, *planes: Plane) -> None:
        for plane in planes:
            if id(plane) in self._ours:
                self._spare.append(plane)
