"""Templates of tracks, and that nothing of them stays behind."""

from __future__ import annotations

import numpy as np
import pytest

from agent.stages.evidence import KEEP_S, Added, TrackMemory
from agent.stages.shots import NEVER
from agent.values import Monotonic
from tests.support.faces import quality, unit

CROP = np.full((112, 112, 3), 77, np.uint8)
A, B = unit(1, 0.1, 0, 0), unit(1, -0.1, 0, 0)
STRANGER = unit(0, 0, 1, 0.1)


def memory(max_shots: int = 3) -> TrackMemory:
    kept = TrackMemory(dim=4, max_shots=max_shots)
    kept.saw(1, now=Monotonic(0.0))
    return kept


def shoot(
    kept: TrackMemory, vector: np.ndarray, score: float = 0.8, *, at: float = 0.0, track: int = 1
) -> Added:
    kept.offer(track, CROP, quality(score), now=Monotonic(at))
    return kept.add(track, vector, now=Monotonic(at))


def template(kept: TrackMemory, track: int = 1) -> np.ndarray:
    evidence = kept.evidence(track)
    assert evidence is not None
    return evidence.template.vector


def test_the_template_is_the_mean_weighted_by_quality() -> None:
    kept = memory()
    shoot(kept, A, 0.9)
    shoot(kept, B, 0.3)
    assert np.allclose(template(kept), unit(*(0.9 * A + 0.3 * B)), atol=1e-6)


def test_evidence_names_the_number_of_shots_and_the_best_face() -> None:
    kept = memory()
    assert kept.evidence(1) is None
    shoot(kept, A, 0.4)
    shoot(kept, B, 0.9)
    shoot(kept, A, 0.6)
    evidence = kept.evidence(1)
    assert evidence is not None
    assert (evidence.shots, evidence.face.quality, evidence.face.width_px) == (3, 0.9, 60.0)


def test_only_the_best_shots_are_kept() -> None:
    kept = memory(max_shots=2)
    assert shoot(kept, A, 0.5) is Added.KEPT
    assert shoot(kept, A, 0.6) is Added.KEPT
    assert shoot(kept, B, 0.4) is Added.NOT_BETTER
    assert shoot(kept, B, 0.9) is Added.KEPT
    assert np.allclose(template(kept), unit(*(0.6 * A + 0.9 * B)), atol=1e-6)


def test_a_better_crop_replaces_a_worse_one_which_is_overwritten() -> None:
    kept = memory()
    kept.offer(1, CROP, quality(0.5), now=Monotonic(0.0))
    worse = kept.kept_aside(1)
    kept.offer(1, CROP, quality(0.4), now=Monotonic(0.1))
    assert kept.kept_aside(1) is worse
    kept.offer(1, CROP, quality(0.7), now=Monotonic(0.2))
    better = kept.kept_aside(1)
    assert worse is not None
    assert better is not None
    assert not worse.image.any()
    assert (better.at, better.image.min()) == (0.2, 77)


def test_a_shot_needs_a_crop() -> None:
    with pytest.raises(ValueError, match="no crop"):
        memory().add(1, A, now=Monotonic(0))


def test_one_odd_shot_is_left_out() -> None:
    kept = memory()
    shoot(kept, A)
    assert shoot(kept, STRANGER) is Added.FOREIGN
    assert shoot(kept, B) is Added.KEPT
    assert shoot(kept, STRANGER) is Added.FOREIGN
    evidence = kept.evidence(1)
    assert evidence is not None
    assert evidence.shots == 2


def test_somebody_else_in_the_track_starts_from_nothing() -> None:
    kept = memory()
    for _ in range(3):
        shoot(kept, A)
    kept.decide(1)
    assert shoot(kept, STRANGER) is Added.FOREIGN
    assert shoot(kept, STRANGER) is Added.RESTARTED
    evidence = kept.evidence(1)
    assert evidence is not None
    assert evidence.shots == 1
    assert np.allclose(evidence.template.vector, STRANGER, atol=1e-6)
    assert not kept.need(1).settled


