"""The table of what the device is doing."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.policy.states import DISARMING, TABLE, Cause, Mode, after, shown
from agent.values.states import State


def test_nothing_leads_to_armed_but_a_granted_request() -> None:
    assert [row for row, mode in TABLE.items() if mode is Mode.ARMED] == [
        (Mode.ARMING, Cause.GRANTED)
    ]
    assert [row for row, mode in TABLE.items() if mode is Mode.ARMING] == [
        (Mode.DISARMED, Cause.ASKED)
    ]


@pytest.mark.parametrize("cause", sorted(DISARMING))
def test_everything_that_disarms_disarms_what_is_armed(cause: Cause) -> None:
    assert after(Mode.ARMED, cause) is Mode.DISARMED
    assert after(Mode.LOCKED, cause) is Mode.LOCKED


def test_each_cause_and_mode_has_a_row() -> None:
    assert {cause for _, cause in TABLE} == set(Cause)
    assert {mode for mode, _ in TABLE} == set(Mode)


@given(st.lists(st.sampled_from(Cause)))
def test_whatever_happens_armed_follows_asked_and_granted(causes: list[Cause]) -> None:
    mode = Mode.OFF
    for number, cause in enumerate(causes):
        before, mode = mode, after(mode, cause)
        if mode is Mode.ARMED and before is not Mode.ARMED:
            assert cause is Cause.GRANTED
            assert Cause.ASKED in causes[:number]


def test_trouble_shows() -> None:
    assert {shown(mode, trouble=False) for mode in Mode} | {"degraded"} == set(get_args(State))
    assert shown(Mode.ARMED, trouble=True) == shown(Mode.DISARMED, trouble=True) == "degraded"
    assert shown(Mode.LOCKED, trouble=True) == "locked"
