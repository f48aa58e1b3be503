import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.stages.timeline import LIVE, MIN_STEP_S, RECORDED, REPLAYED, place

EPOCH = 1_800_000_000.0


def run(stamps, limits=LIVE, nows=None):
    """Place stamps given in seconds after EPOCH; `nows` defaults to real time from 50 s."""
    line, placed = None, []
    for i, stamp in enumerate(stamps):
        now = nows[i] if nows else 50.0 + stamp - stamps[0]
        line = place(line, EPOCH + stamp, limits=limits, now=now)
        placed.append(line)
    return placed


def times(placed):
    return [line.at for line in placed]


def test_first_frame_is_now_and_the_rest_follow_their_stamps():
    late_and_jittery = [50.0, 50.35, 50.36, 50.41]
    placed = run([0.0, 0.1, 0.2, 0.3], nows=late_and_jittery)
    assert times(placed) == pytest.approx([50.0, 50.1, 50.2, 50.3], abs=1e-6)
    assert placed[-1].anchored == 1


def test_a_clock_that_goes_back_is_anchored_anew_at_now():
    placed = run([0.0, 0.1, -3600.0, -3599.9], nows=[50.0, 50.1, 50.2, 50.3])
    assert times(placed) == pytest.approx([50.0, 50.1, 50.2, 50.3], abs=1e-6)
    assert placed[-1].anchored == 2


def test_a_clock_that_leaps_ahead_is_anchored_anew():
    placed = run([0.0, 0.1, 7200.0, 7200.1], REPLAYED, nows=[50.0, 50.1, 50.2, 50.3])
    assert times(placed) == pytest.approx([50.0, 50.1, 50.2, 50.3], abs=1e-6)
    assert placed[-1].anchored == 2


def test_a_real_silence_is_not_a_leap():
    placed = run([0.0, 0.1, 600.0], nows=[50.0, 50.1, 650.05])
    assert times(placed)[-1] == pytest.approx(650.0, abs=1e-6)
    assert placed[-1].anchored == 1


def test_equal_stamps_still_increase():
    assert times(run([0.0, 0.0, 0.0])) == pytest.approx([50.0, 50.0 + MIN_STEP_S, 50.0 + 2e-4])


def test_drift_of_a_live_clock_is_bounded():
    minutes = [i * 60.0 for i in range(600)]
    fast = run([t * 1.001 for t in minutes], nows=[50.0 + t for t in minutes])
    assert max(line.at - line.received for line in fast) <= LIVE.max_lead_s
    assert 1 < fast[-1].anchored < 60
    slow = run([t * 0.99 for t in minutes], nows=[50.0 + t for t in minutes])
    assert max(line.received - line.at for line in slow) <= LIVE.max_lag_s
    assert 1 < slow[-1].anchored < 60


def test_a_replay_faster_than_life_keeps_the_intervals():
    stamps = [i / 30 for i in range(3000)]
    placed = run(stamps, REPLAYED, nows=[50.0 + i / 3000 for i in range(3000)])
    assert times(placed) == pytest.approx([50.0 + t for t in stamps], abs=1e-6)
    assert placed[-1].anchored == 1


def test_a_file_may_leave_any_gap():
    placed = run([0.0, 900.0, 86_400.0], RECORDED, nows=[50.0, 50.0, 50.0])
    assert times(placed) == pytest.approx([50.0, 950.0, 86_450.0], abs=1e-6)


STAMPS = st.floats(-1e9, 1e9, allow_nan=False)
STEPS = st.floats(0, 1e4, allow_nan=False)


@given(st.lists(st.tuples(STAMPS, STEPS), min_size=1), st.sampled_from([LIVE, REPLAYED, RECORDED]))
def test_whatever_the_stamps_time_increases(events, limits):
    nows = [math.fsum(step for _, step in events[: i + 1]) for i in range(len(events))]
    at = times(run([stamp for stamp, _ in events], limits, nows))
    assert all(later > earlier for earlier, later in itertools.pairwise(at))


@given(st.lists(STAMPS, min_size=1), st.data())
def test_a_live_frame_is_never_far_from_now(stamps, data):
    steps = [data.draw(st.floats(0.01, 100)) for _ in stamps]
    nows = [math.fsum(steps[: i + 1]) for i in range(len(steps))]
    for line in run(stamps, LIVE, nows):
        assert -LIVE.max_lag_s <= line.at - line.received <= LIVE.max_lead_s + MIN_STEP_S


@given(st.lists(st.floats(0.001, 9.9), min_size=1), st.lists(STEPS, min_size=60, max_size=60))
def test_sane_stamps_keep_their_intervals(intervals, jitter):
    stamps = [0.0]
    for interval in intervals[:59]:
        stamps.append(stamps[-1] + interval)
    nows = [math.fsum(jitter[: i + 1]) for i in range(len(stamps))]
    at = times(run(stamps, REPLAYED, nows))
    assert [t - at[0] for t in at] == pytest.approx(stamps, abs=1e-5)