def test_the_need_follows_the_shots() -> None:
    kept = memory(max_shots=2)
    assert kept.need(1).last_embedded == NEVER
    shoot(kept, A, 0.5, at=3.0)
    assert (kept.need(1).shots, kept.need(1).last_embedded, kept.need(1).settled) == (1, 3.0, False)
    shoot(kept, A, 0.6, at=4.0)
    assert kept.need(1).settled  # full
    kept.offer(1, CROP, quality(0.9), now=Monotonic(5.0))
    assert not kept.need(1).settled  # but this would be better
    kept.decide(1)
    assert kept.need(1).settled
    assert kept.undecide_all() == (1,)
    assert not kept.need(1).settled


def buffers(kept: TrackMemory, track: int = 1) -> list[np.ndarray]:
    own = kept._of[track]
    assert own.kept_aside is not None
    return [own.vectors, own.template, own.kept_aside.image, template(kept, track)]


def filled(track: int = 1) -> TrackMemory:
    kept = memory()
    kept.saw(track, now=Monotonic(0.0))
    shoot(kept, A, track=track)
    kept.offer(track, CROP, quality(0.9), now=Monotonic(0.2))
    return kept


def test_forgetting_fills_every_buffer_with_zeros() -> None:
    kept = filled()
    held = buffers(kept)
    assert all(array.any() for array in held)
    kept.forget(1)
    assert not any(array.any() for array in held)
    assert (kept.count, kept.evidence(1)) == (0, None)


def test_a_crop_is_overwritten_once_it_is_embedded() -> None:
    kept = filled()
    crop = kept.kept_aside(1)
    kept.add(1, B, now=Monotonic(0.3))
    assert crop is not None
    assert not crop.image.any()
    assert kept.kept_aside(1) is None


def test_the_memory_keeps_copies_not_the_callers_arrays() -> None:
    kept = memory()
    image, vector = CROP.copy(), A.copy()
    kept.offer(1, image, quality(), now=Monotonic(0))
    image.fill(0)
    crop = kept.kept_aside(1)
    assert crop is not None
    assert crop.image.min() == 77
    kept.add(1, vector, now=Monotonic(0))
    vector.fill(0)
    assert np.allclose(template(kept), A, atol=1e-6)


def test_nothing_outlives_its_last_sight_by_ten_seconds() -> None:
    kept = filled()
    held = buffers(kept)
    kept.saw(1, now=Monotonic(5.0))
    assert kept.expire(now=Monotonic(4.9 + KEEP_S)) == ()
    assert all(array.any() for array in held)
    assert kept.expire(now=Monotonic(5.0 + KEEP_S)) == (1,)
    assert not any(array.any() for array in held)


def test_a_merged_track_gives_its_shots_and_is_overwritten() -> None:
    kept = filled(track=2)
    shoot(kept, B, 0.4)
    kept.decide(1)
    held = buffers(kept, 2)
    kept.merge(2, 1)
    evidence = kept.evidence(1)
    assert evidence is not None
    assert evidence.shots == 2
    assert np.allclose(evidence.template.vector, unit(*(0.8 * A + 0.4 * B)), atol=1e-6)
    assert kept.need(1).settled
    assert 2 not in kept
    assert not any(array.any() for array in held)


def test_forgetting_all_or_somebody_unknown() -> None:
    kept = filled(track=2)
    kept.forget(99)
    kept.forget_all([2])
    assert (1 in kept, 2 in kept) == (True, False)
    kept.forget_all()
    assert kept.count == 0


def test_opposite_shots_do_not_break_the_template() -> None:
    kept = memory()
    shoot(kept, A, 0.8)
    kept._of[1].template[:] = -A  # so that the opposite passes for alike
    shoot(kept, -A, 0.8)
    assert np.linalg.norm(template(kept)) == pytest.approx(1)


def test_no_number_shows_in_a_repr() -> None:
    kept = filled()
    assert "0." not in repr(kept.evidence(1))
    assert "array" not in repr(kept._of[1])
