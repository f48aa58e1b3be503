"""Brokers that do anything they like: the transport survives, costs little, and is ready for a
good one within the backoff.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.mqtt import MqttSettings, MqttTransport
from agent.adapters.mqtt_rules import MAX_PAYLOAD
from agent.delivery import Backoff
from agent.values import SendResult
from tests.support.delivery_world import Ears
from tests.support.hostile_broker import (
    Guest,
    HostileBroker,
    Script,
    flood,
    good,
    wait_for_ever,
)
from tests.support.receiver import wait_until
from tests.support.recording_broker import CONNECT, PUBLISH, SUBSCRIBE, remaining_length

BACKOFF = Backoff(0.05, 0.2)
ANSWER_S = 0.3
KEEPALIVE_S = 1
CONNACK_CODES = (
    0x01, 0x05, 0x7F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C,
    0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F, 0xFF,
)  # fmt: skip
"""All of MQTT 5, table 3-1, two of 3.1.1, and three of nowhere."""
PUBACK_CODES = (0x80, 0x83, 0x87, 0x91, 0x97, 0x7F, 0xFF)
SUBACK_CODES = (0x00, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2, 0x7F)
DISCONNECT_CODES = (
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
    0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2, 0x7F,
)  # fmt: skip


class Camera:
    """A transport that always has an event to send, and a listener for commands."""

    def __init__(self, broker: HostileBroker) -> None:
        settings = MqttSettings(
            broker.host,
            broker.port,
            "bodycam/field-test/cam-7",
            "cam-7",
            KEEPALIVE_S,
            ANSWER_S,
            20,
            BACKOFF,
            0.15,
        )
        self.heard = 0
        self.ears = Ears()
        self.transport = MqttTransport(
            settings,
            birth=b"{}",
            will=b"{}",
            clock=SystemClock(),
            chance=lambda: 0.5,
            listeners={"ack": self._hear, "command": self._hear},
        )
        self.ears.connected = self._connected
        self.transport.start(self.ears)

    def _hear(self, payload: bytes) -> None:
        self.heard += 1

    def _connected(self, up: bool, reason: str) -> None:
        Ears.connected(self.ears, up, reason)
        if up:
            self.transport.send("id-1", "match", b"{}")

    def reasons(self) -> list[str]:
        return [reason for up, reason in self.ears.links if not up]

    def accepted(self) -> bool:
        return any(result is SendResult.ACCEPTED for _, result, _ in self.ears.results)


@pytest.fixture
def meet() -> Iterator[Callable[[Script], tuple[HostileBroker, Camera]]]:
    met: list[tuple[HostileBroker, Camera]] = []

    def begin(script: Script) -> tuple[HostileBroker, Camera]:
        broker = HostileBroker(script)
        met.append((broker, Camera(broker)))
        return met[-1]

    yield begin
    for broker, camera in met:
        camera.transport.stop(None)
        broker.close()


def a_good_one_is_used_soon(broker: HostileBroker, camera: Camera) -> None:
    camera.ears.results.clear()
    began = time.monotonic()
    broker.become(good)
    wait_until(camera.accepted, "the event is accepted")
    patience = 2 * ANSWER_S + BACKOFF.cap_s + 2 * KEEPALIVE_S
    assert time.monotonic() - began < patience + 3.0  # a busy machine


def connack(code: int, guest: Guest) -> None:
    guest.accept(code)


def told(properties: bytes, guest: Guest) -> None:
    guest.accept(0, properties)
    guest.serve()


def puback(code: int, guest: Guest) -> None:
    guest.accept()
    while True:
        body = guest.read_until(PUBLISH)
        at = 2 + int.from_bytes(body[:2], "big")
        guest.send(b"\x40\x04" + body[at : at + 2] + bytes([code, 0]))


def suback(code: int, guest: Guest) -> None:
    guest.accept()
    guest.suback(guest.read_until(SUBSCRIBE), code)


def disconnect(code: int, guest: Guest) -> None:
    guest.accept()
    guest.send(bytes([0xE0, 2, code, 0]))


def raw(data: bytes, guest: Guest) -> None:
    """These bytes after a good CONNACK, then a wait for the camera to leave or be left."""
    guest.accept()
    guest.send(data)
    guest.gone.wait(1.0)


def greeting(data: bytes, guest: Guest) -> None:
    guest.read_until(CONNECT)
    guest.send(data)
    guest.gone.wait(1.0)


def hang_up_after(packets: int, guest: Guest) -> None:
    if packets:
        guest.accept()
    for _ in range(packets - 1):
        guest.read()


def slow_connack(guest: Guest) -> None:
    guest.read_until(CONNECT)
    guest.drip(b"\x20\x03\x00\x00\x00" * 50, 0.1)


def slow_message(guest: Guest) -> None:
    guest.accept()
    guest.drip(guest.command(bytes(2000)), 0.02)


def never_puback(guest: Guest) -> None:
    guest.accept()
    while True:
        guest.read()


def half_open(guest: Guest) -> None:
    guest.accept()
    wait_for_ever(guest)


SCRIPTS: dict[str, Script] = {
    **{f"connack {code:#04x}": partial(connack, code) for code in CONNACK_CODES},
    **{f"puback {code:#04x}": partial(puback, code) for code in PUBACK_CODES},
    **{f"suback {code:#04x}": partial(suback, code) for code in SUBACK_CODES},
    **{f"disconnect {code:#04x}": partial(disconnect, code) for code in DISCONNECT_CODES},
    **{f"hangs up after {n} packets": partial(hang_up_after, n) for n in range(5)},
    "takes packets of 100 bytes": partial(told, b"\x27\x00\x00\x00\x64"),
    "takes no publish": partial(told, b"\x21\x00\x00"),
    "knows no QoS 1": partial(told, b"\x24\x00"),
    "says a property twice": partial(told, b"\x21\x00\x05\x21\x00\x05"),
    "says unknown properties": partial(told, b"\x7f\x00"),
    "greets with nonsense": partial(greeting, b"\xff" * 40),
    "greets as a web server": partial(greeting, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "greets with a short connack": partial(greeting, b"\x20\x01\x00"),
    "greets with a connack of 10 MB": partial(greeting, b"\x20" + remaining_length(10_000_000)),
    "pings": partial(raw, b"\xc0\x00" * 50_000),
    "releases what was never sent": partial(raw, b"\x62\x02\x00\x01" * 50_000),
    "acknowledges what was never sent": partial(raw, b"\x40\x02\x77\x77" * 50_000),
    "answers pings that were never sent": partial(raw, b"\xd0\x00" * 50_000),
    "sends QoS 2": partial(raw, b"\x34\x09\x00\x01a\x00\x01\x00abc"),
    "sends QoS 3": partial(raw, b"\x36\x09\x00\x01a\x00\x01\x00abc"),
    "sends half a publish": partial(raw, b"\x32\x7f\x00\x04"),
    "sends a publish without a topic": partial(raw, b"\x32\x00"),
    "sends a topic longer than the packet": partial(raw, b"\x32\x05\xff\xff\x00\x00\x00"),
    "sends a topic that is no UTF-8": partial(raw, b"\x32\x06\x00\x01\xff\x00\x01\x00"),
    "sends a length of five bytes": partial(raw, b"\x32\xff\xff\xff\xff\xff"),
    "sends AUTH": partial(raw, b"\xf0\x00"),
    "sends an empty suback": partial(raw, b"\x90\x00"),
    "sends an empty puback": partial(raw, b"\x40\x00"),
    "sends a second connack": partial(raw, b"\x20\x03\x00\x00\x00" * 100),
    "is silent from the start": wait_for_ever,
    "is silent after connack": half_open,
    "never acknowledges": never_puback,
    "drips its connack": slow_connack,
    "drips a message": slow_message,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_whatever_a_broker_does_a_good_one_is_used_afterwards(name, meet):
    broker, camera = meet(SCRIPTS[name])
    wait_until(lambda: broker.guests >= 2 or camera.ears.results, "it was met", 10.0)
    assert all("\n" not in reason for reason in camera.reasons())
    a_good_one_is_used_soon(broker, camera)
    assert camera.transport._thread.is_alive()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("mqtt") == names.count("mqtt-inbox") == 1


LINES = {
    "connack 0x87": "the broker refused the connection: not authorised; check the broker's access "
    "list and mqtt.username",
    "connack 0x86": "the broker refused the connection: bad user name or password; check "
    "mqtt.username and mqtt.password_file",
    "disconnect 0x8e": "the broker closed the connection: another client came with our client id; "
    "is a second camera set up as this one?",
    "disconnect 0x8b": "the broker closed the connection: Server shutting down (0x8b)",
    "takes packets of 100 bytes": "the broker takes packets of 100 bytes at most: too few for an "
    "alert",
    "knows no QoS 1": "the broker acknowledges nothing (no QoS 1): alerts need that",
    "pings": "the broker sent nonsense: a packet of type 12",
    "is silent from the start": "the broker does not answer",
    "is silent after connack": "the broker does not answer any more",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_the_reason_is_told(name, meet):
    broker, camera = meet(SCRIPTS[name])
    reason = camera.ears.wait_for_link(False)
    assert reason == f"127.0.0.1:{broker.port}: {LINES[name]}"


def test_a_refusal_is_not_repeated_in_the_older_version(meet):
    broker, camera = meet(partial(connack, 0x87))
    camera.ears.wait_for_link(False, times=2)
    wait_until(lambda: broker.guests >= 2, "two tries")
    assert broker.guests <= 3


def test_subscriptions_that_are_refused_are_told_and_alerts_go_out(meet):
    def script(guest: Guest) -> None:
        guest.accept()
        guest.suback(guest.read_until(SUBSCRIBE), 0x87)
        guest.serve()

    _, camera = meet(script)
    wait_until(camera.accepted, "the event is accepted")
    wait_until(lambda: camera.ears.results, "a result")
    assert camera.transport.health().unheard == ("ack", "command")


@pytest.mark.slow
def test_a_message_of_10_mb_is_skipped_acknowledged_and_costs_no_memory(meet):
    payload = bytes(10_000_000)
    acknowledged, grown = [], []
    before = rss_mb()

    def script(guest: Guest) -> None:
        guest.accept()
        for packet_id in (1, 2, 3):
            guest.send(guest.command(payload, packet_id))
            grown.append(rss_mb() - before)
        while len(acknowledged) < 3:
            acknowledged.append(int.from_bytes(guest.read_until(4)[:2], "big"))
        guest.gone.wait(20)

    broker, camera = meet(script)
    wait_until(lambda: len(acknowledged) == 3, "three acknowledgements")
    assert acknowledged == [1, 2, 3]
    assert camera.transport.health().oversized == 3
    assert camera.heard == 0
    assert broker.guests == 1
    # the broker's own copy of a packet counts here too
    print(f"three messages of 10 MB: {max(grown):+.1f} MB at most, the sender's copy included")
    assert max(grown) < 40.0


def test_a_message_just_too_long_is_acknowledged_and_not_heard(meet):
    def script(guest: Guest) -> None:
        guest.accept()
        guest.send(guest.command(bytes(MAX_PAYLOAD + 1), 1) + guest.command(b"disarm", 2))
        guest.serve()

    _, camera = meet(script)
    wait_until(lambda: camera.heard == 1, "the second")
    assert camera.transport.health().oversized == 1


@pytest.mark.slow
def test_a_flood_of_commands_costs_little_time_and_no_memory(meet):
    """The broker sends as fast as the connection takes, far over 10,000 a second if it did."""
    sent: list[int] = []

    def script(guest: Guest) -> None:
        guest.accept()
        pieces = b"".join(guest.command(b"x" * 300, 1 + n) for n in range(100))
        sent.append(flood(guest, pieces, 4.0))

    _, camera = meet(script)
    camera.ears.wait_for_link(True)
    wait_until(lambda: camera.heard > 100, "the flood has come")
    before, began, cpu = rss_mb(), time.monotonic(), cpu_s()
    most = before
    while time.monotonic() - began < 2.0:
        time.sleep(0.05)
        most = max(most, rss_mb())
    share = (cpu_s() - cpu) / (time.monotonic() - began)
    print(f"flood: {share:.0%} of a core, {most - before:+.1f} MB, {camera.heard} heard")
    assert most - before < 5.0
    assert share < 0.5
    wait_until(camera.accepted, "the alert came through")


def rss_mb() -> float:
    """Resident memory of this process, megabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def cpu_s() -> float:
    """Processor time of the transport's two threads, s."""
    clocks = [
        time.pthread_getcpuclockid(thread.ident)
        for thread in threading.enumerate()
        if thread.name in ("mqtt", "mqtt-inbox")
    ]
    return sum(time.clock_gettime(clock) for clock in clocks)
