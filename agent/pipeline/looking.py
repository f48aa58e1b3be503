"""From frame to tracks: when to look, where the camera moved, who is there."""

from __future__ import annotations

from dataclasses import dataclass

from agent.pipeline.result import Stopwatch
from agent.pipeline.settings import PipelineSettings
from agent.ports import Detector
from agent.stages.tracking import Tracker
from agent.stages.wiping import wipe
from agent.values import FaceDetections, Frame, Monotonic, Track, TrackUpdate
from agent.vision.motion import Motion, Thumbnail, estimate, shrink

_LONG_AGO = Monotonic(float("-inf"))
_JITTER_S = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen in one frame: its faces and what they did to the tracks."""

    faces: FaceDetections
    update: TrackUpdate


class Watcher:
    """Runs detector and tracker at the rate asked for, in the time of the frames."""

    def __init__(self, detector: Detector, settings: PipelineSettings) -> None:
        self._detector = detector
        self._period_s = _period_s(settings.detection.max_rate_hz)
        self._compensate = settings.tracker.rules.motion_compensation
        self.tracker = Tracker(settings.tracker)
        self._thumbnail: Thumbnail | None = None
        self._size: tuple[int, int] | None = None
        self._last = _LONG_AGO
        self._next = _LONG_AGO

    def adjust(self, *, rate_hz: float, face_px: float) -> None:
        """Look so often at most (0: at every frame) for faces of at least this width, from the
        next frame on.
        """
        self._period_s = _period_s(rate_hz)
        self._next = min(self._next, Monotonic(self._last + self._period_s))
        self._detector.find_from(face_px)

    def begin(self, frame: Frame) -> tuple[int, ...]:
        """Notice a new picture size or time running backwards: all tracks end. Their ids."""
        same = self._size in (None, frame.size) and frame.at >= self._last
        ended = () if same else self.reset()
        self._size, self._last = frame.size, frame.at
        return ended

    def due(self, frame: Frame) -> bool:
        """Whether it is time to look; if so, the next time is one period on.

        The period counts from when the look was due, so that the rate holds on average whatever
        the rhythm of the frames; from now, when a look was missed altogether.
        """
        if frame.at < self._next - _JITTER_S:
            return False
        following = self._next + self._period_s
        self._next = Monotonic(following if following > frame.at else frame.at + self._period_s)
        return True

    def look(self, frame: Frame, watch: Stopwatch) -> Look:
        """Detect and track; the caller wipes the detections when done with them."""
        faces = self._detector.detect(frame.image)
        watch.lap("detect")
        motion = self._motion(frame, keep=self.tracker.count > 0 or len(faces) > 0)
        update = self.tracker.update(faces, now=frame.at, motion=motion)
        watch.lap("track")
        return Look(faces, update)

    def between(self, frame: Frame) -> tuple[tuple[Track, ...], tuple[int, ...]]:
        """Tracks at a frame that is not looked at, and ids of those that are over."""
        ended = self.expire(frame.at)
        return self.tracker.predicted(frame.at), ended

    def expire(self, now: Monotonic) -> tuple[int, ...]:
        """End the tracks not seen for too long; without any, the small picture goes too. Ids."""
        ended = self.tracker.expire(now)
        if not self.tracker.count:
            self._forget_picture()
        return ended

    def reset(self) -> tuple[int, ...]:
        """End every track and forget the last picture. Ids of the tracks."""
        self._forget_picture()
        self._size, self._last, self._next = None, _LONG_AGO, _LONG_AGO
        return self.tracker.end_all()

    def _motion(self, frame: Frame, *, keep: bool) -> Motion | None:
        """The camera's motion since the last look; pictures are kept while there are tracks."""
        if not (self._compensate and keep):
            self._forget_picture()
            return None
        now = shrink(frame.image)
        before = self._thumbnail
        motion = None
        if before is not None and self.tracker.count:
            motion = estimate(before, now, self.tracker.boxes())
        self._forget_picture()
        self._thumbnail = now
        return motion

    def _forget_picture(self) -> None:
        if self._thumbnail is not None:
            wipe(self._thumbnail.grey)
            self._thumbnail = None


def _period_s(rate_hz: float) -> float:
    return 1 / rate_hz if rate_hz > 0 else 0.0
