"""Frames through all stages, on a painted street: what a wearer and a passer-by would notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import cv2
import numpy as np
import pytest

from agent.config import parse
from agent.errors import RefusedError
from agent.pipeline import Activation, Pipeline, PipelineSettings, StepResult
from agent.stages.decide import DecisionRule
from agent.stages.governor import Effort
from agent.values import Alert, Candidates, Monotonic, TrackState, Vectors, Verdict
from tests.support.faces import Face
from tests.support.street import START, TWIN, ExactGallery, PaintReader, Scene, Street

LISTED, PASSER_BY, OTHER = 3, 5, 8


def walking(t: float) -> Mapping[int, Face]:
    """The listed man and a passer-by, walking past each other."""
    return {LISTED: (80 + 90 * t, 120, 60), PASSER_BY: (560 - 90 * t, 240, 60)}


class Patrol:
    """A pipeline on a street, with all its surroundings at hand."""

    def __init__(
        self, scene: Scene, *overrides: str, listed: tuple[int, ...] = (LISTED, 11)
    ) -> None:
        self.street = Street(scene)
        self.reader = PaintReader()
        self.gallery = ExactGallery(listed)
        self.numbers = count(1)
        self.ticks = count()
        self.pipeline = Pipeline(
            self.street,
            self.reader,
            self.gallery,
            PipelineSettings.of(parse(None, overrides)),
            new_id=lambda wall: f"A{next(self.numbers)}",
            timer=lambda: next(self.ticks) / 1024,
        )

    def armed(self, **changes: object) -> Patrol:
        rule = DecisionRule(min_shots=3, threshold=0.6, margin=0.05)
        activation = Activation("act-1", lambda _: rule, cooldown_s=60.0, test=True)
        self.pipeline.arm(replace(activation, **changes))
        return self

    def walk(self, seconds: float, *, since: float = 0.0) -> list[StepResult]:
        first = round(since * self.street.hz)
        last = round((since + seconds) * self.street.hz)
        return [self.pipeline.step(self.street.frame(seq)) for seq in range(first, last)]

    def alerts(self, seconds: float, *, since: float = 0.0) -> list[Alert]:
        return [alert for step in self.walk(seconds, since=since) for alert in step.alerts]

    def buffers(self) -> list[np.ndarray]:
        """Every array that the pipeline keeps of somebody now."""
        held: list[np.ndarray] = []
        for own in self.pipeline._memory._of.values():
            held += [own.vectors, own.template]
            held += [own.kept_aside.image] if own.kept_aside else []
        thumbnail = self.pipeline._watcher._thumbnail
        return held + ([thumbnail.grey] if thumbnail else [])


class HastyGallery(ExactGallery):
    """Its quick search misses whoever is as much alike as the best."""

    def search(self, probes: Vectors) -> list[Candidates]:
        return [Candidates(found.best, None) for found in super().search(probes)]


@pytest.mark.parametrize(("margin", "alerts"), [(0.05, 1), (1.99, 0)])
def test_nobody_is_named_before_an_exact_search_has_seen_the_margin(
    margin: float, alerts: int
) -> None:
    patrol = Patrol(walking)
    patrol.pipeline.swap_gallery(HastyGallery((LISTED, 11)))
    rule = DecisionRule(min_shots=3, threshold=0.6, margin=margin)
    patrol.armed(rule_for=lambda _: rule)
    raised = patrol.alerts(4)
    assert len(raised) == alerts
    assert all(alert.margin < 1.99 for alert in raised)


def test_the_listed_man_raises_one_alert_and_nobody_else_any() -> None:
    (alert,) = Patrol(walking).armed().alerts(4)
    assert (alert.ref.entry, alert.match, alert.activation, alert.test) == (
        f"e-{LISTED}",
        None,
        "act-1",
        True,
    )
    assert alert.similarity > 0.9
    assert alert.shots == 3
    assert alert.first_seen == START
    assert START + 0.5 < alert.raised_at < START + 1.5
    assert alert.first_seen < alert.last_seen <= alert.raised_at


def test_he_is_told_of_again_after_a_third_of_the_cool_down_and_anew_after_it() -> None:
    alerts = Patrol(standing).armed(cooldown_s=6.0).alerts(10)
    assert alerts[0].match is None
    firsts = [alert for alert in alerts if alert.match is None]
    updates = [alert for alert in alerts if alert.match is not None]
    assert [first.raised_at - firsts[0].raised_at >= 6 for first in firsts] == [False, True]
    assert {update.match for update in updates} <= {first.id for first in firsts}
    assert 2 <= len(updates) <= 4


def test_two_listed_people_too_alike_are_silence() -> None:
    patrol = Patrol(walking)
    patrol.gallery._people = [LISTED, LISTED]  # two subjects, one face
    patrol.armed()
    decisions = [decision for step in patrol.walk(3) for decision in step.decisions]
    assert Verdict.AMBIGUOUS in {decision.verdict for decision in decisions}
    assert Verdict.MATCH not in {decision.verdict for decision in decisions}


def test_an_empty_list_is_silence() -> None:
    patrol = Patrol(walking, listed=()).armed()
    verdicts = {d.verdict for step in patrol.walk(3) for d in step.decisions}
    assert verdicts == {Verdict.NO_ENTRY}


def test_disarmed_it_does_not_look() -> None:
    patrol = Patrol(walking)
    assert patrol.walk(1) == [StepResult(armed=False)] * 30
    assert (patrol.street.detections, patrol.reader.sizes, patrol.gallery.searched) == (0, [], [])


def test_disarming_ends_every_track_and_overwrites_what_was_kept() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(1.5)
    held = patrol.buffers()
    assert len(held) >= 5
    assert all(array.any() for array in held)
    assert patrol.pipeline.disarm() == (1, 2)
    assert not any(array.any() for array in held)
    assert patrol.buffers() == []
    assert not patrol.street.holds_a_picture
    assert not patrol.pipeline.armed
    seen = patrol.street.detections
    patrol.walk(1, since=1.5)
    assert patrol.street.detections == seen


def test_when_no_frames_come_the_last_picture_goes_with_the_last_track() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(1.5)
    assert patrol.street.holds_a_picture
    patrol.pipeline.expire(Monotonic(1.6))
    assert patrol.street.holds_a_picture, "while somebody may come back, the detector's is next"
    patrol.pipeline.expire(Monotonic(10.0))
    assert not patrol.street.holds_a_picture


def test_closing_wipes_too_and_may_be_done_twice() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(1.5)
    held = patrol.buffers()
    patrol.pipeline.close()
    patrol.pipeline.close()
    assert not any(array.any() for array in held)


def test_what_passed_through_a_frame_is_overwritten_within_it() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(2)
    passed = [*patrol.reader.batches, *patrol.reader.answers, *patrol.gallery.probes]
    passed += [faces.boxes for faces in patrol.street.handed_out]
    passed += [faces.landmarks for faces in patrol.street.handed_out]
    assert len(patrol.reader.batches) > 3
    assert len(patrol.gallery.probes) > 0
    assert not any(array.any() for array in passed)


def test_a_passer_by_is_overwritten_when_his_track_ends() -> None:
    def leaving(t: float) -> Mapping[int, Face]:
        return {PASSER_BY: (300, 150, 60)} if t < 1.5 else {}

    patrol = Patrol(leaving).armed()
    patrol.walk(1.5)
    held = patrol.buffers()
    steps = patrol.walk(3, since=1.5)
    assert [step.ended for step in steps if step.ended] == [(1,)]
    assert not any(array.any() for array in held)
    assert patrol.buffers() == []


def test_when_frames_stop_coming_everybody_is_still_overwritten() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(1)
    held = patrol.buffers()
    assert patrol.pipeline.expire(Monotonic(1.5)) == ()
    assert all(array.any() for array in held)
    assert patrol.pipeline.expire(Monotonic(11.0)) == (1, 2)
    assert not any(array.any() for array in held)


def test_an_embedder_that_fails_leaves_no_crops_behind() -> None:
    patrol = Patrol(walking).armed()
    seen: list[np.ndarray] = []

    def fail(crops: np.ndarray) -> np.ndarray:
        seen.append(crops)
        raise RuntimeError("out of memory")

    patrol.reader.embed = fail
    with pytest.raises(RuntimeError, match="out of memory"):
        patrol.walk(1)
    assert len(seen) == 1
    assert not seen[0].any()
    patrol.pipeline.disarm()
    assert patrol.buffers() == []


@pytest.mark.parametrize(("rate", "looks"), [(15, 30), (12, 24), (20, 40), (0, 60), (240, 60)])
def test_the_detector_runs_at_its_rate_and_tracks_are_predicted_between(
    rate: int, looks: int
) -> None:
    patrol = Patrol(walking, f"detection.max_rate_hz={rate}").armed()
    steps = patrol.walk(2)
    assert abs(patrol.street.detections - looks) <= 1
    assert sum(step.looked for step in steps) == patrol.street.detections
    assert all(len(step.tracks) == 2 for step in steps)
    centres = [(step.tracks[0].box[0] + step.tracks[0].box[2]) / 2 for step in steps[30:]]
    assert np.allclose(np.diff(centres), 3.0, atol=1.0)


def test_a_step_takes_one_batch_and_one_search() -> None:
    def crowd(t: float) -> Mapping[int, Face]:
        return {person: (40 + 45 * person, 150, 40) for person in range(1, 13)}

    patrol = Patrol(crowd, "recognition.min_face_px=32").armed()
    for seq in range(120):
        step = patrol.pipeline.step(patrol.street.frame(seq))
        batches, searches = len(patrol.reader.sizes), len(patrol.gallery.searched)
        assert step.embeddings == (patrol.reader.sizes[-1] if batches else 0)
        assert step.searches == (patrol.gallery.searched[-1] if searches else 0)
        patrol.reader.sizes.clear()
        patrol.gallery.searched.clear()
        assert batches <= 1
        assert searches <= 1
        assert step.embeddings <= 8
    assert set(patrol.reader.people) == set(range(1, 13))


def test_shots_are_taken_at_the_rate_asked_for_and_fewer_once_decided() -> None:
    patrol = Patrol(standing).armed()
    patrol.walk(10)
    assert 3 + 3 <= len(patrol.reader.people) <= 3 + 6


def test_faces_too_small_are_tracked_but_never_embedded() -> None:
    def far(_: float) -> Mapping[int, Face]:
        return {LISTED: (300, 150, 28)}

    patrol = Patrol(far).armed()
    steps = patrol.walk(2)
    assert steps[-1].tracks[0].state is TrackState.CONFIRMED
    assert patrol.reader.sizes == []


def test_who_is_lost_and_comes_back_elsewhere_goes_on_under_his_id() -> None:
    def vanishing(t: float) -> Mapping[int, Face]:
        if t < 2:
            return {LISTED: (100, 100, 60)}
        return {} if t < 3 else {LISTED: (520, 260, 60)}

    patrol = Patrol(vanishing).armed()
    steps = patrol.walk(5)
    assert len([alert for step in steps for alert in step.alerts]) == 1
    assert [step.ended for step in steps if step.ended] == [(2,)]
    assert [track.id for track in steps[-1].tracks] == [1]
    assert steps[-1].tracks[0].box[0] > 400


def test_somebody_else_who_comes_instead_is_somebody_new() -> None:
    def replaced(t: float) -> Mapping[int, Face]:
        if t < 2:
            return {PASSER_BY: (100, 100, 60)}
        return {} if t < 3 else {OTHER: (520, 260, 60)}

    steps = Patrol(replaced).armed().walk(6)
    assert [track.id for track in steps[-1].tracks] == [2]
    assert [step.ended for step in steps if step.ended] == [(1,)]


def test_a_stranger_who_slips_into_the_track_does_not_inherit_its_evidence() -> None:
    def swapped(t: float) -> Mapping[int, Face]:
        return {LISTED if t < 0.35 else OTHER: (300, 150, 60)}

    assert Patrol(swapped).armed().alerts(6) == []


def standing(_: float) -> Mapping[int, Face]:
    return {LISTED: (300, 150, 60)}


def test_a_new_list_is_searched_for_who_is_already_there_without_a_new_picture() -> None:
    patrol = Patrol(standing, listed=(11,)).armed()
    assert patrol.alerts(6) == []
    longer = ExactGallery((11, LISTED), version=2)
    patrol.pipeline.swap_gallery(longer)
    steps = patrol.walk(0.1, since=6)
    (alert,) = [alert for step in steps for alert in step.alerts]
    assert (alert.ref.entry, alert.watchlist.version) == (f"e-{LISTED}", 2)
    assert longer.searched == [1]
    assert sum(step.embeddings for step in steps) == 0


def test_who_stays_is_told_of_though_no_better_picture_comes() -> None:
    patrol = Patrol(standing, "recognition.max_shots=3").armed(cooldown_s=5.9)
    alerts = patrol.alerts(5.5)
    assert [alert.match for alert in alerts] == [None, "A1", "A1"]


def test_two_alike_who_were_seen_together_are_two() -> None:
    def twins(t: float) -> Mapping[int, Face]:
        first = {LISTED: (100.0, 100.0, 60.0)} if t < 1.3 else {}
        second = {TWIN + LISTED: (520.0, 260.0, 60.0)} if t > 1.0 else {}
        return {**first, **second}

    steps = Patrol(twins, "tracking.lost_s=1.5").armed().walk(3.5)
    assert [track.id for track in steps[-1].tracks] == [2]
    assert [step.ended for step in steps if step.ended] == [(1,)]


def test_what_is_not_yet_believed_in_is_not_embedded() -> None:
    def flash(t: float) -> Mapping[int, Face]:
        return standing(t) if t < 0.15 else {}  # two looks at ten a second

    patrol = Patrol(flash).armed()
    steps = patrol.walk(2)
    assert sum(step.faces for step in steps) == 2
    assert patrol.reader.sizes == []


def test_who_is_taken_off_the_list_raises_nothing_more() -> None:
    patrol = Patrol(standing).armed(cooldown_s=2.0)
    assert patrol.alerts(1.5)
    patrol.pipeline.swap_gallery(ExactGallery((11,), version=2))
    assert patrol.alerts(5, since=1.5) == []


def strict_rule(templates: int) -> DecisionRule:
    if templates > 10:
        raise RefusedError("the list is too long")
    return DecisionRule(3, 0.6 + templates / 100, 0.05)


def test_the_rule_follows_the_length_of_the_list() -> None:
    patrol = Patrol(walking).armed(rule_for=strict_rule)
    assert patrol.pipeline.rule == DecisionRule(3, 0.62, 0.05)
    patrol.pipeline.swap_gallery(ExactGallery((1, 2, 3, 4)))
    assert patrol.pipeline.rule == DecisionRule(3, 0.64, 0.05)


def test_a_list_that_may_not_be_searched_disarms() -> None:
    patrol = Patrol(walking).armed(rule_for=strict_rule)
    patrol.walk(1)
    held = patrol.buffers()
    with pytest.raises(RefusedError, match="too long"):
        patrol.pipeline.swap_gallery(ExactGallery((1,), templates=11))
    assert (patrol.pipeline.armed, patrol.pipeline.rule) == (False, None)
    assert not any(array.any() for array in held)
    with pytest.raises(RefusedError, match="too long"):
        patrol.armed(rule_for=strict_rule)
    assert not patrol.pipeline.armed


def test_a_list_swapped_while_disarmed_counts_at_the_next_arming() -> None:
    patrol = Patrol(walking)
    patrol.pipeline.swap_gallery(ExactGallery((LISTED,), version=9))
    (alert,) = patrol.armed().alerts(3)
    assert alert.watchlist.version == 9


def test_a_change_of_size_ends_all_tracks_and_goes_on() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(1)
    held = patrol.buffers()
    patrol.street.size = (800, 450)
    steps = patrol.walk(1, since=1)
    assert steps[0].ended == (1, 2)
    assert not any(array.any() for array in held)
    assert [track.id for track in steps[-1].tracks] == [3, 4]


def test_time_that_runs_backwards_is_a_new_stream() -> None:
    patrol = Patrol(walking).armed()
    patrol.walk(0.5, since=5)
    steps = patrol.walk(0.5)
    assert steps[0].ended == (1, 2)
    assert steps[0].looked
    assert patrol.street.detections == 10, "five looks in each half second"


def test_after_a_restart_the_first_alert_is_remembered() -> None:
    marks = {f"s-{LISTED}": ("BEFORE", Monotonic(100.0))}
    (alert,) = Patrol(walking).armed(remembered=marks).alerts(3)
    assert alert.match == "BEFORE"


def test_a_new_arming_remembers_nothing_of_the_last() -> None:
    patrol = Patrol(walking).armed()
    assert len(patrol.alerts(2)) == 1
    patrol.armed(id="act-2")
    (alert,) = patrol.alerts(2, since=2)
    assert (alert.match, alert.activation) == (None, "act-2")


def test_equal_frames_give_equal_results() -> None:
    def told() -> list[object]:
        steps = Patrol(walking).armed().walk(3)
        return [
            (
                step.alerts,
                step.decisions,
                step.timings,
                [track.box.tolist() for track in step.tracks],
            )
            for step in steps
        ]

    assert told() == told()


def test_timings_come_from_the_timer_and_only_for_stages_that_ran() -> None:
    patrol = Patrol(walking).armed()
    steps = patrol.walk(1.5)
    idle = next(step for step in steps if not step.looked)
    busy = next(step for step in steps if step.searches)
    assert (idle.timings.detect, idle.timings.search) == (None, None)
    assert idle.timings.frame == 1 / 1024
    assert busy.timings.detect == busy.timings.search == busy.timings.decide == 1 / 1024
    assert busy.timings.frame == 7 / 1024


def test_the_report_counts_tracks_once() -> None:
    steps = Patrol(walking).armed().walk(3)
    assert sum(step.started for step in steps) == 2
    assert sum(step.faces for step in steps) == 2 * sum(step.looked for step in steps)


def test_evidence_is_of_the_matched_face_and_only_where_it_is_allowed() -> None:
    def close(t: float) -> Mapping[int, Face]:
        return {LISTED: (200 + 9 * t, 180, 60), PASSER_BY: (262 + 9 * t, 180, 60)}

    (without,) = Patrol(close).armed().alerts(2)
    assert without.evidence is None
    (alert,) = Patrol(close).armed(evidence=True).alerts(2)
    assert alert.evidence is not None
    picture = cv2.imdecode(alert.evidence, cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    middle = picture[height // 3 : -height // 3, width // 3 : -width // 3, 0].astype(float)
    assert middle.mean() == pytest.approx(LISTED * 20, abs=6)  # his own blue
    beside = picture[height // 3 : -height // 3, -width // 12 :]
    assert np.ptp(beside.astype(int)) < 12  # paint, no chequers of the passer-by
    assert "evidence" not in repr(alert)


def test_detections_are_wiped_also_when_a_picture_is_made_of_them() -> None:
    patrol = Patrol(walking).armed(evidence=True)
    patrol.walk(2)
    assert all(not found.boxes.any() for found in patrol.street.handed_out)


def test_less_effort_is_fewer_looks_and_shots_and_wider_faces_and_can_be_taken_back():
    patrol = Patrol(walking).armed()
    full = patrol.walk(2.0)
    patrol.pipeline.adjust(Effort(rate_hz=2.0, face_px=48.0, shots_per_s=1.0))
    less = patrol.walk(2.0, since=2.0)
    patrol.pipeline.adjust(Effort(rate_hz=10.0, face_px=24.0, shots_per_s=4.0))
    again = patrol.walk(2.0, since=4.0)
    looks = [sum(result.looked for result in results) for results in (full, less, again)]
    assert looks[1] <= 5
    assert looks[0] == pytest.approx(20, abs=1)
    assert looks[2] == pytest.approx(20, abs=1)
    assert sum(result.embeddings for result in less) < sum(result.embeddings for result in full)
    assert patrol.street.face_px == 24.0
    assert all(result.armed for result in less)
