"""Which detection belongs to which track: a cost, a gate and an optimal assignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.stages import kalman

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Pairs = list[tuple[int, int]]

_FORBIDDEN = 1e6
_NONE = -1


@dataclass(frozen=True, slots=True)
class Gate:
    """How far a detection may be from where a track is expected.

    Attributes:
        surprise: largest squared Mahalanobis distance; 18.47 is the 0.999 quantile of
            chi-square with 4 degrees of freedom.
        reach: largest distance of the centres, in face sizes.
        growth: largest ratio of the sizes, either way.
    """

    surprise: float = 18.47
    reach: float = 2.0
    growth: float = 2.0


def giou(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> F64:
    """(n, m) generalised intersection over union in (-1, 1] (arXiv 1902.09630).

    Args:
        a: (n, 4) left-top-right-bottom.
        b: (m, 4) the same.
    """
    left, right = a[:, None, :].astype(np.float64), b[None, :, :].astype(np.float64)
    inner = np.minimum(left[..., 2:], right[..., 2:]) - np.maximum(left[..., :2], right[..., :2])
    outer = np.maximum(left[..., 2:], right[..., 2:]) - np.minimum(left[..., :2], right[..., :2])
    overlap = np.maximum(inner, 0).prod(axis=2)
    hull = np.maximum(outer.prod(axis=2), 1e-9)
    union = _areas(left) + _areas(right) - overlap
    return np.asarray(overlap / np.maximum(union, 1e-9) - (hull - union) / hull, np.float64)


def costs(bank: kalman.Bank, boxes: npt.NDArray[Any], gate: Gate) -> tuple[F64, Mask]:
    """What it costs to give each of m detections to each of n tracks, and which pairs may be.

    Returns:
        (n, m) costs in [0, 2), 1 - GIoU with the predicted box; (n, m) mask of allowed pairs.
    """
    centres = kalman.to_centres(boxes)
    own, other = _sizes(bank[:, kalman.VALUE]), _sizes(centres)
    offset = bank[:, None, kalman.VALUE, :2] - centres[None, :, :2]
    near = np.hypot(offset[..., 0], offset[..., 1]) <= gate.reach * own[:, None]
    ratio = own[:, None] / other[None, :]
    alike = (ratio <= gate.growth) & (ratio >= 1 / gate.growth)
    expected = kalman.surprise(bank, boxes) <= gate.surprise
    return 1 - giou(kalman.to_boxes(bank), boxes), near & alike & expected


def assign(cost: F64, allowed: Mask) -> Pairs:
    """As many allowed pairs as possible, at the least total cost, each row and column once.

    Where every row's cheapest column is its alone, that is the answer. Otherwise shortest
    augmenting paths (Jonker and Volgenant, Computing 38, 1987). Ties go to the lower column.

    Args:
        cost: (n, m), every |cost| far below 1e6.
        allowed: (n, m) mask.

    Returns:
        (row, column) pairs in order of rows.
    """
    rows = np.flatnonzero(allowed.any(axis=1))
    if not len(rows):
        return []
    guarded = np.where(allowed, cost, _FORBIDDEN)[rows]
    best = guarded.argmin(axis=1)
    if len(set(best.tolist())) < len(rows):
        best = _shortest_paths(guarded)
    pairs = zip(rows.tolist(), best.tolist(), strict=True)
    return [(row, column) for row, column in pairs if column != _NONE and allowed[row, column]]


def _shortest_paths(cost: F64) -> npt.NDArray[np.intp]:
    """The column of each row, or -1, in the cheapest assignment of the smaller side."""
    if cost.shape[0] > cost.shape[1]:
        row_of = _shortest_paths(np.ascontiguousarray(cost.T))
        column_of = np.full(cost.shape[0], _NONE, np.intp)
        column_of[row_of] = np.arange(cost.shape[1])
        return column_of
    owner = np.full(cost.shape[1], _NONE, np.intp)
    prices = np.zeros(cost.shape[1]), np.zeros(cost.shape[0])
    for row in range(cost.shape[0]):
        _augment(cost, row, owner, prices)
    column_of = np.full(cost.shape[0], _NONE, np.intp)
    taken = owner != _NONE
    column_of[owner[taken]] = np.flatnonzero(taken)
    return column_of


def _augment(cost: F64, start: int, owner: npt.NDArray[np.intp], prices: tuple[F64, F64]) -> None:
    """Give row `start` a column along the cheapest path (Dijkstra on reduced costs)."""
    column_price, row_price = prices
    distance = np.full(cost.shape[1], np.inf)
    came_from = np.full(cost.shape[1], _NONE, np.intp)
    done = np.zeros(cost.shape[1], bool)
    row, column, reached = start, _NONE, 0.0
    while row != _NONE:
        step = reached + cost[row] - row_price[row] - column_price
        shorter = (step < distance) & ~done
        distance[shorter], came_from[shorter] = step[shorter], column
        column = int(np.where(done, np.inf, distance).argmin())
        reached = float(distance[column])
        done[column] = True
        row = int(owner[column])
    settled = done.copy()
    settled[column] = False
    row_price[start] += reached
    row_price[owner[settled]] += reached - distance[settled]
    column_price[settled] -= reached - distance[settled]
    while column != _NONE:
        previous = int(came_from[column])
        owner[column] = start if previous == _NONE else owner[previous]
        column = previous


def _areas(boxes: F64) -> F64:
    sides: F64 = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides.prod(axis=-1), np.float64)


def _sizes(centres: F64) -> F64:
    return np.asarray(np.maximum((centres[:, 2] + centres[:, 3]) / 2, 1.0), np.float64)
