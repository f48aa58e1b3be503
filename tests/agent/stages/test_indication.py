"""What the lamp does."""

from __future__ import annotations

from typing import get_args

from agent.stages.indication import SIGNALS, TROUBLE, signal_for
from agent.values.states import State


def test_every_state_of_the_device_has_its_signal_and_no_two_look_alike() -> None:
    states = get_args(State)
    assert set(states) <= set(SIGNALS)
    looks = [(signal_for(state).on_ms, signal_for(state).off_ms) for state in states]
    assert len(set(looks)) == len(looks)


def test_lit_without_a_break_while_it_looks_and_only_then() -> None:
    steady = {state for state, signal in SIGNALS.items() if signal.on_ms and not signal.off_ms}
    assert steady == {"armed"}


def test_a_state_nobody_thought_of_looks_like_trouble() -> None:
    assert signal_for("melting") == TROUBLE
