"""What the officer and the people before him see and feel: a light, a vibration."""

from __future__ import annotations

from typing import Protocol

from agent.values.states import State


class Indicator(Protocol):
    """A light, a motor, or both."""

    def show(self, state: State) -> None:
        """The state now, at every change. Never waits.

        Raises:
            OSError: it cannot be shown; matching does not depend on it.
        """
