"""Constant-velocity Kalman filters for many boxes at once, in seconds.

Centre x, centre y, width and height of a box move independently of each other, so each is a
filter of its own with two states (value and rate) and closed forms instead of matrices. The
process noise is continuous white acceleration (Bar-Shalom, Li, Kirubarajan 2001, section 6.2.2):
predicting over a and then over b equals predicting over a + b, so skipped frames and a variable
rate need no care. All noise is in proportion to the face, as in SORT (arXiv 1602.00763).

A bank of n filters is one (n, 5, 4) float64 array: rows VALUE, RATE, and the covariance entries
VAR (value, value), COV (value, rate), VAR_RATE (rate, rate); columns centre x, centre y, width,
height. Units are pixels and seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.values import F32
from agent.vision.motion import Motion, warp_points

F64 = npt.NDArray[np.float64]
Bank = npt.NDArray[np.float64]

VALUE, RATE, VAR, COV, VAR_RATE = range(5)


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations, in face sizes (mean of width and height).

    Attributes:
        measured: of a detected centre or side, face sizes.
        rate: of an unknown velocity of the centre, face sizes per second.
        rate_size: the same for the sides.
        push: acceleration density of the centre, face sizes per s^1.5.
        push_size: the same for the sides.
    """

    measured: float = 0.07
    rate: float = 3.0
    rate_size: float = 0.6
    push: float = 3.0
    push_size: float = 0.6


NOISE = Noise()


def start(boxes: npt.NDArray[Any]) -> Bank:
    """Filters at rest on (n, 4) left-top-right-bottom boxes."""
    bank: Bank = np.zeros((len(boxes), 5, 4))
    bank[:, VALUE] = to_centres(boxes)
    size = _size(bank)
    bank[:, VAR] = (NOISE.measured * size) ** 2
    bank[:, VAR_RATE] = (size * _pair(NOISE.rate, NOISE.rate_size)) ** 2
    return bank


def predict(bank: Bank, dt: float) -> Bank:
    """The bank `dt` >= 0 seconds later; sides never shrink below one pixel."""
    push = (_size(bank) * _pair(NOISE.push, NOISE.push_size)) ** 2
    later: Bank = bank.copy()
    later[:, VALUE] += dt * bank[:, RATE]
    later[:, VAR] += dt * (2 * bank[:, COV] + dt * bank[:, VAR_RATE]) + push * dt**3 / 3
    later[:, COV] += dt * bank[:, VAR_RATE] + push * dt**2 / 2
    later[:, VAR_RATE] += push * dt
    later[:, VALUE, 2:] = np.maximum(later[:, VALUE, 2:], 1.0)
    return later


def shift(bank: Bank, motion: Motion) -> Bank:
    """The bank after the camera itself moved: places, sizes and velocities follow."""
    moved: Bank = bank.copy()
    moved[:, VALUE, :2] = warp_points(bank[:, VALUE, :2], motion)
    moved[:, RATE, :2] = bank[:, RATE, :2] @ motion.linear.T
    moved[:, :2, 2:] *= motion.scale
    moved[:, VAR:] *= motion.scale**2
    return moved


def correct(bank: Bank, boxes: npt.NDArray[Any]) -> Bank:
    """The bank after each filter saw its box: (n, 4) left-top-right-bottom, in order."""
    seen = to_centres(boxes)
    spread = bank[:, VAR] + (NOISE.measured * _size(bank)) ** 2
    gain, gain_rate = bank[:, VAR] / spread, bank[:, COV] / spread
    off = seen - bank[:, VALUE]
    better: Bank = bank.copy()
    better[:, VALUE] += gain * off
    better[:, RATE] += gain_rate * off
    better[:, VAR] = (1 - gain) * bank[:, VAR]
    better[:, COV] = (1 - gain) * bank[:, COV]
    better[:, VAR_RATE] = bank[:, VAR_RATE] - gain_rate * bank[:, COV]
    better[:, VALUE, 2:] = np.maximum(better[:, VALUE, 2:], 1.0)
    return better


def surprise(bank: Bank, boxes: npt.NDArray[Any]) -> F64:
    """(n, m) squared Mahalanobis distances (chi-square, 4 degrees of freedom) of m boxes."""
    spread = bank[:, VAR] + (NOISE.measured * _size(bank)) ** 2
    off = to_centres(boxes)[None, :, :] - bank[:, None, VALUE, :]
    return np.asarray((off**2 / spread[:, None, :]).sum(axis=2), np.float64)


def to_boxes(bank: Bank) -> F32:
    """(n, 4) float32 left-top-right-bottom."""
    centre, half = bank[:, VALUE, :2], bank[:, VALUE, 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def to_centres(boxes: npt.NDArray[Any]) -> F64:
    """(n, 4) left-top-right-bottom to centre x, centre y, width, height."""
    centres = boxes.astype(np.float64)
    centres[:, 2:] -= centres[:, :2]
    centres[:, :2] += centres[:, 2:] / 2
    return centres


def _size(bank: Bank) -> F64:
    half = (bank[:, VALUE, 2:3] + bank[:, VALUE, 3:4]) / 2
    return np.asarray(np.maximum(half, 1.0), np.float64)


def _pair(centre: float, side: float) -> F64:
    return np.array([centre, centre, side, side])
