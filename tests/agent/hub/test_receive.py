"""The receiver as a process, over an embedded broker."""

from __future__ import annotations

import random
import subprocess
import time
from contextlib import closing

import pytest

from agent.adapters.audit_log import AuditLog
from agent.audit.checkpoint import CheckpointKey
from agent.delivery.checkpoints import checkpoint_entry
from agent.delivery.sealing import sealed_payload
from tests.support.broker import MOSQUITTO, Broker, embedded_broker, free_port
from tests.support.field_cameras import FieldCamera, hub_station
from tests.support.hub_process import ROOT, HubProcess, Sender
from tests.support.receiver import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address():
    with embedded_broker() as found:
        yield found


def events_of(camera: FieldCamera, count: int) -> dict[str, bytes]:
    events = [camera.event(evidence=None) for _ in range(count)]
    return {one.id: camera.sealed(one) for one in events}


def stored_ids(world) -> list[str]:
    with hub_station(world) as hub:
        return [row[0] for row in hub.rows("SELECT id FROM event ORDER BY number")]


def test_from_camera_to_hub_and_back(world, address) -> None:
    camera = FieldCamera(world)
    hub = HubProcess(world, address, "--json")
    event = camera.event()
    late = camera.event()
    hub.start()
    with closing(Sender(camera, address)) as sender:
        sender.send_until_heard({event.id: camera.sealed(event)})
        sender.send_until_heard({late.id: camera.sealed(late, historical=True)})
        sender.publish("match", b"nonsense")
        wait_until(lambda: "no sealed event" in hub.err.read_text(), "the refusal is told")
    assert hub.stop() == 0
    assert [one["id"] for one in hub.lines()] == [event.id, late.id]
    assert [one["data"]["historical"] for one in hub.lines()] == [False, True]
    assert hub.lines()[0]["data"]["subject"] == "S-1"
    assert "2 new, 0 again, 1 refused (1 malformed)" in hub.err.read_text()


def test_killed_at_any_moment_nothing_is_lost_or_doubled(world, address) -> None:
    camera = FieldCamera(world)
    payloads = events_of(camera, 150)
    hub = HubProcess(world, address)
    chance = random.Random(7)
    hub.start()
    with closing(Sender(camera, address)) as sender:
        for _ in range(4):
            sender.send(payloads)
            time.sleep(chance.uniform(0.0, 0.25))
            hub.kill()
            before = set(sender.acknowledged)
            assert before <= set(stored_ids(world))  # what was acknowledged is on disk
            hub.start()
        sender.send_until_heard(payloads)
    assert hub.stop() == 0
    assert sorted(stored_ids(world)) == sorted(payloads)


def test_once_ends_by_itself(world, address) -> None:
    camera = FieldCamera(world)
    hub = HubProcess(world, address)
    payloads = events_of(camera, 3)
    command = hub.command("receive", "--once")
    with (
        closing(Sender(camera, address)) as sender,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process,
    ):
        sender.send_until_heard(payloads, every_s=0.3)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert [line.split()[-1] for line in out.splitlines()] == list(payloads)
    assert all("CAM-7  match  S-1 (E-1)" in line for line in out.splitlines())


@pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: the embedded broker keeps nothing")
def test_what_came_while_the_hub_was_away_waits_at_the_broker(world, tmp_path) -> None:
    camera = FieldCamera(world)
    broker = Broker("mosquitto", tmp_path)
    broker.start()
    address = (broker.host, broker.port)
    hub = HubProcess(world, address)
    payloads = events_of(camera, 30)
    try:
        hub.start()
        assert hub.stop() == 0
        with closing(Sender(camera, address)) as sender:
            sender.send(payloads)
            command = hub.command("receive", "--once")
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            wait_until(lambda: not sender.missing(payloads), "acknowledged, sent but once")
    finally:
        broker.stop()
    assert len(done.stdout.splitlines()) == 30


def test_no_broker_is_one_line(world) -> None:
    hub = HubProcess(world, ("127.0.0.1", free_port()))
    done = subprocess.run(
        hub.command("receive", "--once"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 69
    assert done.stderr.splitlines()[-1].endswith(": Connection refused")


def test_two_receivers_do_not_share_a_hub(world, address) -> None:
    hub = HubProcess(world, address)
    hub.start()
    done = subprocess.run(
        hub.command("receive"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 69
    assert "another command is at work" in done.stderr
    assert hub.stop() == 0


def test_a_silent_camera_raises_the_alarm_and_a_broker_that_returns_is_found(world, tmp_path):
    camera = FieldCamera(world)
    port = free_port()
    hub = HubProcess(world, ("127.0.0.1", port), "--silent-minutes", "0.02")
    hub.start(ready=False)
    wait_until(lambda: hub.err.exists() and "trying again" in hub.err.read_text(), "it waits")
    with embedded_broker(port) as address, closing(Sender(camera, address)) as sender:
        sender.publish("state", camera.state(), retain=True)
        wait_until(lambda: "ALARM CAM-7: silent" in hub.err.read_text(), "the alarm")
        sender.publish("health", camera.health(every_s=0.1))
        wait_until(lambda: "CAM-7: is heard again" in hub.err.read_text(), "the all-clear")
    assert hub.stop() == 0


def test_a_forked_audit_log_raises_the_alarm(world, address, tmp_path) -> None:
    camera, hub = FieldCamera(world), HubProcess(world, address)
    key = CheckpointKey("example-pd", camera.name, camera.keys.sign_key, camera.keys.sign)
    made = []
    for name in ("true", "restored"):
        log = AuditLog(tmp_path / name, world.clock)
        log.append("stop", reason=name)
        made.append(log.checkpoint(key))
    hub.start()
    with closing(Sender(camera, address)) as sender:
        for one in made:
            sender.send_until_heard({one.id: sealed_payload(checkpoint_entry(one), False)})
        wait_until(lambda: "ALARM CAM-7: its audit log is forked" in hub.err.read_text(), "alarm")
    assert hub.stop() == 0
    assert stored_ids(world) == []


def test_it_deletes_what_it_has_kept_for_too_long(world, address) -> None:
    camera = FieldCamera(world)
    event = camera.event()
    with hub_station(world) as station:
        station.take(camera.message(camera.sealed(event)))
        with station.station.database.transaction() as db:
            db.execute("UPDATE event SET received = ?", (time.time() - 32 * 86_400,))
    hub = HubProcess(world, address)
    hub.start()
    told = "deleted 1 events older than 31 days"
    wait_until(lambda: told in hub.err.read_text(), "what is too old goes")
    assert hub.stop() == 0


def test_an_older_register_is_warned_of_and_received_with(world, address) -> None:
    """A camera that was removed may be back in it; alerts do not wait for that to be mended."""
    FieldCamera(world)
    (world.state_dir / "hub.generation").write_text("99\n")
    hub = HubProcess(world, address)
    done = subprocess.run(
        hub.command("receive", "--once"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "hub.sqlite is an older copy" in done.stderr
