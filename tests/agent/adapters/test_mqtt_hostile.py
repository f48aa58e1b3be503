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
)
from tests.support.hostile_scripts import SCRIPTS, connack
from tests.support.receiver import wait_until
from tests.support.recording_broker import SUBSCRIBE

BACKOFF = Backoff(0.05, 0.2)
ANSWER_S = 0.3
KEEPALIVE_S = 1


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
