"""TLS to the broker: what is trusted, what is refused, and the one line that says which."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.mqtt import MqttSettings, MqttTransport, TlsSettings
from agent.adapters.mqtt_certificates import RENEWED
from agent.adapters.mqtt_tls import problems_of
from agent.adapters.mqtt_trouble import explain
from agent.delivery import Backoff
from agent.values import SendResult
from tests.support.broker import HOST, MOSQUITTO, Broker
from tests.support.delivery_world import Ears
from tests.support.hostile_broker import HostileBroker, wait_for_ever
from tests.support.logs import KeptLog
from tests.support.mqtt_world import PkiWorld
from tests.support.receiver import wait_until
from tests.support.recording_broker import RecordingBroker

Connect = Callable[..., tuple[MqttTransport, Ears]]


@pytest.fixture
def pki(tmp_path: Path) -> PkiWorld:
    return PkiWorld(tmp_path)


@pytest.fixture
def secured(pki: PkiWorld) -> Iterator[RecordingBroker]:
    """A broker with a good certificate that wants one of everybody."""
    broker = RecordingBroker(pki.server())
    yield broker
    broker.go_down()


@pytest.fixture
def connect() -> Iterator[Connect]:
    started: list[MqttTransport] = []

    def begin(
        broker: Broker | RecordingBroker,
        tls: TlsSettings | None,
        *,
        log: KeptLog | None = None,
        **changes: object,
    ) -> tuple[MqttTransport, Ears]:
        settings = settings_for(broker.port, tls, **changes)
        transport = MqttTransport(
            settings, birth=b"{}", will=b"{}", clock=SystemClock(), chance=lambda: 0.5, log=log
        )
        started.append(transport)
        ears = Ears()
        transport.start(ears)
        return transport, ears

    yield begin
    for transport in started:
        transport.stop(None)


def settings_for(port: int, tls: TlsSettings | None, **changes: object) -> MqttSettings:
    topics, backoff = "bodycam/field-test/cam-7", Backoff(0.05, 0.1)
    settings = MqttSettings(HOST, port, topics, "cam-7", 30, 2.0, 20, backoff, 0.5, tls=tls)
    return replace(settings, **changes)


def said(ears: Ears, broker: Broker | RecordingBroker) -> str:
    """Why the first connection failed, without the address."""
    reason = ears.wait_for_link(False)
    assert reason.startswith(f"{HOST}:{broker.port}: ")
    assert "\n" not in reason
    return reason.split(": ", 1)[1]


def test_an_event_goes_out_over_tls_with_both_certificates_and_their_days(pki, secured, connect):
    transport, ears = connect(secured, pki.client())
    ears.wait_for_link(True)
    transport.send("id-1", "match", b"{}")

    assert ears.wait_for_results(1) == [("id-1", SendResult.ACCEPTED)]
    health = transport.health()
    assert (health.certificate_days, health.broker_certificate_days) == (89, 365)


TROUBLES = {
    "wrong ca": (
        lambda pki: (pki.server(), pki.client(ca_file=str(pki.stranger.file))),
        (
            "the broker's certificate is from an authority that is not trusted here; check "
            "mqtt.tls.ca_file"
        ),
    ),
    "self-signed, with the system's authorities": (
        lambda pki: (pki.server(), pki.client(ca_file="")),
        (
            "the broker's certificate is from an authority that is not trusted here; check "
            "mqtt.tls.ca_file"
        ),
    ),
    "wrong name": (
        lambda pki: (pki.server(address="127.0.0.2"), pki.client()),
        "the broker's certificate is for another name; check mqtt.host, mqtt.tls.hostname",
    ),
    "wrong pinned name": (
        lambda pki: (pki.server(), pki.client(hostname="broker.example")),
        "the broker's certificate is for another name; check mqtt.host, mqtt.tls.hostname",
    ),
    "broker's expired": (
        lambda pki: (pki.server(days=-1), pki.client()),
        (
            "the broker's certificate has expired: it must be renewed (or this device's clock is "
            "wrong)"
        ),
    ),
    "broker's not valid yet": (
        lambda pki: (pki.server(begin=timedelta(days=2)), pki.client()),
        "the broker's certificate is not valid yet; check this device's clock",
    ),
    "ours expired": (
        lambda pki: (pki.server(), pki.client(days=-1)),
        "the broker refuses our client certificate: it has expired; renew mqtt.tls.cert_file",
    ),
    "ours revoked": (
        lambda pki: (pki.server(revoked=True), pki.client()),
        "the broker refuses our client certificate: it was revoked; get a new mqtt.tls.cert_file",
    ),
    "ours from elsewhere": (
        lambda pki: (pki.server(), pki.client(by=pki.stranger)),
        (
            "the broker refuses our client certificate: it does not trust who issued it; check "
            "mqtt.tls.cert_file"
        ),
    ),
    "none of ours": (
        lambda pki: (pki.server(), TlsSettings(ca_file=str(pki.authority.file))),
        "the broker wants a client certificate; set mqtt.tls.cert_file",
    ),
    "none of ours, tls 1.2": (
        lambda pki: (
            pki.server(newest=ssl.TLSVersion.TLSv1_2),
            TlsSettings(ca_file=str(pki.authority.file)),
        ),
        "the broker refuses the TLS handshake; set mqtt.tls.cert_file?",
    ),
    "tls too old": (
        lambda pki: (
            pki.server(newest=ssl.TLSVersion.TLSv1_2),
            pki.client(min_version="1.3"),
        ),
        "the broker speaks no TLS 1.3 or later",
    ),
    "no tls there": (
        lambda pki: (None, pki.client()),
        "the broker hung up in the TLS handshake; does it speak TLS on this port?",
    ),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_has_its_line(name, pki, connect):
    prepare, line = TROUBLES[name]
    context, tls = prepare(pki)
    broker = RecordingBroker(context)
    try:
        _, ears = connect(broker, tls)
        assert said(ears, broker) == line
        assert broker.heard.publishes == []
    finally:
        broker.go_down()


HANDSHAKES = {
    "is silent": (
        wait_for_ever,
        "the broker does not answer the TLS handshake; does it speak TLS on this port?",
    ),
    "drips a record": (
        lambda guest: guest.drip(b"\x16\x03\x03\x10\x00" + bytes(4096), 0.02),
        "the broker does not answer the TLS handshake; does it speak TLS on this port?",
    ),
    "hangs up": (
        lambda guest: guest.client.recv(1),
        "the broker hung up in the TLS handshake; does it speak TLS on this port?",
    ),
    "is a web server": (
        lambda guest: guest.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "the broker does not speak TLS on this port; is it 8883?",
    ),
    "speaks MQTT in clear": (
        lambda guest: guest.send(b"\x20\x02\x00\x00" * 4),
        "the broker does not speak TLS on this port; is it 8883?",
    ),
    "is too old": (
        lambda guest: guest.send(b"\x15\x03\x01\x00\x02\x02\x46"),  # alert: protocol version
        "the broker speaks no TLS 1.2 or later",
    ),
    "knows no such protocol": (
        lambda guest: guest.send(b"\x15\x03\x03\x00\x02\x02\x78"),
        "the broker does not know this protocol; check mqtt.tls.alpn",
    ),
    "knows no such name": (
        lambda guest: guest.send(b"\x15\x03\x03\x00\x02\x02\x70"),
        "the broker does not know this name (SNI); check mqtt.tls.hostname",
    ),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_what_is_no_handshake_is_told_in_time_and_a_good_broker_used_afterwards(name, pki, connect):
    script, line = HANDSHAKES[name]
    broker = HostileBroker(script)
    try:
        began = time.monotonic()
        _, ears = connect(broker, pki.client(), connect_timeout_s=0.3)
        assert said(ears, broker) == line
        assert time.monotonic() - began < 3.0
    finally:
        broker.close()


def test_a_broker_that_hangs_up_after_the_handshake_says_most_likely_what_it_dislikes(pki, connect):
    def said_by(tls: TlsSettings) -> str:
        broker = RecordingBroker(pki.server(clients=False))
        broker.behaviour.versions = ()
        try:
            _, ears = connect(broker, tls)
            return said(ears, broker)
        finally:
            broker.go_down()

    none = TlsSettings(ca_file=str(pki.authority.file))
    assert said_by(none).endswith("does it want a client certificate (mqtt.tls.cert_file)?")
    assert said_by(pki.client()).endswith("does it refuse our mqtt.tls.cert_file?")
    assert "mqtt.tls.cert_file expired at 20" in said_by(pki.client(days=-1))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (socket.gaierror(-2, "x"), "unknown host; check mqtt.host and the network's DNS"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError("timed out"), "timed out"),
        (
            ssl.SSLError(1, "[SSL: SOMETHING_NEW] something new (_ssl.c:1006)"),
            "TLS failed: something new",
        ),
    ],
)
def test_troubles_without_a_broker(error, line):
    assert explain(error, None) == line


def test_a_certificate_for_a_pinned_name_will_do_though_the_host_has_another(pki, connect):
    broker = RecordingBroker(pki.server(name="broker.example", address=None))
    try:
        _, ears = connect(broker, pki.client(hostname="broker.example"))
        ears.wait_for_link(True)
        assert pki.names_asked_for == ["broker.example"]
    finally:
        broker.go_down()


def test_the_application_protocol_is_asked_for(pki, connect):
    context = pki.server()
    context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    broker = RecordingBroker(context)
    try:
        transport, ears = connect(broker, pki.client(alpn="x-amzn-mqtt-ca"))
        ears.wait_for_link(True)
        raw = transport._current._client.socket().raw
        assert raw.selected_alpn_protocol() == "x-amzn-mqtt-ca"
        assert raw.version() == "TLSv1.3"
    finally:
        broker.go_down()


FILES = {
    "no ca": (lambda pki: pki.client(ca_file="/nowhere"), "no such file"),
    "ca is no ca": (lambda pki: pki.client(ca_file=__file__), "no certificate in PEM"),
    "no certificate": (lambda pki: pki.client(cert_file="/nowhere"), "no such file"),
    "certificate is none": (lambda pki: pki.client(cert_file=__file__), "PEM"),
    "another key": (
        lambda pki: pki.client(key_file=pki.another_key()),
        "does not belong to mqtt.tls.cert_file",
    ),
    "encrypted key": (
        lambda pki: pki.client(passphrase="open"),
        "the key is encrypted; set mqtt.tls.key_passphrase_file",
    ),
    "wrong passphrase": (
        lambda pki: pki.client(
            passphrase="open", key_passphrase_file=pki.secret("pass", "wrong")
        ),
        "does not open the key",
    ),
    "open passphrase file": (
        lambda pki: pki.client(
            passphrase="open", key_passphrase_file=pki.secret("pass", "open", 0o644)
        ),
        "others may read it; chmod 600 it",
    ),
    "open key": (lambda pki: pki.client(mode=0o644), "everybody may read the key; chmod 600 it"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_wrong_are_told_before_and_while_running(name, pki, secured, connect):
    prepare, part = FILES[name]
    tls = prepare(pki)
    (problem,) = problems_of(settings_for(secured.port, tls))
    assert part in problem
    assert problem.startswith("mqtt.tls.")
    _, ears = connect(secured, tls)
    assert said(ears, secured) == problem
    assert secured.heard.levels == []


def test_an_encrypted_key_opens_with_its_passphrase_file(pki, secured, connect):
    passphrase = pki.secret("passphrase", "open sesame")
    tls = pki.client(passphrase="open sesame", key_passphrase_file=passphrase)
    assert problems_of(settings_for(secured.port, tls)) == ()
    _, ears = connect(secured, tls)
    ears.wait_for_link(True)


def test_the_password_comes_from_a_file_and_shows_nowhere(pki, secured, connect):
    log = KeptLog()
    changes = {"username": "cam", "password_file": pki.secret("password", "correct horse")}
    transport, ears = connect(secured, pki.client(), log=log, **changes)
    ears.wait_for_link(True)
    assert secured.heard.connects[0].endswith(b"\x00\x03cam\x00\x0dcorrect horse")
    shown = f"{transport._settings} {ears.links} {log.lines} {transport.health()}"
    assert "correct horse" not in shown


def test_a_password_file_that_others_may_read_is_refused(pki, secured, connect):
    changes = {"username": "cam", "password_file": pki.secret("password", "x", 0o644)}
    _, ears = connect(secured, pki.client(), **changes)
    assert "mqtt.password_file" in said(ears, secured)
    assert "chmod 600" in said(ears, secured)
    assert secured.heard.levels == []


def test_a_renewed_certificate_is_used_at_once_when_the_old_one_is_about_to_end(
    pki, secured, connect
):
    log = KeptLog()
    transport, ears = connect(secured, pki.client(days=5, watch_s=0.01), log=log)
    ears.wait_for_link(True)
    wait_until(lambda: log.messages("warning") != [], "a warning")
    assert transport.health().certificate_days == 4
    assert log.messages("warning") == [
        "our certificate for the broker (mqtt.tls.cert_file) ends in 4 days: renew it"
    ]
    pki.client(days=90)  # the same file
    assert ears.wait_for_link(False).endswith(RENEWED)
    ears.wait_for_link(True, times=2)
    assert transport.health().certificate_days == 89


def test_half_a_renewal_changes_nothing(pki, secured, connect):
    transport, ears = connect(secured, pki.client(days=5, watch_s=0.01))
    ears.wait_for_link(True)
    before = Path(pki.client_key).read_bytes()
    pki.client(days=90)
    transport._watch._next_look = float("inf")
    Path(pki.client_key).write_bytes(before)
    transport._watch._next_look = 0.0
    assert_stays(transport, ears, rounds=5)


def test_a_renewed_certificate_waits_for_the_next_connection_when_there_is_time(
    pki, secured, connect
):
    transport, ears = connect(secured, pki.client(days=60, watch_s=0.01))
    ears.wait_for_link(True)
    pki.client(days=90)
    assert_stays(transport, ears, rounds=5)
    secured.hang_up()
    ears.wait_for_link(True, times=2)
    assert transport.health().certificate_days == 89


def assert_stays(transport: MqttTransport, ears: Ears, rounds: int) -> None:
    """The certificates were looked at so many times more, and the connection is the same."""
    watch = transport._watch
    for _ in range(rounds):
        seen = watch._next_look
        wait_until(lambda: watch._next_look > seen, "a look")  # noqa: B023
    assert [up for up, _ in ears.links] == [True]


def test_the_brokers_certificate_is_watched_too(pki, connect):
    broker, log = RecordingBroker(pki.server(days=10)), KeptLog()
    try:
        transport, ears = connect(broker, pki.client(watch_s=0.01), log=log)
        ears.wait_for_link(True)
        wait_until(lambda: log.messages("warning") != [], "a warning")
        assert log.messages("warning") == ["the broker's certificate ends in 10 days: renew it"]
        assert transport.health().broker_certificate_days == 10
    finally:
        broker.go_down()


@pytest.mark.slow
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_mosquitto_with_the_shipped_example_lets_a_camera_in_until_it_is_revoked(connect, tmp_path):
    broker = Broker("mosquitto-tls", tmp_path)
    broker.reserve()
    identity = broker.identity("cam-7")
    tls = TlsSettings(str(identity.ca), str(identity.cert), str(identity.key))
    broker.start()
    try:
        _, ears = connect(broker, tls)
        ears.wait_for_link(True)
        broker.stop()
        broker.revoke("cam-7")
        broker.start()
        line = "it was revoked; get a new mqtt.tls.cert_file"
        wait_until(lambda: any(line in why for up, why in ears.links if not up), "refused")
        assert [up for up, _ in ears.links].count(True) == 1
    finally:
        broker.stop()
