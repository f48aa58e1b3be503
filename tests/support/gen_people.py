"""Makes the simulated camera's cast: `python -m tests.support.gen_people` writes
firmware_sim/people/people.yaml and the soft masks beside it.

Run once by hand when footage is added, and looked at afterwards; the results are committed. So
playing a story needs no detector, and a landmark of the ground truth is not found by the very
network that is being judged on the same frame. Faces are found by OpenCV's own FaceDetectorYN on
the original pictures, heads are cut out by GrabCut.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOOTAGE = ROOT / "build" / "assets"
DETECTOR = ROOT / "build" / "models" / "peer" / "yunet-2023mar.onnx"
OUT = ROOT / "firmware_sim" / "people"
FACE_PX = 150.0
"""Widest a face is kept, pixels."""
MASK_SHRINK = 2
_SEARCH_PX = 640


@dataclass(frozen=True)
class Source:
    """A person in a file.

    Attributes:
        who: id in stories.
        file: in build/assets.
        frames: of a film; (0,) of a still.
        pick: which face of the picture, from the left.
        enrol: file and frame of the photograph for a list; None: nobody may list this person.
    """

    who: str
    file: str
    frames: tuple[int, ...] = (0,)
    pick: int = 0
    enrol: tuple[str, int] | None = None


SOURCES = (
    Source("p01", "single_face.mp4", tuple(range(0, 72, 4)), enrol=("single_face.jpg", 0)),
    Source(
        "p02",
        "WolfgangLanger_Pexels.mp4",
        tuple(range(236, 300, 4)),
        enrol=("WolfgangLanger_Pexels.mp4", 400),
    ),
    Source("p03", "carphone_pristine.mp4", tuple(range(0, 60, 6))),
    *(Source(f"p{4 + i:02d}", "multi_face.jpg", pick=i) for i in range(5)),
    Source("p09", "0-f1-su-ph.jpg"),
    Source("p10", "0-f15-hao-ph.jpg"),
    Source("p11", "15-f13-anc-ph.jpg"),
)


def pictures(source: Source) -> list[np.ndarray]:
    path = str(FOOTAGE / source.file)
    if path.endswith(".jpg"):
        return [cv2.imread(path)]
    film = cv2.VideoCapture(path)
    found = []
    for number in itertools.count():
        ok, image = film.read()
        if not ok or number > max(source.frames):
            return found
        if number in source.frames:
            found.append(image)
    return found


def face_of(image: np.ndarray, pick: int) -> np.ndarray:
    """(14,): x, y, width, height, five landmarks, pixels."""
    shrink = min(1.0, _SEARCH_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    detector = cv2.FaceDetectorYN.create(str(DETECTOR), "", (small.shape[1], small.shape[0]), 0.6)
    faces = detector.detect(small)[1][:, :14] / shrink
    return faces[np.argsort(faces[:, 0])][pick]


def head(image: np.ndarray, face: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """Where to cut, what the face is there, and the soft mask."""
    x, y, w, h = face[:4]
    left, top = max(0, round(x - 0.7 * w)), max(0, round(y - 0.55 * h))
    right = min(image.shape[1], round(x + 1.7 * w))
    bottom = min(image.shape[0], round(y + 1.3 * h))
    scale = min(1.0, FACE_PX / w)
    size = (round((right - left) * scale), round((bottom - top) * scale))
    cut = cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    here = (face.reshape(-1, 2) - [left, top]) * scale
    here[1] = face[2:4] * scale
    mask = _mask(cut, here)
    entry = {
        "cut": [left, top, right, bottom],
        "size": list(size),
        "box": [round(float(v), 1) for v in here[:2].ravel()],
        "landmarks": [[round(float(v), 1) for v in point] for point in here[2:]],
    }
    small = (max(1, size[0] // MASK_SHRINK), max(1, size[1] // MASK_SHRINK))
    return entry, cv2.resize(mask, small, interpolation=cv2.INTER_AREA)


def _mask(cut: np.ndarray, here: np.ndarray) -> np.ndarray:
    (x, y), (w, h) = here[0], here[1]
    middle = (x + w / 2, y + h / 2)
    rows, columns = np.mgrid[0 : cut.shape[0], 0 : cut.shape[1]]

    def within(across: float, up: float, down: float) -> np.ndarray:
        tall = np.where(rows < middle[1], up * h, down * h)
        return ((columns - middle[0]) / (across * w)) ** 2 + ((rows - middle[1]) / tall) ** 2 < 1

    guess = np.full(cut.shape[:2], cv2.GC_BGD, np.uint8)
    guess[within(0.95, 0.95, 0.72)] = cv2.GC_PR_BGD
    guess[within(0.66, 0.78, 0.60)] = cv2.GC_PR_FGD
    guess[within(0.42, 0.46, 0.50)] = cv2.GC_FGD
    neck = (abs(columns - middle[0]) < 0.30 * w) & (rows > middle[1]) & (rows < y + 1.18 * h)
    guess[neck] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.grabCut(cut, guess, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    solid = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).astype(np.uint8)
    solid[rows > y + 1.18 * h] = 0
    opened = cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count > 1:
        opened = (labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    opened = cv2.erode(opened, np.ones((3, 3), np.uint8))
    return cv2.GaussianBlur(opened.astype(np.float32) * 255, (0, 0), max(1.0, w / 60)).astype(
        np.uint8
    )


def main() -> int:
    OUT.mkdir(exist_ok=True)
    people: dict[str, Any] = {}
    for source in SOURCES:
        made = [head(image, face_of(image, source.pick)) for image in pictures(source)]
        heads = [
            {"frame": frame, **entry} for frame, (entry, _) in zip(source.frames, made, strict=True)
        ]
        wide = max(mask.shape[1] for _, mask in made)
        strip = np.zeros((sum(mask.shape[0] for _, mask in made), wide), np.uint8)
        top = 0
        for _, mask in made:
            strip[top : top + mask.shape[0], : mask.shape[1]] = mask
            top += mask.shape[0]
        cv2.imwrite(str(OUT / f"{source.who}.png"), strip, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        photo = None
        if source.enrol:
            photo = {"file": source.enrol[0], "frame": source.enrol[1]}
        people[source.who] = {"file": source.file, "enrol": photo, "heads": heads}
        print(source.who, source.file, len(heads), "heads")
    text = "# Made by tests/support/gen_people.py: where the heads are in the footage. Pixels.\n"
    (OUT / "people.yaml").write_text(
        text + yaml.safe_dump(people, default_flow_style=None, sort_keys=False, width=100)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
