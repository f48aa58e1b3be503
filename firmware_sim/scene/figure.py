"""Draws one person into a frame, and says where the face is.

Heads are flat: a face that turns away is drawn narrower, down to `_NARROWEST`, never from the side;
beyond `AWAY_DEG` the back of the head is shown. So stories tell nothing about profiles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_sim.scene.body import HEIGHT_M, NECK_M, PX_PER_M, WIDTH_M, Outfit, body
from firmware_sim.scene.cast import Actor, Head
from firmware_sim.scene.extras import Extra, Standing, standing
from firmware_sim.scene.lens import Lens
from firmware_sim.scene.sprite import F64, U8, Sprite, affine_of, blend, own, through
from firmware_sim.scene.truth import SeenPerson
from firmware_sim.scene.wearer import Pose

AWAY_DEG = 70.0
DT_S = 0.004
"""Speeds are differences over so long."""
_FILM_HZ = 8.0
_HIP_M, _SIDE_M = 0.85, 0.3
_TALL_M = 1.75
_NARROWEST = 0.4
_SOLID = 16
_LONGEST_READOUT_S = 0.05


@dataclass(frozen=True, slots=True)
class View:
    """How the camera sees at the time of a frame.

    Attributes:
        lens: of the camera.
        now, soon: its pose, and `DT_S` later.
        at_s: story time.
        open_s: how long the shutter is open.
        readout_s: of the rolling shutter.
    """

    lens: Lens
    now: Pose
    soon: Pose
    at_s: float
    open_s: float
    readout_s: float

    def seen(self, points: F64) -> F64:
        """(n, 3) world points to (n, 2) pixels; nan behind the camera."""
        return self.lens.project(self.now.see(points))

    def speed(self, point: F64, later: F64) -> F64:
        """(2,) pixels/s of a point that is somewhere else `DT_S` later; zero where not seen."""
        here = self.seen(point[None])[0]
        there = self.lens.project(self.soon.see(later[None]))[0]
        speed = (there - here) / DT_S
        return speed if np.isfinite(speed).all() else np.zeros(2)


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A frame being drawn.

    Attributes:
        image: (h, w, 3) BGR.
        owners: (h, w) whose pixel it is: 0 nobody's, else 2n + 1 the body, 2n + 2 the head of the
            n-th person drawn.
    """

    image: U8
    owners: npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class DrawnFace:
    """A face as drawn, before others came before it.

    Attributes:
        person: with `visible` still 0.
        number: of the owner of its pixels.
        area: pixels, if nothing hides it.
    """

    person: SeenPerson
    number: int
    area: float

    def uncovered(self, canvas: Canvas) -> SeenPerson:
        """The person, with the share of the face that is left."""
        left, top, right, bottom = (max(0, round(v)) for v in self.person.box)
        seen = int(np.count_nonzero(canvas.owners[top:bottom, left:right] == self.number))
        visible = min(1.0, seen / self.area) if self.area > 0 else 0.0
        return self.person.with_visible(round(visible, 3))


