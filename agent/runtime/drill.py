"""Test alerts: about nobody, to the agency and back, for the start of a shift."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agent.delivery import EventWriter, drill_alert
from agent.errors import DiskError, MissingFileError, RefusedError
from agent.messages import TEST_ID
from agent.messages.control import ControlRequest
from agent.policy import Policy
from agent.ports import Clock, Outbox
from agent.values import Monotonic, Wall, WatchlistRef

_REMEMBERED: Final = 16
"""Test alerts whose fate is known; asking for more of them forgets the oldest."""


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


@dataclass(slots=True)
class _Trial:
    began: Monotonic
    confirmed: Monotonic | None = None


class Drill:
    """Raises test alerts and follows them. For any thread. Needs no arming: nobody is matched.

    Args:
        outbox: they are committed here, like any alert.
        events: writes them, in clear or sealed.
        notify: tells delivery of a committed event.
        watchlist: in use now; its id may be empty.
        policy: in force now.
        confirm: whose word counts as delivered, `hub` or `broker`.
        ledger, clock: as everywhere.
        new_id: a ULID for a wall-clock time.
    """

    def __init__(
        self,
        outbox: Outbox,
        events: EventWriter,
        notify: Callable[[], None],
        watchlist: Callable[[], WatchlistRef],
        *,
        policy: Callable[[], Policy],
        confirm: str,
        ledger: Ledger,
        clock: Clock,
        new_id: Callable[[Wall], str],
    ) -> None:
        self._outbox = outbox
        self._events = events
        self._notify = notify
        self._watchlist = watchlist
        self._policy = policy
        self._confirm = confirm
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._lock = threading.Lock()
        self._trials: dict[str, _Trial] = {}

    def __call__(self, request: ControlRequest, uid: int) -> dict[str, Any]:
        """Answer `ctl test-alert` of the user `uid`: raise one, or tell of the one it names.

        Raises:
            RefusedError: the policy forbids it, or the keys are locked; recorded.
            DiskError: it could not be kept.
            MissingFileError: there was no such test alert.
        """
        if request.event:
            return self._fate(request.event)
        try:
            event = self._raise()
        except RefusedError as error:
            reason = " ".join(str(error).split())[:200]
            self._ledger.append("refusal", what="test-alert", reason=reason, uid=uid)
            raise
        self._ledger.append("test-alert", event=event, uid=uid)
        return self._fate(event)

    def delivered(self, event: str, at: Monotonic) -> None:
        """An event was confirmed, whichever it is."""
        with self._lock:
            trial = self._trials.get(event)
            if trial is not None and trial.confirmed is None:
                trial.confirmed = at

    def _raise(self) -> str:
        policy = self._policy()
        if not policy.test_alerts:
            raise RefusedError("the policy allows no test alerts")
        wall = self._clock.wall()
        event, now = self._new_id(wall), self._watchlist()
        watchlist = WatchlistRef(now.id or "none", now.version)
        alert = drill_alert(event, TEST_ID, watchlist, now=wall, policy=policy.digest)
        entry = self._events.match(alert)
        with self._lock:
            self._trials[event] = _Trial(self._clock.monotonic())
            if len(self._trials) > _REMEMBERED:
                del self._trials[next(iter(self._trials))]
        if not self._outbox.put(entry):
            raise DiskError("there is no room for the test alert; free some space")
        self._notify()
        return event

    def _fate(self, event: str) -> dict[str, Any]:
        with self._lock:
            trial = self._trials.get(event)
        if trial is None:
            raise MissingFileError(f"no test alert {event} was raised since the start")
        done = trial.confirmed
        seconds = None if done is None else round(done - trial.began, 3)
        return {"event": event, "confirmed": done is not None, "by": self._confirm, "s": seconds}
