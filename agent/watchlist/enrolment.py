"""Whether a photograph is good enough to be enrolled: every reason at once, with its measure.

A template on the list meets millions of faces, so more is asked of it than of a shot taken by the
camera. What is measured follows ISO/IEC 29794-5; the limits are where `agent.vision.quality`
begins to take off, or stricter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agent.values import FaceDetections, FaceQuality


class Problem(str, Enum):
    """Why a photograph is refused."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    NOT_UPRIGHT = "not_upright"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    POSE = "pose"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    LOW_CONTRAST = "low_contrast"
    UNLIKE_THE_OTHERS = "unlike_the_others"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason against a photograph.

    Attributes:
        problem: which.
        measured: what was found.
        needed: the limit it fails.
        advice: how to mend it.
    """

    problem: Problem
    measured: float
    needed: float
    advice: str

    def __str__(self) -> str:
        name = self.problem.value.replace("_", " ")
        return f"{name} ({self.measured:.4g}, needed {self.needed:.4g}): {self.advice}"


@dataclass(frozen=True, slots=True)
class EnrolmentLimits:
    """What a photograph must reach.

    Attributes:
        min_width_px: width of the face box, pixels. The same face scaled to 63, 45, 32, 22 px
            kept a similarity of 0.99, 0.96, 0.93, 0.76.
        min_sharpness: variance of the Laplacian of the aligned crop, grey levels squared. A face
            of 182 px under Gaussian blur of sigma 2, 4, 6, 8 px measured 188, 47, 18, 11, and
            its similarity (SFace) with the sharp one was 0.97, 0.84, 0.64, 0.47.
        max_yaw, max_pitch: absolute, as in `FaceQuality`.
        min_brightness, max_brightness: mean grey level.
        min_contrast: standard deviation of the grey level.
        likeness: least similarity of a template with the others of the same enrolment. SFace on
            LFW: 0.3 is passed by 99.7 % of genuine pairs, and by 1 in 300 of others.
        duplicate: similarity with another subject from which on it is reported. SFace on LFW:
            one pair of different people in 100,000 reaches 0.489.
    """

    min_width_px: float = 48.0
    min_sharpness: float = 40.0
    max_yaw: float = 0.6
    max_pitch: float = 0.6
    min_brightness: float = 40.0
    max_brightness: float = 225.0
    min_contrast: float = 12.0
    likeness: float = 0.30
    duplicate: float = 0.489


def count_reasons(faces: FaceDetections) -> tuple[Reason, ...]:
    """Exactly one face must be in the photograph."""
    if len(faces) == 0:
        advice = "a larger, upright, frontal face is needed"
        return (Reason(Problem.NO_FACE, 0, 1, advice),)
    if len(faces) > 1:
        advice = "crop the photograph to the one person"
        return (Reason(Problem.SEVERAL_FACES, len(faces), 1, advice),)
    return ()


def turned_reason(degrees: int, score: float, before: float) -> Reason:
    """The face is one when the photograph is turned; see `agent.pipeline.upright`.

    Args:
        degrees: clockwise, by which it is upright.
        score: of the detector then.
        before: as it is, or what is asked of a turned face where it finds none.
    """
    advice = f"turn the photograph by {degrees} degrees clockwise"
    return Reason(Problem.NOT_UPRIGHT, before, score, advice)


def quality_reasons(quality: FaceQuality, limits: EnrolmentLimits) -> tuple[Reason, ...]:
    """Everything that is wrong with the face, not only the first thing."""
    turned, straight = max(
        (abs(quality.yaw), limits.max_yaw),
        (abs(quality.pitch), limits.max_pitch),
        key=lambda pair: pair[0] - pair[1],
    )
    q, need = quality, limits
    checks = (
        (
            q.width_px < need.min_width_px,
            (Problem.TOO_SMALL, q.width_px, need.min_width_px, "more pixels on the face needed"),
        ),
        (
            q.sharpness < need.min_sharpness,
            (Problem.BLURRED, q.sharpness, need.min_sharpness, "a sharp photograph is needed"),
        ),
        (
            turned > straight,
            (Problem.POSE, turned, straight, "the face must look towards the camera"),
        ),
        (
            q.brightness < need.min_brightness,
            (Problem.TOO_DARK, q.brightness, need.min_brightness, "more light on the face needed"),
        ),
        (
            q.brightness > need.max_brightness,
            (Problem.TOO_BRIGHT, q.brightness, need.max_brightness, "the face is over-exposed"),
        ),
        (
            q.contrast < need.min_contrast,
            (Problem.LOW_CONTRAST, q.contrast, need.min_contrast, "haze, or too little light"),
        ),
    )
    return tuple(Reason(*reason) for broken, reason in checks if broken)
