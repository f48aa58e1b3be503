"""What to send next: the rules of delivery, without clock, thread, disk or socket.

Invariants, whatever the order of calls:

- no id is handed over again while it is in flight;
- at most `in_flight` ids are in flight, and none while disconnected;
- an id leaves only by CONFIRMED or REFUSED; every other way out of flight (time-out, RETRY, a
  lost connection) makes it due again, the last at once, since the transport itself pauses
  before it reconnects;
- entries are offered in the order given, which is the outbox's: priority, then age. An entry in
  its pause holds up none behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.delivery.backoff import Backoff
from agent.values import DeliveryStep, Idle, Monotonic, OutboxEntry, Send, SendResult, Wait


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Bounds of delivery.

    Attributes:
        in_flight: events handed over and not yet answered, at most.
        ack_timeout_s: an unanswered event is sent again after this, s.
        backoff: pauses of an event that the receiver asked to retry.
    """

    in_flight: int
    ack_timeout_s: float
    backoff: Backoff


@dataclass(slots=True)
class _Known:
    """An id that was handed over at least once and is not settled.

    Attributes:
        deadline: of its answer; None when it is not in flight.
        not_before: earliest next try.
        failures: RETRY answers and time-outs so far.
    """

    deadline: Monotonic | None
    not_before: Monotonic
    failures: int = field(default=0)


class DeliveryCore:
    """The delivery state machine; holds what is in flight and what pauses.

    Args:
        limits: see `DeliveryLimits`.
        chance: uniform numbers in [0, 1), the jitter of the pauses.
    """

    def __init__(self, limits: DeliveryLimits, chance: Callable[[], float]) -> None:
        self._limits = limits
        self._chance = chance
        self._known: dict[str, _Known] = {}
        self._up = False

    @property
    def in_flight(self) -> int:
        return sum(known.deadline is not None for known in self._known.values())

    @property
    def look_ahead(self) -> int:
        """How many pending entries to read so that one that is due is among them, if any is."""
        return len(self._known) + self._limits.in_flight

    @property
    def is_up(self) -> bool:
        return self._up

    def connected(self, up: bool, *, now: Monotonic) -> None:
        """The transport came up or went down. What was in flight is due again."""
        self._up = up
        for known in self._known.values():
            if known.deadline is not None:
                known.deadline, known.not_before = None, now

    def next_step(self, pending: Iterable[OutboxEntry], *, now: Monotonic) -> DeliveryStep:
        """The one thing to do now.

        Args:
            pending: at least the first `look_ahead` entries of the outbox, in its order.
            now: monotonic seconds.
        """
        self._expire(now)
        if not self._up:
            return Idle()
        waiting = [entry for entry in pending if not entry.parked]
        if self.in_flight < self._limits.in_flight:
            for entry in waiting:
                if self._is_due(entry.id, now):
                    return Send(entry)
        return self._rest(waiting)

    def sent(self, entry_id: str, *, now: Monotonic) -> None:
        """The entry was handed to the transport."""
        known = self._known.setdefault(entry_id, _Known(None, now))
        known.deadline = Monotonic(now + self._limits.ack_timeout_s)

    def result(self, entry_id: str, result: SendResult, *, now: Monotonic) -> bool:
        """An answer arrived.

        Returns:
            False when the id is not awaited (settled before): there is nothing to do.
        """
        known = self._known.get(entry_id)
        if known is None:
            return False
        if result is SendResult.RETRY:
            self._pause(known, now)
        else:
            del self._known[entry_id]
        return True

    def _expire(self, now: Monotonic) -> None:
        for known in self._known.values():
            if known.deadline is not None and known.deadline <= now:
                known.deadline, known.not_before = None, now
                known.failures += 1

    def _pause(self, known: _Known, now: Monotonic) -> None:
        known.failures += 1
        pause = self._limits.backoff.pause_s(known.failures, self._chance())
        known.deadline, known.not_before = None, Monotonic(now + pause)

    def _is_due(self, entry_id: str, now: Monotonic) -> bool:
        known = self._known.get(entry_id)
        return known is None or (known.deadline is None and known.not_before <= now)

    def _rest(self, waiting: list[OutboxEntry]) -> DeliveryStep:
        """Sleep until the next answer is overdue or the next pause ends.

        Pauses count only while there is room to send into.
        """
        times = [known.deadline for known in self._known.values() if known.deadline is not None]
        if len(times) < self._limits.in_flight:
            for entry in waiting:
                known = self._known.get(entry.id)
                if known is not None and known.deadline is None:
                    times.append(known.not_before)
        return Wait(min(times)) if times else Idle()
