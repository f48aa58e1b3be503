"""The thread that obeys the delivery core: reads the outbox, sends, commits what came back."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from agent.delivery import DeliveryCore
from agent.errors import DiskError
from agent.ports import Clock, Outbox, Transport
from agent.values import Monotonic, OutboxEntry, Send, SendResult, Wait

_LONGEST_SLEEP_S = 0.5
"""The caller wants a heartbeat every second."""
_DISK_PAUSE_S = 1.0
_LATENCIES_KEPT = 4096
_IDS_TIMED = 10_000
_FOREVER = Monotonic(math.inf)


@dataclass(frozen=True, slots=True)
class _Woken:
    """There may be something new in the outbox."""

    entry_id: str | None
    at: Monotonic


@dataclass(frozen=True, slots=True)
class _Link:
    up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Answer:
    entry_id: str
    result: SendResult
    reason: str
    at: Monotonic


_Event: TypeAlias = _Woken | _Link | _Answer


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Where delivery stands.

    Attributes:
        delivered: events confirmed since the start.
        refused: events refused for good since the start; parked in the outbox.
        pending: events in the outbox, parked ones included.
        connected: the transport is up.
        last_error: the latest trouble in one line; empty once connected again.
    """

    delivered: int = 0
    refused: int = 0
    pending: int = 0
    connected: bool = False
    last_error: str = ""


class DeliveryLoop:
    """Delivers what is in the outbox, until stopped.

    `start`, `stop`, `notify`, `drain`, `status` and `latencies_s` are for any thread. `connected`
    and `result` make it the `agent.ports.TransportEvents` of its transport: they only enqueue.

    Args:
        outbox: others may write to it meanwhile; they call `notify` after each `put`.
        transport: started and stopped here.
        core: the rules; touched by this loop's thread alone.
        clock: monotonic time is read.
        beat: called at least once a second while the thread is well.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        core: DeliveryCore,
        clock: Clock,
        beat: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._core = core
        self._clock = clock
        self._beat = beat
        self._events: deque[_Event] = deque()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._asked = 0
        self._settled_up_to = -1
        self._since: dict[str, Monotonic] = {}
        self._latencies_s: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._status = DeliveryStatus()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._transport.start(self)

    def notify(self, entry_id: str | None = None) -> None:
        """An entry was committed just now; with its id its alert-to-ack latency is measured."""
        self._enqueue(_Woken(entry_id, self._clock.monotonic()))

    def connected(self, up: bool, reason: str) -> None:
        self._enqueue(_Link(up, reason))

    def result(self, entry_id: str, result: SendResult, reason: str) -> None:
        self._enqueue(_Answer(entry_id, result, reason, self._clock.monotonic()))

    @property
    def status(self) -> DeliveryStatus:
        return self._status

    def latencies_s(self) -> list[float]:
        """From `notify` to the confirmation, s; the latest few thousand."""
        return list(self._latencies_s)

    def drain(self, timeout_s: float) -> int:
        """Wait until nothing that can be sent is left, or the time is over.

        Returns:
            How many events are left in the outbox, parked ones included.
        """
        with self._changed:
            self._asked += 1
            mine = self._asked
        self.notify()
        with self._changed:
            self._changed.wait_for(
                lambda: self._settled_up_to >= mine or self._stopping.is_set(), timeout_s
            )
        return self._outbox.depth()

    def stop(self, final_state: bytes | None = None) -> None:
        """End the thread, publish a last state, disconnect. Safe to call twice, or unstarted."""
        self._stopping.set()
        self._wake.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._transport.stop(final_state)
        with suppress(DiskError):  # what was confirmed while stopping need not be sent again
            self._take_events(self._clock.monotonic())

    def turn(self, *, now: Monotonic) -> Monotonic:
        """Take in what happened and do all that is due; returns when something is due next.

        This is the body of the thread; tests call it without one.
        """
        asked = self._asked
        try:
            self._take_events(now)
            empty, until = self._send_what_is_due(now)
            self._change(pending=self._outbox.depth())
        except DiskError as error:
            self._change(last_error=str(error))
            return Monotonic(now + _DISK_PAUSE_S)
        if empty:
            with self._changed:
                self._settled_up_to = asked
                self._changed.notify_all()
        return until

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat()
            now = self._clock.monotonic()
            until = self.turn(now=now)
            self._wake.wait(min(max(0.0, until - now), _LONGEST_SLEEP_S))
            self._wake.clear()

    def _enqueue(self, event: _Event) -> None:
        self._events.append(event)
        self._wake.set()

    def _take_events(self, now: Monotonic) -> None:
        while self._events:
            self._take(self._events.popleft(), now)

    def _take(self, event: _Event, now: Monotonic) -> None:
        if isinstance(event, _Link):
            self._core.connected(event.up, now=now)
            self._change(connected=event.up, last_error="" if event.up else event.reason)
        elif isinstance(event, _Answer):
            self._settle(event, now)
        elif event.entry_id is not None:
            self._since[event.entry_id] = event.at
            if len(self._since) > _IDS_TIMED:
                del self._since[next(iter(self._since))]

    def _settle(self, answer: _Answer, now: Monotonic) -> None:
        """Commit an answer, then tell the core: a failed commit counts as no answer."""
        try:
            if answer.result is SendResult.CONFIRMED:
                self._outbox.confirmed(answer.entry_id)
            elif answer.result is SendResult.REFUSED:
                self._outbox.park(answer.entry_id, answer.reason)
        except DiskError:
            self._core.result(answer.entry_id, SendResult.RETRY, now=now)
            raise
        if self._core.result(answer.entry_id, answer.result, now=now):
            self._count(answer)

    def _count(self, answer: _Answer) -> None:
        if answer.result is not SendResult.CONFIRMED:
            self._change(last_error=f"{answer.entry_id}: {answer.reason}")
        if answer.result is SendResult.REFUSED:
            self._change(refused=self._status.refused + 1)
        elif answer.result is SendResult.CONFIRMED:
            self._change(delivered=self._status.delivered + 1)
            since = self._since.pop(answer.entry_id, None)
            if since is not None:
                self._latencies_s.append(answer.at - since)

    def _send_what_is_due(self, now: Monotonic) -> tuple[bool, Monotonic]:
        """Whether there was nothing to send at all, and when something is due next."""
        pending = self._outbox.pending(self._core.look_ahead)
        while isinstance(step := self._core.next_step(pending, now=now), Send):
            self._send(step.entry, now)
        return not pending, step.until if isinstance(step, Wait) else _FOREVER

    def _send(self, entry: OutboxEntry, now: Monotonic) -> None:
        self._core.sent(entry.id, now=now)
        self._transport.send(entry.id, entry.topic, entry.payload)
        self._outbox.attempted(entry.id)

    def _change(self, **fields: Any) -> None:
        self._status = replace(self._status, **fields)
