"""The delivery thread's work, turn by turn, without the thread; then the thread itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.no_transport import NoTransport
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.delivery import DeliveryCore
from agent.runtime.delivery_loop import DeliveryLoop
from agent.values import SendResult
from tests.support.alerts import an_entry, ulid
from tests.support.clocks import FakeClock
from tests.support.delivery_rig import LIMITS, World
from tests.support.delivery_world import ScriptedTransport


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.loop.stop()
    world.outbox.close()


def test_what_is_confirmed_leaves_the_outbox(world):
    world.transport.come_up()
    world.raise_alert(1)
    assert world.turn() == 20.0
    assert world.transport.sent == [(ulid(1), "match", b'{"n":1}')]
    world.clock.advance(0.125)
    world.transport.answer(ulid(1))
    world.clock.advance(5.0)
    assert world.turn() == float("inf")

    assert world.outbox.depth() == 0
    assert world.loop.status.delivered == 1
    assert world.loop.status.pending == 0
    assert world.loop.latencies_s() == [0.125]


def test_nothing_is_sent_while_down_and_all_of_it_once_up_by_priority(world):
    world.transport.cut("no route")
    for number, priority in ((1, 0), (2, 5), (3, 9)):
        world.raise_alert(number, priority)
    world.turn()
    assert world.transport.sent == []
    assert world.loop.status.last_error == "no route"
    assert world.loop.status.pending == 3

    world.transport.come_up()
    world.turn()
    assert world.transport.sent_ids == [ulid(3), ulid(2)]
    world.transport.answer(ulid(3))
    world.turn()
    assert world.transport.sent_ids == [ulid(3), ulid(2), ulid(1)]
    assert world.loop.status.last_error == ""
    assert world.loop.status.connected


def test_the_same_bytes_again_after_a_cut_and_after_silence(world):
    world.transport.come_up()
    world.raise_alert(1)
    world.turn()
    world.transport.cut()
    world.transport.come_up()
    world.turn()
    world.clock.advance(20.0)
    world.turn()

    assert world.transport.sent == [(ulid(1), "match", b'{"n":1}')] * 3
    assert world.outbox.pending(10)[0].attempts == 3


def test_a_refused_event_is_kept_and_the_next_goes_on(world):
    world.transport.come_up()
    for number in (1, 2, 3):
        world.raise_alert(number)
    world.turn()
    world.transport.answer(ulid(1), SendResult.REFUSED)
    world.turn()

    assert world.transport.sent_ids[-1] == ulid(3)
    assert world.outbox.parked() == {ulid(1): "broker said refused"}
    assert world.loop.status.refused == 1
    assert world.loop.status.last_error == f"{ulid(1)}: broker said refused"


def test_a_full_disk_at_the_confirmation_means_sent_again_later(world):
    world.transport.come_up()
    world.raise_alert(1)
    world.turn()
    world.outbox.full = True
    world.transport.answer(ulid(1))
    assert world.turn() == 1.0
    assert "disk full" in world.loop.status.last_error
    assert world.loop.status.delivered == 0

    world.outbox.full = False
    world.clock.advance(1.0)
    world.turn()
    assert world.transport.sent_ids == [ulid(1), ulid(1)]
    world.transport.answer(ulid(1))
    world.turn()
    assert world.loop.status.delivered == 1
    assert world.outbox.depth() == 0


def test_a_second_answer_is_not_counted(world):
    world.transport.come_up()
    world.raise_alert(1)
    world.turn()
    world.transport.answer(ulid(1))
    world.transport.answer(ulid(1))
    world.turn()

    assert world.loop.status.delivered == 1


def test_what_was_left_by_an_earlier_run_is_sent_but_not_timed(world):
    world.outbox.put(an_entry(1))
    world.transport.come_up()
    world.turn()
    world.transport.answer(ulid(1))
    world.turn()

    assert world.loop.status.delivered == 1
    assert world.loop.latencies_s() == []


class AnsweringTransport(ScriptedTransport):
    """Connects when started and confirms at once, from inside `send`."""

    def start(self, events) -> None:
        super().start(events)
        self.come_up()

    def send(self, entry_id: str, topic: str, payload: bytes, **options: object) -> None:
        super().send(entry_id, topic, payload)
        self.answer(entry_id)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.transport = world.loop._transport = AnsweringTransport()
    world.loop.start()
    yield world
    world.loop.stop()
    world.outbox.close()


def test_the_thread_delivers_and_drains(started):
    for number in range(10):
        started.raise_alert(number)

    assert started.loop.drain(timeout_s=10.0) == 0
    assert started.loop.status.delivered == 10
    assert len(started.loop.latencies_s()) == 10
    assert started.beats > 0


def test_drain_says_what_is_left_when_time_is_over(tmp_path):
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite")
    core = DeliveryCore(LIMITS, chance=lambda: 1.0)
    loop = DeliveryLoop(outbox, NoTransport(), core, FakeClock(), lambda: None)
    outbox.put(an_entry(1))
    loop.start()

    assert loop.drain(timeout_s=0.1) == 1
    assert loop.status.last_error == "no broker configured: set mqtt.host"
    loop.stop()
    loop.stop()
    outbox.close()


def test_stop_passes_the_last_words_on_and_wakes_who_drains(started):
    started.transport.send = lambda *_, **__: None
    started.raise_alert(1)
    left: list[int] = []
    drainer = threading.Thread(target=lambda: left.append(started.loop.drain(60.0)))
    drainer.start()
    started.loop.stop(b"bye")
    drainer.join(10)

    assert left == [1]
    assert started.transport.stopped_with == [b"bye"]


def test_it_beats_while_there_is_nothing_to_do(started):
    two_more = threading.Semaphore(0)
    started.loop._beat = two_more.release
    for _ in range(2):
        assert two_more.acquire(timeout=1.0)
