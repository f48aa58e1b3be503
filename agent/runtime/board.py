"""What the device is doing now, in one place: for MQTT, systemd, the LED and `ctl status`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.policy.states import Cause, Mode, after, shown
from agent.ports import Clock
from agent.values import Wall
from agent.values.states import State

_TYPED = {
    Cause.OPERATOR: "disarmed by an operator",
    Cause.COMMAND: "disarmed by a command",
    Cause.ARMED_ANEW: "armed anew",
}
"""Causes whose reason somebody wrote: it may name a person, and is for the audit log alone."""
_NOBODY = "the watchlist is empty: no alert is possible"


@dataclass(frozen=True, slots=True)
class Condition:
    """Everything that the state follows from.

    Attributes:
        mode: what the device does; changed by causes alone, see `agent.policy.states`.
        cause: of the latest change.
        why: the reason given for arming or disarming.
        told: the same in words of the program alone, for whoever may listen to the broker.
        camera: what is wrong with the camera; empty when nothing is.
        watchlist: what is wrong with the list; empty when nothing is.
        sync: why no newer list is taken; empty when nothing is wrong.
        storage: what is wrong with the disk; empty when nothing is.
        effort: why the device cannot do as much as the policy asks; empty when it can.
        monitor: what the monitor of false alerts says against matching; empty when nothing.
        rules: why the rules forbid all matching; empty when they do not.
        locked: how to unlock the store; empty when nothing is locked.
        list_id: of the list in use.
        list_version: its version.
        templates: that may be found now; None before a list is in service.
        policy: name and version of the policy in force.
        test: under it, every event is a test.
        authorisation: armed under; empty while disarmed.
        ends: of that, wall seconds; None: never, or disarmed.
        refusal: why it was not armed when that was asked for last; empty once it was.
        refused_at: when, wall seconds.
    """

    mode: Mode = Mode.DISARMED
    cause: Cause = Cause.STARTED
    why: str = "not armed yet"
    told: str = "not armed yet"
    camera: str = ""
    watchlist: str = ""
    sync: str = ""
    storage: str = ""
    effort: str = ""
    monitor: str = ""
    rules: str = ""
    locked: str = ""
    list_id: str = ""
    list_version: int = 0
    templates: int | None = None
    policy: str = ""
    test: bool = True
    authorisation: str = ""
    ends: Wall | None = None
    refusal: str = ""
    refused_at: Wall | None = None

    @property
    def armed(self) -> bool:
        """Matching is on."""
        return self.mode is Mode.ARMED

    @property
    def state(self) -> State:
        """Trouble first: an armed device that sees nothing must not look healthy."""
        return "locked" if self.locked else shown(self.mode, trouble=bool(self._troubles))

    @property
    def reason(self) -> str:
        """Why, in one line for an operator."""
        return self._line(self.why)

    @property
    def told_reason(self) -> str:
        """The same without anything that a person wrote."""
        return self._line(self.told)

    def _line(self, why: str) -> str:
        trouble = "; ".join(text for text in (self.locked, *self._troubles) if text)
        if not trouble:
            return why
        return f"{'armed' if self.armed else 'disarmed'}; {trouble}"

    @property
    def _troubles(self) -> tuple[str, ...]:
        rules = "" if self.locked else self.rules  # a locked store holds them too
        disk, power, false_alerts = self.storage, self.effort, self.monitor
        listed = self.watchlist or (_NOBODY if self.templates == 0 and not self.locked else "")
        found = (self.camera, listed, self.sync, disk, power, false_alerts, rules)
        return tuple(text for text in found if text)


Listener = Callable[[Condition, Wall], None]


class Board:
    """The condition now, changed by any thread; listeners hear of every change, in order."""

    def __init__(self, clock: Clock, condition: Condition | None = None) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._condition = condition or Condition()
        self._since = clock.wall()
        self._before = self._condition
        self._listeners: list[Listener] = []
        if self._condition.locked:
            self._condition = _moved(self._condition, Cause.LOCKED)

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

    def arming(self, why: str) -> None:
        self._before = self.condition
        self._change(Cause.ASKED, why=why, told="arming")

    def armed(self, why: str, authorisation: str = "", ends: Wall | None = None) -> None:
        self._change(
            Cause.GRANTED,
            why=why,
            told="armed",
            authorisation=authorisation,
            ends=ends,
            refusal="",
            refused_at=None,
        )

    def renewed(self, authorisation: str, ends: Wall | None) -> None:
        """Still armed; the agency may have set another end."""
        self._change(authorisation=authorisation, ends=ends)

    def refused(self, why: str) -> None:
        """It is disarmed for the reason for which it was, and the refusal stands beside that."""
        self._change(
            Cause.REFUSED,
            as_before=self._before.cause,
            why=self._before.why,
            told="arming was refused; see the audit log",
            refusal=why,
            refused_at=self._clock.wall(),
        )

    def disarmed(self, why: str, cause: Cause) -> None:
        told = _TYPED.get(cause, why)
        self._change(cause, why=why, told=told, authorisation="", ends=None)

    def camera(self, problem: str) -> None:
        self._change(camera=problem)

    def watchlist(self, problem: str) -> None:
        self._change(watchlist=problem)

    def sync(self, problem: str) -> None:
        self._change(sync=problem)

    def effort(self, problem: str) -> None:
        self._change(effort=problem)

    def locked(self, how_to_unlock: str) -> None:
        self._change(Cause.LOCKED if how_to_unlock else Cause.UNLOCKED, locked=how_to_unlock)

    def storage(self, problem: str) -> None:
        self._change(storage=problem)

    def monitor(self, problem: str) -> None:
        self._change(monitor=problem)

    def rules(self, problem: str) -> None:
        self._change(rules=problem)

    def policy(self, name: str, version: int, *, test: bool) -> None:
        self._change(policy=f"{name} v{version}", test=test)

    def list_in_use(self, list_id: str, version: int, templates: int) -> None:
        self._change(list_id=list_id, list_version=version, templates=templates, watchlist="")

    def stopped(self, why: str) -> None:
        self._change(Cause.STOPPED, why=why, told=why)

    def _change(
        self, cause: Cause | None = None, *, as_before: Cause | None = None, **changes: object
    ) -> None:
        with self._lock:
            before = self._condition
            now = replace(before, **changes)  # type: ignore[arg-type]
            if cause is not None:
                now = _moved(now, cause)
            if as_before is not None:
                now = replace(now, cause=as_before)
            if now == before:
                return
            self._condition = now
            if (now.state, now.reason) != (before.state, before.reason):
                self._since = self._clock.wall()
            for listener in self._listeners:
                listener(now, self._since)


def _moved(condition: Condition, cause: Cause) -> Condition:
    mode = after(condition.mode, cause)
    return condition if mode is condition.mode else replace(condition, mode=mode, cause=cause)