@dataclass(frozen=True, slots=True)
class Figure:
    """A person at a moment, ready to be drawn.

    Attributes:
        extra: who.
        here: where.
        actor: whose pictures.
        light: brightness as a factor of the picture's values.
        number: of the drawing, from 0.
    """

    extra: Extra
    here: Standing
    actor: Actor
    light: float
    number: int

    def paint(self, canvas: Canvas, view: View) -> DrawnFace | None:
        """Draw body and head; the face, unless it is turned away or outside."""
        target = self._shuttered(view)
        if not np.isfinite(target).all():
            return None
        smear = self._smear(view)
        outfit = Outfit.number(self.extra.outfit)
        clothes = body(outfit, self.actor.skin, self.here.step)
        self._lay(canvas, clothes, self._body_affine(target), smear, 2 * self.number + 1)
        head = self._head(view.at_s)
        away = abs(self.here.yaw_deg) > AWAY_DEG
        flat = 1.0 if away else max(_NARROWEST, math.cos(math.radians(self.here.yaw_deg)))
        affine = self._head_affine(head, target, flat)
        picture = self.actor.back if away else head.sprite
        shown = self._lay(canvas, picture, affine, smear, 2 * self.number + 2)
        return self._face(head, affine, flat, view) if shown and not away else None

    @property
    def _tall(self) -> float:
        return self.extra.height_m / _TALL_M

    def _point(self, height_m: float) -> F64:
        base = self.extra.stand_m + self.here.bob_m
        return np.array([self.here.x, base + height_m * self._tall, self.here.z])

    def _shuttered(self, view: View) -> F64:
        """Hip, neck and a point to the right of it, each row at the time at which it is read."""
        dx, dz = self.here.x - view.now.x, self.here.z - view.now.z
        flat = max(math.hypot(dx, dz), 1e-6)
        neck = self._point(NECK_M)
        right = neck + np.array([dz, 0.0, -dx]) * (_SIDE_M / flat)
        seen = view.seen(np.array([self._point(_HIP_M), neck, right]))
        late = (seen[:, 1] / view.lens.height - 0.5) * view.readout_s
        late = np.clip(late, -_LONGEST_READOUT_S, _LONGEST_READOUT_S)
        return np.asarray(seen + self._speed(view)[None] * late[:, None], np.float64)

    def _speed(self, view: View) -> F64:
        """Of the head in the picture: the wearer's motion and its own."""
        then = standing(self.extra, view.at_s + DT_S, view.soon) or self.here
        neck = self._point(NECK_M)
        here = self.here
        moved = np.array([then.x - here.x, then.bob_m - here.bob_m, then.z - here.z])
        return view.speed(neck, neck + moved)

    def _smear(self, view: View) -> tuple[float, float]:
        x, y = self._speed(view) * view.open_s
        far = math.hypot(x, y)
        cap = min(1.0, view.lens.width / 12 / far) if far else 1.0
        return float(x * cap), float(y * cap)

    def _head(self, at_s: float) -> Head:
        """Of the film, to and fro."""
        heads = self.actor.heads
        film = int((at_s * _FILM_HZ + self.extra.phase * 50) % (2 * len(heads)))
        return heads[min(film, 2 * len(heads) - 1 - film)]

    def _body_affine(self, target: F64) -> F64:
        narrow = 0.65 + 0.35 * abs(math.cos(math.radians(self.here.yaw_deg)))
        middle = WIDTH_M / 2 * PX_PER_M
        neck, hip = (HEIGHT_M - NECK_M) * PX_PER_M, (HEIGHT_M - _HIP_M) * PX_PER_M
        side = middle + _SIDE_M * PX_PER_M / (narrow * self._tall)
        return affine_of([(middle, hip), (middle, neck), (side, neck)], target.tolist())

    def _head_affine(self, head: Head, target: F64, flat: float) -> F64:
        """The chin goes to the neck; a turned face is narrower."""
        left, _, right, chin = head.box
        middle, unit = (left + right) / 2, _SIDE_M / head.metres
        source = [(middle, chin), (middle, chin - unit), (middle + unit / flat, chin)]
        upright = (target[1] - target[0]) * _SIDE_M / ((NECK_M - _HIP_M) * self._tall)
        return affine_of(source, np.array([target[1], target[1] + upright, target[2]]).tolist())

    def _lay(
        self, canvas: Canvas, picture: Sprite, affine: F64, smear: tuple[float, float], owner: int
    ) -> bool:
        size = (canvas.image.shape[1], canvas.image.shape[0])
        drawn = picture.warped(affine, size, light=self.light, smear=smear)
        if drawn is None:
            return False
        blend(canvas.image, *drawn)
        own(canvas.owners, *drawn, number=owner)
        return True

    def _face(self, head: Head, affine: F64, flat: float, view: View) -> DrawnFace:
        corners = through(affine, np.array([head.box[[i, j]] for i in (0, 2) for j in (1, 3)]))
        low, high = corners.min(axis=0), corners.max(axis=0)
        scale = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))) / flat)
        landmarks = through(affine, head.landmarks)
        chin = self._point(NECK_M)
        person = SeenPerson(
            name=self.extra.name,
            who=self.extra.who,
            entry=self.extra.entry,
            box=(_px(low[0]), _px(low[1]), _px(high[0]), _px(high[1])),
            landmarks=tuple((_px(x), _px(y)) for x, y in landmarks),
            visible=0.0,
            distance_m=round(math.dist((view.now.x, view.now.y, view.now.z), chin), 3),
            width_px=_px((head.box[2] - head.box[0]) * scale),
            yaw_deg=round(self.here.yaw_deg, 1),
        )
        area = _fill(head) * float(np.prod(high - low))
        return DrawnFace(person, 2 * self.number + 2, area)


def _fill(head: Head) -> float:
    """Share of the face's box that the cut-out covers."""
    left, top, right, bottom = (max(0, int(v)) for v in head.box)
    alpha = head.sprite.levels[0][top:bottom, left:right, 3]
    return float((alpha >= _SOLID).mean()) if alpha.size else 1.0


def _px(value: float) -> float:
    return round(float(value), 2)
