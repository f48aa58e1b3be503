"""Outbox, delivery thread and transport together, while the broker comes, goes and hangs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.mqtt import MqttSettings, MqttTransport
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.delivery import Backoff, DeliveryCore, DeliveryLimits
from agent.runtime.delivery_loop import DeliveryLoop
from tests.support.alerts import CONTEXT, an_alert, an_entry, ulid
from tests.support.broker import Broker
from tests.support.receiver import running_receiver, wait_until
from tests.support.recording_broker import RecordingBroker


def a_device(
    broker: Broker | RecordingBroker,
    outbox: SqliteOutbox,
    chance: Callable[[], float] = lambda: 0.5,
    ack_timeout_s: float = 1.0,
) -> DeliveryLoop:
    """Everything of delivery that a device has, with short pauses."""
    backoff = Backoff(0.05, 0.2)
    clock = SystemClock()
    settings = MqttSettings(
        broker.host, broker.port, "bodycam/spd/cam-7", "spd-cam-7", 30, 1.0, 20, backoff, 0.3
    )
    transport = MqttTransport(settings, birth=b"{}", will=b"{}", clock=clock, chance=chance)
    core = DeliveryCore(DeliveryLimits(20, ack_timeout_s, backoff), chance=lambda: 0.5)
    return DeliveryLoop(outbox, transport, core, clock, lambda: None)


@contextmanager
def delivering(
    broker: Broker | RecordingBroker, folder: Path, **options: object
) -> Iterator[tuple[DeliveryLoop, SqliteOutbox]]:
    outbox = SqliteOutbox(folder / "outbox.sqlite")
    loop = a_device(broker, outbox, **options)
    loop.start()
    try:
        yield loop, outbox
    finally:
        loop.stop()
        outbox.close()


def put(loop: DeliveryLoop, outbox: SqliteOutbox, numbers: range) -> None:
    for number in numbers:
        outbox.put(an_entry(number))
        loop.notify(ulid(number))


def numbers(payloads: list[bytes]) -> Counter[int]:
    return Counter(json.loads(payload)["n"] for payload in payloads)


def test_a_broker_that_comes_late_gets_everything_once_and_in_order(recording_broker, tmp_path):
    recording_broker.go_down()
    with delivering(recording_broker, tmp_path) as (loop, outbox):
        put(loop, outbox, range(30))
        assert loop.drain(timeout_s=0.2) == 30
        recording_broker.come_up()
        assert loop.drain(timeout_s=15.0) == 0

    assert [json.loads(p)["n"] for p in recording_broker.heard.events()] == list(range(30))


@pytest.mark.slow
def test_no_id_is_lost_while_the_broker_keeps_dying(recording_broker, tmp_path):
    chance = random.Random(5)
    with delivering(recording_broker, tmp_path) as (loop, outbox):
        for first in range(0, 100, 10):
            recording_broker.behaviour.answers = chance.random() < 0.5
            put(loop, outbox, range(first, first + 10))
            seen = len(recording_broker.heard.events())
            wait_until(lambda: len(recording_broker.heard.events()) > seen, "some more")  # noqa: B023
            recording_broker.go_down()
            recording_broker.come_up()
        recording_broker.behaviour.answers = True
        assert loop.drain(timeout_s=20.0) == 0

    heard = numbers(recording_broker.heard.events())
    assert set(heard) == set(range(100))
    assert recording_broker.heard.most_unanswered <= 21  # twenty events and the state


def test_an_answer_that_never_comes_ends_the_connection_not_the_event(recording_broker, tmp_path):
    recording_broker.behaviour.answers = False
    with delivering(recording_broker, tmp_path, ack_timeout_s=0.3) as (loop, outbox):
        put(loop, outbox, range(1))
        wait_until(lambda: len(recording_broker.heard.levels) >= 2, "a second connection")
        recording_broker.answer_all()
        assert loop.drain(timeout_s=15.0) == 0

    assert set(recording_broker.heard.events()) == {b'{"n":0}'}
    assert recording_broker.heard.most_unanswered <= 2


def test_a_real_broker_killed_with_alerts_in_flight(broker, tmp_path):
    """Frozen, so that nothing is acknowledged; killed; back again, the subscriber first."""
    may_connect = threading.Event()
    may_connect.set()

    def chance() -> float:  # asked before each pause of the transport
        may_connect.wait(30)
        return 0.5

    broker.start()
    with (
        running_receiver(broker.host, broker.port, tmp_path) as receiver,
        delivering(broker, tmp_path, chance=chance, ack_timeout_s=30.0) as (loop, outbox),
    ):
        put(loop, outbox, range(5))
        assert loop.drain(timeout_s=15.0) == 0
        wait_until(lambda: len(receiver.matches()) == 5, "the first five")
        broker.freeze()
        put(loop, outbox, range(5, 40))
        wait_until(lambda: sum(e.attempts for e in outbox.pending(50)) == 20, "twenty in flight")
        may_connect.clear()
        ready = tmp_path / "receiver.ready"
        ready.unlink()
        broker.kill()
        broker.start()
        wait_until(ready.exists, "the receiver is back")
        may_connect.set()
        assert loop.drain(timeout_s=15.0) == 0
        wait_until(lambda: len(receiver.matches()) >= 40, "all forty")

    assert Counter(match["n"] for match in receiver.matches()) == Counter(range(40))


DIES_BEFORE_SENDING = """
import os, signal, sys
from pathlib import Path
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.delivery import outbox_entry
from tests.support.alerts import CONTEXT, an_alert
outbox = SqliteOutbox(Path(sys.argv[1]) / "outbox.sqlite")
outbox.put(outbox_entry(an_alert(1), CONTEXT))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_between_commit_and_send_the_next_start_delivers(broker, tmp_path):
    subprocess.run([sys.executable, "-c", DIES_BEFORE_SENDING, str(tmp_path)], check=False)
    broker.start()
    with (
        running_receiver(broker.host, broker.port, tmp_path) as receiver,
        delivering(broker, tmp_path) as (loop, _),
    ):
        assert loop.drain(timeout_s=15.0) == 0
        wait_until(lambda: receiver.matches() != [], "the alert")

    (event,) = receiver.matches()
    assert event["id"] == an_alert(1).id
    assert event["source"] == CONTEXT.source
