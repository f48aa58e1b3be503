"""A still photograph: every face in it against the watchlist."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from agent.ports import Detector, Embedder
from agent.stages.wiping import wipe
from agent.values import BgrImage, Candidate, FaceQuality, Vectors
from agent.vision.alignment import align_faces
from agent.vision.quality import measure

EMBED_BATCH = 16
"""Faces embedded at once: more are no faster, and activations of 280 take a gigabyte."""


class Answer(str, Enum):
    """What is said about one face. A lead, never an identification."""

    MATCH = "match"
    NO_MATCH = "no_match"
    AMBIGUOUS = "ambiguous"
    NOT_SEARCHED = "not_searched"


class RankedGallery(Protocol):
    """A gallery that can tell more than the best two."""

    def ranked(self, probes: Vectors) -> list[list[Candidate]]:
        """For each probe the candidates, one per subject, most similar first."""


@dataclass(frozen=True, slots=True)
class IdentifyRule:
    """When a face is searched, and when a candidate is shown.

    Attributes:
        threshold: cosine similarity from which on a candidate is shown.
        margin: needed over the best other subject for `match`, cosine.
        min_quality: faces of lower quality are not searched, 0..1.
        min_face_px: nor are narrower ones, pixels.
    """

    threshold: float
    margin: float
    min_quality: float
    min_face_px: float


@dataclass(frozen=True, slots=True)
class FaceAnswer:
    """One face of the photograph.

    Attributes:
        box: left, top, right, bottom, pixels of the photograph.
        score: of the detector, 0..1.
        quality: its measures.
        candidates: over the threshold only, one per subject, most similar first.
        answer: see `Answer`; NOT_SEARCHED is for too low a quality or too small a face.
    """

    box: tuple[float, float, float, float]
    score: float
    quality: FaceQuality
    candidates: tuple[Candidate, ...]
    answer: Answer


def identify(
    image: BgrImage,
    detector: Detector,
    embedder: Embedder,
    gallery: RankedGallery,
    rule: IdentifyRule,
) -> list[FaceAnswer]:
    """Search every face of a photograph: one detection, batches of crops, one search.

    Crops and probes are overwritten before it returns.

    Args:
        image: (height, width, 3) uint8 BGR.
        detector: finds the faces.
        embedder: makes the probes.
        gallery: made with the same family of embedders.
        rule: thresholds.
    """
    faces = detector.detect(image)
    crops = align_faces(image, faces.landmarks)
    qualities = [
        measure(crop, box, marks, float(score))
        for crop, box, marks, score in zip(
            crops, faces.boxes, faces.landmarks, faces.scores, strict=True
        )
    ]
    fit = [q.score >= rule.min_quality and q.width_px >= rule.min_face_px for q in qualities]
    chosen = crops[np.array(fit, bool)]
    probes = _embed(chosen, embedder)
    found = iter(gallery.ranked(probes))
    wipe(crops, chosen, probes)
    answers = []
    for at, quality in enumerate(qualities):
        candidates = tuple(next(found)) if fit[at] else None
        left, top, right, bottom = (float(value) for value in faces.boxes[at])
        answers.append(
            FaceAnswer(
                (left, top, right, bottom),
                float(faces.scores[at]),
                quality,
                _shown(candidates or (), rule),
                _answer(candidates, rule),
            )
        )
    return answers


def _embed(crops: np.ndarray, embedder: Embedder) -> Vectors:
    batches = [crops[at : at + EMBED_BATCH] for at in range(0, len(crops), EMBED_BATCH)]
    empty = np.zeros((0, embedder.dim), np.float32)
    parts = [embedder.embed(batch) for batch in batches]
    probes = np.concatenate([empty, *parts])
    wipe(*parts)
    return probes


def _shown(candidates: tuple[Candidate, ...], rule: IdentifyRule) -> tuple[Candidate, ...]:
    return tuple(one for one in candidates if one.similarity >= rule.threshold)


def _answer(candidates: tuple[Candidate, ...] | None, rule: IdentifyRule) -> Answer:
    if candidates is None:
        return Answer.NOT_SEARCHED
    if not _shown(candidates, rule):
        return Answer.NO_MATCH
    if len(candidates) > 1:
        margin = candidates[0].similarity - candidates[1].similarity
        return Answer.MATCH if margin >= rule.margin else Answer.AMBIGUOUS
    return Answer.MATCH
