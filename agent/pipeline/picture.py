"""Evidence for an alert, of the very frame in which it was raised."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.stages.wiping import wipe
from agent.values import U8, Boxes, FaceDetections, Frame, Track
from agent.vision.evidence import face_evidence


def picture_of(
    track: int, frame: Frame, faces: FaceDetections, owners: Sequence[int], tracks: Sequence[Track]
) -> U8 | None:
    """The face of one track, everybody else painted over.

    Args:
        track: whose.
        frame: now.
        faces: found in it.
        owners: the track of each of them.
        tracks: every live track; who is not found in this frame may still be in it.

    Returns:
        see `face_evidence`; None when the track's face was not found in this frame.
    """
    if track not in owners:
        return None
    row = owners.index(track)
    predicted = [other.box for other in tracks if other.id != track]
    others: Boxes = np.concatenate(
        [np.delete(faces.boxes, row, axis=0), np.reshape(predicted, (-1, 4)).astype(np.float32)]
    )
    try:
        return face_evidence(frame.image, faces.boxes[row], others)
    finally:
        wipe(others)
