"""The shipped broker example: its script, and what its access list keeps apart."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from paho.mqtt import publish

from tests.support.broker import EXAMPLE, MOSQUITTO, Broker
from tests.support.receiver import running_receiver, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]
TOPICS = "bodycam/field-test"


def script(folder: Path, *arguments: str, days: str = "365") -> subprocess.CompletedProcess[str]:
    command = ["sh", str(EXAMPLE / "make-certificates.sh"), *arguments]
    environment = {"PATH": "/usr/bin:/bin", "DAYS": days}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "certs" / f"{name}.pem").read_bytes())


def test_certificates_for_broker_hub_and_cameras_and_no_key_for_others(tmp_path):
    done = script(tmp_path, "broker.example", "camera-1")
    assert done.returncode == 0, done.stderr
    server = certificate(tmp_path, "server")
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.example"]
    assert certificate(tmp_path, "camera-1").subject.rfc4514_string() == "CN=camera-1"
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "certs").iterdir()}
    assert modes == {0}


def test_again_it_adds_what_is_missing_and_renews_what_ends_soon(tmp_path):
    script(tmp_path, "127.0.0.1", "camera-1", days="10")
    before = certificate(tmp_path, "camera-1")
    authority = (tmp_path / "certs" / "ca.pem").read_bytes()
    done = script(tmp_path, "127.0.0.1", "camera-1", "camera-2")
    assert done.returncode == 0, done.stderr
    after = certificate(tmp_path, "camera-1")
    in_a_month = datetime.now(timezone.utc) + timedelta(days=30)
    assert before.not_valid_after_utc < in_a_month < after.not_valid_after_utc
    assert (tmp_path / "certs" / "ca.pem").read_bytes() == authority
    assert script(tmp_path, "127.0.0.1", "camera-2").stdout == ""
    assert certificate(tmp_path, "camera-2").issuer == after.issuer


@pytest.mark.parametrize("arguments", [(), ("broker",), ("broker", "a/b"), ("broker", "ca")])
def test_what_makes_no_sense_is_refused(tmp_path, arguments):
    done = script(tmp_path, *arguments)
    assert done.returncode == 64
    assert done.stderr


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    broker = Broker("mosquitto-tls", tmp_path)
    broker.reserve()
    broker.start()
    yield broker
    broker.stop()


def say(broker: Broker, who: str, topic: str, payload: str) -> None:
    identity = broker.identity(who)
    files = {"ca_certs": identity.ca, "certfile": identity.cert, "keyfile": identity.key}
    tls = {name: str(path) for name, path in files.items()}
    publish.single(topic, payload, qos=1, hostname=broker.host, port=broker.port, tls=tls)


def test_a_camera_reads_and_writes_nothing_of_another(broker, tmp_path):
    (tmp_path / "hub").mkdir()
    (tmp_path / "cam").mkdir()
    where = (broker.host, broker.port)
    with (
        running_receiver(*where, tmp_path / "hub", broker.identity("hub")) as hub,
        running_receiver(*where, tmp_path / "cam", broker.identity("cam-8")) as nosy,
    ):
        say(broker, "cam-8", f"{TOPICS}/cam-7/match", '"forged"')
        say(broker, "cam-7", f"{TOPICS}/cam-7/state", '"state"')
        say(broker, "cam-7", f"{TOPICS}/cam-7/match", '"alert"')
        wait_until(lambda: hub.matches() != [], "the alert")
        assert hub.matches() == ["alert"]
        assert hub.states() == ["state"]
        say(broker, "hub", f"{TOPICS}/cam-8/command", '"for cam-8"')
        assert nosy.matches() == nosy.states() == []
