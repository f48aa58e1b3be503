from __future__ import annotations

import math

import numpy as np
import pytest

from firmware_sim.scene.lens import Lens

HD = Lens(1280, 720, 90.0, 0.08)


@pytest.mark.parametrize("bend", [0.0, 0.08, 0.2])
@pytest.mark.parametrize("hfov", [40.0, 90.0, 120.0])
def test_the_edge_of_the_picture_is_the_edge_of_the_field_of_view(hfov: float, bend: float) -> None:
    lens = Lens(1280, 720, hfov, bend)
    edge = math.tan(math.radians(hfov) / 2)
    assert lens.project(np.array([[edge, 0, 1.0]]))[0] == pytest.approx([1280, 360], abs=1e-6)


def test_pixels_and_rays_are_inverse() -> None:
    rays = np.array([[x, y, 1.0] for x in (-0.9, 0.0, 0.5) for y in (-0.5, 0.1)])
    assert HD.ideal(HD.project(rays)) == pytest.approx(rays[:, :2], abs=1e-6)


def test_wide_lenses_draw_edges_together() -> None:
    straight = Lens(1280, 720, 90.0, 0.0)
    ray = np.array([[0.1, 0, 1.0]])
    middle = HD.project(ray)[0, 0] - 640
    assert middle > straight.project(ray)[0, 0] - 640


def test_a_face_of_16_cm_three_metres_away_has_about_35_pixels() -> None:
    ends = HD.project(np.array([[-0.08, 0, 3.0], [0.08, 0, 3.0]]))
    assert 34 <= ends[1, 0] - ends[0, 0] <= 39


def test_what_is_behind_the_camera_is_nowhere() -> None:
    assert np.isnan(HD.project(np.array([[0.0, 0.0, -1.0]]))).all()
