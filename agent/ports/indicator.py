"""What the officer and the people before him see and feel: a light, a vibration."""

from __future__ import annotations

from typing import Protocol

from agent.values.states import State


class Indicator(Protocol):
    """A light, a motor, or both."""

    def show(self, state: State) -> None:
        """The state now, at every change. Never waits, never raises: matching does not depend on
        it.
        """

    def refresh(self) -> None:
        """Every few seconds: what could not be shown is tried again, and a lamp that is lit without
        a break and went out, or away, and came back, is lit again.
        """
