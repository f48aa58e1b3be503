"""The transport against real brokers, and against one that misbehaves."""

from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from agent.adapters.clock import SystemClock
from agent.adapters.mqtt import MqttSettings, MqttTransport, TlsSettings, classify
from agent.adapters.mqtt_rules import MAX_PACKET
from agent.delivery import Backoff, Session
from agent.values import SendResult, Wall
from tests.support.broker import MOSQUITTO, Broker, free_port
from tests.support.delivery_world import Ears
from tests.support.receiver import RunningReceiver, running_receiver, wait_until
from tests.support.recording_broker import RecordingBroker

SESSION = Session(number=7, version="0.1", test=True)
BIRTH = SESSION.online("armed", "field test", since=Wall(1_800_000_000.0))
FINAL = SESSION.final("end of file", since=Wall(1_800_000_009.0))

Connect = Callable[..., tuple[MqttTransport, Ears]]
TOPICS = "bodycam/field-test/cam-7"


@pytest.fixture(
    params=[
        pytest.param(kind, marks=pytest.mark.slow)
        for kind in ("amqtt", "mosquitto", "mosquitto-tls")
    ]
)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """Not started yet, with its port chosen."""
    if request.param != "amqtt" and MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    broker = Broker(request.param, tmp_path)
    broker.reserve()
    yield broker
    broker.stop()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Starts transports, and stops them at the end."""
    started: list[MqttTransport] = []

    def begin(
        broker: Broker | RecordingBroker, *, listeners: dict | None = None, **changes: object
    ) -> tuple[MqttTransport, Ears]:
        values = {
            "host": broker.host,
            "port": broker.port,
            "topics": TOPICS,
            "client_id": "spd-cam-7",
            "keepalive_s": 30,
            "connect_timeout_s": 5.0,
            "in_flight": 20,
            "backoff": Backoff(0.05, 0.2),
            "probe_s": 0.3,
            "tls": tls_of(broker),
        }
        settings = MqttSettings(**{**values, **changes})
        clock = SystemClock()
        transport = MqttTransport(
            settings,
            birth=BIRTH,
            will=SESSION.will(),
            clock=clock,
            chance=lambda: 0.5,
            listeners=listeners,
        )
        ears = Ears()
        started.append(transport)
        transport.start(ears)
        return transport, ears

    yield begin
    for transport in started:
        transport.stop(None)


def tls_of(broker: Broker | RecordingBroker) -> TlsSettings | None:
    """What a camera needs to be let in there."""
    identity = broker.identity("cam-7") if isinstance(broker, Broker) else None
    if identity is None:
        return None
    return TlsSettings(str(identity.ca), str(identity.cert), str(identity.key))


def receiver_at(broker: Broker, folder: Path) -> AbstractContextManager[RunningReceiver]:
    return running_receiver(broker.host, broker.port, folder, broker.identity("hub"))


def cut(transport: MqttTransport) -> None:
    """The connection breaks without a goodbye."""
    transport._current._client.socket().raw.shutdown(socket.SHUT_RDWR)


def test_events_reach_a_subscriber_and_are_confirmed(broker, connect, tmp_path):
    broker.start()
    with receiver_at(broker, tmp_path) as receiver:
        transport, ears = connect(broker)
        ears.wait_for_link(True)
        for number in range(5):
            transport.send(f"id-{number}", "match", b'{"n":%d}' % number)

        assert sorted(ears.wait_for_results(5)) == [
            (f"id-{number}", SendResult.ACCEPTED) for number in range(5)
        ]
        wait_until(lambda: len(receiver.matches()) == 5, "five events")
        assert receiver.matches() == [{"n": number} for number in range(5)]


def test_a_broker_on_this_machine_acknowledges_within_a_tenth_of_a_second(broker, connect):
    broker.start()
    transport, ears = connect(broker)
    ears.wait_for_link(True)
    took_s = []
    for number in range(100):
        began = time.perf_counter()
        transport.send(f"id-{number}", "match", bytes(3000))
        ears.wait_for_results(number + 1)
        took_s.append(time.perf_counter() - began)
    p50, p95 = sorted(took_s)[50], sorted(took_s)[95]
    print(f"{broker.kind}: publish to PUBACK p50 {p50 * 1e3:.1f} ms, p95 {p95 * 1e3:.1f} ms")
    assert p95 < 0.1


def test_messages_to_the_device_are_heard_and_those_to_others_are_not(broker, connect):
    broker.start()
    heard: list[bytes] = []
    _, ears = connect(broker, listeners={"watchlist": heard.append})
    ears.wait_for_link(True)
    for topic in ("bodycam/field-test/cam-8/watchlist", "bodycam/field-test/cam-7/match"):
        tell(broker, topic, b"no")
    wait_until(lambda: heard or tell(broker, f"{TOPICS}/watchlist", b"look"), "a nudge")
    assert set(heard) == {b"look"}


def tell(broker: Broker, topic: str, payload: bytes) -> None:
    """As the hub."""
    identity = broker.identity("hub")
    tls = identity and {
        "ca_certs": str(identity.ca),
        "certfile": str(identity.cert),
        "keyfile": str(identity.key),
    }
    publish.single(topic, payload, qos=1, hostname=broker.host, port=broker.port, tls=tls)


def test_birth_will_and_last_words_carry_the_session(broker, connect, tmp_path):
    broker.start()
    with receiver_at(broker, tmp_path) as receiver:
        transport, ears = connect(broker)
        ears.wait_for_link(True)
        wait_until(lambda: len(receiver.states()) == 1, "birth")
        cut(transport)
        ears.wait_for_link(True, times=2)
        wait_until(lambda: len(receiver.states()) == 3, "will and second birth")
        transport.stop(FINAL)
        wait_until(lambda: len(receiver.states()) == 4, "last words")

    states = receiver.states()
    assert {state["session"] for state in states} == {7}
    assert states[0] == json.loads(BIRTH)
    # the broker notices the death and the rebirth independently
    assert sorted((s["online"], s["reason"]) for s in states[1:3]) == [
        (False, "connection lost"),
        (True, "field test"),
    ]
    assert states[3] == json.loads(FINAL)


def test_the_state_stays_at_the_broker_for_those_who_come_later(broker, connect, tmp_path):
    broker.start()
    transport, ears = connect(broker)
    ears.wait_for_link(True)
    transport.publish_state(SESSION.online("disarmed", "operator", since=Wall(0.0)))
    transport.stop(FINAL)

    with receiver_at(broker, tmp_path) as receiver:
        wait_until(lambda: receiver.states() != [], "the retained state")
        assert receiver.states() == [json.loads(FINAL)]


def test_a_broker_that_is_not_there_is_reported_and_tried_again(broker, connect):
    transport, ears = connect(broker)
    reason = ears.wait_for_link(False, times=2)
    assert reason == f"127.0.0.1:{broker.port}: Connection refused"
    broker.start()
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"{}")
    assert ears.wait_for_results(1) == [("id-1", SendResult.ACCEPTED)]


def test_a_silent_broker_is_left_when_an_id_is_sent_twice(broker, connect):
    broker.start()
    transport, ears = connect(broker, connect_timeout_s=0.5)
    ears.wait_for_link(True)
    broker.freeze()
    transport.send("id-1", "match", b"{}")
    transport.send("id-1", "match", b"{}")

    assert "no acknowledgement of id-1 in time" in ears.wait_for_link(False)
    assert "does not answer" in ears.wait_for_link(False, times=2)
    broker.thaw()
    ears.wait_for_link(True, times=2)
    before = len(ears.results)
    transport.send("id-1", "match", b"{}")
    ears.wait_for_results(before + 1)


def test_an_older_broker_is_spoken_to_in_its_own_version(recording_broker, connect):
    recording_broker.behaviour.versions = (4,)
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"{}")

    assert ears.wait_for_results(1) == [("id-1", SendResult.ACCEPTED)]
    assert recording_broker.heard.levels == [5, 4]


def test_embedded_broker_speaks_3_and_mosquitto_5(broker, connect):
    broker.start()
    transport, ears = connect(broker)
    ears.wait_for_link(True)
    modern = transport._current._client.protocol == MQTTProtocolVersion.MQTTv5
    assert modern is (broker.kind != "amqtt")


@pytest.mark.parametrize(
    ("code", "result"),
    [
        (0x00, SendResult.ACCEPTED),
        (0x10, SendResult.ACCEPTED),
        (0x80, SendResult.RETRY),
        (0x83, SendResult.RETRY),
        (0x87, SendResult.RETRY),
        (0x90, SendResult.REFUSED),
        (0x91, SendResult.RETRY),
        (0x97, SendResult.RETRY),
        (0x99, SendResult.REFUSED),
    ],
)
def test_every_puback_code_of_the_standard_is_classified(recording_broker, connect, code, result):
    recording_broker.behaviour.code = code
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"{}")

    assert ears.wait_for_results(1) == [("id-1", result)]
    assert classify(code) is result


def test_what_was_sent_while_disconnected_is_not_kept(recording_broker, connect):
    recording_broker.go_down()
    transport, ears = connect(recording_broker)
    ears.wait_for_link(False)
    transport.send("id-1", "match", b"lost")
    recording_broker.come_up()
    ears.wait_for_link(True)
    transport.send("id-2", "match", b"kept")

    assert ears.wait_for_results(1) == [("id-2", SendResult.ACCEPTED)]
    assert recording_broker.heard.events() == [b"kept"]


def test_what_a_lost_connection_held_is_not_sent_again_by_itself(recording_broker, connect):
    recording_broker.behaviour.answers = False
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    for number in range(3):
        transport.send(f"id-{number}", "match", b"%d" % number)
    wait_until(lambda: len(recording_broker.heard.events()) == 3, "three events")
    recording_broker.hang_up()
    ears.wait_for_link(True, times=2)
    recording_broker.answer_all()
    transport.send("id-0", "match", b"0")

    assert ears.wait_for_results(1) == [("id-0", SendResult.ACCEPTED)]
    assert recording_broker.heard.events() == [b"0", b"1", b"2", b"0"]


def test_never_more_open_than_the_broker_allows(recording_broker, connect):
    recording_broker.behaviour.receive_maximum = 3
    recording_broker.behaviour.answers = False
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    for number in range(10):
        transport.send(f"id-{number}", "match", b"{}")
    wait_until(lambda: recording_broker.unanswered() == 3, "three open")
    recording_broker.answer_all()

    assert len(ears.wait_for_results(10)) == 10
    assert recording_broker.heard.most_unanswered == 3


def test_never_more_than_the_window_open_also_right_after_a_reconnect(recording_broker, connect):
    recording_broker.behaviour.answers = False
    transport, ears = connect(recording_broker)
    for times in (1, 2, 3):
        ears.wait_for_link(True, times=times)
        for number in range(100):
            transport.send(f"id-{number}", "match", b"{}")
        wait_until(lambda: recording_broker.unanswered() == 20 * times, "20 open")  # noqa: B023
        if times < 3:
            recording_broker.hang_up()
            ears.wait_for_link(False, times=times)
    assert recording_broker.heard.most_unanswered == 20
    recording_broker.answer_all()
    assert len(ears.wait_for_results(100)) == 100
    assert recording_broker.heard.most_unanswered == 20


def test_last_words_wait_for_a_place_in_the_window(recording_broker, connect):
    recording_broker.behaviour.answers = False
    transport, ears = connect(recording_broker, in_flight=3)
    ears.wait_for_link(True)
    for number in range(9):
        transport.send(f"id-{number}", "match", b"{}")
    wait_until(lambda: recording_broker.unanswered() == 3, "three open")
    threading.Timer(0.2, recording_broker.answer_all).start()
    transport.stop(b"bye")

    assert recording_broker.heard.publishes[-1] == ("bodycam/field-test/cam-7/state", b"bye")
    assert recording_broker.heard.most_unanswered == 3
    wait_until(lambda: recording_broker.heard.goodbyes == 1, "a goodbye")


def test_a_broker_that_takes_no_last_words_gets_no_goodbye_and_publishes_the_will(
    recording_broker, connect
):
    recording_broker.behaviour.answers = False
    transport, ears = connect(recording_broker, in_flight=3)
    ears.wait_for_link(True)
    for number in range(9):
        transport.send(f"id-{number}", "match", b"{}")
    wait_until(lambda: recording_broker.unanswered() == 3, "three open")
    transport.stop(b"bye")

    assert b"bye" not in [payload for _, payload in recording_broker.heard.publishes]
    assert recording_broker.heard.most_unanswered == 3
    assert recording_broker.heard.goodbyes == 0


def test_no_faster_than_the_pace(recording_broker, connect):
    transport, ears = connect(recording_broker, in_flight=5, rate_hz=50.0)
    ears.wait_for_link(True)
    began = time.monotonic()
    for number in range(24):
        transport.send(f"id-{number}", "match", b"{}")
    ears.wait_for_results(24)
    assert time.monotonic() - began >= (24 + 1 - 5) / 50.0  # the birth is one, too


def test_the_session_is_kept_and_limits_of_ours_are_told(recording_broker, connect):
    _, ears = connect(recording_broker, session_expiry_s=7200)
    ears.wait_for_link(True)
    (body,) = recording_broker.heard.connects
    flags, length = body[7], body[10]
    properties = body[11 : 11 + length]
    assert flags & 0b0000_0010 == 0  # clean start
    assert flags & 0b0010_1100 == 0b0010_1100  # a will, retained, QoS 1
    assert b"\x11" + (7200).to_bytes(4, "big") in properties
    assert b"\x21" + (20).to_bytes(2, "big") in properties
    assert b"\x27" + MAX_PACKET.to_bytes(4, "big") in properties


def test_live_events_expire_at_the_broker_and_others_do_not(recording_broker, connect):
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"live", expires_in_s=299.2)
    transport.send("id-2", "match", b"historical")
    ears.wait_for_results(2)
    heard = recording_broker.heard
    sent = dict(zip([p for _, p in heard.publishes], heard.properties, strict=True))
    assert sent[b"live"] == b"\x02" + (300).to_bytes(4, "big")
    assert sent[b"historical"] == sent[BIRTH] == b""


def test_an_older_broker_is_not_told_of_expiry(recording_broker, connect):
    recording_broker.behaviour.versions = (4,)
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"live", expires_in_s=10.0)
    ears.wait_for_results(1)
    assert recording_broker.heard.events() == [b"live"]


def test_a_command_is_acknowledged_once_its_listener_is_done(recording_broker, connect):
    done = threading.Event()
    listeners = {"command": lambda _: done.wait(10), "ack": lambda _: None}
    transport, ears = connect(recording_broker, listeners=listeners)
    ears.wait_for_link(True)
    heard = recording_broker.heard
    wait_until(lambda: heard.topics == [f"{TOPICS}/command", f"{TOPICS}/ack"], "subscriptions")
    wait_until(lambda: transport.health().unheard == (), "granted")
    recording_broker.tell(f"{TOPICS}/command", b"disarm", 41)
    recording_broker.tell(f"{TOPICS}/ack", b"ids", 42)
    recording_broker.tell(f"{TOPICS}/command", b"disarm", 43)
    transport.send("id-1", "match", b"{}")
    assert ears.wait_for_results(1) == [("id-1", SendResult.ACCEPTED)]
    assert 41 not in heard.acknowledged
    done.set()
    wait_until(lambda: sorted(heard.acknowledged) == [41, 42, 43], "all acknowledged")
    assert transport.health().heard == 3


def test_an_event_too_large_for_the_broker_is_refused_here(recording_broker, connect):
    recording_broker.behaviour.maximum_packet = 3000
    transport, ears = connect(recording_broker)
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"x" * 3000)
    transport.send("id-2", "match", b"x" * 500)

    assert sorted(ears.wait_for_results(2)) == [
        ("id-1", SendResult.REFUSED),
        ("id-2", SendResult.ACCEPTED),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "greeting",
    [
        b"\x20\x03\x00\x87\x00",  # CONNACK: not authorised
        b"\x20\x01\x00",  # CONNACK cut short
        b"\xff\xff\xff\xff\xff\xff",  # no MQTT at all
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x40\x02\x00\x01",  # PUBACK before CONNACK
    ],
)
def test_a_broker_that_talks_nonsense_is_tried_again(recording_broker, connect, greeting):
    recording_broker.behaviour.greeting = greeting
    _, ears = connect(recording_broker, connect_timeout_s=0.3)
    reason = ears.wait_for_link(False, times=2)
    assert reason.startswith("127.0.0.1:")
    assert "\n" not in reason
    recording_broker.behaviour.greeting = None
    ears.wait_for_link(True)


def test_connections_leave_nothing_open_behind(recording_broker, connect):
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.collect()
    gc.disable()
    try:
        before = open_files()
        transport, ears = connect(recording_broker, backoff=Backoff(0.01, 0.01))
        for times in range(1, 8):
            ears.wait_for_link(True, times=times)
            recording_broker.hang_up()
            ears.wait_for_link(False, times=times)
        transport.stop(None)
        recording_broker.go_down()
        wait_until(lambda: open_files() <= before, "all closed")
    finally:
        gc.enable()


def test_stop_comes_back_quickly_with_no_broker_at_all(connect):
    class Nowhere:
        host, port = "127.0.0.1", free_port()

    transport, ears = connect(Nowhere(), backoff=Backoff(60.0, 60.0))
    ears.wait_for_link(False)
    transport.stop(FINAL)
    assert not transport._thread.is_alive()
