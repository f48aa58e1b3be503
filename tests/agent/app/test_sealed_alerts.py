"""A provisioned device raises alerts: nobody but its agency reads them, nobody else commands it."""

from __future__ import annotations

import base64
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.control_socket import ask
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.sealing_writer import SealedEvents
from agent.adapters.signing import KeySigner
from agent.app.build import RunOptions, build_agent
from agent.audit.walk import Trust
from agent.cli import main
from agent.cli.ctl_test_alert import follow
from agent.errors import UnavailableError
from agent.messages import MatchEvent
from agent.messages.control import ControlRequest
from tests.support.agents import MAN
from tests.support.alerting_device import ENTRY, SUBJECT, Device
from tests.support.alerts import CONTEXT, an_entry, ulid
from tests.support.broker import embedded_broker
from tests.support.receiver import wait_until

JPEG = b"\xff\xd8\xff\xe0"
STATUS = ControlRequest(command="status")
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def broker() -> Iterator[tuple[str, int]]:
    with embedded_broker() as address:
        yield address


def tells(data: bytes) -> bool:
    """Whether these bytes say who it was, or show anybody."""
    words = [ENTRY.encode(), SUBJECT.encode(), JPEG, base64.b64encode(JPEG)[:5]]
    return any(word in data for word in words)


def test_only_the_agency_learns_who_it_was_and_has_the_picture(tmp_path, broker) -> None:
    device = Device(tmp_path, broker)
    with device.agency.on(*broker) as agency:
        agency.kind.set()
        assert device.run() == 0
    first = agency.opened[0]
    assert isinstance(first, MatchEvent)
    assert (first.data.entry, first.subject, first.data.historical) == (ENTRY, SUBJECT, False)
    picture = base64.b64decode(first.data.evidence.data)
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert shown[30:90, 30:90, 0].mean() == pytest.approx(MAN, abs=12)  # his own blue
    assert tells(picture)  # the search finds what there is to find
    assert tells(first.model_dump_json().encode())
    assert {kind for kind, _ in agency.heard} <= {"match", "state", "health", "ack"}
    assert not [kind for kind, payload in agency.heard if tells(payload) or b'"tag"' in payload]
    assert device.pending() == []
    log = device.context.audit()
    key = device.keystore.identity.sign_key.hex()
    known = {one.data.last: one.data.hash for one in agency.checkpoints}
    report = log.verify(Trust(key, known))
    assert (report.intact, report.signer) == (True, key)
    assert report.protected == report.head.seq - 1  # the end of the run is signed for
    assert report.anchored == report.protected  # and the agency has it
    assert not [name for name, data in device.files().items() if tells(data)]


def test_without_the_hubs_word_everything_stays_sealed_and_is_sent_again(tmp_path, broker) -> None:
    device = Device(tmp_path, broker, "delivery.drain_s=4")
    with device.agency.on(*broker) as agency:
        assert device.run() == 75
        raised = {entry.id for entry in device.pending()}
        assert raised
        assert agency.ids == raised
        files = device.files()
        assert not [name for name, data in files.items() if tells(data)]
        assert device.audited("alert")[0].keys() == {
            "event", "activation", "authorisation", "list", "version",
        }  # fmt: skip

        keys = device.context.keystore().keys
        writer = SealedEvents(CONTEXT, bytes(32), lambda: keys)
        (ours, at), (armed, there) = writer.of_authorisation("TEST-1")
        for entry in device.pending():
            assert entry.payload[at:].startswith(ours)
            assert entry.payload[there:].startswith(armed)
        assert b"TEST-1" not in ours + armed
        assert not ours.startswith(writer.of_authorisation("TEST-2")[0][0])

        agency.kind.set()
        device.restarted("delivery.drain_s=10")
        assert device.run(armed=False) == 0
    assert device.pending() == []
    assert agency.ids == raised
    late = [event for event in agency.opened if event.data.historical]
    assert {event.id for event in late} <= raised


def test_forged_words_confirm_nothing_and_command_nothing(tmp_path, broker) -> None:
    device = Device(tmp_path, broker, "delivery.drain_s=4")
    thief = KeySigner(Ed25519PrivateKey.generate())
    with device.agency.on(*broker) as agency:
        honest, agency._acks = agency._acks, thief
        agency.kind.set()
        assert device.run() == 75
        assert {entry.id for entry in device.pending()} == agency.ids
        agency._acks = honest
    reasons = [one["reason"] for one in device.audited("refusal")]
    assert any("signed by nobody known here" in reason for reason in reasons)


def until(device: Device, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while True:
        try:
            status = ask(device.context.control_path, STATUS).data
            if holds(status):
                return status
        except UnavailableError:
            status = {}
        assert time.monotonic() < deadline, status
        time.sleep(0.02)


def operated(device: Device, script: Callable[[], None]) -> None:
    """Run the agent while somebody acts; then stop it."""
    errors: list[BaseException] = []

    def operate() -> None:
        try:
            script()
        except BaseException as error:  # noqa: BLE001 -- raised below
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=operate)
    agent = build_agent(device.context, RunOptions(arm=("patrol", "TEST-1")))
    thread.start()
    agent.run()
    thread.join(20)
    if errors:
        raise errors[0]


