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
    found = [
        _decode_level(level, stride, score) for level, stride in zip(maps, STRIDES, strict=True)
    ]
    boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return suppress(FaceDetections(boxes, landmarks, scores), nms_iou)


def _decode_level(level: F32, stride: int, score: float) -> tuple[F32, F32, F32]:
    """Boxes, landmarks and scores of one stride over the threshold, unsorted."""
    # sqrt(a * b) >= s needs a * b >= s * s, hence both a and b: sort out by logit first
    logit = float(np.log(score * score / (1 - score * score)))
    rows, columns = np.nonzero((level[0] >= logit) & (level[1] >= logit))
    cells = level[:, rows, columns]
    scores = 1 / np.sqrt((1 + np.exp(-cells[0])) * (1 + np.exp(-cells[1])))
    kept = scores >= score
    cells, scores = cells[:, kept], scores[kept].astype(np.float32)
    grid = np.stack([columns[kept], rows[kept]]).astype(np.float32)
    centre = (cells[2:4] + grid) * stride
    half = np.exp(np.minimum(cells[4:6], 8.0)) * (stride / 2)
    boxes = np.concatenate([centre - half, centre + half]).T
    points = cells[6:16].reshape(5, 2, -1) + grid
    landmarks = points.transpose(2, 0, 1) * stride
    return boxes.astype(np.float32), landmarks.astype(np.float32), scores


def suppress(faces: FaceDetections, iou: float) -> FaceDetections:
    """Greedy non-maximum suppression, best first; ties keep their order."""
    order = np.argsort(-faces.scores, kind="stable")
    faces = faces.take(order)
    if len(faces) < 2:
        return faces
    boxes = faces.boxes.astype(np.float64)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = np.ones(len(faces), bool)
    kept = []
    for index in range(len(faces)):
        if not alive[index]:
            continue
        kept.append(index)
        rest = slice(index + 1, None)
        low = np.maximum(boxes[index, :2], boxes[rest, :2])
        high = np.minimum(boxes[index, 2:], boxes[rest, 2:])
        both = np.clip(high - low, 0, None).prod(axis=1)
        alive[rest] &= both <= iou * (area[index] + area[rest] - both)
    return faces.take(kept)


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
