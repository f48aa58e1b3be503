"""What paho may see of what a broker sends."""

from __future__ import annotations

import gc
import socket
import weakref
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.mqtt_rules import MAX_PACKET
from agent.adapters.mqtt_socket import NonsenseError, PacketFilter, PacketSocket
from tests.support.recording_broker import publish, remaining_length


class World:
    def __init__(self, limit: int = MAX_PACKET) -> None:
        self.skipped: list[int | None] = []
        self.filter = PacketFilter(self.skipped.append, limit)


GOOD = [
    b"\x20\x02\x00\x00",
    b"\x40\x02\x00\x07",
    b"\xd0\x00",
    b"\x90\x03\x00\x01\x01",
    b"\xe0\x00",
    publish("a/b", b"payload", 9, 5),
    publish("a/b", b"", 0, 4, qos=0),
]


@given(
    packets=st.lists(st.sampled_from(GOOD), max_size=6),
    cuts=st.lists(st.integers(1, 7), min_size=1),
)
def test_good_packets_pass_unchanged_however_they_are_cut(packets, cuts):
    world, sent, passed, at = World(), b"".join(packets), b"", 0
    while at < len(sent):
        step = cuts[at % len(cuts)]
        passed += world.filter.feed(sent[at : at + step])
        at += step
    assert passed == sent
    assert world.skipped == []


@given(step=st.integers(1, 5000), level=st.sampled_from([4, 5]), qos=st.sampled_from([0, 1]))
def test_a_message_that_is_too_long_is_skipped_and_named(step, level, qos):
    world = World(limit=1000)
    sent = publish("a/b", bytes(5000), 77, level, qos) + b"\xd0\x00"
    passed = b"".join(world.filter.feed(sent[n : n + step]) for n in range(0, len(sent), step))
    assert passed == b"\xd0\x00"
    assert world.skipped == [77 if qos else None]


def test_one_of_just_the_right_length_passes():
    world = World(limit=1000)
    exact = b"\x30" + remaining_length(1000) + bytes(1000)
    assert world.filter.feed(exact) == exact
    assert world.filter.feed(b"\x30" + remaining_length(1001) + bytes(1001)) == b""
    assert world.skipped == [None]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x10", "type 1"),  # CONNECT
        (b"\x50\x02", "type 5"),  # PUBREC
        (b"\x62\x02", "type 6"),  # PUBREL: paho would answer each
        (b"\xc0\x00", "type 12"),  # PINGREQ: paho would answer each
        (b"\xf0", "type 15"),
        (b"\x00", "type 0"),
        (b"\x34", "QoS 2"),  # paho would keep each
        (b"\x36", "QoS 2"),
        (b"\x41", "PUBACK with flags 1"),
        (b"\x20\xff\xff\xff\xff", "more than four bytes"),
        (b"\x20" + remaining_length(MAX_PACKET + 1), f"CONNACK of {MAX_PACKET + 1} bytes"),
    ],
)
def test_what_no_honest_broker_sends_ends_the_connection(sent, said):
    with pytest.raises(NonsenseError, match=said):
        World().filter.feed(sent)


@given(st.binary(max_size=300))
def test_whatever_comes_is_passed_or_refused_and_never_grows(data):
    world, passed = World(limit=50), b""
    with suppress(NonsenseError):
        passed = world.filter.feed(data)
    assert data.startswith(passed[:1])
    assert len(passed) <= len(data)


def test_signs_of_life_stand_for_what_is_skipped():
    world = World()
    passed = world.filter.feed(publish("a/b", bytes(200_000), 7, 5))
    assert passed == b"\xd0\x00" * 3
    assert (world.filter.progress, world.skipped) == (3, [7])


def test_what_went_wrong_holds_nobody_once_it_is_closed():
    """Otherwise a circle keeps paho and its sockets until the garbage collector comes by."""
    near, far = socket.socketpair()
    gc.disable()
    try:
        reader = PacketSocket(near, lambda mid: None)
        far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with suppress(NonsenseError):
            reader.recv(100)
        seen = weakref.ref(reader)
        reader.close()
        assert isinstance(reader.trouble, NonsenseError)
        del reader
        assert seen() is None
    finally:
        gc.enable()
        far.close()
