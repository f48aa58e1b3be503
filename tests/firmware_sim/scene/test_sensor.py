from __future__ import annotations

import numpy as np
import pytest

from firmware_sim.scene.lighting import LIGHTS
from firmware_sim.scene.sensor import Exposure, Sensor, exposures

SIZE = (160, 120)
GREY = np.full((120, 160, 3), 128, np.uint8)


def sensor(*, ir: bool = False, flicker: float = 0.0) -> Sensor:
    return Sensor(SIZE, flicker=flicker, readout_s=0.02, ir=ir, seed=4)


def at(seconds: float = 0.002, gain: float = 1.0, brightness: float = 1.0) -> Exposure:
    return Exposure(seconds, gain, brightness, (1.0, 1.0, 1.0))


def test_a_settled_camera_exposes_well_by_day_and_by_night() -> None:
    for kind in ("day", "overcast", "dusk", "night"):
        settled = exposures(LIGHTS[kind], [1.0] * 10, 15, ir=False)[-1]
        assert settled.brightness == pytest.approx(1, abs=0.01), kind


def test_less_light_means_longer_exposure_first_then_gain() -> None:
    day, dusk, night = (
        exposures(LIGHTS[kind], [1.0], 15, ir=False)[0] for kind in ("day", "dusk", "night")
    )
    assert day.seconds < dusk.seconds == night.seconds
    assert day.gain == 1.0 < dusk.gain < night.gain


def test_out_of_the_shade_is_too_bright_until_the_exposure_follows() -> None:
    made = exposures(LIGHTS["day"], [0.1] * 15 + [1.0] * 30, 15, ir=False)
    assert made[14].brightness == pytest.approx(1, abs=0.01)
    assert made[15].brightness > 5
    assert made[44].brightness == pytest.approx(1, abs=0.05)
    assert sensor().develop(GREY, made[15], 0, 0).mean() > 230


def test_noise_grows_with_gain_and_with_light_lost() -> None:
    by_gain = [sensor().develop(GREY, at(gain=g), 0, 0).std() for g in (1.0, 8.0, 32.0)]
    assert by_gain[0] * 2 < by_gain[1]
    assert by_gain[1] * 1.5 < by_gain[2]
    assert 0.5 < by_gain[0] < 4


def test_every_frame_has_its_own_noise_and_the_same_one_again() -> None:
    first, again, other = (sensor().develop(GREY, at(gain=8), n, 0) for n in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_flicker_makes_bands_across_the_rows_and_moves() -> None:
    shown = sensor(flicker=0.2).develop(GREY, at(), 0, 0).mean(axis=(1, 2))
    plain = sensor().develop(GREY, at(), 0, 0).mean(axis=(1, 2))
    later = sensor(flicker=0.2).develop(GREY, at(), 0, 0.0025).mean(axis=(1, 2))
    assert shown.std() > 5 * plain.std()
    assert abs(shown - later).max() > 10


def test_a_shutter_open_for_whole_periods_sees_no_flicker() -> None:
    shown = sensor(flicker=0.2).develop(GREY, at(seconds=0.03), 0, 0).mean(axis=(1, 2))
    assert shown.std() < 1.5


def test_infrared_is_grey() -> None:
    colour = GREY.copy()
    colour[:, :, 2] = 200
    noisy = sensor(ir=True).develop(colour, at(gain=1), 0, 0).reshape(-1, 3).mean(axis=0)
    assert noisy.max() - noisy.min() < 1
