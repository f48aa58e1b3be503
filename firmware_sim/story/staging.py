"""From a story to a scene: places the people, draws the crowd by lot."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from firmware_sim.scene.cast import cast_names
from firmware_sim.scene.extras import Extra
from firmware_sim.scene.scene import SceneSetup
from firmware_sim.scene.wearer import Leg
from firmware_sim.story.format import Crowd, Story

_STILL_M_S = 0.05


def stage(
    story: Story, *, size: tuple[int, int] | None = None, seed: int | None = None
) -> SceneSetup:
    """The scene of a story.

    Args:
        story: the story.
        size: another width and height than the story's.
        seed: another seed than the story's.
    """
    camera, light = story.camera, story.light
    seed = story.seed if seed is None else seed
    setup = SceneSetup(
        seed=seed,
        seconds=story.seconds,
        fps=camera.fps,
        width=camera.width,
        height=camera.height,
        hfov_deg=camera.hfov_deg,
        bend=camera.lens_bend,
        height_m=camera.height_m,
        legs=tuple(Leg(m.at, m.x, m.z, m.yaw, m.gait) for m in camera.motion),
        readout_s=camera.readout_ms / 1000,
        light=light.kind,
        brightness=light.brightness,
        ir=camera.infrared,
        rain=story.rain,
        flare=(
            (light.flare.azimuth, light.flare.elevation, light.flare.strength)
            if light.flare
            else None
        ),
        extras=(*_people(story, seed), *_crowd(story, seed)),
    )
    return setup if size is None else replace(setup, width=size[0], height=size[1])


def entries(story: Story) -> dict[str, str]:
    """Who of the cast is on the list, by entry."""
    return {person.entry: person.who for person in story.people if person.entry} | dict(
        story.list.absent
    )


def _people(story: Story, seed: int) -> list[Extra]:
    rng = np.random.default_rng((seed, 41))
    seen: Counter[str] = Counter()
    made = []
    for person in story.people:
        seen[person.who] += 1
        number = seen[person.who]
        name = person.name or (person.who if number == 1 else f"{person.who}-{number}")
        path = (
            person.path if len(person.path) > 1 else (*person.path, _until(story, person.path[0]))
        )
        made.append(
            Extra(
                name, person.who, person.entry, path, person.look, person.height_m,
                person.stand_m, person.outfit, float(rng.uniform()),
            )
        )  # fmt: skip
    return made


def _until(story: Story, point: tuple[float, float, float]) -> tuple[float, float, float]:
    return (story.seconds, point[1], point[2])


def _crowd(story: Story, seed: int) -> list[Extra]:
    crowd = story.crowd
    if crowd is None:
        return []
    named = {person.who for person in story.people} | set(entries(story).values())
    rest = [who for who in cast_names() if who not in named]
    rng = np.random.default_rng((seed, 42))
    spots = _rows(crowd, rng) if crowd.rows else _lot(crowd, rng)
    made = []
    for number, (x, z, up) in enumerate(spots):
        speed = float(rng.uniform(*crowd.speed_m_s))
        way = {"towards": -1, "away": 1, "both": int(rng.choice((-1, 1)))}[crowd.direction]
        end = (story.seconds, x, z + way * speed * story.seconds)
        made.append(
            Extra(
                f"crowd-{number + 1}",
                rest[number % len(rest)] if crowd.rows else str(rng.choice(rest)),
                "",
                ((0.0, x, z), end if speed > _STILL_M_S else (story.seconds, x, z)),
                crowd.look,
                float(rng.uniform(*crowd.height_m)),
                up,
                int(rng.integers(0, 60)),
                float(rng.uniform()),
            )
        )
    return made


def _lot(crowd: Crowd, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    return [
        (float(rng.uniform(*crowd.x)), float(rng.uniform(*crowd.z)), 0.0)
        for _ in range(crowd.count)
    ]


def _rows(crowd: Crowd, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Row after row, each higher and further, and shifted by half a place."""
    columns = -(-crowd.count // crowd.rows)
    spots = []
    for number in range(crowd.count):
        row, column = divmod(number, columns)
        share = (column + 0.5 + 0.25 * (row % 2 * 2 - 1)) / columns
        x = crowd.x[0] + share * (crowd.x[1] - crowd.x[0]) + float(rng.uniform(-0.04, 0.04))
        z = crowd.z[0] + row / max(1, crowd.rows - 1) * (crowd.z[1] - crowd.z[0])
        spots.append((x, z, row * crowd.row_rise_m))
    return spots
