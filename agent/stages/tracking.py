"""Faces followed through the picture: one deterministic update per look.

The order of association follows ByteTrack (arXiv 2110.06864): sure detections first, then the
doubtful ones, which may be a face half hidden; what is left may be somebody who was lost; what is
left then is somebody new. Every detection ends up with exactly one track.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from agent.config import TrackingConfig
from agent.stages import kalman
from agent.stages.association import Gate, assign, costs
from agent.stages.lifecycle import Life, born, missed, out_of_sight, seen
from agent.values import Boxes, FaceDetections, Monotonic, Track, TrackState, TrackUpdate
from agent.vision.motion import Motion

_IN_SIGHT = frozenset({TrackState.TENTATIVE, TrackState.CONFIRMED})
_LOST = frozenset({TrackState.LOST})


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What the tracker goes by.

    Attributes:
        rules: times and counts of a track's life.
        sure: detections with at least this score choose their tracks first, 0..1.
        gate: for tracks in sight.
        gate_lost: for lost tracks.
    """

    rules: TrackingConfig = field(default_factory=TrackingConfig)
    sure: float = 0.75
    gate: Gate = field(default_factory=Gate)
    gate_lost: Gate = field(default_factory=lambda: Gate(reach=3.0, growth=1.7))


class Tracker:
    """Follows faces. Time is an argument; equal calls give equal answers."""

    def __init__(self, settings: TrackerSettings | None = None) -> None:
        self._settings = settings or TrackerSettings()
        self._bank = kalman.start(np.zeros((0, 4)))
        self._lives: list[Life] = []
        self._now = Monotonic(float("-inf"))
        self._next_id = 1

    @property
    def count(self) -> int:
        """Live tracks."""
        return len(self._lives)

    @property
    def started(self) -> int:
        """Tracks begun so far."""
        return self._next_id - 1

    def boxes(self) -> Boxes:
        """(n, 4) boxes of every live track as of the last update, in the order of `tracks`."""
        return kalman.to_boxes(self._bank)

    def tracks(self) -> tuple[Track, ...]:
        """Every live track as of the last update, ordered by id."""
        return self._tracks(self._bank)

    def update(
        self, detections: FaceDetections, *, now: Monotonic, motion: Motion | None = None
    ) -> TrackUpdate:
        """Take one frame's detections in.

        Args:
            detections: every face found, best first; may be empty.
            now: monotonic seconds of the frame. A time before the last one counts as the last.
            motion: the camera's own since the last update; None when unknown.
        """
        now = Monotonic(max(now, self._now))
        ended = list(self.expire(now))
        self._bank = self._ahead(now, motion)
        self._now = now
        owners = self._correct(detections, self._associate(detections), now)
        ended += self._drop([i for i, life in enumerate(self._lives) if _over(life)])
        assigned = self._adopt(detections, owners, now)
        return TrackUpdate(self._tracks(self._bank), assigned, tuple(sorted(ended)))

    def predicted(self, now: Monotonic) -> tuple[Track, ...]:
        """Where every live track should be at `now`, without a look at the picture."""
        return self._tracks(self._ahead(Monotonic(max(now, self._now)), None))

    def expire(self, now: Monotonic) -> tuple[int, ...]:
        """End the tracks not seen for too long by `now`; needs no frame. Returns their ids."""
        rules = self._settings.rules
        return self._drop([i for i, a in enumerate(self._lives) if out_of_sight(a, now, rules)])

    def end_all(self) -> tuple[int, ...]:
        """End every track at once; ids are still never used again. Returns their ids."""
        return self._drop(list(range(len(self._lives))))

    def merge(self, new: int, old: int) -> None:
        """The track `new` turned out to be the lost track `old`: go on under the id `old`.

        The id `new` is gone afterwards; no later update reports it as ended.

        Raises:
            ValueError: either is not alive, or `old` is not lost.
        """
        index = {life.id: i for i, life in enumerate(self._lives)}
        if new not in index or old not in index:
            raise ValueError(f"merge: tracks {new} and {old} must both be alive")
        young, lost = self._lives[index[new]], self._lives[index[old]]
        if lost.state is not TrackState.LOST:
            raise ValueError(f"merge: track {old} is not lost")
        self._lives[index[old]] = replace(
            young,
            id=old,
            state=TrackState.CONFIRMED,
            first_seen=lost.first_seen,
            hits=young.hits + lost.hits,
            landmarks=young.landmarks.copy(),
        )
        self._bank[index[old]] = self._bank[index[new]]
        self._drop([index[new]])

    def _ahead(self, now: Monotonic, motion: Motion | None) -> kalman.Bank:
        if not self._lives:
            return self._bank
        moved = kalman.shift(self._bank, motion) if motion else self._bank
        return kalman.predict(moved, now - self._now)

    def _associate(self, detections: FaceDetections) -> dict[int, int]:
        """Detection to the index of its track, for those that have one already."""
        sure = detections.scores >= self._settings.sure
        left = set(range(len(detections)))
        taken: dict[int, int] = {}
        for wanted, states, gate in (
            (np.flatnonzero(sure), _IN_SIGHT, self._settings.gate),
            (np.flatnonzero(~sure), _IN_SIGHT, self._settings.gate),
            (np.arange(len(detections)), _LOST, self._settings.gate_lost),
        ):
            columns = [int(column) for column in wanted if int(column) in left]
            used = set(taken.values())
            rows = [
                i for i, life in enumerate(self._lives) if life.state in states and i not in used
            ]
            if rows and columns:
                matrices = costs(self._bank[rows], detections.boxes[columns], gate)
                for row, column in assign(*matrices):
                    taken[columns[column]] = rows[row]
                    left.discard(columns[column])
        return taken

    def _correct(
        self, found: FaceDetections, taken: dict[int, int], now: Monotonic
    ) -> dict[int, int]:
        """Tell every track whether it was seen. Detection to the id of its track."""
        rules = self._settings.rules
        if taken:
            columns, rows = list(taken.keys()), list(taken.values())
            self._bank[rows] = kalman.correct(self._bank[rows], found.boxes[columns])
        column_of = {row: column for column, row in taken.items()}
        for row, life in enumerate(self._lives):
            column = column_of.get(row)
            if column is None:
                self._lives[row] = missed(life, now, rules)
            else:
                score, marks = float(found.scores[column]), found.landmarks[column].copy()
                self._lives[row] = seen(life, now, score, marks, rules)
        return {column: self._lives[row].id for column, row in taken.items()}

    def _adopt(
        self, found: FaceDetections, owners: dict[int, int], now: Monotonic
    ) -> tuple[int, ...]:
        """Begin a track for every detection without one; the track of every detection."""
        new = [column for column in range(len(found)) if column not in owners]
        for column in new:
            owners[column] = self._next_id
            score, marks = float(found.scores[column]), found.landmarks[column].copy()
            self._lives.append(born(self._next_id, now, score, marks, self._settings.rules))
            self._next_id += 1
        if new:
            self._bank = np.concatenate([self._bank, kalman.start(found.boxes[new])])
        return tuple(owners[column] for column in range(len(found)))

    def _drop(self, rows: Iterable[int]) -> tuple[int, ...]:
        gone = set(rows)
        if not gone:
            return ()
        ids = tuple(self._lives[row].id for row in sorted(gone))
        kept = [row for row in range(len(self._lives)) if row not in gone]
        before = self._bank
        self._bank = before[kept]
        before.fill(0)
        for row in gone:
            self._lives[row].landmarks.fill(0)
        self._lives = [self._lives[row] for row in kept]
        return ids

    def _tracks(self, bank: kalman.Bank) -> tuple[Track, ...]:
        boxes = kalman.to_boxes(bank)
        velocities = bank[:, kalman.RATE].astype(np.float32)
        return tuple(
            Track(
                id=life.id,
                state=life.state,
                box=box,
                landmarks=life.landmarks,
                velocity=velocity,
                score=life.score,
                first_seen=life.first_seen,
                last_seen=life.last_seen,
                hits=life.hits,
            )
            for life, box, velocity in zip(self._lives, boxes, velocities, strict=True)
        )


def _over(life: Life) -> bool:
    return life.state is TrackState.ENDED
