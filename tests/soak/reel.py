"""What the camera sees: pictures of streets and people, two a second, drawn once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2

from firmware_sim.footage import quieten_decoders
from firmware_sim.scene.scene import Scene
from firmware_sim.story.loading import load_story
from firmware_sim.story.staging import stage

FPS = 2.0
SIZE = (960, 540)
LISTED = ("p01", "p02")
"""Who is on the list, now and then; all others of the stories and films are strangers."""

SHOWN = (
    "empty-street", "walk-up", "strangers", "no_face.mp4", "two-at-once",
    "WolfgangLanger_Pexels.mp4", "occlusion-and-return", "single_face.mp4",
)  # fmt: skip
_DONE = "whole"


def reel(folder: Path, footage: Path, shown: Sequence[str] = SHOWN) -> Path:
    """The pictures of stories and films in a folder; those of an earlier run are good."""
    if (folder / _DONE).exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    quieten_decoders()
    number = 0
    for name in shown:
        for image in _film(footage / name) if name.endswith(".mp4") else _story(name, footage):
            cv2.imwrite(str(folder / f"{number:04}.jpg"), image)
            number += 1
    (folder / _DONE).touch()
    return folder


def _story(name: str, footage: Path) -> Iterator[Any]:
    setup = stage(load_story(name)[1], size=SIZE)
    scene = Scene(setup, footage)
    step = round(setup.fps / FPS)
    for frame in range(0, setup.frames, step):
        yield scene.frame(frame)[0]


def _film(path: Path) -> Iterator[Any]:
    capture = cv2.VideoCapture(str(path))
    step = round(capture.get(cv2.CAP_PROP_FPS) / FPS)
    for number in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))):
        ok, image = capture.read()
        if ok and number % step == 0:
            yield cv2.resize(image, SIZE)
    capture.release()
