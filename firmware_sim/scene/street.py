"""A street made of planes: ground, two rows of houses, what is at its end, the sky.

Walls and the end are textured with footage that shows no people (`bikes.mp4`), the rest is
painted. It is drawn at half the size of the picture and enlarged: it is far, and people hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from firmware_sim.scene.cast import pictures_of
from firmware_sim.scene.lens import NEAREST_M, Lens
from firmware_sim.scene.lighting import Lighting
from firmware_sim.scene.sprite import F64, U8, smeared
from firmware_sim.scene.wearer import Pose

HALF_WIDTH_M = 5.0
_BEHIND_M, _END_M, _HOUSES_M, _SKY_M = -8.0, 60.0, 9.0, 70.0
_GROUND_PX, _WALL_PX = 36, 48
_WALL_FRAME, _END_FRAME = 240, 160


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A textured rectangle.

    Attributes:
        texture: (h, w, 3) BGR, lit.
        corners: (4, 3) world points of its left upper, right upper, right lower, left lower corner.
    """

    texture: U8
    corners: F64


@dataclass(frozen=True, slots=True, eq=False)
class Street:
    """All planes, far ones first, and the lens map."""

    planes: tuple[Plane, ...]
    lens: Lens
    maps: tuple[U8, U8]
    canvas: tuple[int, int]
    scale: float

    def draw(self, pose: Pose, shear: tuple[float, float], smear: tuple[float, float]) -> U8:
        """The empty street in the size of the picture.

        Args:
            pose: of the camera.
            shear: how far the picture moves while it is read out, pixels (right, down).
            smear: how far it moves while the shutter is open, pixels.
        """
        sheet = np.zeros((self.canvas[1], self.canvas[0], 3), np.uint8)
        for plane in self.planes:
            self._draw(sheet, plane, pose, shear)
        small = cv2.remap(sheet, *self.maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        small = smeared(np.asarray(small, np.uint8), (smear[0] / 2, smear[1] / 2))
        size = (self.lens.width, self.lens.height)
        return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _draw(self, sheet: U8, plane: Plane, pose: Pose, shear: tuple[float, float]) -> None:
        seen = pose.see(plane.corners)
        outline = self._outline(seen)
        if outline is None:
            return
        low = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
        high = np.minimum(np.ceil(outline.max(axis=0)), self.canvas).astype(int)
        if (high - low < 1).any():
            return
        height, width = plane.texture.shape[:2]
        across, down = (seen[1] - seen[0]) / width, (seen[3] - seen[0]) / height
        camera = np.array(
            [[self.scale, 0, self.canvas[0] / 2], [0, self.scale, self.canvas[1] / 2], [0, 0, 1]]
        )
        rolled = np.array(
            [
                [1, shear[0] / self.lens.height, 0],
                [0, 1 + shear[1] / self.lens.height, 0],
                [0, 0, 1],
            ]
        )
        view = camera @ rolled @ np.column_stack([across, down, seen[0]])
        shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]])
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        drawn = cv2.warpPerspective(
            plane.texture,
            shift @ view,
            size,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillConvexPoly(mask, np.round(outline - low).astype(np.int32), 255)
        cv2.copyTo(drawn, mask, sheet[low[1] : high[1], low[0] : high[0]])

    def _outline(self, seen: F64) -> F64 | None:
        """The part in front of the camera, on the canvas."""
        kept: list[F64] = []
        for a, b in zip(seen, np.roll(seen, -1, axis=0), strict=True):
            if a[2] > NEAREST_M:
                kept.append(a)
            if (a[2] > NEAREST_M) != (b[2] > NEAREST_M):
                kept.append(a + (b - a) * (NEAREST_M - a[2]) / (b[2] - a[2]))
        if len(kept) < 3:  # noqa: PLR2004
            return None
        points = np.array(kept)
        flat = points[:, :2] / points[:, 2:] * self.scale + np.array(self.canvas) / 2
        return np.clip(flat, -30_000, 30_000)


def build_street(lens: Lens, lighting: Lighting, footage: Path, seed: int) -> Street:
    """Paint the planes.

    Args:
        lens: of the camera.
        lighting: is baked into them.
        footage: folder with `bikes.mp4`.
        seed: of the pavement.
    """
    end, wall = pictures_of(footage / "bikes.mp4", [_END_FRAME, _WALL_FRAME])
    edge = lens.ideal(np.array([[0.0, 0.0], [lens.width, lens.height]]))
    scale = lens.focal_px / 2
    canvas = (round(-2 * edge[0, 0] * scale) + 4, round(-2 * edge[0, 1] * scale) + 4)
    return Street(
        (_sky(lighting), _end(end, lighting), *_walls(wall, lighting), _ground(lighting, seed)),
        lens,
        _lens_maps(lens, canvas, scale),
        canvas,
        scale,
    )


def _lens_maps(lens: Lens, canvas: tuple[int, int], scale: float) -> tuple[U8, U8]:
    rows, columns = np.mgrid[0 : lens.height : 2, 0 : lens.width : 2].astype(np.float64)
    ideal = lens.ideal(np.dstack([columns + 0.5, rows + 0.5]))
    flat = (ideal * scale + np.array(canvas) / 2).astype(np.float32)
    first, second = cv2.convertMaps(flat[:, :, 0], flat[:, :, 1], cv2.CV_16SC2)
    return np.asarray(first), np.asarray(second)


def _sky(lighting: Lighting) -> Plane:
    column = np.linspace(0, 1, 64)[:, None]
    day = (1 - column) * (225, 190, 150) + column * (235, 228, 222)
    texture = np.repeat((day * lighting.sky)[:, None, :], 8, axis=1).clip(0, 255).astype(np.uint8)
    high, wide = 60.0, 160.0
    return Plane(texture, _upright((-wide, high), (wide, -4.0), _SKY_M))


def _end(picture: U8, lighting: Lighting) -> Plane:
    cut = cv2.resize(picture[20:230], None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    lit = cut * min(1.0, lighting.at(0.0, _END_M) + 0.05) * 0.9
    return Plane(lit.clip(0, 255).astype(np.uint8), _upright((-16.0, 10.0), (16.0, -0.6), _END_M))


def _upright(left_top: tuple[float, float], right_low: tuple[float, float], z: float) -> F64:
    (left, top), (right, low) = left_top, right_low
    return np.array([[left, top, z], [right, top, z], [right, low, z], [left, low, z]])


def _walls(picture: U8, lighting: Lighting) -> list[Plane]:
    """The wall of the footage, storey upon storey, mirrored house by house."""
    storey = cv2.resize(picture[0:190, 0:600], (9 * _WALL_PX, 3 * _WALL_PX))
    house = np.vstack([storey] * 3)
    rng = np.random.default_rng(3)
    row = []
    for number in range(8):
        tint = rng.uniform(0.72, 1.12) * rng.uniform(0.92, 1.08, 3)
        piece = house if number % 2 else house[:, ::-1]
        row.append(np.clip(piece * tint, 0, 255))
    texture = np.hstack(row).astype(np.float32)
    along = np.linspace(_BEHIND_M, _END_M, texture.shape[1])
    shade = np.array([lighting.at(HALF_WIDTH_M, z) for z in along], np.float32)
    high = np.linspace(0.75, 1.0, texture.shape[0], dtype=np.float32)[:, None]
    lit = np.clip(texture * (shade * high)[:, :, None], 0, 255).astype(np.uint8)
    w, h, a, b = HALF_WIDTH_M, _HOUSES_M, _BEHIND_M, _END_M
    left = np.array([[-w, h, a], [-w, h, b], [-w, 0, b], [-w, 0, a]])
    right = left * (-1, 1, 1)
    return [Plane(lit, left), Plane(lit, right)]


def _ground(lighting: Lighting, seed: int) -> Plane:
    """Seen from above: row 0 is the far end."""
    tall, wide = round((_END_M - _BEHIND_M) * _GROUND_PX), round(2 * HALF_WIDTH_M * _GROUND_PX)
    rng = np.random.default_rng((seed, 7))
    rough = rng.normal(0, 9, (tall, wide)).astype(np.float32)
    patches = cv2.resize(
        rng.normal(0, 10, (tall // 40, wide // 40)).astype(np.float32), (wide, tall)
    )
    grey = 118 + cv2.GaussianBlur(rough, (0, 0), 0.8) + patches
    across = np.linspace(-HALF_WIDTH_M, HALF_WIDTH_M, wide)
    grey[:, np.abs(across) > 2.6] += 24  # noqa: PLR2004 - pavements
    grey[:, np.abs(np.abs(across) - 2.6) < 0.06] += 30  # noqa: PLR2004 - kerbs
    slab = round(0.8 * _GROUND_PX)
    joints = np.zeros((tall, wide), bool)
    joints[::slab] = True
    joints[:, np.abs(across) < 2.6] = False  # noqa: PLR2004
    grey[joints] -= 26
    far = np.linspace(_END_M, _BEHIND_M, tall)
    grey = np.where(far[:, None] > 14, cv2.GaussianBlur(grey, (0, 0), 4), grey)  # noqa: PLR2004
    shade = np.array([lighting.at(0.0, z) for z in far], np.float32)[:, None]
    colour = (grey * shade)[:, :, None] * np.array([1.0, 1.0, 0.97], np.float32)
    w, a, b = HALF_WIDTH_M, _BEHIND_M, _END_M
    corners = np.array([[-w, 0, b], [w, 0, b], [w, 0, a], [-w, 0, a]], float)
    return Plane(colour.clip(0, 255).astype(np.uint8), corners)