def test_the_agency_commands_and_a_thief_or_a_replay_does_not(tmp_path, broker) -> None:
    device = Device(tmp_path, broker, "camera.pace=live", "camera.fps=0.5")
    thief = KeySigner(Ed25519PrivateKey.generate())

    def script() -> None:
        until(device, lambda status: status["armed"] and status["connected"])
        agency.command("disarm", signer=thief)
        agency.command("arm", session=1, arguments={"reason": "x", "authorisation": "y"})
        until(device, lambda status: len(status["inbound"]["refused"]) == 2)
        assert until(device, lambda status: True)["armed"]
        agency.command("disarm", arguments={"reason": "the operation is over"})
        status = until(device, lambda status: not status["armed"])
        assert status["reason"] == "the operation is over"
        wait_until(
            lambda: any(b"disarmed by a command" in what for _, what in agency.heard), "state"
        )
        assert not any(b"the operation" in what for kind, what in agency.heard if kind != "command")
        agency.counter -= 1
        states = len([1 for kind, _ in agency.heard if kind == "state"])
        agency.command("report")  # a number that was used
        until(device, lambda status: status["inbound"]["refused"].get("command.replayed") == 1)
        agency.command("report")
        wait_until(
            lambda: len([1 for kind, _ in agency.heard if kind == "state"]) > states, "state"
        )
        agency.command("sync")
        agency.command("unpark")
        until(device, lambda status: status["inbound"]["commands"] == 4)

    with device.agency.on(*broker) as agency:
        agency.kind.set()
        operated(device, script)
    done = [one["command"] for one in device.audited("command")]
    assert done == ["disarm", "report", "sync", "unpark"]
    refused = " ".join(one["reason"] for one in device.audited("refusal"))
    for why in ("nobody known", "not allowed by the policy", "used before"):
        assert why in refused


def test_what_was_raised_before_an_agency_was_there_is_never_sent_in_clear(tmp_path, broker):
    device = Device(tmp_path, broker, "delivery.drain_s=4")
    with closing(SqliteOutbox(device.context.state_dir / "outbox.sqlite")) as outbox:
        outbox.put(an_entry(1, payload=b'{"data":{"entry":"E-200"}}'))
    with device.agency.on(*broker) as agency:
        device.run(armed=False)
    assert agency.opened == []
    with closing(SqliteOutbox(device.context.state_dir / "outbox.sqlite")) as outbox:
        assert "not sealed" in next(iter(outbox.parked().values()))


def test_what_was_refused_is_tried_again_at_ctl_unpark(tmp_path, broker) -> None:
    device = Device(tmp_path, broker, "camera.pace=live", "camera.fps=0.5")
    with closing(SqliteOutbox(device.context.state_dir / "outbox.sqlite")) as outbox:
        outbox.put(an_entry(1, payload=b'{"data":{"entry":"E-200"}}'))
    tries: list[int] = []

    def script() -> None:
        until(device, lambda status: status["parked"] == 1)
        for _ in range(2):
            with closing(sqlite3.connect(device.context.state_dir / "outbox.sqlite")) as db:
                db.execute("UPDATE entry SET parked = 'planted' WHERE parked IS NOT NULL")
                db.commit()
            words = ["ctl", "unpark", "--state-dir", str(device.context.state_dir)]
            assert main(words) == 0
            wait_until(lambda: "not sealed" in parked(device), "parked again, for its own reason")
            tries.append(1)

    with device.agency.on(*broker):
        operated(device, script)
    assert len(tries) == 2


def parked(device: Device) -> str:
    with closing(sqlite3.connect(device.context.state_dir / "outbox.sqlite")) as db:
        return str(db.execute("SELECT parked FROM entry WHERE id = ?", (ulid(1),)).fetchone()[0])


def test_the_cooldown_outlives_a_restart_though_its_mark_says_nothing(tmp_path, broker) -> None:
    device = Device(tmp_path, broker)
    with device.agency.on(*broker) as agency:
        agency.kind.set()
        device.run()
        outbox = SqliteOutbox(device.context.state_dir / "outbox.sqlite")
        (activation,) = {event.data.activation for event in agency.opened}
        marks = outbox.cooldowns(f"{activation}/")
        outbox.close()
    (mark,) = marks
    assert marks[mark][0] == agency.opened[0].id
    assert SUBJECT not in mark
    agent = build_agent(device.restarted(), RunOptions())
    events = agent._parts.pipeline._around.events
    assert events.subject(activation, mark) == SUBJECT
    assert events.subject("another activation", mark) is None
    assert events.mark(activation, "S-1") != events.mark(activation, "S-1")
    assert len(events.mark(activation, "S")) == len(events.mark(activation, "S" * 64))
    agent._parts.release()
    assert marks[mark][1] > device.context.clock.monotonic()


def test_a_test_alert_comes_back_from_the_agency_and_speaks_of_nobody(tmp_path, broker) -> None:
    device = Device(tmp_path, broker, "camera.pace=live", "camera.fps=0.5")
    replies: list[Any] = []

    def script() -> None:
        until(device, lambda status: status["armed"] and status["connected"])
        path = device.context.control_path
        ask(path, ControlRequest(command="disarm", reason="before the shift"))

        def try_it(timeout_s: float) -> None:
            answer = follow(lambda asked: ask(path, asked), timeout_s, time.monotonic, time.sleep)
            replies.append(answer.data)

        try_it(1.5)
        agency.kind.set()
        try_it(15.0)

    with device.agency.on(*broker) as agency:
        operated(device, script)
    silent, confirmed = replies
    assert (silent["confirmed"], silent["by"]) == (False, "hub"), "the broker's word is not enough"
    assert (confirmed["confirmed"], confirmed["by"]) == (True, "hub")
    opened = {event.id: event for event in agency.opened}
    assert {silent["event"], confirmed["event"]} == opened.keys()
    for event in opened.values():
        assert (event.type, event.subject, event.data.entry) == ("bodycam.test.v1", "TEST", "TEST")
        assert event.data.test
    assert device.pending() == []
    told = [one["event"] for one in device.audited("test-alert")]
    assert told == [silent["event"], confirmed["event"]]
