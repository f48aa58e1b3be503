"""What is drawn is what the truth says."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.scene.extras import Extra
from firmware_sim.scene.scene import Scene, SceneSetup
from firmware_sim.scene.truth import SeenPerson
from firmware_sim.scene.wearer import Leg
from firmware_sim.story.loading import load_story
from firmware_sim.story.staging import stage

BASE = SceneSetup(
    seed=1,
    seconds=2.0,
    fps=10.0,
    width=640,
    height=360,
    hfov_deg=90.0,
    bend=0.08,
    height_m=1.4,
    legs=(Leg(0),),
    readout_s=0.02,
    light="day",
    brightness=((0.0, 1.0),),
    ir=False,
    rain=0.0,
    flare=None,
    extras=(),
)


def extra(who: str, z: float, x: float = 0.0, **fields: object) -> Extra:
    plain = Extra(who, who, "", ((0, x, z), (2, x, z)), "camera", 1.75, 0.0, 1, 0.0)
    return replace(plain, **fields)  # type: ignore[arg-type]


def scene(footage: Path, *extras: Extra, **fields: object) -> Scene:
    return Scene(replace(BASE, extras=extras, **fields), footage)  # type: ignore[arg-type]


def person(footage: Path, *extras: Extra, name: str = "p01", **fields: object) -> SeenPerson:
    truth = scene(footage, *extras, **fields).frame(3)[1]
    return next(seen for seen in truth.people if seen.name == name)


@pytest.mark.parametrize("metres", [1.5, 3.0, 6.0])
def test_the_face_gets_smaller_with_the_distance(footage: Path, metres: float) -> None:
    seen = person(footage, extra("p01", metres))
    focal = scene(footage)._lens.focal_px
    assert seen.distance_m == pytest.approx(metres, abs=0.15)
    assert seen.width_px == pytest.approx(0.16 * focal / seen.distance_m, rel=0.06)
    assert seen.visible > 0.9


def test_the_face_is_drawn_where_the_truth_says(footage: Path) -> None:
    """Nothing but the head differs from a scene without it inside the box, and it does there."""
    seen = person(footage, extra("p01", 2.0, 0.4))
    with_him = scene(footage, extra("p01", 2.0, 0.4)).frame(3)[0].astype(int)
    without = scene(footage).frame(3)[0].astype(int)
    changed = np.abs(with_him - without).sum(axis=2) > 40
    left, top, right, bottom = (round(v) for v in seen.box)
    assert changed[top:bottom, left:right].mean() > 0.8
    assert changed[top:bottom, : left - (right - left)].mean() < 0.01
    for x, y in seen.landmarks:
        assert left < x < right
        assert top < y < bottom
    eyes, mouth = seen.landmarks[:2], seen.landmarks[3:]
    assert max(y for _, y in eyes) < min(y for _, y in mouth)
    assert eyes[0][0] < eyes[1][0]


def test_whoever_is_nearer_hides_those_behind(footage: Path) -> None:
    alone = person(footage, extra("p01", 4.0))
    behind = scene(footage, extra("p01", 4.0), extra("p02", 2.0)).frame(3)[1]
    assert alone.visible > 0.9
    assert "p01" not in {seen.name for seen in behind.people if seen.visible > 0.2}
    assert "p02" in {seen.name for seen in behind.people if seen.visible > 0.9}
    assert behind.passing == ("p01", "p02")


def test_half_out_of_the_picture_is_half_visible(footage: Path) -> None:
    seen = person(footage, extra("p01", 2.0, 2.0))
    assert 0.1 < seen.visible < 0.9


def test_turned_faces_are_narrower_and_backs_have_none(footage: Path) -> None:
    front = person(footage, extra("p01", 2.0))
    side = person(footage, extra("p01", 2.0, look=((0.0, 50.0), (2.0, 50.0))))
    away = scene(footage, extra("p01", 2.0, look=((0.0, 170.0), (2.0, 170.0)))).frame(3)[1]
    wide = [seen.box[2] - seen.box[0] for seen in (front, side)]
    assert wide[1] < 0.8 * wide[0]
    assert side.width_px == pytest.approx(front.width_px, rel=0.02)
    assert away.people == ()
    assert away.passing == ("p01",)


def test_frames_and_truth_replay_bit_for_bit_in_any_order(footage: Path) -> None:
    extras = (extra("p01", 2.5), extra("p04", 3.5, 1.0), extra("p09", 5.0, -1.0))
    fields = {"light": "night", "rain": 0.6, "legs": (Leg(0, gait="walk"),), "flare": (9, 8, 0.7)}

    def run(order: list[int], seed: int) -> dict[int, tuple[str, object]]:
        made = scene(footage, *extras, seed=seed, **fields)
        frames = {n: made.frame(n) for n in order}
        return {n: (hashlib.sha256(f[0]).hexdigest(), f[1]) for n, f in frames.items()}

    first = run([0, 7, 13], 5)
    assert run([13, 0, 7], 5) == first
    assert all(run([0, 7, 13], 6)[n][0] != first[n][0] for n in first)


def test_running_at_dusk_smears_what_standing_does_not(footage: Path) -> None:
    def sharpness(gait: str) -> float:
        made = scene(footage, extra("p01", 1.5), light="dusk", legs=(Leg(0, gait=gait),))
        total = 0.0
        for number in range(2, 8):
            image, truth = made.frame(number)
            left, top, right, bottom = (max(0, round(v)) for v in truth.people[0].box)
            face = image[top:bottom, left:right].mean(axis=2)
            total += float(np.abs(np.diff(face, axis=0)).mean())
        return total

    assert sharpness("run") < 0.8 * sharpness("stand")


def test_the_rolling_shutter_leans_what_a_turning_camera_sees(footage: Path) -> None:
    turning = {"legs": (Leg(0, yaw_deg=-40), Leg(2, yaw_deg=40))}
    tall = extra("p01", 2.0)
    frames = [scene(footage, tall, readout_s=s, **turning).frame(9)[1] for s in (0.0, 0.03)]
    (still,), (rolled,) = (frame.people for frame in frames)
    eyes_to_mouth = [seen.landmarks[3][0] - seen.landmarks[0][0] for seen in (still, rolled)]
    assert abs(eyes_to_mouth[1] - eyes_to_mouth[0]) > 0.15
    assert math.isclose(still.width_px, rolled.width_px, rel_tol=0.05)


def test_infrared_falls_off_with_the_distance(footage: Path) -> None:
    def brightness(metres: float) -> float:
        made = scene(footage, extra("p01", metres), ir=True, light="dark")
        image, truth = made.frame(0)
        left, top, right, bottom = (round(v) for v in truth.people[0].box)
        return float(image[top:bottom, left:right].mean())

    assert brightness(1.5) > 1.3 * brightness(6.0)


def test_the_story_of_a_hundred_faces_shows_a_hundred(footage: Path) -> None:
    truth = Scene(stage(load_story("hundred-faces")[1]), footage).frame(5)[1]
    assert len(truth.people) == len(truth.passing) == 100
    assert min(seen.visible for seen in truth.people) >= 0.5
    assert min(seen.width_px for seen in truth.people) >= 32
