"""Who is cut out and embedded, by need and by the clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import RecognitionConfig
from agent.stages.shots import NEVER, SPACING_S, Need, ShotSettings, slot_s, to_crop, to_embed
from agent.values import Monotonic

RATES = RecognitionConfig(shots_per_s=4, decided_shots_per_s=0.5, min_quality=0.3)
SETTINGS = ShotSettings(RATES, max_crops=3, max_batch=2)
NOW = Monotonic(100.0)


def need(track: int, *, ago: float | None = None, **changes: object) -> Need:
    """A need whose face was last cut out and embedded `ago` seconds ago."""
    then = NEVER if ago is None else Monotonic(NOW - ago)
    return Need(track, last_cropped=then, last_embedded=then, **changes)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (need(1), True),
        (need(1, ago=0.05), False),
        (need(1, ago=0.12), False),  # first half of the slot
        (need(1, ago=0.13), True),
        (need(1, ago=0.5, settled=True), False),
        (need(1, ago=1.0, settled=True), True),
    ],
)
def test_a_face_is_cut_out_in_the_second_half_of_its_slot(claim: Need, expected: bool) -> None:
    assert to_crop([claim], SETTINGS, now=NOW) == ((1,) if expected else ())


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (need(1, quality=0.8), True),
        (need(1), False),
        (need(1, quality=0.29), False),
        (need(1, ago=0.2, quality=0.8), False),
        (need(1, ago=0.25, quality=0.8), True),
        (need(1, ago=1.0, settled=True, quality=0.8), False),
        (need(1, ago=2.0, settled=True, quality=0.8), True),
    ],
)
def test_a_crop_is_embedded_at_the_end_of_its_slot(claim: Need, expected: bool) -> None:
    assert to_embed([claim], SETTINGS, now=NOW) == ((1,) if expected else ())


def test_a_crop_that_is_good_enough_is_not_replaced() -> None:
    assert to_crop([need(1, ago=0.2, quality=0.89)], SETTINGS, now=NOW) == (1,)
    assert to_crop([need(1, ago=0.2, quality=0.9)], SETTINGS, now=NOW) == ()


def test_the_same_picture_twice_is_not_two_shots_however_high_the_rate() -> None:
    fast = ShotSettings(RecognitionConfig(shots_per_s=30))
    assert to_crop([need(1, ago=0.05)], fast, now=NOW) == ()
    assert to_crop([need(1, ago=SPACING_S)], fast, now=NOW) == (1,)
    assert to_embed([need(1, ago=0.05, quality=0.9)], fast, now=NOW) == ()


def test_a_rate_of_zero_gives_the_settled_nothing() -> None:
    none = RecognitionConfig(decided_shots_per_s=0)
    assert slot_s(need(1, settled=True), none) == float("inf")
    late = need(1, ago=1e6, settled=True, quality=0.9)
    assert to_embed([late], ShotSettings(none), now=NOW) == ()


def test_who_needs_it_most_comes_first_and_the_caps_hold() -> None:
    claims = [
        need(1, ago=9, settled=True, shots=1, quality=0.85),
        need(2, ago=5, shots=2, quality=0.8),
        need(3, ago=5, shots=1, quality=0.5),
        need(4, ago=5, shots=1, quality=0.8),
        need(5, ago=6, shots=1, quality=0.4),
    ]
    assert len(to_crop(claims, SETTINGS, now=NOW)) == SETTINGS.max_crops
    assert to_embed(claims, SETTINGS, now=NOW) == (5, 4)


def test_faces_are_cut_out_in_turn_so_that_hopeless_ones_starve_nobody() -> None:
    last_cropped = dict.fromkeys(range(1, 9), NEVER)
    rounds = []
    for step in range(6):
        now = Monotonic(100 + step / 10)
        claims = [Need(track, last_cropped=at) for track, at in last_cropped.items()]
        rounds.append(to_crop(claims, SETTINGS, now=now))
        last_cropped.update(dict.fromkeys(rounds[-1], now))
    assert rounds[:3] == [(1, 2, 3), (4, 5, 6), (7, 8, 1)]
    assert {track for chosen in rounds for track in chosen} == set(range(1, 9))


def test_the_settled_are_cut_out_last() -> None:
    claims = [need(1, ago=9, settled=True), need(2, ago=0.2), need(3), need(4)]
    assert to_crop(claims, SETTINGS, now=NOW) == (3, 4, 2)


needs = st.lists(
    st.builds(
        need,
        st.integers(1, 50),
        ago=st.one_of(st.none(), st.floats(0, 5)),
        settled=st.booleans(),
        shots=st.integers(0, 12),
        quality=st.floats(0, 1),
    ),
    unique_by=lambda claim: claim.track,
)


@settings(max_examples=50, deadline=None)
@given(needs)
def test_the_choice_does_not_depend_on_the_order_of_asking(claims: list[Need]) -> None:
    forward = to_embed(claims, SETTINGS, now=NOW)
    assert forward == to_embed(claims[::-1], SETTINGS, now=NOW)
    assert len(forward) <= SETTINGS.max_batch
    quality = {claim.track: claim.quality for claim in claims}
    assert all(quality[track] >= RATES.min_quality for track in forward)
