"""What is known of each track's face: a few good shots, and the template made of them.

The template is the mean of the shots' unit vectors, weighted by quality and made unit length
again: the average pooling that aggregation networks are measured against (arXiv 1603.05474). All
of it lives in buffers that are filled with zeros when a track ends (invariant 1 of the design);
nothing else keeps a reference to them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from agent.stages.shots import NEVER, Need
from agent.stages.wiping import wipe
from agent.values import F32, U8, Embedding, FaceCrop, FaceMeasure, FaceQuality, Monotonic

KEEP_S = 10.0
"""Nothing of a face is kept longer than this after its last sight, whatever the settings."""

FOREIGN = 0.15
"""A shot less like its track's template than this (cosine) is taken for somebody else's: for
SFace nine in ten pairs of different people lie below it, and hardly any two shots of one track."""

_TINY = 1e-6


class Added(Enum):
    """What became of a shot."""

    KEPT = "kept"
    NOT_BETTER = "not_better"  # every kept shot is better
    FOREIGN = "foreign"  # unlike the others: left out, once
    RESTARTED = "restarted"  # unlike them twice in a row: somebody else; the evidence begins anew


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evidence:
    """The state of a track's evidence at one moment.

    Attributes:
        template: quality-weighted mean of the shots; its buffer is overwritten when the track
            ends or gets another shot, so use it within the frame.
        shots: distinct shots in it.
        face: size and quality of the best of them.
    """

    template: Embedding
    shots: int
    face: FaceMeasure


@dataclass(slots=True, eq=False, repr=False)
class _Memory:
    """One track's buffers; mutable, owned by `TrackMemory` alone."""

    vectors: F32
    template: F32
    weights: list[float] = field(default_factory=list)
    faces: list[FaceMeasure] = field(default_factory=list)
    kept_aside: FaceCrop | None = None
    decided: bool = False
    foreign_in_a_row: int = 0
    last_embedded: Monotonic = NEVER
    last_cropped: Monotonic = NEVER
    last_seen: Monotonic = NEVER

    def wipe_shots(self) -> None:
        wipe(self.vectors, self.template)
        self.weights.clear()
        self.faces.clear()
        self.decided = False
        self.foreign_in_a_row = 0

    def wipe_crop(self) -> None:
        if self.kept_aside is not None:
            wipe(self.kept_aside.image)
            self.kept_aside = None


