"""Which cameras are there, and which of them are silent although they should not be.

A camera's own word about its end (`online` false) comes from the camera, or from the broker as its
last will. The late death of an old session says nothing about the present one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.messages import StateMessage
from agent.messages.health import HealthMessage

_MISSED: Final = 3.0
"""Health messages in a row that may get lost."""


@dataclass(slots=True)
class Seen:
    """A camera as the hub sees it.

    Attributes:
        state, health: the newest word; None before the first.
        heard: monotonic seconds of the last message of its own.
        silent: it was complained about.
        events: that arrived since the start.
    """

    heard: float
    state: StateMessage | None = None
    health: HealthMessage | None = None
    silent: bool = False
    events: int = 0


@dataclass
class DeviceWatch:
    """Attributes:
    limit_s: silence of a camera that said it is online, until it is complained about; longer for
        one that told that its health messages are rarer. 0: never.
    cameras: by name.
    """

    limit_s: float
    cameras: dict[str, Seen] = field(default_factory=dict)

    def heard(self, names: Sequence[str], *, now: float) -> list[str]:
        """Cameras sent something. Returns those that had been complained about."""
        back = []
        for name in names:
            seen = self._seen(name, now)
            seen.heard = now
            if seen.silent:
                seen.silent = False
                back.append(name)
        return back

    def said(self, name: str, state: StateMessage, *, now: float) -> bool:
        """A camera's state. False: of a session that is over."""
        seen = self._seen(name, now)
        if seen.state is not None and state.session < seen.state.session:
            return False
        seen.state = state
        seen.silent = seen.silent and state.online
        return True

    def told(self, name: str, health: HealthMessage, *, now: float) -> None:
        """A camera's health."""
        self._seen(name, now).health = health

    def raised(self, name: str, *, now: float) -> None:
        """An event of its own arrived."""
        self._seen(name, now).events += 1

    def silent(self, *, now: float) -> list[str]:
        """Cameras that have just become suspiciously silent."""
        found = []
        for name, seen in self.cameras.items():
            online = seen.state is not None and seen.state.online
            limit_s = max(self.limit_s, _MISSED * seen.health.every_s if seen.health else 0.0)
            if self.limit_s and online and not seen.silent and now - seen.heard >= limit_s:
                seen.silent = True
                found.append(name)
        return found

    def _seen(self, name: str, now: float) -> Seen:
        return self.cameras.setdefault(name, Seen(now))
