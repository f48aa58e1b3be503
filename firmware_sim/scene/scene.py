"""Draws a scene frame by frame, and tells the truth about each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_sim.scene.cast import Actor, load_actor
from firmware_sim.scene.extras import Extra, Standing, standing
from firmware_sim.scene.figure import DT_S, Canvas, Figure, View
from firmware_sim.scene.lens import Lens
from firmware_sim.scene.lighting import LIGHTS
from firmware_sim.scene.sensor import Exposure, Sensor, exposures
from firmware_sim.scene.sprite import U8
from firmware_sim.scene.street import Street, build_street
from firmware_sim.scene.truth import FrameTruth
from firmware_sim.scene.wearer import Leg, Wearer
from firmware_sim.scene.weather import Flare, Rain

_FAR_M = 10.0  # how far what is taken for the picture's motion is away
_LAMP, _LAMP_M = 1.15, 3.2  # infrared: brightness at the lens, distance of half of it
_GAMMA = 2.2


@dataclass(frozen=True, slots=True)
class SceneSetup:
    """Everything that decides what is seen.

    Attributes:
        seed: of all that is random.
        seconds, fps: length and rate.
        width, height: pixels.
        hfov_deg, bend: of the lens.
        height_m: of the camera above the ground.
        legs: how the wearer moves.
        readout_s: of the rolling shutter.
        light: a key of `LIGHTS`.
        brightness: (seconds, factor) points of the light.
        ir: infrared night mode.
        rain: 0..1.
        flare: azimuth, elevation (degrees) and strength of a light; None for none.
        extras: the people.
    """

    seed: int
    seconds: float
    fps: float
    width: int
    height: int
    hfov_deg: float
    bend: float
    height_m: float
    legs: tuple[Leg, ...]
    readout_s: float
    light: str
    brightness: tuple[tuple[float, float], ...]
    ir: bool
    rain: float
    flare: tuple[float, float, float] | None
    extras: tuple[Extra, ...]

    @property
    def frames(self) -> int:
        return round(self.seconds * self.fps)

    def at_us(self, number: int) -> int:
        return round(number * 1_000_000 / self.fps)


class Scene:
    """A scene ready to be drawn; frames may be asked for in any order.

    Args:
        setup: what is seen.
        footage: folder with the files of the asset lock.

    Raises:
        SimError: the footage is not there.
    """

    def __init__(self, setup: SceneSetup, footage: Path) -> None:
        self.setup = setup
        size = (setup.width, setup.height)
        self._size = size
        self._lens = Lens(*size, setup.hfov_deg, setup.bend)
        self._light = LIGHTS[setup.light]
        self._wearer = Wearer(setup.legs, setup.height_m, setup.seed)
        self._street: Street = build_street(self._lens, self._light, footage, setup.seed)
        self._actors: Mapping[str, Actor] = {
            who: load_actor(who, footage) for who in sorted({e.who for e in setup.extras})
        }
        times = [setup.at_us(n) / 1e6 for n in range(setup.frames)]
        factors = np.interp(
            times, [p[0] for p in setup.brightness], [p[1] for p in setup.brightness]
        )
        self._exposures: Sequence[Exposure] = exposures(
            self._light, factors.tolist(), setup.fps, ir=setup.ir
        )
        self._sensor = Sensor(
            size,
            flicker=0.0 if setup.ir else self._light.flicker,
            readout_s=setup.readout_s,
            ir=setup.ir,
            seed=setup.seed,
        )
        self._rain = Rain(setup.rain, size, setup.seed) if setup.rain else None
        self._flare = Flare(*setup.flare, size) if setup.flare else None

    def frame(self, number: int) -> tuple[U8, FrameTruth]:
        """Frame `number` as the camera gives it, BGR, and what is in it."""
        at_us = self.setup.at_us(number)
        exposure = self._exposures[number]
        view = self._view(at_us / 1e6, exposure)
        image = self._empty(view)
        canvas = Canvas(image, np.zeros(image.shape[:2], np.uint16))
        figures = self._figures(view)
        faces = [face for figure in figures if (face := figure.paint(canvas, view)) is not None]
        people = [face.uncovered(canvas) for face in faces]
        self._on_the_lens(image, view, number)
        picture = self._sensor.develop(image, exposure, number, view.at_s)
        passing = tuple(sorted(figure.extra.name for figure in figures))
        shown = tuple(person for person in people if person.visible > 0)
        return picture, FrameTruth(number, at_us, passing, shown)

    def _view(self, at_s: float, exposure: Exposure) -> View:
        now, soon = self._wearer.pose(at_s), self._wearer.pose(at_s + DT_S)
        return View(self._lens, now, soon, at_s, exposure.seconds, self.setup.readout_s)

    def _figures(self, view: View) -> list[Figure]:
        """Everybody there, the furthest first."""
        there = [
            (math.hypot(here.x - view.now.x, here.z - view.now.z), extra, here)
            for extra in self.setup.extras
            if (here := standing(extra, view.at_s, view.now)) is not None
        ]
        there.sort(key=lambda one: -one[0])
        return [
            Figure(extra, here, self._actors[extra.who], self._lit(here, far), number)
            for number, (far, extra, here) in enumerate(there)
        ]

    def _empty(self, view: View) -> U8:
        now = view.now
        ahead = np.array(
            [now.x + _FAR_M * math.sin(now.yaw), now.y, now.z + _FAR_M * math.cos(now.yaw)]
        )
        speed = view.speed(ahead, ahead)
        shear, smear = speed * view.readout_s, speed * view.open_s
        return self._street.draw(
            now, (float(shear[0]), float(shear[1])), (float(smear[0]), float(smear[1]))
        )

    def _on_the_lens(self, image: U8, view: View, number: int) -> None:
        if self._flare is not None:
            where = np.array([view.now.x, view.now.y, view.now.z]) + self._flare.direction * 1000.0
            x, y = view.seen(where[None])[0]
            self._flare.shine(image, (float(x), float(y)))
        if self._rain is not None:
            self._rain.fall(image, number, view.at_s)

    def _lit(self, here: Standing, distance_m: float) -> float:
        """Brightness of a person there, as a factor of the picture's values."""
        if self.setup.ir:
            return float((_LAMP / (1.0 + (distance_m / _LAMP_M) ** 2)) ** (1 / _GAMMA))
        return float(self._light.at(here.x, here.z) ** (1 / _GAMMA))
