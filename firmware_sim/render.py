"""`bodycam-sim render`: a story as a film or as pictures, with the truth about each frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2

from firmware_sim.errors import Exit, SimError
from firmware_sim.footage import quieten_decoders
from firmware_sim.player import Encoder
from firmware_sim.scene.cast import photograph
from firmware_sim.scene.scene import Scene, SceneSetup
from firmware_sim.scene.sprite import U8
from firmware_sim.story.format import Story
from firmware_sim.story.staging import entries, stage

TRUTH_FORMAT = "bodycam.truth.v1"


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What to render, and where to.

    Attributes:
        name: of the story.
        story: itself.
        footage: folder with the files of the asset lock.
        out: `.mp4` (MPEG-4), `.avi` (motion JPEG) or a folder for JPEGs; None: truth only.
        truth: JSON lines; None: no truth.
        size: another width and height.
        seed: another seed.
    """

    name: str
    story: Story
    footage: Path
    out: Path | None
    truth: Path | None
    size: tuple[int, int] | None = None
    seed: int | None = None


def render(options: RenderOptions, *, progress: Callable[[int, int], None]) -> int:
    """Render it all; the number of frames.

    Args:
        options: what.
        progress: told the frames done, and of how many.

    Raises:
        SimError: footage or folder is missing, or the disk is full.
    """
    quieten_decoders()
    if options.truth is not None:
        require_place(options.truth)
    setup = stage(options.story, size=options.size, seed=options.seed)
    scene = Scene(setup, options.footage)
    film = _open_film(options, setup) if options.out is not None else _Nothing()
    lines, done = [json.dumps(truth_head(options.name, options.story, setup))], False
    try:
        for number in range(setup.frames):
            image, truth = scene.frame(number)
            film.write(number, image)
            lines.append(json.dumps(truth.as_json()))
            progress(number + 1, setup.frames)
        done = True
    except OSError as error:
        raise SimError(f"{options.out}: cannot be written ({error.strerror})", Exit.DISK) from None
    finally:
        film.close()
        if not done:
            film.discard()
    if options.truth is not None:
        write_lines(options.truth, lines)
    return setup.frames


def truth_head(name: str, story: Story, setup: SceneSetup) -> dict[str, Any]:
    """The first line of a truth file."""
    return {
        "format": TRUTH_FORMAT,
        "story": name,
        "seed": setup.seed,
        "width": setup.width,
        "height": setup.height,
        "fps": setup.fps,
        "frames": setup.frames,
        "identities": len({extra.who for extra in setup.extras}),
        "entries": entries(story),
        "removed": {e.entry: round(e.at * 1e6) for e in story.events if e.do == "remove_entry"},
        "clock": [
            [round(e.at * 1e6), round(e.by_s * 1e6)] for e in story.events if e.do == "shift_clock"
        ],
        "over": None if story.over_s is None else round(story.over_s * 1e6),
    }


class _Film(Protocol):
    def write(self, number: int, image: U8) -> None: ...

    def close(self) -> None: ...

    def discard(self) -> None:
        """Half a film is taken for a whole one later: take away what was written."""


class _Nothing:
    def write(self, number: int, image: U8) -> None:
        """No film is wanted."""

    def close(self) -> None:
        """Nothing is open."""

    def discard(self) -> None:
        """Nothing was written."""


class _Folder:
    def __init__(self, folder: Path, quality: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._encode = folder, Encoder(quality)
        self._written: list[Path] = []

    def write(self, number: int, image: U8) -> None:
        self._written.append(self._folder / f"{number:06d}.jpg")
        self._written[-1].write_bytes(self._encode(image))

    def close(self) -> None:
        """Every picture is closed already."""

    def discard(self) -> None:
        for path in self._written:
            path.unlink(missing_ok=True)


class _Video:
    def __init__(self, path: Path, setup: SceneSetup) -> None:
        self._path, jpegs = path, path.suffix == ".avi"
        code = cv2.VideoWriter.fourcc(*("MJPG" if jpegs else "mp4v"))
        api = cv2.CAP_OPENCV_MJPEG if jpegs else cv2.CAP_FFMPEG
        size = (setup.width, setup.height)
        self._writer = cv2.VideoWriter(str(path), api, code, setup.fps, size)
        if not self._writer.isOpened():
            raise SimError(f"{path}: cannot be written as a film", Exit.DISK)

    def write(self, number: int, image: U8) -> None:
        del number
        self._writer.write(image)

    def close(self) -> None:
        self._writer.release()

    def discard(self) -> None:
        self._path.unlink(missing_ok=True)


def _open_film(options: RenderOptions, setup: SceneSetup) -> _Film:
    path = options.out
    if path is None:
        return _Nothing()
    if path.suffix in (".mp4", ".avi"):
        return _Video(path, setup)
    if path.suffix:
        raise SimError(f"{path}: films are .mp4 or .avi, anything else is a folder", Exit.USAGE)
    try:
        return _Folder(path, options.story.camera.jpeg_quality)
    except OSError as error:
        raise SimError(f"{path}: cannot be written ({error.strerror})", Exit.DISK) from None


def write_photographs(story: Story, footage: Path, folder: Path) -> None:
    """`ENTRY.png` of everybody on the story's list.

    Raises:
        SimError: the footage is missing, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry, who in entries(story).items():
            image = cv2.imencode(".png", photograph(who, footage))[1]
            (folder / f"{entry}.png").write_bytes(image.tobytes())
    except OSError as error:
        raise SimError(f"{folder}: cannot be written ({error.strerror})", Exit.DISK) from None


def require_place(path: Path) -> None:
    """Before all is drawn: whether a file could be put there.

    Raises:
        SimError: its folder does not exist.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise SimError(f"{path}: cannot be written (there is no folder {folder})", Exit.DISK)


def write_lines(path: Path, lines: list[str]) -> None:
    """A line break after each.

    Raises:
        SimError: the file cannot be written.
    """
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise SimError(f"{path}: cannot be written ({error.strerror})", Exit.DISK) from None
