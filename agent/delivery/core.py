"""What to send next: the rules of delivery, without clock, thread, disk or socket.

Invariants, whatever the order of calls:

- no id is handed over again while it is in flight;
- at most `in_flight` ids are in flight, and none while disconnected;
- an id leaves only when what counts as delivered is said of it (`confirm`), or by REFUSED; every
  other way out of flight (time-out, RETRY, GONE, a lost connection) makes it due again;
- with `confirm: hub` the broker's acceptance frees the place in flight, no more: the id is due
  again when the hub's word does not come in time;
- live before historical, then priority, then the order given. An entry in its pause holds up
  none behind it. An entry is historical from `live_for_s` on, and when its age cannot be proved;
- what the hub has not confirmed holds up historical entries, never a live one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum

from agent.delivery.backoff import Backoff
from agent.delivery.limits import DeliveryLimits
from agent.values import DeliveryStep, Idle, Monotonic, OutboxEntry, Send, SendResult, Wait


class _Place(Enum):
    """Where an id is: with the transport, with the broker, or back with us."""

    FLYING = "flying"
    ACCEPTED = "accepted"
    RESTING = "resting"


@dataclass(slots=True)
class _Known:
    """An id that was handed over at least once and is not settled.

    Attributes:
        place: see `_Place`.
        due: when its answer is overdue, or its pause ends.
        sent: the latest hand-over.
        failures: tries in a row that ended without an answer or with RETRY.
    """

    place: _Place
    due: Monotonic
    sent: Monotonic
    failures: int = field(default=0)


class DeliveryCore:
    """The delivery state machine; holds what is under way and what pauses.

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
    def limits(self) -> DeliveryLimits:
        return self._limits

    @property
    def in_flight(self) -> int:
        """Handed over, and not answered by the broker."""
        return self._count(_Place.FLYING)

    @property
    def unconfirmed(self) -> int:
        """With the broker, and not confirmed by the hub."""
        return self._count(_Place.ACCEPTED)

    @property
    def look_ahead(self) -> int:
        """How many pending entries to read so that one that is due is among them, if any is."""
        return len(self._known) + self._limits.in_flight

    @property
    def known(self) -> frozenset[str]:
        """Ids that were handed over and are not settled."""
        return frozenset(self._known)

    @property
    def is_up(self) -> bool:
        return self._up

    def live_since(self, *, now: Monotonic) -> Monotonic:
        """What was put after this is live; at it or before, historical."""
        return Monotonic(now - self._limits.live_for_s)

    def is_live(self, entry: OutboxEntry, *, now: Monotonic) -> bool:
        """Whether the entry is provably younger than `live_for_s`."""
        return entry.at is not None and entry.at > self.live_since(now=now)

    def expires_in_s(self, step: Send, *, now: Monotonic) -> float | None:
        """How long the broker may keep what is sent as live, s; None: as long as it likes.

        Only where the hub's word counts: there, what the broker drops is sent again, as historical.
        """
        if step.historical or step.entry.at is None or self._limits.confirm == "broker":
            return None
        return step.entry.at + self._limits.live_for_s - now

    def connected(self, up: bool, *, now: Monotonic) -> None:
        """The transport came up or went down. What was in flight is due again at once, since the
        transport itself pauses before it reconnects; what the broker took, the broker has.
        """
        self._up = up
        for known in self._known.values():
            if known.place is _Place.FLYING:
                known.place, known.due = _Place.RESTING, now

    def next_step(self, pending: Iterable[OutboxEntry], *, now: Monotonic) -> DeliveryStep:
        """The one thing to do now.

        Args:
            pending: at least the first `look_ahead` entries of the outbox, by `live_since`,
                priority and age.
            now: monotonic seconds.
        """
        self._overdue(now)
        if not self._up:
            return Idle()
        waiting = self._in_order(pending, now)
        if self.in_flight < self._limits.in_flight:
            for entry in waiting:
                if self._may_go(entry, now):
                    return Send(entry, historical=not self.is_live(entry, now=now))
        return self._rest(waiting, now)

    def sent(self, entry_id: str, *, now: Monotonic) -> None:
        """The entry was handed to the transport."""
        due = Monotonic(now + self._limits.ack_timeout_s)
        known = self._known.setdefault(entry_id, _Known(_Place.FLYING, due, now))
        known.place, known.due, known.sent = _Place.FLYING, due, now

    def settles(self, result: SendResult) -> bool:
        """Whether this result means delivered, so that the entry is to leave the outbox."""
        if result is SendResult.ACCEPTED:
            return self._limits.confirm == "broker"
        return result is SendResult.CONFIRMED

    def result(self, entry_id: str, result: SendResult, *, now: Monotonic) -> bool:
        """An answer arrived, from the transport or from the hub.

        Returns:
            False when the id is not awaited (settled before, or handed over by an earlier run):
            nothing changed here.
        """
        known = self._known.get(entry_id)
        if known is None:
            return False
        if self.settles(result) or result is SendResult.REFUSED:
            del self._known[entry_id]
        elif result is SendResult.ACCEPTED:
            self._accepted(known, now)
        elif result is SendResult.GONE:
            known.place, known.due = _Place.RESTING, now
        else:
            self._pause(known, now)
        return True

    def keep_only(self, ids: Collection[str]) -> None:
        """Forget what is known of all other ids: they left the outbox without an answer."""
        for entry_id in self._known.keys() - set(ids):
            del self._known[entry_id]

    def _count(self, place: _Place) -> int:
        return sum(known.place is place for known in self._known.values())

    def _overdue(self, now: Monotonic) -> None:
        for known in self._known.values():
            if known.place is not _Place.RESTING and known.due <= now:
                known.place, known.due = _Place.RESTING, now
                known.failures += 1

    def _accepted(self, known: _Known, now: Monotonic) -> None:
        """The broker took it: the hub's turn. Patience grows while the hub is silent."""
        if known.place is _Place.ACCEPTED:
            return
        wait_s = self._limits.ack_timeout_s
        if known.failures:
            patience = Backoff(wait_s, self._limits.longest_ack_s)
            wait_s = max(wait_s, patience.pause_s(known.failures + 1, self._chance()))
        known.place, known.due = _Place.ACCEPTED, max(now, Monotonic(known.sent + wait_s))

    def _pause(self, known: _Known, now: Monotonic) -> None:
        known.failures += 1
        pause = self._limits.backoff.pause_s(known.failures, self._chance())
        known.place, known.due = _Place.RESTING, Monotonic(now + pause)

    def _in_order(self, pending: Iterable[OutboxEntry], now: Monotonic) -> list[OutboxEntry]:
        """Sorting is stable: equals stay in the order given."""
        waiting = [entry for entry in pending if not entry.parked]
        waiting.sort(key=lambda entry: (not self.is_live(entry, now=now), -entry.priority))
        return waiting

    def _may_go(self, entry: OutboxEntry, now: Monotonic) -> bool:
        known = self._known.get(entry.id)
        due = known is None or (known.place is _Place.RESTING and known.due <= now)
        return due and not self._held_back(entry, now)

    def _held_back(self, entry: OutboxEntry, now: Monotonic) -> bool:
        """A silent hub must not make the broker hoard the whole outbox, again and again."""
        return self.unconfirmed >= self._limits.unconfirmed and not self.is_live(entry, now=now)

    def _rest(self, waiting: list[OutboxEntry], now: Monotonic) -> DeliveryStep:
        """Sleep until the next answer is overdue or the next pause ends.

        Pauses, and what the hub owes, count only while there is room to send into.
        """
        known = self._known
        times = [each.due for each in known.values() if each.place is _Place.FLYING]
        if len(times) < self._limits.in_flight:
            times += [each.due for each in known.values() if each.place is _Place.ACCEPTED]
            times += [
                known[entry.id].due
                for entry in waiting
                if entry.id in known
                and known[entry.id].place is _Place.RESTING
                and not self._held_back(entry, now)
            ]
        return Wait(min(times)) if times else Idle()
