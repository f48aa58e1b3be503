"""A photograph in, a template or the reasons against it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.pipeline.upright import better_turned
from agent.ports import Detector, Embedder
from agent.values import BgrImage, Embedding, FaceQuality, Vectors
from agent.vision.alignment import align_faces
from agent.vision.quality import measure
from agent.watchlist.enrolment import (
    EnrolmentLimits,
    Problem,
    Reason,
    count_reasons,
    quality_reasons,
    turned_reason,
)


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """What became of one photograph.

    Attributes:
        template: None when it was refused.
        quality: of the one face; None without exactly one.
        reasons: why it was refused, all of them; empty with a template.
    """

    template: Embedding | None
    quality: FaceQuality | None
    reasons: tuple[Reason, ...]


def enrol_photograph(
    image: BgrImage, detector: Detector, embedder: Embedder, limits: EnrolmentLimits
) -> PhotoResult:
    """Make the template of the one face in a photograph.

    Args:
        image: (height, width, 3) uint8 BGR.
        detector: finds the face.
        embedder: makes the template.
        limits: what the photograph must reach.
    """
    faces = detector.detect(image)
    reasons = count_reasons(faces)
    if len(faces) > 1:
        return PhotoResult(None, None, reasons)
    turned = better_turned(image, detector, faces.boxes[0] if len(faces) else None)
    if turned is not None:
        return PhotoResult(None, None, (turned_reason(*turned),))
    if reasons:
        return PhotoResult(None, None, reasons)
    crops = align_faces(image, faces.landmarks)
    quality = measure(crops[0], faces.boxes[0], faces.landmarks[0], float(faces.scores[0]))
    reasons = quality_reasons(quality, limits)
    if reasons:
        return PhotoResult(None, quality, reasons)
    return PhotoResult(Embedding(embedder.embed(crops)[0]), quality, ())


def refuse_strangers(results: Sequence[PhotoResult], limits: EnrolmentLimits) -> list[PhotoResult]:
    """Refuse photographs that do not look like the others of the same subject.

    Each template is held against the mean of all others; with only two that differ nobody can say
    which is the wrong one, so both are refused.
    """
    accepted = [at for at, result in enumerate(results) if result.template is not None]
    likeness = _likeness(np.stack([_vector(results[at]) for at in accepted])) if accepted else []
    checked = list(results)
    for at, similarity in zip(accepted, likeness, strict=True):
        if similarity < limits.likeness:
            reason = Reason(
                Problem.UNLIKE_THE_OTHERS,
                similarity,
                limits.likeness,
                "is this the same person? enrol different people one by one",
            )
            checked[at] = PhotoResult(None, results[at].quality, (reason,))
    return checked


def _vector(result: PhotoResult) -> Vectors:
    if result.template is None:
        raise ValueError("a refused photograph has no template")
    return result.template.vector


def _likeness(vectors: Vectors) -> list[float]:
    """Of each row with the mean direction of the other rows; 1 for a single row."""
    if len(vectors) == 1:
        return [1.0]
    others = vectors.sum(axis=0) - vectors
    lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-6)
    similarities: list[float] = (np.einsum("ij,ij->i", vectors, others) / lengths).tolist()
    return similarities
