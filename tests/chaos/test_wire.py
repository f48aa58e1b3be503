from __future__ import annotations

from tests.chaos.wire import Reaching, Wire
from tests.support.recording_broker import publish


def puback(packet_id: int) -> bytes:
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def test_open_publishes_are_counted_through_any_fragments() -> None:
    wire = Wire()
    says, hears = wire.tap()
    for byte in b"".join(publish("t", b"x" * 300, number, 5) for number in range(1, 6)):
        says(bytes([byte]))
    assert (wire.most, wire.publishes, wire.left) == ([5], 5, [])
    hears(puback(1) + puback(2)[:3])
    hears(puback(2)[3:])
    says(publish("t", b"", 6, 5) + publish("t", b"", 7, 5))
    assert wire.most == [5]
    says(publish("t", b"", 8, 5))
    assert wire.most == [6]


def test_each_connection_begins_with_none_and_what_needs_no_answer_is_not_open() -> None:
    wire = Wire()
    first, _ = wire.tap()
    first(publish("t", b"", 1, 4))
    second, hears = wire.tap()
    second(publish("t", b"", 0, 4, qos=0) + publish("t", b"", 2, 4))
    hears(publish("ack", b"", 9, 4) + puback(2))
    second(publish("t", b"", 3, 4))
    assert wire.most == [1, 1]


def test_each_copy_that_reaches_a_receiver_is_noted_in_both_versions() -> None:
    for level in (4, 5):
        reaching = Reaching()
        says, hears = reaching.tap()
        says(b"\x10\x0c\x00\x04MQTT" + bytes([level]) + b"\x02\x00\x05\x00\x00")
        event = b'{"id":"E-1","historical":false}'
        for byte in publish("bodycam/a/b/match", event, 7, level) + publish("s", b"x", 8, level):
            hears(bytes([byte]))
        hears(publish("bodycam/a/b/match", event.replace(b"false", b"true"), 9, level))
        noted = [(event, historical) for event, historical, _ in reaching.copies]
        assert noted == [("E-1", False), ("E-1", True)]


def test_copies_that_leave_are_noted() -> None:
    wire = Wire()
    says, _ = wire.tap()
    says(b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x05\x00\x00")
    says(publish("bodycam/a/b/match", b'{"id":"E-1","historical":true}', 7, 5))
    assert [(event, historical) for event, historical, _ in wire.left] == [("E-1", True)]
