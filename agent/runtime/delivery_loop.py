"""The thread that obeys the delivery core: reads the outbox, sends, commits what came back."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from agent.delivery import DeliveryCore, open_payload
from agent.errors import DiskError, RefusedError
from agent.ports import Clock, Outbox, Transport
from agent.runtime.delivery_status import Answer, DeliveryStatus, Event, Link, Woken
from agent.values import Gap, Monotonic, OutboxEntry, Send, SendResult, Wait, Wall

__all__ = ["DeliveryLoop", "DeliveryStatus"]

_LONGEST_SLEEP_S = 0.5
"""The caller wants a heartbeat every second."""
_DISK_PAUSE_S = 1.0
_UPKEEP_S = 2.0
_LATENCIES_KEPT = 4096
_IDS_TIMED = 10_000
_FOREVER = Monotonic(math.inf)


class DeliveryLoop:
    """Delivers what is in the outbox, until stopped.

    `start`, `stop`, `notify`, `drain`, `status` and `latencies_s` are for any thread. `connected`,
    `result` and `acknowledged` make it the `agent.ports.TransportEvents` of its transport: they
    only enqueue.

    Args:
        outbox: others may write to it meanwhile; they call `notify` after each `put`.
        transport: started and stopped here.
        core: the rules; touched by this loop's thread alone.
        clock: both times are read.
        beat: called at least once a second while the thread is well.
        finish: what goes out for an entry, and whether it is historical; called at every try.
            A ValueError of it parks the entry, a RefusedError (keys are locked) lets it pause.
        make_gap: the event that tells of lost ones; None: they are counted and not reported.
        upkeep: called every two seconds, to see whether a full disk has space again.
        on_delivered: told the id of each event that was confirmed, and when; must not wait.
        is_alert: whether an event counts as delivered.
    """

    def __init__(
        self,
        outbox: Outbox,
        transport: Transport,
        core: DeliveryCore,
        clock: Clock,
        beat: Callable[[], None],
        *,
        finish: Callable[[OutboxEntry, bool], bytes] = open_payload,
        make_gap: Callable[[Gap], OutboxEntry] | None = None,
        upkeep: Callable[[], None] | None = None,
        on_delivered: Callable[[str, Monotonic], None] | None = None,
        is_alert: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._core = core
        self._clock = clock
        self._beat = beat
        self._finish = finish
        self._make_gap = make_gap
        self._upkeep = upkeep
        self._on_delivered = on_delivered
        self._is_alert = is_alert
        self._next_upkeep = Monotonic(-math.inf)
        self._events: deque[Event] = deque()
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
        self._enqueue(Woken(entry_id, self._clock.monotonic()))

    def connected(self, up: bool, reason: str) -> None:
        self._enqueue(Link(up, reason))

    def result(self, entry_id: str, result: SendResult, reason: str) -> None:
        self._enqueue(Answer(entry_id, result, reason, self._clock.monotonic()))

    def acknowledged(self, entry_id: str) -> None:
        """The hub has the event; the transport has verified that it is the hub who says so."""
        self.result(entry_id, SendResult.CONFIRMED, "acknowledged by the hub")

    def unpark(self, entry_id: str | None = None) -> int:
        """Try refused entries again, all or one; for any thread. Returns how many there were."""
        count = self._outbox.unpark(entry_id)
        self.notify()
        return count

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
            self._look_after(now)
            empty, until = self._send_what_is_due(now)
            self._count_outbox()
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

    def _enqueue(self, event: Event) -> None:
        self._events.append(event)
        self._wake.set()

    def _take_events(self, now: Monotonic) -> None:
        while self._events:
            event = self._events.popleft()
            if isinstance(event, Link):
                self._core.connected(event.up, now=now)
                self._change(connected=event.up, last_error="" if event.up else event.reason)
            elif isinstance(event, Woken):
                self._time(event)
            elif self._core.settles(event.result):
                self._deliver(event, now)
            else:
                self._take_back(event, now)

    def _time(self, event: Woken) -> None:
        if event.entry_id is not None:
            self._since[event.entry_id] = event.at
            if len(self._since) > _IDS_TIMED:
                del self._since[next(iter(self._since))]

    def _deliver(self, first: Answer, now: Monotonic) -> None:
        """Erase what arrived, and all that arrived with it, in one commit; then tell the core: a
        failed commit counts as no answer. An event of an earlier run is erased like any other.
        """
        answers = [first]
        while self._events and isinstance(then := self._events[0], Answer):
            if not self._core.settles(then.result):
                break
            answers.append(then)
            self._events.popleft()
        try:
            erased = self._outbox.confirmed(*(answer.entry_id for answer in answers))
        except DiskError:
            for answer in answers:
                self._core.result(answer.entry_id, SendResult.RETRY, now=now)
            raise
        for answer in answers:
            self._core.result(answer.entry_id, answer.result, now=now)
            if answer.entry_id in erased:
                erased.discard(answer.entry_id)
                self._count_delivered(answer)

    def _count_delivered(self, answer: Answer) -> None:
        if self._is_alert(answer.entry_id):
            self._change(delivered=self._status.delivered + 1)
        if self._on_delivered is not None:
            self._on_delivered(answer.entry_id, answer.at)
        since = self._since.pop(answer.entry_id, None)
        if since is not None:
            self._latencies_s.append(answer.at - since)

    def _take_back(self, answer: Answer, now: Monotonic) -> None:
        """Neither delivered nor lost: the entry stays."""
        if answer.result is SendResult.REFUSED:
            try:
                self._outbox.park(answer.entry_id, answer.reason)
            except DiskError:
                self._core.result(answer.entry_id, SendResult.RETRY, now=now)
                raise
        known = self._core.result(answer.entry_id, answer.result, now=now)
        if not known or answer.result is SendResult.ACCEPTED:
            return
        self._change(last_error=f"{answer.entry_id}: {answer.reason}")
        if answer.result is SendResult.REFUSED:
            self._change(refused=self._status.refused + 1)

    def _look_after(self, now: Monotonic) -> None:
        """Now and then: give up what is too old, forget what is gone, let the disk recover."""
        if now < self._next_upkeep:
            return
        self._next_upkeep = Monotonic(now + _UPKEEP_S)
        if self._upkeep is not None:
            self._upkeep()
        expire_s = self._core.limits.expire_s
        if expire_s:
            self._outbox.expire(
                put_before=Monotonic(now - expire_s),
                created_before=Wall(self._clock.wall() - expire_s),
            )
        self._core.keep_only(self._outbox.present(self._core.known))
        self._outbox.tidy()

    def _send_what_is_due(self, now: Monotonic) -> tuple[bool, Monotonic]:
        """Whether there was nothing to send at all, and when something is due next."""
        if self._make_gap is not None and self._core.is_up:
            with suppress(RefusedError):  # the keys are locked: told once they are open
                self._outbox.report_gap(self._make_gap)
        live_since = self._core.live_since(now=now)
        pending = self._outbox.pending(self._core.look_ahead, live_since=live_since)
        sent: list[str] = []
        while isinstance(step := self._core.next_step(pending, now=now), Send):
            if self._send(step, now):
                sent.append(step.entry.id)
            elif step.entry.id not in self._core.known:  # parked
                pending.remove(step.entry)
        self._outbox.attempted(*sent)
        return not pending, step.until if isinstance(step, Wait) else _FOREVER

    def _send(self, step: Send, now: Monotonic) -> bool:
        entry = step.entry
        self._core.sent(entry.id, now=now)
        try:
            payload = self._finish(entry, step.historical)
        except (ValueError, RefusedError) as error:
            reason = f"it cannot be made ready to send: {error}"
            locked = isinstance(error, RefusedError)
            result = SendResult.RETRY if locked else SendResult.REFUSED
            self._take_back(Answer(entry.id, result, reason, now), now)
            return False
        expires_in_s = self._core.expires_in_s(step, now=now)
        self._transport.send(entry.id, entry.topic, payload, expires_in_s=expires_in_s)
        return True

    def _count_outbox(self) -> None:
        counts = self._outbox.counts()
        self._change(pending=counts.events, parked=counts.parked, given_up=counts.given_up)

    def _change(self, **fields: Any) -> None:
        self._status = replace(self._status, **fields)
