"""A street painted for the pipeline: people whose faces are known, a detector that knows where
they are, an embedder that reads who they are from the paint, and an exact watchlist.

A face is a chequered square whose blue channel is its owner's number; the frame's first pixel
holds the number of the frame, by which the detector finds its place in the script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from agent.ports import ModelIdentity
from agent.values import (
    BgrImage,
    Candidate,
    Candidates,
    Crops,
    EntryRef,
    FaceDetections,
    Frame,
    Monotonic,
    Vectors,
    Wall,
    WatchlistRef,
)
from tests.support.faces import Face, boxes_of, landmarks_of

DIM = 16
START = 1_800_000_000.0
Scene = Callable[[float], Mapping[int, Face]]
"""Seconds to who (1..12) stands where. `TWIN` + n has the face of n."""
TWIN = 100

_STEP = 20  # of blue between two people


def face_of(person: int, wobble: int = 0) -> np.ndarray:
    """The unit vector of a person; `wobble` varies it a little, as another picture would."""
    vector = np.zeros(DIM, np.float32)
    vector[person] = 1.0
    vector[(person + 1 + wobble % 3) % DIM] = 0.35
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass
class Street:
    """Renders the scene and answers for the detector.

    Attributes:
        scene: who is where.
        hz: frames per second.
        size: (width, height) of the frames.
    """

    scene: Scene
    hz: float = 30.0
    size: tuple[int, int] = (640, 360)
    handed_out: list[FaceDetections] = field(default_factory=list)
    detections: int = 0
    holds_a_picture: bool = False
    identity: ModelIdentity = field(
        default_factory=lambda: ModelIdentity("painted-detector", "fp32", "d" * 64)
    )

    def frame(self, seq: int) -> Frame:
        at = seq / self.hz
        image = np.full((self.size[1], self.size[0], 3), 90, np.uint8)
        for person, face in self.scene(at).items():
            self._paint(image, person, face)
        image[0, 0] = (seq // 256, seq % 256, 0)
        return Frame(image, seq, Monotonic(at), Wall(START + at))

    def frames(self, seconds: float) -> list[Frame]:
        return [self.frame(seq) for seq in range(int(seconds * self.hz) + 1)]

    def find_from(self, face_px: float) -> None:
        self.face_px = face_px

    def forget(self) -> None:
        self.holds_a_picture = False

    def detect(self, image: BgrImage) -> FaceDetections:
        self.detections += 1
        self.holds_a_picture = True
        seq = int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])
        boxes = boxes_of(list(self.scene(seq / self.hz).values()))
        scores = np.full(len(boxes), 0.9, np.float32)
        self.handed_out.append(FaceDetections(boxes, landmarks_of(boxes), scores))
        return self.handed_out[-1]

    def _paint(self, image: BgrImage, person: int, face: Face) -> None:
        x, y, side = face
        left, top = round(x - side / 2), round(y - side / 2)
        patch = _patch(person % TWIN, int(side))
        area = image[max(top, 0) : top + len(patch), max(left, 0) : left + len(patch)]
        area[:] = patch[: area.shape[0], : area.shape[1]]


@cache
def _patch(person: int, side: int) -> np.ndarray:
    rows, columns = np.mgrid[0:side, 0:side]
    chequer = np.where((rows // 5 + columns // 5) % 2, 190, 60).astype(np.uint8)
    return np.stack([np.full_like(chequer, person * _STEP), chequer, chequer], axis=2)


class PaintReader:
    """An embedder that reads a person's number from the paint, and keeps what it was given."""

    dim = DIM

    def __init__(self) -> None:
        self.identity = ModelIdentity("painted-embedder", "fp32", "e" * 64, "paint")
        self.batches: list[Crops] = []
        self.sizes: list[int] = []
        self.people: list[int] = []
        self.answers: list[Vectors] = []

    def forget(self) -> None:
        """It keeps nothing."""

    def embed(self, crops: Crops) -> Vectors:
        people = np.rint(crops[:, 40:80, 40:80, 0].mean(axis=(1, 2)) / _STEP).astype(int).tolist()
        made = [face_of(person, len(self.people) + i) for i, person in enumerate(people)]
        self.batches.append(crops)
        self.sizes.append(len(crops))
        self.people += people
        self.answers.append(np.stack(made))
        return self.answers[-1]


class ExactGallery:
    """A watchlist of painted people, searched by brute force; keeps the probes it was given."""

    def __init__(
        self, people: Sequence[int], *, version: int = 1, templates: int | None = None
    ) -> None:
        self.ref = WatchlistRef("street", version)
        self.templates = len(people) if templates is None else templates
        self.subjects = len(people)
        self._people = list(people)
        self.probes: list[Vectors] = []
        self.searched: list[int] = []

    def search(self, probes: Vectors) -> list[Candidates]:
        self.probes.append(probes)
        self.searched.append(len(probes))
        return [self._candidates(probe) for probe in probes]

    def confirm(self, probes: Vectors) -> list[Candidates]:
        return [self._candidates(probe) for probe in probes]

    def _candidates(self, probe: np.ndarray) -> Candidates:
        scored = sorted(
            (Candidate(_ref(person), float(probe @ face_of(person))) for person in self._people),
            key=lambda candidate: -candidate.similarity,
        )
        padded = [*scored[:2], None, None]
        return Candidates(padded[0], padded[1])


def _ref(person: int) -> EntryRef:
    return EntryRef(f"e-{person}", f"s-{person}", "auth-1")
