"""The values that flow between stages: frozen, slotted, units in the docstring.

One type per arrow of the pipeline. Nothing here has behaviour beyond checking its own shape.
"""

from agent.values.alerts import Alert, Decision, FaceMeasure, Verdict, WatchlistRef
from agent.values.arrays import F32, U8, Array, BgrImage, Boxes, Crops, Landmarks, Vectors
from agent.values.delivery import (
    HOUSEKEEPING,
    DeliveryStep,
    Gap,
    Idle,
    Loss,
    OutboxCounts,
    OutboxEntry,
    Send,
    SendResult,
    Wait,
)
from agent.values.faces import Embedding, FaceCrop, FaceDetections, FaceQuality
from agent.values.frame import CaptureCounts, Frame
from agent.values.gallery import Candidate, Candidates, EntryRef
from agent.values.times import Monotonic, Wall
from agent.values.tracks import Track, TrackState, TrackUpdate

__all__ = [
    "F32",
    "HOUSEKEEPING",
    "U8",
    "Alert",
    "Array",
    "BgrImage",
    "Boxes",
    "Candidate",
    "Candidates",
    "CaptureCounts",
    "Crops",
    "Decision",
    "DeliveryStep",
    "Embedding",
    "EntryRef",
    "FaceCrop",
    "FaceDetections",
    "FaceMeasure",
    "FaceQuality",
    "Frame",
    "Gap",
    "Idle",
    "Landmarks",
    "Loss",
    "Monotonic",
    "OutboxCounts",
    "OutboxEntry",
    "Send",
    "SendResult",
    "Track",
    "TrackState",
    "TrackUpdate",
    "Vectors",
    "Verdict",
    "Wait",
    "Wall",
    "WatchlistRef",
]
