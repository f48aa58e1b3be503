"""A provisioned device raises alerts: nobody but its agency reads them, nobody else commands it."""

from __future__ import annotations

import base64
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.control_socket import ask
from agent.adapters.device_provisioning import generate
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.sealing_writer import SealedEvents
from agent.adapters.signing import KeySigner
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.app.vault import rules_of
from agent.audit.chain import read_record
from agent.audit.walk import Trust
from agent.cli.ctl_test_alert import follow
from agent.errors import UnavailableError
from agent.messages import MatchEvent
from agent.messages.control import ControlRequest
from agent.policy import FIELD_TEST
from tests.support.agency import Agency
from tests.support.agents import CURVE, MAN, STRANGER
from tests.support.alerts import CONTEXT, an_entry
from tests.support.broker import embedded_broker
from tests.support.hubs import FAST, HubWorld
from tests.support.lists import a_meta, columns_of
from tests.support.portraits import (
    SPACE,
    PortraitDetector,
    PortraitEmbedder,
    save_portrait,
    template,
)
from tests.support.receiver import wait_until
from tests.support.sealed import DAY, HOUR, nothing, publish

ENTRY, SUBJECT = f"E-{MAN}", f"S-{MAN}"
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


class Device:
    """Provisioned by a real hub; its camera shows the man beside a stranger."""

    def __init__(self, folder: Path, broker: tuple[str, int], *settings: str) -> None:
        self.world = HubWorld(folder)
        self.world.init()
        camera = folder / "clip"
        camera.mkdir()
        for number in range(60):
            save_portrait(camera / f"{number:03d}.png", MAN, STRANGER)
        self.settings = (
            f"camera.source={camera}", "camera.fps=20", "camera.pace=max",
            f"mqtt.host={broker[0]}", f"mqtt.port={broker[1]}", "delivery.ack_timeout_s=1",
            "sync.url=http://127.0.0.1:1/", *settings,
        )  # fmt: skip
        self.context = self.restarted()
        self.context.state_dir.mkdir(mode=0o700)
        self.answers: list[Any] = []
        token = self.world.token("CAM-7", unlock="device")
        generate(self.context.keys_dir, token, commit=self.answers.append, cost=FAST)
        self.keystore = self.context.keystore()
        self._sync()
        self.agency = self._agency()

    def restarted(self, *settings: str) -> Context:
        models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
        folder = self.world.folder / "state"
        self.context = Context(folder, None, (*self.settings, *settings), models=models)
        return self.context

    def _sync(self) -> None:
        """What a look would leave: verified metadata, and the list in the sealed store."""
        client = self.world.client("state")
        client.look()
        client._metadata.rename(self.context.state_dir / "tuf")
        (self.context.state_dir / "targets").rmdir()
        now = self.context.clock.wall()
        metas = [a_meta(MAN, not_after=now + DAY)]
        columns = columns_of(metas, [1], np.stack([template(MAN)]))
        published = publish([columns], created=now - HOUR, not_after=now + DAY, space=SPACE)
        store = SealedListStore(
            self.context.state_dir / "lists", self.keystore.keys, rules=rules_of(FIELD_TEST),
            space=SPACE,
        )  # fmt: skip
        store.install(published.manifest, published.shards, now=now, record=nothing)
        store.close()

    def _agency(self) -> Agency:
        identity = self.keystore.identity
        with closing(self.world.open()) as hub:
            (path,) = self.world.key_files("commands")
            office = hub.ring.files.load(path)
            assert isinstance(office, Ed25519PrivateKey)
            return Agency(
                "CAM-7",
                identity.key_id,
                identity.sign_key,
                alerts=hub.ring.alerts_key(hub.alert_public),
                acks=KeySigner(hub.ring.acks_key(hub.ack_public)),
                commands=KeySigner(office),
            )

    def run(self, *, armed: bool = True) -> int:
        arm = ("patrol", "TEST-1") if armed else None
        return build_agent(self.context, RunOptions(arm=arm)).run()

    def pending(self) -> list[Any]:
        """Events that wait; checkpoints of the log are none."""
        with closing(SqliteOutbox(self.context.state_dir / "outbox.sqlite")) as outbox:
            return [entry for entry in outbox.pending(1000) if entry.priority >= 0]

    def files(self) -> dict[str, bytes]:
        root = self.context.state_dir
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    def audited(self, kind: str) -> list[dict[str, Any]]:
        records = [read_record(line) for line in self.context.audit().lines()]
        return [one["fields"] for one in records if one["kind"] == kind]


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
        ours = writer.of_authorisation("TEST-1")
        assert all(entry.payload.startswith(ours) for entry in device.pending())
        assert b"TEST-1" not in ours
        assert not ours.startswith(writer.of_authorisation("TEST-2"))

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
