"""Faces warped to the embedder's template by their landmarks."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from agent.values import F32, U8, BgrImage, Crops, Landmarks

CROP = 112
"""Side of an aligned face, pixels."""

TEMPLATE: F32 = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ],
    dtype=np.float32,
)
"""Where the five landmarks belong in a 112x112 crop (ArcFace, arXiv 1801.07698)."""


def similarity_transforms(landmarks: Landmarks) -> F32:
    """Least-squares similarity from each face's landmarks to the template.

    In the plane a rotation with scale is one complex factor, so the closed form of Umeyama
    (IEEE TPAMI 13(4), 1991) is an ordinary complex regression, done for all faces at once.

    Args:
        landmarks: (n, 5, 2) pixels.

    Returns:
        (n, 2, 3) affine matrices from frame to crop. Landmarks that all coincide give one of
        scale zero, and those that are no numbers one without numbers: `align_faces` leaves such
        a crop black, which no quality rule accepts.
    """
    source = _complex(landmarks)
    target = _complex(TEMPLATE)
    with np.errstate(invalid="ignore"):
        centre = source.mean(axis=1, keepdims=True)
        spread = source - centre
        power = (np.abs(spread) ** 2).sum(axis=1)
        factor = (spread.conj() * (target - target.mean())).sum(axis=1) / np.maximum(power, 1e-9)
        shift = target.mean() - factor * centre[:, 0]
    matrices = np.empty((len(landmarks), 2, 3), np.float32)
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 0, 2] = factor.real, -factor.imag, shift.real
    matrices[:, 1, 0], matrices[:, 1, 1], matrices[:, 1, 2] = factor.imag, factor.real, shift.imag
    return matrices


def _complex(points: F32) -> npt.NDArray[np.complex128]:
    """(..., 2) points as x + iy."""
    return np.ascontiguousarray(points, np.float64).view(np.complex128)[..., 0]


def align_faces(image: BgrImage, landmarks: Landmarks) -> Crops:
    """Cut every face out, upright and scaled to the template.

    Args:
        image: (height, width, 3) uint8.
        landmarks: (n, 5, 2) pixels of the image; points outside it are fine.

    Returns:
        (n, 112, 112, 3) uint8; black where the crop reaches beyond the picture.
    """
    crops: Crops = np.zeros((len(landmarks), CROP, CROP, 3), np.uint8)
    for crop, matrix in zip(crops, similarity_transforms(landmarks), strict=True):
        _warp(image, matrix, crop)
    return crops


def _warp(image: BgrImage, matrix: F32, out: U8) -> None:
    """Warp one face into `out`, halving the picture first as often as aliasing asks for it."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 1e-6 or not np.isfinite(matrix).all():
        return
    region, origin = _region(image, matrix)
    if region.size == 0:
        return
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ origin
    while scale < 0.5 and min(region.shape[:2]) >= 4:
        height, width = region.shape[:2]
        half = (width // 2, height // 2)
        region = cv2.resize(region, half, interpolation=cv2.INTER_AREA)
        factors = np.array([width / half[0], height / half[1]], np.float32)
        local[:, 2] += local[:, :2] @ ((factors - 1) / 2)  # pixel centres, not corners
        local[:, :2] *= factors
        scale *= 2
    cv2.warpAffine(region, local, (CROP, CROP), dst=out, flags=cv2.INTER_LINEAR)


def _region(image: BgrImage, matrix: F32) -> tuple[U8, F32]:
    """The part of the picture that the crop needs, and where it begins (x, y)."""
    inverse = np.linalg.inv(matrix[:, :2].astype(np.float64))
    corners = np.array([(0, 0), (CROP, 0), (0, CROP), (CROP, CROP)], np.float64)
    points = (corners - matrix[:, 2]) @ inverse.T
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(points.min(axis=0)) - 2, 0, (width, height)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(axis=0)) + 3, 0, (width, height)).astype(int)
    return image[top:bottom, left:right], np.array([left, top], np.float32)
