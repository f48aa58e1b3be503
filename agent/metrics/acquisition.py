"""From photographs to templates for an evaluation: the agent's stages without its gates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from agent.ports import Detector, Embedder
from agent.values import F32, BgrImage, Boxes, Crops
from agent.vision.alignment import align_faces


def central_face(boxes: Boxes, size: tuple[int, int]) -> int | None:
    """Which face a portrait is of: the one over the middle of the picture.

    Args:
        boxes: (n, 4) pixels.
        size: (width, height) of the picture, pixels.

    Returns:
        The row whose box contains the middle, of several the one whose own middle is nearest to
        it; when none contains it, the nearest of all. None without a face.
    """
    if not len(boxes):
        return None
    middle = np.array(size, np.float64) / 2
    inside = ((boxes[:, :2] <= middle) & (middle <= boxes[:, 2:])).all(axis=1)
    centres = (boxes[:, :2].astype(np.float64) + boxes[:, 2:]) / 2
    distance = np.hypot(*(centres - middle).T)
    return int(np.lexsort((distance, ~inside))[0])


def central_crop(image: BgrImage, detector: Detector) -> Crops:
    """The aligned central face as (1, 112, 112, 3); (0, 112, 112, 3) when no face is found."""
    found = detector.detect(image)
    chosen = central_face(found.boxes, (image.shape[1], image.shape[0]))
    rows = [] if chosen is None else [chosen]
    return align_faces(image, found.landmarks[rows])


def templates(
    images: Iterable[BgrImage], detector: Detector, embedder: Embedder, *, batch: int = 8
) -> Iterator[F32 | None]:
    """For each picture in turn the unit vector of its central face; None without a face.

    No quality gate is applied. Faces are embedded `batch` at a time.
    """
    waiting: list[Crops] = []
    for image in images:
        waiting.append(central_crop(image, detector))
        if sum(map(len, waiting)) >= batch:
            yield from _embed(waiting, embedder)
            waiting = []
    yield from _embed(waiting, embedder)


def _embed(waiting: list[Crops], embedder: Embedder) -> Iterator[F32 | None]:
    full = [crop for crop in waiting if len(crop)]
    vectors = iter(embedder.embed(np.concatenate(full))) if full else iter(())
    for crop in waiting:
        yield next(vectors) if len(crop) else None
