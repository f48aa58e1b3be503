"""The people of the footage: their heads cut out, frame by frame, with truth about each face."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from firmware_sim.errors import Exit, SimError
from firmware_sim.scene.sprite import F64, U8, Sprite

FACE_M = 0.16
"""Width of a face as a detector draws its box, metres: this fixes the scale of every head."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """One view of a head.

    Attributes:
        sprite: the cut-out, face and hair and a piece of neck.
        box: (4,) left, top, right, bottom of the face, pixels of the sprite.
        landmarks: (5, 2) eyes, nose, corners of the mouth (left of the picture first).
        metres: of a pixel.
    """

    sprite: Sprite
    box: F64
    landmarks: F64
    metres: float


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A person who can be placed in a scene.

    Attributes:
        who: id, `p01` and so on.
        heads: one for a still, several in order of a film.
        back: the head from behind; it has no face.
        skin: blue, green, red of the neck.
        photo: file and frame for a list; None: may not be listed.
    """

    who: str
    heads: tuple[Head, ...]
    back: Sprite
    skin: tuple[int, int, int]
    photo: tuple[str, int] | None


def cast_names() -> list[str]:
    """Everybody there is, as stories name them."""
    return list(_table())


def may_be_listed(who: str) -> bool:
    """Whether there is a photograph of this person apart from what is played."""
    return bool(_table()[who]["enrol"])


@lru_cache(maxsize=32)
def load_actor(who: str, footage: Path) -> Actor:
    """Cut one person out of the footage.

    Args:
        who: id.
        footage: the folder that holds the files of the asset lock.

    Raises:
        SimError: the footage is not there (66) or not what the table was made from (65).
    """
    entry = _table()[who]
    path = footage / entry["file"]
    heads = entry["heads"]
    pictures = pictures_of(path, [head["frame"] for head in heads])
    masks = _masks(who, heads)
    made = tuple(
        _head(picture, head, mask)
        for picture, head, mask in zip(pictures, heads, masks, strict=True)
    )
    photo = entry["enrol"]
    return Actor(
        who,
        made,
        _back(made[0]),
        _skin(made[0]),
        (photo["file"], photo["frame"]) if photo else None,
    )


def photograph(who: str, footage: Path) -> U8:
    """The picture that puts this person on a list; not one of those that are played.

    Raises:
        SimError: nobody may list this person (65), or the footage is not there (66).
    """
    entry = _table()[who]
    if not entry["enrol"]:
        raise SimError(f"{who} has no photograph apart from what is played", Exit.DATA)
    return pictures_of(footage / entry["enrol"]["file"], [entry["enrol"]["frame"]])[0]


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = files("firmware_sim.people").joinpath("people.yaml").read_text("utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


def _masks(who: str, heads: list[dict[str, Any]]) -> list[U8]:
    data = files("firmware_sim.people").joinpath(f"{who}.png").read_bytes()
    strip = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
    masks, top = [], 0
    for head in heads:
        width, height = head["size"]
        small = strip[top : top + max(1, height // 2), : max(1, width // 2)]
        top += len(small)
        grown = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        masks.append(np.asarray(grown, np.uint8))
    return masks


def pictures_of(path: Path, numbers: list[int]) -> list[U8]:
    """Frames of a film, or a still as often as it is asked for.

    Raises:
        SimError: not there (66), or too short to be the right file (65).
    """
    if not path.exists():
        raise SimError(
            f"{path}: no such footage; `bodycam-agent models build --with-footage` fetches it, "
            "--footage DIR names another folder",
            Exit.NO_INPUT,
        )
    if path.suffix == ".jpg":
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
        found = [] if image is None else [np.asarray(image, np.uint8)] * len(numbers)
    else:
        found = _from_film(path, numbers)
    if len(found) != len(numbers):
        raise SimError(f"{path}: not the footage that the cast was made from", Exit.DATA)
    return found


def _from_film(path: Path, numbers: list[int]) -> list[U8]:
    film = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    found: list[U8] = []
    try:
        for number in itertools.count():
            ok, image = film.read()
            if not ok or number > max(numbers):
                return found
            if number in numbers:
                found.append(np.asarray(image, np.uint8))
    finally:
        film.release()
    return found


def _head(picture: U8, entry: dict[str, Any], mask: U8) -> Head:
    left, top, right, bottom = entry["cut"]
    if right > picture.shape[1] or bottom > picture.shape[0]:
        raise SimError("the footage is smaller than what the cast was made from", Exit.DATA)
    size = tuple(entry["size"])
    cut = cv2.resize(picture[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    x, y, width, height = entry["box"]
    return Head(
        Sprite.of(np.asarray(cut, np.uint8), mask),
        np.array([x, y, x + width, y + height]),
        np.array(entry["landmarks"], float),
        FACE_M / width,
    )


def _skin(head: Head) -> tuple[int, int, int]:
    """From the cheeks: around the nose, beside it."""
    nose, box = head.landmarks[2], head.box
    half = max(2, round(0.12 * (box[2] - box[0])))
    x, y = round(nose[0]), round(nose[1])
    patch = head.sprite.levels[0][y - half // 2 : y + half, x - half : x + half, :3]
    blue, green, red = np.median(patch.reshape(-1, 3), axis=0)
    return int(blue * 0.9), int(green * 0.9), int(red * 0.9)


def _back(head: Head) -> Sprite:
    """The outline filled with the colour of the hair."""
    full = head.sprite.levels[0]
    x1, y1, x2, _ = head.box.astype(int)
    alpha = np.ascontiguousarray(full[:, :, 3])
    crown = full[max(0, y1 - (x2 - x1) // 4) : max(4, y1 + 4), x1:x2]
    solid = crown[crown[:, :, 3] > 200][:, :3]  # noqa: PLR2004
    hair = np.median(solid, axis=0) if len(solid) else np.array([40, 40, 50])
    grain = np.random.default_rng(5).normal(1.0, 0.16, (full.shape[0] // 8 + 1, full.shape[1]))
    grain = cv2.resize(grain, (full.shape[1], full.shape[0]), interpolation=cv2.INTER_CUBIC)
    colour = np.clip(hair * 0.8 * grain[:, :, None] + 6, 0, 255).astype(np.uint8)
    return Sprite.of(colour, alpha)
