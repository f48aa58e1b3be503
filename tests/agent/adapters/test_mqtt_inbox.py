"""Messages to the device: committed before they are acknowledged, bounded, never in the way."""

from __future__ import annotations

import threading

import pytest

from agent.adapters.mqtt_inbox import WAITING_BYTES, WAITING_MESSAGES, Inbox
from agent.adapters.mqtt_rules import MAX_PAYLOAD
from agent.errors import DiskError
from tests.support.logs import KeptLog
from tests.support.receiver import wait_until


class World:
    """A listener that can be held up, and a broker that counts acknowledgements."""

    def __init__(self) -> None:
        self.committed: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None

    def listen(self, payload: bytes) -> None:
        self.go.wait(10)
        if self.error is not None:
            raise self.error
        self.committed.append(payload)

    def put(self, inbox: Inbox, payload: bytes, name: str = "command") -> None:
        inbox.put(name, payload, lambda: self.acknowledged.append(payload))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def start(world):
    started = []

    def begin(log=None, **listeners) -> Inbox:
        inbox = Inbox({"command": world.listen, **listeners}, log)
        started.append(inbox)
        inbox.start()
        return inbox

    yield begin
    world.go.set()
    for inbox in started:
        inbox.stop()


def test_a_message_is_acknowledged_only_once_its_listener_returned(world, start):
    world.go.clear()
    inbox = start()
    world.put(inbox, b"disarm")
    assert world.acknowledged == []
    world.go.set()
    wait_until(lambda: world.acknowledged == [b"disarm"], "the acknowledgement")
    assert world.committed == [b"disarm"]


def test_what_cannot_be_committed_is_not_acknowledged(world, start):
    world.error = DiskError("full")
    refused = []

    def listen(payload: bytes) -> None:
        try:
            world.listen(payload)
        except DiskError:
            refused.append(payload)
            raise

    inbox = start(command=listen)
    world.put(inbox, b"1")
    wait_until(lambda: refused == [b"1"], "the disk is full")
    world.error = None
    world.put(inbox, b"2")
    wait_until(lambda: world.acknowledged != [], "an acknowledgement")
    assert world.acknowledged == [b"2"]


def test_a_listener_that_breaks_is_told_once_and_the_message_does_not_come_for_ever(world, start):
    log = KeptLog()
    world.error = ValueError("secret content")
    inbox = start(log)
    for number in range(3):
        world.put(inbox, b"%d" % number)
    wait_until(lambda: len(world.acknowledged) == 3, "three acknowledgements")
    assert inbox.failed == 3
    assert len(log.lines) == 1
    assert "secret content" not in str(log.lines)
    world.error = None
    world.put(inbox, b"good")
    wait_until(lambda: world.committed == [b"good"], "it goes on")


def test_of_a_flood_the_newest_are_kept_and_the_rest_counted(world, start):
    world.go.clear()
    inbox = start()
    world.put(inbox, b"first")
    wait_until(lambda: not inbox._queues["command"].waiting, "the first is being worked on")
    for number in range(10_000):
        world.put(inbox, b"%d" % number)
    assert inbox.dropped == 10_000 - WAITING_MESSAGES
    assert world.acknowledged == [b"%d" % number for number in range(inbox.dropped)]
    world.go.set()
    wait_until(lambda: len(world.committed) == 1 + WAITING_MESSAGES, "the newest")
    assert world.committed[1:] == [b"%d" % n for n in range(inbox.dropped, 10_000)]


def test_large_messages_are_bounded_by_their_bytes(world, start):
    world.go.clear()
    inbox = start()
    for _ in range(100):
        world.put(inbox, bytes(MAX_PAYLOAD))
    assert sum(len(p) for p, _ in inbox._queues["command"].waiting) <= WAITING_BYTES
    assert inbox._queues["command"].size <= WAITING_BYTES


def test_a_flood_of_commands_holds_up_no_acknowledgement_of_the_hub(world, start):
    acks = []
    inbox = start(ack=lambda payload: acks.append((payload, len(world.committed))))
    world.go.clear()
    for number in range(100):
        world.put(inbox, b"%d" % number)
    world.put(inbox, b"ids", "ack")
    world.go.set()
    wait_until(lambda: acks != [], "the ack")
    assert acks[0][1] <= 2


@pytest.mark.parametrize(
    ("name", "payload", "oversized"),
    [("command", bytes(MAX_PAYLOAD + 1), 1), ("elsewhere", b"x", 0)],
)
def test_what_is_not_for_us_is_only_acknowledged(world, start, name, payload, oversized):
    inbox = start()
    world.put(inbox, payload, name)
    assert world.acknowledged == [payload]
    assert (inbox.heard, inbox.oversized) == (0, oversized)


def test_stopped_it_leaves_the_rest_to_the_broker(world, start):
    world.go.clear()
    inbox = start()
    world.put(inbox, b"1")
    wait_until(lambda: not inbox._queues["command"].waiting, "the first is being worked on")
    world.put(inbox, b"2")
    threading.Timer(0.05, world.go.set).start()
    inbox.stop()
    assert world.acknowledged == [b"1"]
    assert not inbox._thread.is_alive()


def test_topics_that_are_not_granted_are_told_once(start):
    log = KeptLog()
    inbox = start(log)
    for names in ((), ("ack", "command"), ("ack", "command")):
        inbox.refused(names)
    assert log.messages("warning") == [
        "the broker does not let us hear ack, command: check its access list"
    ]
