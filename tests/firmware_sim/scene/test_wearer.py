from __future__ import annotations

import math

import numpy as np
import pytest

from firmware_sim.scene.wearer import Leg, Pose, Wearer


def spread(gait: str) -> float:
    """How far the camera's pitch goes up and down, degrees."""
    wearer = Wearer((Leg(0, gait=gait),), 1.4, seed=3)
    pitches = [wearer.pose(t / 30).pitch for t in range(150)]
    return math.degrees(max(pitches) - min(pitches))


def test_running_shakes_more_than_walking_and_walking_more_than_standing() -> None:
    assert spread("run") > 1.5 * spread("walk") > 1.5 * 1.5 * spread("stand")


def test_bending_lowers_the_camera_and_points_it_down() -> None:
    wearer = Wearer((Leg(0), Leg(2, gait="bend")), 1.4, seed=1)
    before, after = wearer.pose(1.9), wearer.pose(3.5)
    assert before.y - after.y > 0.35
    assert math.degrees(after.pitch - before.pitch) > 15


def test_a_change_of_gait_is_no_jump() -> None:
    wearer = Wearer((Leg(0), Leg(2, gait="bend")), 1.4, seed=1)
    heights = [wearer.pose(1.8 + t / 100).y for t in range(80)]
    assert np.abs(np.diff(heights)).max() < 0.03


def test_the_path_is_straight_between_its_points() -> None:
    wearer = Wearer((Leg(0), Leg(10, 0, 8, 90)), 1.4, seed=1)
    assert wearer.pose(5).z == pytest.approx(4)
    assert math.degrees(wearer.pose(5).yaw) == pytest.approx(45, abs=3)


@pytest.mark.parametrize(
    ("pose", "sign"),
    [
        (Pose(0, 0, 0, 0.1, 0, 0), (-1, 0)),  # turned to the right: things go left
        (Pose(0, 0, 0, 0, 0.1, 0), (0, -1)),  # looking down: things go up
    ],
)
def test_which_way_is_positive(pose: Pose, sign: tuple[int, int]) -> None:
    seen = pose.see(np.array([[0.0, 0.0, 5.0]]))[0]
    assert (round(seen[0] / 0.5), round(seen[1] / 0.5)) == sign


def test_the_same_seed_sways_the_same_and_another_differently() -> None:
    legs = (Leg(0, gait="walk"),)
    assert Wearer(legs, 1.4, 5).pose(3.3) == Wearer(legs, 1.4, 5).pose(3.3)
    assert Wearer(legs, 1.4, 5).pose(3.3) != Wearer(legs, 1.4, 6).pose(3.3)
