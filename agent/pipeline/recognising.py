"""From tracks to evidence: cut out the faces worth it, embed them, join who came back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agent.pipeline.looking import Look
from agent.pipeline.settings import PipelineSettings
from agent.ports import Embedder
from agent.stages.appearance import reidentify
from agent.stages.evidence import Added, TrackMemory
from agent.stages.shots import to_crop, to_embed
from agent.stages.tracking import Tracker
from agent.stages.wiping import wipe
from agent.values import BgrImage, Frame, Monotonic, Track, TrackState
from agent.vision.alignment import align_faces
from agent.vision.quality import measure

_RETURN_SHOTS = 3
"""A track is asked whether it is one of the lost while it has no more shots than this."""


class Recogniser:
    """Gathers the evidence of every track; owns all buffers with faces in them.

    Attributes:
        min_face_px: of the policy; a larger one in the settings counts.
    """

    def __init__(self, embedder: Embedder, tracker: Tracker, settings: PipelineSettings) -> None:
        self._embedder = embedder
        self._tracker = tracker
        self._settings = settings
        self.min_face_px = 0
        max_shots = settings.shots.rates.max_shots
        self.memory = TrackMemory(dim=embedder.dim, max_shots=max_shots)

    def adjust(self, *, shots_per_s: float) -> None:
        """Embed an undecided track so often at most, from now on."""
        shots = self._settings.shots
        rates = shots.rates.model_copy(update={"shots_per_s": shots_per_s})
        self._settings = replace(self._settings, shots=replace(shots, rates=rates))

    def crop(self, frame: Frame, look: Look) -> None:
        """Keep the better crops of this frame aside."""
        rows = self._rows_in_need(frame, look)
        if not rows:
            return
        self._offer(frame.image, look, rows, now=frame.at)

    def embed(self, tracks: tuple[Track, ...], *, now: Monotonic) -> dict[int, Added]:
        """Embed, in one batch, the crops that are due.

        Args:
            tracks: every live track.
            now: monotonic seconds of the frame.

        Returns:
            Track to what became of its shot.
        """
        memory = self.memory
        sure = [t.id for t in tracks if t.state is TrackState.CONFIRMED and t.id in memory]
        chosen = to_embed(map(memory.need, sure), self._settings.shots, now=now)
        kept = [(track, memory.kept_aside(track)) for track in chosen]
        batch = np.stack([crop.image for _, crop in kept if crop is not None]) if kept else None
        if batch is None:
            return {}
        try:
            vectors = self._embedder.embed(batch)
        finally:
            wipe(batch)
        added = {
            track: memory.add(track, vector, now=now)
            for track, vector in zip(chosen, vectors, strict=True)
        }
        wipe(vectors)
        return added

    def join_returned(self, tracks: tuple[Track, ...], fresh: dict[int, Added]) -> dict[int, int]:
        """Join tracks whose faces say that they continue a lost one. New id to old id."""
        lost = [track for track in tracks if track.state is TrackState.LOST]
        joined: dict[int, int] = {}
        for track in tracks:
            if lost and track.id in fresh:
                old = self._returned(track, [a for a in lost if a.id not in joined.values()])
                if old is not None:
                    self._tracker.merge(track.id, old)
                    self.memory.merge(track.id, old)
                    joined[track.id] = old
        return joined

    def _returned(self, track: Track, lost: list[Track]) -> int | None:
        evidence = self.memory.evidence(track.id)
        if evidence is None or evidence.shots > _RETURN_SHOTS:
            return None
        templates = {
            other.id: known.template
            for other in lost
            if other.last_seen < track.first_seen
            and (known := self.memory.evidence(other.id)) is not None
        }
        return reidentify(evidence.template, templates, self._settings.returning)

    def _rows_in_need(self, frame: Frame, look: Look) -> list[int]:
        """Detections to cut out, whose tracks need it most first."""
        shots = self._settings.shots
        least = max(shots.rates.min_face_px, self.min_face_px)
        wide = (look.faces.boxes[:, 2] - look.faces.boxes[:, 0]) >= least
        row_of = {track: row for row, track in enumerate(look.update.assigned)}
        for track in row_of:
            self.memory.saw(track, now=frame.at)
        needs = [self.memory.need(track) for track, row in row_of.items() if wide[row]]
        return [row_of[track] for track in to_crop(needs, shots, now=frame.at)]

    def _offer(self, image: BgrImage, look: Look, rows: list[int], *, now: Monotonic) -> None:
        faces = look.faces.take(rows)
        crops = align_faces(image, faces.landmarks)
        for i, row in enumerate(rows):
            quality = measure(crops[i], faces.boxes[i], faces.landmarks[i], float(faces.scores[i]))
            self.memory.offer(look.update.assigned[row], crops[i], quality, now=now)
        wipe(crops, faces.boxes, faces.landmarks)