class TrackMemory:
    """Owner of every face buffer that outlives a frame.

    Args:
        dim: length of a template.
        max_shots: shots kept for each track.
    """

    def __init__(self, *, dim: int, max_shots: int) -> None:
        self._dim = dim
        self._max_shots = max_shots
        self._of: dict[int, _Memory] = {}

    @property
    def dim(self) -> int:
        """Length of a template."""
        return self._dim

    @property
    def count(self) -> int:
        """Tracks of which anything is kept."""
        return len(self._of)

    def __contains__(self, track: int) -> bool:
        return track in self._of

    def saw(self, track: int, *, now: Monotonic) -> None:
        """Note that the track was in sight at `now`; makes room for it the first time."""
        if track not in self._of:
            shape = (self._max_shots, self._dim)
            self._of[track] = _Memory(np.zeros(shape, np.float32), np.zeros(self._dim, np.float32))
        self._of[track].last_seen = now

    def need(self, track: int) -> Need:
        """The track's claim to another shot."""
        own = self._of[track]
        quality = own.kept_aside.quality.score if own.kept_aside else 0.0
        full = len(own.weights) >= self._max_shots and quality <= min(own.weights)
        return Need(
            track=track,
            settled=own.decided or full,
            shots=len(own.weights),
            last_embedded=own.last_embedded,
            last_cropped=own.last_cropped,
            quality=quality,
        )

    def offer(self, track: int, image: U8, quality: FaceQuality, *, now: Monotonic) -> None:
        """Keep a copy of the crop aside when it is better than the one kept so far."""
        own = self._of[track]
        own.last_cropped = now
        if own.kept_aside is not None and own.kept_aside.quality.score >= quality.score:
            return
        own.wipe_crop()
        own.kept_aside = FaceCrop(image.copy(), quality, now)

    def kept_aside(self, track: int) -> FaceCrop | None:
        """The best crop since the last shot."""
        return self._of[track].kept_aside

    def add(self, track: int, vector: F32, *, now: Monotonic) -> Added:
        """Take the embedding of the crop kept aside as a shot, and wipe that crop.

        Args:
            track: whose.
            vector: (dim,) float32 of unit length; copied.
            now: monotonic seconds of the present frame.

        Raises:
            ValueError: no crop was kept aside.
        """
        own = self._of[track]
        crop = own.kept_aside
        if crop is None:
            raise ValueError(f"track {track} has no crop to embed")
        own.last_embedded = now
        own.wipe_crop()
        face = FaceMeasure(crop.quality.width_px, crop.quality.score)
        if own.weights and float(own.template @ vector) < FOREIGN:
            own.foreign_in_a_row += 1
            if own.foreign_in_a_row == 1:
                return Added.FOREIGN
            own.wipe_shots()
            self._put(own, vector, face)
            return Added.RESTARTED
        own.foreign_in_a_row = 0
        return Added.KEPT if self._put(own, vector, face) else Added.NOT_BETTER

    def evidence(self, track: int) -> Evidence | None:
        """What the shots so far say; None before the first."""
        own = self._of.get(track)
        if own is None or not own.weights:
            return None
        best = max(own.faces, key=lambda face: face.quality)
        return Evidence(Embedding(own.template), len(own.weights), best)

    def decide(self, track: int) -> None:
        """Note that the track was decided: fewer shots from now on."""
        self._of[track].decided = True

    def undecide_all(self) -> tuple[int, ...]:
        """Forget the decisions, not the shots (the list has changed). Tracks with evidence."""
        for own in self._of.values():
            own.decided = False
        return tuple(track for track, own in self._of.items() if own.weights)

    def merge(self, new: int, old: int) -> None:
        """Add the shots of `new` to those of `old`, of whom it is the continuation; wipe `new`."""
        young, own = self._of[new], self._of[old]
        for row, face in enumerate(young.faces):
            self._put(own, young.vectors[row], face)
        own.last_embedded, own.last_cropped = young.last_embedded, young.last_cropped
        own.last_seen = max(own.last_seen, young.last_seen)
        self.forget(new)

    def forget(self, track: int) -> None:
        """Overwrite everything kept of the track. Unknown ids are fine."""
        own = self._of.pop(track, None)
        if own is not None:
            own.wipe_shots()
            own.wipe_crop()

    def forget_all(self, tracks: Iterable[int] | None = None) -> None:
        """`forget` each of `tracks`; everybody when None."""
        for track in tuple(self._of if tracks is None else tracks):
            self.forget(track)

    def expire(self, *, now: Monotonic) -> tuple[int, ...]:
        """Forget the tracks last seen `KEEP_S` ago or earlier; their ids."""
        stale = tuple(track for track, own in self._of.items() if now - own.last_seen >= KEEP_S)
        self.forget_all(stale)
        return stale

    def _put(self, own: _Memory, vector: F32, face: FaceMeasure) -> bool:
        weight = max(face.quality, 1e-3)
        row = len(own.weights)
        if row >= self._max_shots:
            row = min(range(row), key=own.weights.__getitem__)
            if own.weights[row] >= weight:
                return False
            own.weights[row], own.faces[row] = weight, face
        else:
            own.weights.append(weight)
            own.faces.append(face)
        own.vectors[row] = vector
        _average(own)
        return True


def _average(own: _Memory) -> None:
    count = len(own.weights)
    mean = np.asarray(own.weights, np.float32) @ own.vectors[:count]
    norm = float(np.linalg.norm(mean))
    if norm > _TINY:
        np.divide(mean, np.float32(norm), out=own.template)
    else:
        own.template[:] = own.vectors[count - 1]
    wipe(mean)
