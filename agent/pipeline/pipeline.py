"""One frame through all stages: detect, track, pick shots, embed, search, decide, alert.

Invariants:
1. While disarmed no frame is looked at, and nothing of a face is in memory.
2. What is kept of a face is overwritten when its track ends, at the latest
   `agent.stages.evidence.KEEP_S` after its last sight (call `expire` when frames stop coming);
   what libraries keep of it to themselves, within the same time (`agent.stages.wiping.Traces`).
3. Equal frames and settings give equal results; time comes from the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from agent.errors import RefusedError
from agent.pipeline.looking import Look, Watcher
from agent.pipeline.picture import picture_of
from agent.pipeline.recognising import Recogniser
from agent.pipeline.result import StepResult, Stopwatch
from agent.pipeline.settings import Activation, PipelineSettings
from agent.policy.fpir_monitor import TRACK_S
from agent.ports import Detector, Embedder, Gallery
from agent.stages.alerting import AlertBook, AlertContext, Moment, raise_alert
from agent.stages.decide import DecisionRule, decide
from agent.stages.evidence import Added, Evidence
from agent.stages.governor import Effort
from agent.stages.wiping import Traces, wipe
from agent.values import F32, Alert, Decision, Frame, Monotonic, Track, Verdict, Wall

_NEW_EVIDENCE = frozenset({Added.KEPT, Added.RESTARTED})


@dataclass(slots=True)
class _Armed:
    """What holds while armed."""

    activation: Activation
    rule: DecisionRule
    book: AlertBook


class Pipeline:
    """The stages in a row. Used from one thread; born disarmed.

    Args:
        detector, embedder: the networks.
        gallery: the watchlist to search.
        settings: of the stages.
        new_id: a ULID for a wall-clock time.
        timer: seconds, for the timings only.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        gallery: Gallery,
        settings: PipelineSettings,
        *,
        new_id: Callable[[Wall], str],
        timer: Callable[[], float],
    ) -> None:
        self._networks = (detector, embedder)
        self._traces = Traces()
        self._gallery = gallery
        self._new_id = new_id
        self._timer = timer
        self._watcher = Watcher(detector, settings)
        self._recogniser = Recogniser(embedder, self._watcher.tracker, settings)
        self._memory = self._recogniser.memory
        self._armed: _Armed | None = None
        self._to_search: set[int] = set()
        self._counted: set[int] = set()
        self._asked_most = 0

    @property
    def armed(self) -> bool:
        return self._armed is not None

    @property
    def rule(self) -> DecisionRule | None:
        """The decision rule in force; None while disarmed."""
        return self._armed.rule if self._armed else None

    def arm(self, activation: Activation) -> None:
        """Begin to look at frames under an activation; one in force ends first.

        Raises:
            RefusedError: policy or curve forbid this list; the pipeline is then disarmed.
        """
        self.disarm()
        rule = activation.rule_for(self._gallery.templates)
        self._recogniser.min_face_px = activation.min_face_px
        self._armed = _Armed(activation, rule, AlertBook.remembering(activation.remembered))

    def disarm(self) -> tuple[int, ...]:
        """Stop looking, end every track and overwrite all that is kept. Ids of the tracks."""
        self._armed = None
        return self._wipe()

    def close(self) -> None:
        """Disarm for good; safe to call twice."""
        self.disarm()

    def swap_gallery(self, gallery: Gallery) -> None:
        """Search another version of the watchlist from the next frame on.

        Every verdict belonged to the old list, so each track with evidence is searched anew.

        Raises:
            RefusedError: policy or curve forbid the new list; the pipeline is then disarmed.
        """
        self._gallery = gallery
        if self._armed is None:
            return
        try:
            self._armed.rule = self._armed.activation.rule_for(gallery.templates)
        except RefusedError:
            self.disarm()
            raise
        self._to_search.update(self._memory.undecide_all())

    def swap_same_list(self, gallery: Gallery) -> None:
        """Search the same entries in another way from the next frame on; verdicts stay."""
        self._gallery = gallery

    def adjust(self, effort: Effort) -> None:
        """Do so much from the next frame on. Tracks and verdicts stay."""
        self._watcher.adjust(rate_hz=effort.rate_hz, face_px=effort.face_px)
        self._recogniser.adjust(shots_per_s=effort.shots_per_s)

    def expire(self, now: Monotonic) -> tuple[int, ...]:
        """End and wipe what was not seen for too long, while no frames come. Ids."""
        ended = self._watcher.expire(now)
        self._forget(ended)
        forgotten = self._memory.expire(now=now)
        self._overwrite_if_due(now)
        return ended + forgotten

    def step(self, frame: Frame) -> StepResult:
        """Take one frame through all stages."""
        if self._armed is None:
            return StepResult(armed=False)
        watch = Stopwatch(self._timer)
        ended = self._watcher.begin(frame)
        self._forget(ended)
        if self._watcher.due(frame):
            result = self._look(frame, self._armed, watch)
        else:
            tracks, over = self._watcher.between(frame)
            self._forget(over)
            result = StepResult(tracks=tracks, ended=over)
        self._overwrite_if_due(frame.at)
        return replace(result, ended=ended + result.ended, timings=watch.stop())

    def _look(self, frame: Frame, armed: _Armed, watch: Stopwatch) -> StepResult:
        before = self._watcher.tracker.started
        look = self._watcher.look(frame, watch)
        ended = look.update.ended
        self._forget(ended)
        self._traces.looked(faces=self._watcher.tracker.count > 0, now=frame.at)
        embedded, joined = self._recognise(frame, look, watch)
        tracks = self._watcher.tracker.tracks() if joined else look.update.tracks
        subjects = self._count_subjects(tracks, armed.rule.min_shots)
        decisions, searches = self._search_and_decide(tracks, armed, watch)
        owners = [joined.get(track, track) for track in look.update.assigned]
        alerts = tuple(
            replace(alert, evidence=picture_of(track, frame, look.faces, owners, tracks))
            if armed.activation.evidence
            else alert
            for track, alert in self._raise(decisions, armed, frame)
        )
        wipe(look.faces.boxes, look.faces.landmarks)
        if searches:
            watch.lap("decide")
        return StepResult(
            looked=True,
            faces=len(look.faces),
            tracks=tracks,
            started=self._watcher.tracker.started - before,
            subjects=subjects,
            ended=ended + tuple(joined),
            embeddings=embedded,
            searches=searches,
            decisions=decisions,
            alerts=alerts,
        )

    def _recognise(self, frame: Frame, look: Look, watch: Stopwatch) -> tuple[int, dict[int, int]]:
        """Count of faces embedded; tracks that went on under an older id, and that id."""
        tracks = look.update.tracks
        self._recogniser.crop(frame, look)
        fresh = self._recogniser.embed(tracks, now=frame.at)
        joined = self._recogniser.join_returned(tracks, fresh) if fresh else {}
        for track, added in fresh.items():
            own = joined.get(track, track)
            still_there = added is Added.NOT_BETTER and self._memory.need(own).settled
            if added in _NEW_EVIDENCE or still_there:
                self._to_search.add(own)
        self._to_search.difference_update(joined)
        if len(look.faces):
            watch.lap("embed")
        return len(fresh), joined

    def _count_subjects(self, tracks: tuple[Track, ...], min_shots: int) -> int:
        """How many tracks count as somebody who passed, for the first time now."""
        new = {
            track.id
            for track in tracks
            if track.last_seen - track.first_seen >= TRACK_S
            and track.id not in self._counted
            and track.id in self._memory
            and self._memory.need(track.id).shots >= min_shots
        }
        self._counted |= new
        return len(new)

    def _search_and_decide(
        self, tracks: tuple[Track, ...], armed: _Armed, watch: Stopwatch
    ) -> tuple[tuple[Decision, ...], int]:
        """Search, in one call, each template that is new and rests on enough shots."""
        asked = [
            (track, evidence)
            for track in tracks
            if track.id in self._to_search
            and (evidence := self._memory.evidence(track.id)) is not None
            and evidence.shots >= armed.rule.min_shots
        ]
        self._to_search.clear()
        if not asked:
            return (), 0
        watch.skip()
        self._asked_most = max(self._asked_most, len(asked))
        probes = np.stack([evidence.template.vector for _, evidence in asked])
        try:
            answers = self._gallery.search(probes)
            decisions = tuple(
                self._confirmed(decide(*one, found, armed.rule), one, probe, armed)
                for one, found, probe in zip(asked, answers, probes, strict=True)
            )
        finally:
            wipe(probes)
        watch.lap("search")
        return decisions, len(asked)

    def _confirmed(
        self, decision: Decision, asked: tuple[Track, Evidence], probe: F32, armed: _Armed
    ) -> Decision:
        """A match is decided again on an exact search: a quick one may miss a rival."""
        if decision.verdict is not Verdict.MATCH:
            return decision
        (found,) = self._gallery.confirm(probe[None])
        return decide(*asked, found, armed.rule)

    def _raise(
        self, decisions: tuple[Decision, ...], armed: _Armed, frame: Frame
    ) -> list[tuple[int, Alert]]:
        """Alerts, each with its track."""
        context = AlertContext(
            activation=armed.activation.id,
            watchlist=self._gallery.ref,
            cooldown_s=armed.activation.cooldown_s,
            test=armed.activation.test,
            new_id=self._new_id,
            policy=armed.activation.policy,
            armed_under=armed.activation.armed_under,
            silenced=armed.activation.silenced,
        )
        now = Moment(frame.at, frame.captured_at)
        alerts: list[tuple[int, Alert]] = []
        for decision in decisions:
            if decision.verdict is Verdict.MATCH:
                self._memory.decide(decision.track)
            armed.book, alert = raise_alert(armed.book, decision, context, now=now)
            if alert is not None:
                alerts.append((decision.track, alert))
        return alerts

    def _forget(self, tracks: tuple[int, ...]) -> None:
        self._memory.forget_all(tracks)
        self._to_search.difference_update(tracks)
        self._counted.difference_update(tracks)

    def _wipe(self) -> tuple[int, ...]:
        ended = self._watcher.reset()
        self._memory.forget_all()
        self._to_search.clear()
        self._counted.clear()
        self._overwrite()
        return ended

    def _overwrite_if_due(self, now: Monotonic) -> None:
        if self._traces.due(now=now):
            self._overwrite()

    def _overwrite(self) -> None:
        """What networks keep to themselves, and matrix products: these copy the probes into
        buffers of their own, where blank ones overwrite them.
        """
        if self._traces.gone():
            for network in self._networks:
                network.forget()
            if self._asked_most:
                blank = np.zeros((self._asked_most, self._memory.dim), np.float32)
                self._gallery.search(blank)
                self._gallery.confirm(blank[:1])
                self._asked_most = 0
