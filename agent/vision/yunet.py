"""From the detector's maps to faces."""

from __future__ import annotations

import cv2
import numpy as np

from agent.values import F32, BgrImage, FaceDetections

STRIDES = (8, 16, 32)
ALIGN = 32
"""Height and width of what the network reads are multiples of this, pixels."""


def decode(maps: list[F32], *, score: float, nms_iou: float) -> FaceDetections:
    """Faces in one picture.

    Per cell: score = sqrt(class * objectness), centre = (column + dx, row + dy) * stride,
    size = exp(dw, dh) * stride, landmark = (column + kx, row + ky) * stride.

    Args:
        maps: for each of `STRIDES` (16, height / stride, width / stride): class and objectness
            logits, dx, dy, dw, dh, five kx, ky pairs.
        score: lowest score kept, in (0, 1).
        nms_iou: boxes that overlap a better one by more are dropped.

    Returns:
        Detections in pixels of what the network read, best first.
    """
    # sqrt(a * b) >= s needs a * b >= s * s, hence both a and b: sort out by logit first
    logit = float(np.log(score * score / (1 - score * score)))
    cells, origins, strides = _likely_cells(maps, logit)
    scores = 1 / np.sqrt((1 + np.exp(-cells[0])) * (1 + np.exp(-cells[1])))
    kept = scores >= score
    cells, origins, strides = cells[:, kept], origins[:, kept], strides[kept]
    centre = (cells[2:4] + origins) * strides
    half = np.exp(np.minimum(cells[4:6], 8.0)) * (strides / 2)
    boxes = np.concatenate([centre - half, centre + half]).T
    points = (cells[6:16].reshape(5, 2, -1) + origins) * strides
    landmarks = points.transpose(2, 0, 1)
    return suppress(FaceDetections(boxes, landmarks, scores[kept]), nms_iou)


def _likely_cells(maps: list[F32], logit: float) -> tuple[F32, F32, F32]:
    """Every cell of every level whose two logits are high enough.

    Returns:
        (16, n) values, (2, n) column and row, (n,) stride; all float32.
    """
    values, origins, strides = [], [], []
    for level, stride in zip(maps, STRIDES, strict=True):
        found = np.flatnonzero((level[0] >= logit) & (level[1] >= logit))
        rows, columns = np.divmod(found, level.shape[2])
        values.append(level.reshape(len(level), -1)[:, found])
        origins.append(np.stack([columns, rows]))
        strides.append(np.full(len(found), stride, np.float32))
    joined = np.concatenate(origins, axis=1).astype(np.float32)
    return np.concatenate(values, axis=1), joined, np.concatenate(strides)


def suppress(faces: FaceDetections, iou: float) -> FaceDetections:
    """Greedy non-maximum suppression, best first; ties keep their order."""
    faces = faces.take(np.argsort(-faces.scores, kind="stable"))
    if len(faces) < 2:
        return faces
    corner, size = faces.boxes[:, :2], faces.boxes[:, 2:] - faces.boxes[:, :2]
    rectangles = np.concatenate([corner, size], axis=1).tolist()
    # the order is settled above, ties included: ranks instead of scores keep it
    ranks = [float(rank) for rank in range(len(faces), 0, -1)]
    return faces.take(np.asarray(cv2.dnn.NMSBoxes(rectangles, ranks, 0.0, iou), np.intp))


def clip_to(faces: FaceDetections, width: int, height: int) -> FaceDetections:
    """Boxes cut at the edges of the picture; faces whose centre lies outside are dropped."""
    centre = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    inside = np.asarray(((centre >= 0) & (centre < (width, height))).all(axis=1))
    faces = faces.take(inside)
    limits = np.array([width, height, width, height], np.float32)
    return FaceDetections(np.clip(faces.boxes, 0, limits), faces.landmarks, faces.scores)


def to_input(image: BgrImage, out: F32) -> None:
    """Fill a network input with a picture at the top left, black beyond.

    Args:
        image: (rows, columns, 3) uint8 BGR.
        out: (3, height, width) float32, at least as large; overwritten with values 0..255.
    """
    rows, columns = image.shape[:2]
    out[:, rows:, :] = 0
    out[:, :rows, columns:] = 0
    for plane, channel in zip(out, cv2.split(image), strict=True):
        plane[:rows, :columns] = channel


def to_frame(
    faces: FaceDetections, *, factor: tuple[float, float], offset: tuple[float, float]
) -> FaceDetections:
    """From pixels of one input to pixels of the frame: (p + offset) * factor, x and y apart."""
    scale = np.array(factor, np.float32)
    shift = np.array(offset, np.float32)
    return FaceDetections(
        (faces.boxes + np.tile(shift, 2)) * np.tile(scale, 2),
        (faces.landmarks + shift) * scale,
        faces.scores,
    )
