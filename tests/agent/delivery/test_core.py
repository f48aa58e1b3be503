"""Exact deadlines first, then any order of calls against a simple model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.delivery import Backoff, DeliveryCore, DeliveryLimits
from agent.values import DeliveryStep, Idle, OutboxEntry, Send, SendResult, Wait
from tests.support.alerts import an_entry

LIMITS = DeliveryLimits(in_flight=2, ack_timeout_s=20.0, backoff=Backoff(0.5, 60.0))
BY_HUB = replace(LIMITS, confirm="hub")
ACCEPTED, CONFIRMED, RETRY, REFUSED, GONE = SendResult


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
    assert core.result(first.id, ACCEPTED, now=6.0)
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
        core.result(slow.id, RETRY, now=now)
        assert core.next_step([slow], now=now) == Wait(now + pause)
    assert core.next_step([slow, other], now=20.0) == Send(other)
    core.sent(other.id, now=20.0)
    assert core.next_step([slow, other], now=20.0) == Wait(22.0)


def test_the_end_of_a_pause_is_no_reason_to_wake_while_there_is_no_room():
    core = a_core()
    pending = entries(1, 2, 3)
    core.sent(pending[0].id, now=0.0)
    core.result(pending[0].id, RETRY, now=0.0)
    hand_over_all(core, pending, 0.1)

    assert core.next_step(pending, now=0.2) == Wait(20.1)
    assert core.next_step(pending, now=5.0) == Wait(20.1)


def test_a_cut_makes_everything_in_flight_due_at_once_and_no_more_than_fit():
    core = a_core()
    pending = entries(1, 2, 3)
    hand_over_all(core, pending, 0.0)

    core.connected(False, now=3.0)
    assert core.next_step(pending, now=3.0) == Idle()
    core.connected(True, now=4.0)
    assert hand_over_all(core, pending, 4.0) == [entry.id for entry in pending[:2]]


def test_what_never_left_the_device_is_due_at_once_and_no_failure():
    core = a_core()
    (entry,) = entries(1)
    hand_over_all(core, [entry], 0.0)
    core.result(entry.id, GONE, now=1.0)

    assert core.next_step([entry], now=1.0) == Send(entry)
    core.sent(entry.id, now=1.0)
    core.result(entry.id, RETRY, now=1.0)
    assert core.next_step([entry], now=1.0) == Wait(1.5)  # the first pause


def test_a_late_answer_still_counts_and_a_second_one_does_not():
    core = a_core()
    (entry,) = entries(1)
    hand_over_all(core, [entry], 0.0)
    core.connected(False, now=1.0)

    assert core.result(entry.id, ACCEPTED, now=2.0) is True
    assert core.result(entry.id, ACCEPTED, now=2.0) is False
    assert core.result("never sent", RETRY, now=2.0) is False


def test_look_ahead_sees_past_everything_that_pauses():
    core = a_core()
    pending = entries(*range(10))
    for entry in pending[:9]:
        core.sent(entry.id, now=0.0)
        core.result(entry.id, RETRY, now=0.0)

    visible = pending[: core.look_ahead]
    assert core.next_step(visible, now=0.1) == Send(pending[9])


def test_what_left_the_outbox_unanswered_is_forgotten():
    core = a_core()
    pending = entries(1, 2)
    hand_over_all(core, pending, 0.0)
    core.keep_only([pending[1].id])

    assert core.known == {pending[1].id}
    assert core.result(pending[0].id, ACCEPTED, now=1.0) is False


def test_from_live_for_s_on_an_event_goes_out_as_historical():
    core = a_core()
    young, old = an_entry(1, at=100.0), an_entry(2, at=None)

    assert core.next_step([young], now=399.999) == Send(young, historical=False)
    assert core.next_step([young], now=400.0) == Send(young, historical=True)
    assert core.next_step([old], now=0.0) == Send(old, historical=True)


def test_live_first_then_priority_then_the_order_given():
    core = a_core(replace(LIMITS, in_flight=10))
    backlog = [an_entry(n, priority=p, at=0.0) for n, p in ((1, 9), (2, 9), (3, 0))]
    live = [an_entry(n, priority=p, at=400.0) for n, p in ((4, 1), (5, 0), (6, 1))]

    sent = hand_over_all(core, [*backlog, *live], 410.0)
    assert sent == [an_entry(n).id for n in (4, 6, 5, 1, 2, 3)]


def test_the_brokers_word_only_frees_the_place_in_flight():
    core = a_core(BY_HUB)
    pending = entries(1, 2, 3)
    hand_over_all(core, pending, 0.0)
    core.result(pending[0].id, ACCEPTED, now=1.0)

    assert hand_over_all(core, pending, 1.0) == [pending[2].id]
    assert (core.in_flight, core.unconfirmed) == (2, 1)
    core.result(pending[0].id, CONFIRMED, now=2.0)
    assert core.known == {pending[1].id, pending[2].id}


def test_without_the_hubs_word_the_same_id_again_after_ack_timeout_and_ever_later():
    core = a_core(BY_HUB)
    (entry,) = entries(1)
    now, pauses = 0.0, []
    for _ in range(7):
        assert isinstance(core.next_step([entry], now=now), Send)
        core.sent(entry.id, now=now)
        core.result(entry.id, ACCEPTED, now=now + 1.0)
        step = core.next_step([entry], now=now + 1.0)
        pauses.append(step.until - now)
        now = step.until

    assert pauses == [20.0, 40.0, 80.0, 160.0, 320.0, 320.0, 320.0]


def test_the_hubs_word_may_overtake_the_brokers():
    core = a_core(BY_HUB)
    (entry,) = entries(1)
    hand_over_all(core, [entry], 0.0)

    assert core.result(entry.id, CONFIRMED, now=0.1) is True
    assert core.result(entry.id, ACCEPTED, now=0.2) is False
    assert core.known == frozenset()


def test_a_cut_does_not_repeat_what_the_broker_has():
    core = a_core(BY_HUB)
    (entry,) = entries(1)
    hand_over_all(core, [entry], 0.0)
    core.result(entry.id, ACCEPTED, now=1.0)
    core.connected(False, now=2.0)
    core.connected(True, now=3.0)

    assert core.next_step([entry], now=3.0) == Wait(20.0)


def test_a_silent_hub_holds_up_the_backlog_but_not_a_live_alert():
    core = a_core(replace(BY_HUB, live_for_s=1.0))
    backlog = entries(*range(30))
    sent = []
    while batch := hand_over_all(core, backlog, 10.0):
        sent += batch
        for entry_id in batch:
            core.result(entry_id, ACCEPTED, now=10.0)
    live = an_entry(99, at=10.5)

    assert len(sent) == core.unconfirmed == 10  # five times in flight
    assert core.next_step([live, *backlog], now=11.0) == Send(live)
    core.sent(live.id, now=11.0)
    assert core.next_step(backlog, now=11.0) == Wait(30.0)


@dataclass
class Sent:
    """The model of an id that was handed over and is not settled.

    Attributes:
        place: in flight, with the broker, or back with us.
        due: the earliest time of the next try.
    """

    place: str
    due: float


class AnyOrder(RuleBasedStateMachine):
    """The real core against a list and a dictionary: what waits, and where each id is."""

    @initialize(in_flight=st.integers(1, 4), confirm=st.sampled_from(["hub", "broker"]))
    def begin(self, in_flight: int, confirm: str) -> None:
        self.limit, self.hub = in_flight, confirm == "hub"
        limits = DeliveryLimits(in_flight, 20.0, Backoff(0.5, 8.0), confirm, live_for_s=45.0)
        self.core = DeliveryCore(limits, chance=lambda: 0.5)
        self.now = 0.0
        self.up = False
        self.outbox: list[OutboxEntry] = []
        self.sent: dict[str, Sent] = {}
        self.put = 0
        self.confirmed: set[str] = set()
        self.left: set[str] = set()

    def live(self, entry: OutboxEntry) -> bool:
        return entry.at is not None and self.now - entry.at < 45.0

    def ordered(self) -> list[OutboxEntry]:
        return sorted(self.outbox, key=lambda e: (not self.live(e), -e.priority, e.id))

    def at(self, place: str) -> list[str]:
        return sorted(entry_id for entry_id, sent in self.sent.items() if sent.place == place)

    @rule(priority=st.integers(0, 2), earlier=st.booleans())
    def raise_alert(self, priority: int, earlier: bool) -> None:
        self.put += 1
        at = None if earlier else self.now
        self.outbox.append(an_entry(self.put, priority=priority, at=at))

    @rule(seconds=st.floats(0.01, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(up=st.booleans())
    def link(self, up: bool) -> None:
        self.up = up
        for sent in self.sent.values():
            if sent.place == "flying":
                sent.place, sent.due = "resting", self.now
        self.core.connected(up, now=self.now)

    @rule()
    def obey(self) -> None:
        step = self.core.next_step(self.ordered()[: self.core.look_ahead], now=self.now)
        for sent in self.sent.values():
            if sent.place != "resting" and sent.due <= self.now:
                sent.place, sent.due = "resting", self.now
        room = self.up and len(self.at("flying")) < self.limit
        ready = [entry for entry in self.ordered() if self.may_go(entry)]
        if not (room and ready):
            self.check_rest(step, room)
            return
        assert step == Send(ready[0], historical=not self.live(ready[0]))
        self.core.sent(ready[0].id, now=self.now)
        self.sent[ready[0].id] = Sent("flying", self.now + 20.0)

    def may_go(self, entry: OutboxEntry) -> bool:
        sent = self.sent.get(entry.id)
        due = sent is None or (sent.place == "resting" and sent.due <= self.now)
        return due and not self.held(entry)

    def held(self, entry: OutboxEntry) -> bool:
        return len(self.at("accepted")) >= 5 * self.limit and not self.live(entry)

    def check_rest(self, step: DeliveryStep, room: bool) -> None:
        times = [self.sent[entry_id].due for entry_id in self.at("flying")]
        if room:
            free = {e.id for e in self.outbox if not self.held(e)}
            times += [
                sent.due
                for entry_id, sent in self.sent.items()
                if sent.place == "accepted" or (sent.place == "resting" and entry_id in free)
            ]
        assert step == (Wait(min(times)) if self.up and times else Idle())
        assert not isinstance(step, Wait) or step.until > self.now

    @precondition(lambda self: self.at("flying"))
    @rule(data=st.data(), result=st.sampled_from(SendResult))
    def answer(self, data: st.DataObject, result: SendResult) -> None:
        entry_id = data.draw(st.sampled_from(self.at("flying")))
        handed_over = self.core._known[entry_id].sent
        assert self.core.result(entry_id, result, now=self.now) is True
        if result is RETRY:
            self.rest(entry_id, 0.25, 8.0)
        elif result is GONE:
            self.sent[entry_id] = Sent("resting", self.now)
        elif result is ACCEPTED and self.hub:
            due = self.core._known[entry_id].due
            assert due == self.now or 20.0 - 1e-6 <= due - handed_over <= 320.0 + 1e-6
            self.sent[entry_id] = Sent("accepted", due)
        else:
            self.leaves(entry_id)
            if result is not REFUSED:
                self.confirmed.add(entry_id)

    def rest(self, entry_id: str, shortest: float, longest: float) -> None:
        due = self.core._known[entry_id].due
        assert shortest <= due - self.now <= longest + 1e-6
        self.sent[entry_id] = Sent("resting", due)

    def leaves(self, entry_id: str) -> None:
        del self.sent[entry_id]
        self.left.add(entry_id)
        self.outbox = [entry for entry in self.outbox if entry.id != entry_id]

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def the_hub_confirms(self, data: st.DataObject) -> None:
        """At any time: while it flies, after a cut, after the next try."""
        entry_id = data.draw(st.sampled_from(sorted(self.sent)))
        assert self.core.result(entry_id, CONFIRMED, now=self.now) is True
        self.leaves(entry_id)
        self.confirmed.add(entry_id)

    @precondition(lambda self: self.outbox)
    @rule(data=st.data())
    def one_is_given_up(self, data: st.DataObject) -> None:
        entry_id = data.draw(st.sampled_from(sorted(entry.id for entry in self.outbox)))
        self.sent.setdefault(entry_id, Sent("resting", self.now))
        self.leaves(entry_id)
        self.core.keep_only({entry.id for entry in self.outbox})

    @rule(number=st.integers(10_000, 10_010))
    def a_stray_answer_changes_nothing(self, number: int) -> None:
        assert self.core.result(an_entry(number).id, ACCEPTED, now=self.now) is False

    @invariant()
    def the_bounds_hold(self) -> None:
        if hasattr(self, "core"):
            assert self.core.in_flight <= self.limit
            assert self.core.known == self.sent.keys()
            assert self.core.look_ahead == len(self.sent) + self.limit
            assert not self.core.known & self.left

    def teardown(self) -> None:
        """Whatever happened, a broker and a hub that answer get every alert that is left."""
        if not hasattr(self, "core"):
            return
        self.core.connected(True, now=self.now)
        for _ in range(10 * len(self.outbox)):
            self.now += 400.0  # longer than any pause
            for entry_id in hand_over_all(self.core, self.outbox, self.now):
                assert self.core.result(entry_id, CONFIRMED, now=self.now)
                self.outbox = [entry for entry in self.outbox if entry.id != entry_id]
        assert self.outbox == []
        assert self.core.look_ahead == self.limit


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)


def test_only_a_live_event_that_the_hub_confirms_may_be_dropped_by_the_broker():
    (entry,) = entries(1)
    live = Send(replace(entry, at=100.0))

    assert a_core(BY_HUB).expires_in_s(live, now=150.0) == BY_HUB.live_for_s - 50.0
    assert a_core(BY_HUB).expires_in_s(replace(live, historical=True), now=150.0) is None
    assert a_core(BY_HUB).expires_in_s(Send(replace(entry, at=None)), now=150.0) is None
    assert a_core(LIMITS).expires_in_s(live, now=150.0) is None
