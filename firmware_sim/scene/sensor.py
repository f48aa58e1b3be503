"""From light to a picture: exposure that lags, white balance, noise, flicker, infrared."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from firmware_sim.scene.lighting import Lighting
from firmware_sim.scene.sprite import I8, U8

_DAY_S = 1 / 500  # exposure of a bright day
_LONGEST_S = 1 / 30
_SHORTEST_S = 1 / 8000
_HIGHEST_GAIN = 32.0
_EXPOSURE_LAG_S, _WHITE_LAG_S = 0.35, 1.5
_WHITE_CORRECTED = 0.7  # of a tint
_GAMMA = 2.2
_FULL_WELL, _READ = 6000.0, 7.0  # electrons
_DENOISED = 0.6
_NOISE_SIGMA, _NOISE_STEPS, _SLACK = 36.0, 12.0, 64
_MAINS_HZ = 100.0
_IR_S, _IR_GAIN = 1 / 60, 6.0


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the camera has set for a frame.

    Attributes:
        seconds: the shutter is open.
        gain: amplification.
        brightness: of the picture against a well exposed one.
        white: factors of blue, green, red, tint and its correction together.
    """

    seconds: float
    gain: float
    brightness: float
    white: tuple[float, float, float]


def exposures(
    lighting: Lighting, factors: Iterable[float], fps: float, *, ir: bool
) -> list[Exposure]:
    """For every frame; the first one has settled.

    Args:
        lighting: of the scene.
        factors: how much lighter than `lighting` it is at each frame.
        fps: frames/s.
        ir: infrared lamp instead of the light there is.
    """
    if ir:
        return [Exposure(_IR_S, _IR_GAIN, 1.0, (1.0, 1.0, 1.0)) for _ in factors]
    step = 1 - math.exp(-1 / (fps * _EXPOSURE_LAG_S))
    white_step = 1 - math.exp(-1 / (fps * _WHITE_LAG_S))
    made: list[Exposure] = []
    product: float | None = None
    corrected = 0.35  # the balance begins half way
    for factor in factors:
        level = max(lighting.level * factor, 1e-6)
        wanted = min(max(_DAY_S / level, _SHORTEST_S), _LONGEST_S * _HIGHEST_GAIN)
        if product is None:
            product = wanted
        product *= (wanted / product) ** step
        corrected += (_WHITE_CORRECTED - corrected) * white_step
        seconds = min(product, _LONGEST_S)
        white = [tint ** (1 - corrected) for tint in lighting.tint]
        made.append(
            Exposure(
                seconds,
                product / seconds,
                level * product / _DAY_S,
                (white[0], white[1], white[2]),
            )
        )
    return made


class Sensor:
    """Turns scene light into pictures; the same for the same seed and frame number.

    Args:
        size: width, height.
        flicker: depth of the mains' flicker, 0..1.
        readout_s: from the first row to the last.
        ir: infrared night mode: grey.
        seed: of the noise.
    """

    def __init__(
        self, size: tuple[int, int], *, flicker: float, readout_s: float, ir: bool, seed: int
    ) -> None:
        self._size, self._flicker, self._readout_s, self._ir = size, flicker, readout_s, ir
        self._seed = seed
        self._noise = self._field(seed)

    def develop(self, image: U8, exposure: Exposure, number: int, at_s: float) -> U8:
        """The picture that the camera gives of this light.

        Args:
            image: (h, w, 3) BGR, the scene as on a well exposed picture.
            exposure: what is set.
            number: of the frame.
            at_s: its time.
        """
        if self._ir:
            grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
        bright = np.asarray(cv2.LUT(image, _curve(exposure)), np.uint8)
        if self._flicker:
            bright = self._flickered(bright, exposure, at_s)
        return self._noisy(bright, exposure, number)

    def _noisy(self, image: U8, exposure: Exposure, number: int) -> U8:
        rng = np.random.default_rng((self._seed, 21, number))
        dx, dy = rng.integers(0, _SLACK, 2)
        flip = int(rng.integers(0, 2))
        width, height = self._size
        noise = self._noise[flip][dy : dy + height, dx : dx + width]
        spread = cv2.LUT(image, _spread(exposure.gain))
        grain = cv2.multiply(
            spread, noise, scale=1 / (_NOISE_SIGMA * _NOISE_STEPS), dtype=cv2.CV_16S
        )
        return np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), np.uint8)

    def _flickered(self, image: U8, exposure: Exposure, at_s: float) -> U8:
        depth = self._flicker * abs(np.sinc(_MAINS_HZ * exposure.seconds))
        rows = at_s + np.arange(image.shape[0]) / image.shape[0] * self._readout_s
        factor = 128 * (1 + depth * np.sin(2 * math.pi * _MAINS_HZ * rows))
        gains = np.broadcast_to(factor.astype(np.uint8)[:, None, None], image.shape)
        return np.asarray(cv2.multiply(image, np.ascontiguousarray(gains), scale=1 / 128), np.uint8)

    def _field(self, seed: int) -> tuple[I8, I8]:
        rng = np.random.default_rng((seed, 20))
        shape = (self._size[1] + _SLACK, self._size[0] + _SLACK, 3)
        raw = rng.standard_normal(shape, dtype=np.float32)
        if self._ir:  # one colour
            raw[:, :, 1:] = raw[:, :, :1]
        soft = cv2.GaussianBlur(raw, (3, 3), 0.55)
        field = np.clip(soft / soft.std() * _NOISE_SIGMA, -127, 127).astype(np.int8)
        return field, np.ascontiguousarray(field[:, ::-1])


def _curve(exposure: Exposure) -> U8:
    """(1, 256, 3): the developed value of each scene value."""
    light = (np.arange(256)[:, None] / 255.0) ** _GAMMA
    scaled = light * exposure.brightness * np.array(exposure.white)
    soft = np.where(scaled > 0.8, 0.8 + 0.2 * np.tanh((scaled - 0.8) / 0.2), scaled)  # noqa: PLR2004
    return np.asarray((255 * soft ** (1 / _GAMMA)).clip(0, 255)[None], np.uint8)


def _spread(gain: float) -> U8:
    """(256,): standard deviation of the noise at each value, in 1 / _NOISE_STEPS."""
    light = np.maximum((np.arange(256) / 255.0) ** _GAMMA, 0.002)
    shot = light * gain / _FULL_WELL
    read = (_READ * gain / _FULL_WELL) ** 2
    linear = np.sqrt(shot + read)
    steep = light ** (1 / _GAMMA - 1) / _GAMMA
    spread = 255 * linear * steep * _DENOISED * _NOISE_STEPS
    return np.asarray(spread.clip(0, 255), np.uint8)
