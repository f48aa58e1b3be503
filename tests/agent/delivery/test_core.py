"""Exact deadlines first, then any order of calls against a simple model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.delivery import Backoff, DeliveryCore, DeliveryLimits
from agent.values import Idle, OutboxEntry, Send, SendResult, Wait
from tests.support.alerts import an_entry

LIMITS = DeliveryLimits(in_flight=2, ack_timeout_s=20.0, backoff=Backoff(0.5, 60.0))


def a_core(limits: DeliveryLimits = LIMITS) -> DeliveryCore:
    core = DeliveryCore(limits, chance=lambda: 1.0)
    core.connected(True, now=0.0)
    return core


def entries(*numbers: int) -> list[OutboxEntry]:
    return [an_entry(number) for number in numbers]


def hand_over_all(core: DeliveryCore, pending: list[OutboxEntry], now: float) -> list[str]:
    sent = []
    while isinstance(step := core.next_step(pending, now=now), Send):
        core.sent(step.entry.id, now=now)
        sent.append(step.entry.id)
    return sent


def test_idle_while_disconnected_and_with_nothing_to_send():
    core = DeliveryCore(LIMITS, chance=lambda: 1.0)
    assert core.next_step(entries(1), now=0.0) == Idle()
    core.connected(True, now=0.0)
    assert core.next_step([], now=0.0) == Idle()


def test_in_the_order_given_and_no_more_than_fit():
    core = a_core()
    first, second, third = entries(3, 1, 2)

    assert hand_over_all(core, [first, second, third], 5.0) == [first.id, second.id]
    assert core.next_step([first, second, third], now=5.0) == Wait(25.0)
    assert core.result(first.id, SendResult.CONFIRMED, now=6.0)
    assert core.next_step([second, third], now=6.0) == Send(third)


def test_the_same_id_again_exactly_when_its_answer_is_overdue():
    core = a_core()
    (entry,) = entries(1)
    hand_over_all(core, [entry], 0.0)

    assert core.next_step([entry], now=19.999) == Wait(20.0)
    assert core.next_step([entry], now=20.0) == Send(entry)


def test_pauses_grow_and_let_others_pass():
    core = a_core()
    slow, other = entries(1, 2)
    for now, pause in ((0.0, 0.5), (10.0, 1.0), (20.0, 2.0)):
        assert core.next_step([slow], now=now) == Send(slow)
        core.sent(slow.id, now=now)
        core.result(slow.id, SendResult.RETRY, now=now)
        assert core.next_step([slow], now=now) == Wait(now + pause)
    assert core.next_step([slow, other], now=20.0) == Send(other)
    core.sent(other.id, now=20.0)
    assert core.next_step([slow, other], now=20.0) == Wait(22.0)


def test_the_end_of_a_pause_is_no_reason_to_wake_while_there_is_no_room():
    core = a_core()
    pending = entries(1, 2, 3)
    core.sent(pending[0].id, now=0.0)
    core.result(pending[0].id, SendResult.RETRY, now=0.0)
    hand_over_all(core, pending, 0.1)

    assert core.next_step(pending, now=0.2) == Wait(20.1)
    assert core.next_step(pending, now=5.0) == Wait(20.1)


def test_a_cut_makes_everything_in_flight_due_at_once():
    core = a_core()
    pending = entries(1, 2)
    hand_over_all(core, pending, 0.0)

    core.connected(False, now=3.0)
    assert core.next_step(pending, now=3.0) == Idle()
    core.connected(True, now=4.0)
    assert hand_over_all(core, pending, 4.0) == [entry.id for entry in pending]


def test_a_late_answer_still_counts_and_a_second_one_does_not():
    core = a_core()
    (entry,) = entries(1)
    hand_over_all(core, [entry], 0.0)
    core.connected(False, now=1.0)

    assert core.result(entry.id, SendResult.CONFIRMED, now=2.0) is True
    assert core.result(entry.id, SendResult.CONFIRMED, now=2.0) is False
    assert core.result("never sent", SendResult.RETRY, now=2.0) is False


def test_look_ahead_sees_past_everything_that_pauses():
    core = a_core()
    pending = entries(*range(10))
    for entry in pending[:9]:
        core.sent(entry.id, now=0.0)
        core.result(entry.id, SendResult.RETRY, now=0.0)

    visible = pending[: core.look_ahead]
    assert core.next_step(visible, now=0.1) == Send(pending[9])


class AnyOrder(RuleBasedStateMachine):
    """The real core against sets: what waits, what is with the broker, what is done."""

    @initialize(in_flight=st.integers(1, 4))
    def begin(self, in_flight: int) -> None:
        self.limit = in_flight
        self.core = DeliveryCore(
            DeliveryLimits(in_flight, 20.0, Backoff(0.5, 8.0)), chance=lambda: 0.5
        )
        self.now = 0.0
        self.up = False
        self.outbox: list[OutboxEntry] = []
        self.flying: dict[str, float] = {}
        self.paused: dict[str, float] = {}
        self.ever_sent: set[str] = set()
        self.put = 0

    @rule(priority=st.integers(0, 2))
    def raise_alert(self, priority: int) -> None:
        self.put += 1
        self.outbox.append(an_entry(self.put, priority=priority))
        self.outbox.sort(key=lambda entry: -entry.priority)

    @rule(seconds=st.floats(0.01, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.flying = {i: at for i, at in self.flying.items() if at + 20.0 > self.now}

    @rule(up=st.booleans())
    def link(self, up: bool) -> None:
        self.up = up
        self.flying.clear()
        self.core.connected(up, now=self.now)

    @rule()
    def obey(self) -> None:
        step = self.core.next_step(self.outbox[: self.core.look_ahead], now=self.now)
        due = [e for e in self.outbox if e.id not in self.flying and not self.pauses(e.id)]
        room = self.up and len(self.flying) < self.limit
        if not (room and due):
            assert not isinstance(step, Send)
            self.check_rest(step, room)
            return
        assert step == Send(due[0])
        self.core.sent(due[0].id, now=self.now)
        self.flying[due[0].id] = self.now
        self.ever_sent.add(due[0].id)
        self.paused.pop(due[0].id, None)

    def check_rest(self, step: object, room: bool) -> None:
        times = [at + 20.0 for at in self.flying.values()]
        if room:
            times += [until for until in self.paused.values() if until > self.now]
        expected = Wait(min(times)) if self.up and times else Idle()
        assert step == expected

    def pauses(self, entry_id: str) -> bool:
        return self.paused.get(entry_id, 0.0) > self.now

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), result=st.sampled_from(SendResult))
    def answer(self, data: st.DataObject, result: SendResult) -> None:
        entry_id = data.draw(st.sampled_from(sorted(self.flying)))
        assert self.core.result(entry_id, result, now=self.now) is True
        del self.flying[entry_id]
        if result is SendResult.RETRY:
            until = self.core._known[entry_id].not_before
            assert 0.25 <= until - self.now <= 8.0 + 1e-6
            self.paused[entry_id] = until
        else:
            self.outbox = [entry for entry in self.outbox if entry.id != entry_id]
            self.ever_sent.discard(entry_id)

    @rule(number=st.integers(10_000, 10_010))
    def a_stray_answer_changes_nothing(self, number: int) -> None:
        assert self.core.result(an_entry(number).id, SendResult.CONFIRMED, now=self.now) is False

    @invariant()
    def never_more_in_flight_than_allowed(self) -> None:
        if hasattr(self, "core"):
            assert self.core.in_flight <= self.limit
            assert self.core.look_ahead - self.limit == len(self.ever_sent)

    def teardown(self) -> None:
        """Whatever happened, a broker that answers gets every alert that is left."""
        if not hasattr(self, "core"):
            return
        self.core.connected(True, now=self.now)
        for _ in range(10 * len(self.outbox)):
            self.now += 9.0
            for entry_id in hand_over_all(self.core, self.outbox, self.now):
                assert self.core.result(entry_id, SendResult.CONFIRMED, now=self.now)
                self.outbox = [entry for entry in self.outbox if entry.id != entry_id]
        assert self.outbox == []
        assert self.core.look_ahead == self.limit


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
