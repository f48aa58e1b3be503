"""What the device is doing now, in one place: for MQTT, the service manager and `ctl status`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from agent.ports import Clock
from agent.values import Wall

State = Literal["off", "disarmed", "arming", "armed", "degraded", "locked"]


@dataclass(frozen=True, slots=True)
class Condition:
    """Everything that the state follows from.

    Attributes:
        armed: matching is on.
        why: the reason given for arming or disarming.
        camera: what is wrong with the camera; empty when nothing is.
        watchlist: what is wrong with the list; empty when nothing is.
        sync: why no newer list is taken; empty when nothing is wrong.
        storage: what is wrong with the disk; empty when nothing is.
        effort: why the device cannot do as much as the policy asks; empty when it can.
        monitor: what the monitor of false alerts says against matching; empty when nothing.
        locked: how to unlock the store; empty when nothing is locked.
        list_id: of the list in use.
        list_version: its version.
    """

    armed: bool = False
    why: str = "not armed yet"
    camera: str = ""
    watchlist: str = ""
    sync: str = ""
    storage: str = ""
    effort: str = ""
    monitor: str = ""
    locked: str = ""
    list_id: str = ""
    list_version: int = 0

    @property
    def state(self) -> State:
        """Trouble first: an armed device that sees nothing must not look healthy."""
        if self.locked:
            return "locked"
        if any((self.camera, self.watchlist, self.sync, self.storage, self.effort, self.monitor)):
            return "degraded"
        return "armed" if self.armed else "disarmed"

    @property
    def reason(self) -> str:
        """Why, in one line for an operator."""
        troubles = (
            self.locked,
            self.camera,
            self.watchlist,
            self.sync,
            self.storage,
            self.effort,
            self.monitor,
        )
        trouble = "; ".join(text for text in troubles if text)
        if not trouble:
            return self.why
        return f"{'armed' if self.armed else 'disarmed'}; {trouble}"


Listener = Callable[[Condition, Wall], None]


class Board:
    """The condition now, changed by any thread; listeners hear of every change, in order."""

    def __init__(self, clock: Clock, condition: Condition | None = None) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._condition = condition or Condition()
        self._since = clock.wall()
        self._listeners: list[Listener] = []

    @property
    def condition(self) -> Condition:
        with self._lock:
            return self._condition

    @property
    def since(self) -> Wall:
        """Wall-clock seconds of the latest change of state or reason."""
        with self._lock:
            return self._since

    def listen(self, listener: Listener) -> None:
        """Call `listener` now and at every change."""
        with self._lock:
            self._listeners.append(listener)
            listener(self._condition, self._since)

    def armed(self, why: str) -> None:
        self._change(armed=True, why=why)

    def disarmed(self, why: str) -> None:
        self._change(armed=False, why=why)

    def camera(self, problem: str) -> None:
        self._change(camera=problem)

    def watchlist(self, problem: str) -> None:
        self._change(watchlist=problem)

    def sync(self, problem: str) -> None:
        self._change(sync=problem)

    def effort(self, problem: str) -> None:
        self._change(effort=problem)

    def locked(self, how_to_unlock: str) -> None:
        self._change(locked=how_to_unlock)

    def storage(self, problem: str) -> None:
        self._change(storage=problem)

    def monitor(self, problem: str) -> None:
        self._change(monitor=problem)

    def list_in_use(self, list_id: str, version: int) -> None:
        self._change(list_id=list_id, list_version=version, watchlist="")

    def _change(self, **changes: object) -> None:
        with self._lock:
            before = self._condition
            after = replace(before, **changes)  # type: ignore[arg-type]
            if after == before:
                return
            self._condition = after
            if (after.state, after.reason) != (before.state, before.reason):
                self._since = self._clock.wall()
            for listener in self._listeners:
                listener(after, self._since)
