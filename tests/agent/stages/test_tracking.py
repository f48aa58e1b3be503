"""The tracker in scenes: who is who, whatever happens to the picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import TrackingConfig
from agent.stages.tracking import Tracker, TrackerSettings
from agent.values import Monotonic, TrackState, TrackUpdate
from agent.vision.motion import Motion
from tests.support.faces import Face, detections

Scene = Callable[[float], list[Face]]


def play(
    scene: Scene, *, hz: float, seconds: float, tracker: Tracker | None = None
) -> list[TrackUpdate]:
    tracker = tracker or Tracker()
    return [
        tracker.update(detections(scene(k / hz)), now=Monotonic(k / hz))
        for k in range(int(seconds * hz) + 1)
    ]


def states(update: TrackUpdate) -> dict[int, TrackState]:
    return {track.id: track.state for track in update.tracks}


def walk(t: float) -> list[Face]:
    return [(100 + 120 * t, 150, 50), (500 - 120 * t, 210, 48)]


@pytest.mark.parametrize("hz", [30, 15, 5])
def test_two_people_crossing_keep_their_ids_at_any_rate(hz: float) -> None:
    for update in play(walk, hz=hz, seconds=3):
        assert update.assigned == (1, 2)


def test_a_rate_that_drops_from_30_to_5_hz_changes_nobody() -> None:
    tracker = Tracker()
    times = [k / 30 for k in range(30)] + [1 + k / 5 for k in range(11)]
    for t in times:
        update = tracker.update(detections(walk(t)), now=Monotonic(t))
        assert update.assigned == (1, 2)


def test_a_person_behind_a_pillar_comes_back_as_himself() -> None:
    def scene(t: float) -> list[Face]:
        hidden = 1.0 < t < 1.8
        return [] if hidden else [(100 + 100 * t, 150, 50)]

    updates = play(scene, hz=15, seconds=3)
    assert {track for update in updates for track in update.assigned} == {1}
    assert states(updates[20]) == {1: TrackState.LOST}
    assert states(updates[-1]) == {1: TrackState.CONFIRMED}
    assert not any(update.ended for update in updates)


def test_a_lost_track_is_where_the_person_should_be() -> None:
    tracker = Tracker()
    play(lambda t: [(100 + 100 * t, 150, 50)], hz=15, seconds=1, tracker=tracker)
    update = tracker.update(detections([]), now=Monotonic(1.5))
    centre = (update.tracks[0].box[0] + update.tracks[0].box[2]) / 2
    assert centre == pytest.approx(250, abs=5)
    assert tracker.predicted(Monotonic(2.0))[0].box[0] > update.tracks[0].box[0] + 40


def test_one_who_does_not_return_ends_once_after_lost_s() -> None:
    scene: Scene = lambda t: [(100, 150, 50)] if t < 1 else []  # noqa: E731
    updates = play(scene, hz=10, seconds=5)
    ended = [(k / 10, ids) for k, u in enumerate(updates) for ids in [u.ended] if ids]
    assert ended == [(2.9, (1,))]


def test_somebody_far_away_is_not_the_lost_one() -> None:
    scene: Scene = lambda t: [(100, 150, 50)] if t < 1 else [(600, 300, 50)]  # noqa: E731
    assert play(scene, hz=10, seconds=2)[-1].assigned == (2,)


def test_somebody_of_another_size_is_not_the_lost_one() -> None:
    scene: Scene = lambda t: [(100, 150, 50)] if t < 1 else [(100, 150, 120)]  # noqa: E731
    assert play(scene, hz=10, seconds=2)[-1].assigned == (2,)


def test_a_false_detection_never_becomes_a_track_of_note() -> None:
    scene: Scene = lambda t: [(300, 50, 30)] if t == 0 else []  # noqa: E731
    updates = play(scene, hz=10, seconds=2)
    assert {state for u in updates for state in states(u).values()} == {TrackState.TENTATIVE}
    assert [u.ended for u in updates if u.ended] == [(1,)]


def shaken(t: float) -> tuple[float, float]:
    """A wearer who runs: the picture jumps by more than a face and back."""
    step = round(t * 15)
    return (0.0, 75.0 if step % 2 else -75.0)


def shake(*, compensated: bool) -> tuple[set[int], int]:
    """Four people in two rows under a shaking camera: ids used, and times that one changed."""
    tracker, ids, changes = Tracker(), set(), 0
    before, last = (0.0, 0.0), None
    for step in range(45):
        t = step / 15
        dx, dy = shaken(t)
        people = [(150 + x + dx, 180 + y + dy, 40.0) for y in (0, 75) for x in (0.0, 300.0)]
        moved = Motion(np.array([[1, 0, dx - before[0]], [0, 1, dy - before[1]]], float))
        update = tracker.update(
            detections(people), now=Monotonic(t), motion=moved if compensated else None
        )
        changes += last is not None and last != update.assigned
        before, last = (dx, dy), update.assigned
        ids |= set(update.assigned)
    return ids, changes


def test_with_its_motion_known_a_shaking_camera_confuses_nobody() -> None:
    assert shake(compensated=True) == ({1, 2, 3, 4}, 0)


def test_with_its_motion_unknown_the_same_shake_confuses_them() -> None:
    ids, changes = shake(compensated=False)
    assert len(ids) > 4 or changes > 10


def test_a_hundred_faces_keep_their_ids() -> None:
    rng = np.random.default_rng(5)
    speed = rng.normal(0, 40, (100, 2))
    tracker = Tracker()
    of_person: list[set[int]] = [set() for _ in range(100)]
    for step in range(20):
        t = step / 15
        order = rng.permutation(100)
        crowd = [
            (60 + 110 * (i % 15) + speed[i, 0] * t, 60 + 110 * (i // 15) + speed[i, 1] * t, 50.0)
            for i in order
        ]
        update = tracker.update(detections(crowd), now=Monotonic(t))
        for person, track in zip(order, update.assigned, strict=True):
            of_person[person].add(track)
    assert all(len(ids) == 1 for ids in of_person)
    assert len(set.union(*of_person)) == 100


def test_the_sure_detection_has_the_first_choice() -> None:
    tracker = Tracker()
    play(lambda _: [(100, 100, 40)], hz=10, seconds=1, tracker=tracker)
    pair = detections([(100, 100, 40), (106, 100, 40)], [0.65, 0.95])
    assert tracker.update(pair, now=Monotonic(1.1)).assigned == (2, 1)


def test_a_doubtful_detection_keeps_a_track_in_sight() -> None:
    tracker = Tracker()
    play(lambda _: [(100, 100, 40)], hz=10, seconds=1, tracker=tracker)
    half_hidden = detections([(102, 100, 40)], [0.6])
    update = tracker.update(half_hidden, now=Monotonic(1.1))
    assert update.assigned == (1,)
    assert states(update) == {1: TrackState.CONFIRMED}


def test_time_that_stands_still_or_goes_back_is_harmless() -> None:
    tracker = Tracker()
    first = tracker.update(detections([(100, 100, 40)]), now=Monotonic(5.0))
    again = tracker.update(detections([(100, 100, 40)]), now=Monotonic(4.0))
    assert first.assigned == again.assigned == (1,)
    assert again.tracks[0].last_seen == 5.0


def test_expiry_needs_no_frame() -> None:
    tracker = Tracker()
    play(lambda _: [(100, 100, 40)], hz=10, seconds=1, tracker=tracker)
    assert tracker.expire(Monotonic(2.9)) == ()
    assert tracker.expire(Monotonic(3.0)) == (1,)
    assert tracker.count == 0


def test_ids_go_on_after_everybody_was_ended() -> None:
    tracker = Tracker()
    play(walk, hz=10, seconds=0.5, tracker=tracker)
    assert tracker.end_all() == (1, 2)
    update = tracker.update(detections(walk(0)), now=Monotonic(1))
    assert update.assigned == (3, 4)


def lost_and_new() -> Tracker:
    """Track 1 is lost; track 2 is somebody elsewhere."""
    tracker = Tracker()
    scene: Scene = lambda t: [(100, 100, 40)] if t < 0.55 else [(500, 300, 40)]  # noqa: E731
    play(scene, hz=10, seconds=1, tracker=tracker)
    assert {t.id: t.state for t in tracker.tracks()} == {
        1: TrackState.LOST,
        2: TrackState.CONFIRMED,
    }
    return tracker


def test_a_merged_track_goes_on_under_the_old_id_at_the_new_place() -> None:
    tracker = lost_and_new()
    tracker.merge(2, 1)
    (track,) = tracker.tracks()
    assert (track.id, track.state, track.first_seen, track.hits) == (
        1,
        TrackState.CONFIRMED,
        0.0,
        11,
    )
    assert track.box[0] == pytest.approx(480, abs=2)
    assert track.landmarks.min() > 250
    update = tracker.update(detections([(500, 300, 40)]), now=Monotonic(1.1))
    assert (update.assigned, update.ended) == ((1,), ())


@pytest.mark.parametrize(("new", "old"), [(1, 2), (2, 9), (9, 1)])
def test_only_a_living_track_merges_into_a_lost_one(new: int, old: int) -> None:
    with pytest.raises(ValueError, match="merge"):
        lost_and_new().merge(new, old)


def test_the_marks_of_an_ended_track_are_overwritten() -> None:
    tracker = Tracker()
    update = tracker.update(detections([(100, 100, 40)]), now=Monotonic(0))
    marks = update.tracks[0].landmarks
    assert marks.any()
    tracker.end_all()
    assert not marks.any()


frames_of_faces = st.lists(
    st.tuples(
        st.floats(0, 1.5),
        st.lists(
            st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(15, 80), st.floats(0.5, 1)),
            max_size=6,
        ),
    ),
    max_size=15,
)
Frames = list[tuple[float, list[tuple[float, float, float, float]]]]


def run(frames: Frames, confirm_hits: int) -> list[TrackUpdate]:
    tracker = Tracker(TrackerSettings(TrackingConfig(confirm_hits=confirm_hits)))
    now, updates = 0.0, []
    for gap, faces in frames:
        now += gap
        found = detections([(x, y, s) for x, y, s, _ in faces], [score for *_, score in faces])
        updates.append(tracker.update(found, now=Monotonic(now)))
    return updates


@settings(max_examples=30, deadline=None)
@given(frames_of_faces, st.integers(1, 3))
def test_what_holds_in_any_scene(frames: Frames, confirm_hits: int) -> None:
    updates = run(frames, confirm_hits)
    ended: set[int] = set()
    known: set[int] = set()
    for (_, faces), update in zip(frames, updates, strict=True):
        ids = [track.id for track in update.tracks]
        assert ids == sorted(set(ids))
        assert len(update.assigned) == len(faces) == len(set(update.assigned))
        assert set(update.assigned) <= set(ids)
        fresh = set(ids) - known
        assert not fresh or min(fresh) > max(known, default=0)
        assert not ended & set(update.ended)
        ended |= set(update.ended)
        known |= set(ids)
        assert not ended & set(ids)
        assert known - ended == set(ids)
        assert all(np.isfinite(track.box).all() for track in update.tracks)


@settings(max_examples=20, deadline=None)
@given(frames_of_faces)
def test_equal_calls_give_equal_answers(frames: Frames) -> None:
    def text(updates: list[TrackUpdate]) -> list[object]:
        return [
            (u.assigned, u.ended, [(t.id, t.state, t.box.tolist()) for t in u.tracks])
            for u in updates
        ]

    assert text(run(frames, 2)) == text(run(frames, 2))
