"""A provisioned device under its agency's own policy and authorisations, all of it real but the
networks and the camera.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.control_socket import ask
from agent.adapters.device_identity import read_root
from agent.adapters.device_provisioning import generate
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.tuf_client import Repository
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.app.rules import rules_desk
from agent.app.serving import rules_in_force
from agent.app.vault import rules_of, vault_of
from agent.audit.chain import read_record
from agent.errors import BodycamError, RefusedError, UnavailableError
from agent.messages import iso_utc
from agent.messages.authorisation import MAX_AUTHORISATION
from agent.messages.control import ControlReply, ControlRequest
from agent.messages.policy import MAX_POLICY, POLICY_TARGET
from agent.policy.trusted_time import TimeSigns
from tests.support import receiver
from tests.support.agents import CURVE, MAN, STRANGER
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
from tests.support.sealed import DAY, HOUR, nothing, publish

pytestmark = pytest.mark.slow
STATUS = ControlRequest(command="status")
LIST = "L-1"


@pytest.fixture(autouse=True)
def trusted_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's own clock may be set by nobody."""
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("agent.app.arming.time_signs", lambda: TimeSigns(kernel=True))


class Device:
    """Provisioned by a real hub; its camera shows the man beside a stranger, again and again."""

    def __init__(self, folder: Path, broker: tuple[str, int] | None = None) -> None:
        self.world = HubWorld(folder)
        self.world.init()
        camera = folder / "clip"
        camera.mkdir()
        for number in range(600):
            save_portrait(camera / f"{number:03d}.png", MAN, STRANGER) if number < 40 else os.link(
                camera / f"{number % 40:03d}.png", camera / f"{number:03d}.png"
            )
        there = (f"mqtt.host={broker[0]}", f"mqtt.port={broker[1]}") if broker else ()
        self.settings = (
            f"camera.source={camera}", "camera.fps=20", "camera.pace=live",
            "delivery.ack_timeout_s=1", "sync.url=http://127.0.0.1:1/", *there,
        )  # fmt: skip
        self.context = self.restarted()
        self.context.state_dir.mkdir(mode=0o700)
        token = self.world.token("CAM-7", unlock="device")
        answers: list[Any] = []
        generate(self.context.keys_dir, token, commit=answers.append, cost=FAST)
        request = folder / "CAM-7.request.json"
        request.write_text(answers[0].model_dump_json())
        self.world("devices", "add", request)

    def restarted(self, *settings: str) -> Context:
        models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
        folder = self.world.folder / "state"
        self.context = Context(folder, None, (*self.settings, *settings), models=models)
        return self.context

    def publish_policy(self, name: str = "uk-live-deployment", **sections: Any) -> Path:
        def edit(tree: dict[str, Any]) -> None:
            for key, value in sections.items():
                tree[key] = {**tree[key], **value} if isinstance(value, dict) else value

        return self.world.publish_policy(name, edit=edit)

    def authorise(self, name: str = "W-1", **changes: Any) -> None:
        from agent.hub import authorisations

        now = self.world.now
        scope = {
            "lists": [LIST], "devices": ["CAM-7"],
            "not_before": iso_utc(now - HOUR), "not_after": iso_utc(now + 8 * HOUR),
        }  # fmt: skip
        scope |= {key: changes.pop(key) for key in tuple(changes) if key in scope}
        values = {
            "id": name, "type": "warrant", "scope": scope,
            "authorised_by": {"role": "magistrate", "reference": "27/1"}, "urgent": False,
        } | changes  # fmt: skip
        with closing(self.world.open()) as hub:
            authorisations.create(hub, values, now=now)

    def sync(self) -> None:
        """One look at the agency's rules, and a list on disk that was made under them."""
        from agent.hub.verify import FolderFetcher

        space = self.context.models().embedder.identity.space
        vault = vault_of(self.context, space)
        try:
            desk = rules_desk(self.context, vault, self.context.audit())
            repository = Repository(
                "http://127.0.0.1:1", Served(FolderFetcher(self.world.public)),
                root=read_root(self.context.keys_dir, vault.keystore.identity),
                metadata=self.context.state_dir / "tuf",
                incoming=self.context.state_dir / "incoming",
            )  # fmt: skip
            repository.refresh()
            policy = repository.documents("policy", MAX_POLICY).get(POLICY_TARGET)
            found = repository.documents("authorisations", MAX_AUTHORISATION)
            desk.listing(
                policy,
                [data for path, data in found.items() if "/a-" in path],
                [data for path, data in found.items() if "/r-" in path],
            )
        finally:
            vault.close()

    def install_list(self, basis: str = "warrant", purpose: str = "locate-suspect") -> None:
        space = self.context.models().embedder.identity.space
        vault = vault_of(self.context, space)
        rules_desk(self.context, vault, self.context.audit())
        now = self.context.clock.wall()
        metas = [a_meta(MAN, not_after=now + DAY, basis=basis, purpose=purpose)]
        columns = columns_of(metas, [1], np.stack([template(MAN)]))
        made = publish([columns], created=now - HOUR, not_after=now + DAY, space=SPACE)
        store = SealedListStore(
            self.context.state_dir / "lists", vault.keystore.keys,
            rules=rules_of(vault.policy), space=SPACE,
        )  # fmt: skip
        store.install(made.manifest, made.shards, now=now, record=nothing)
        store.close()
        vault.close()

    def ask(self, command: str, **fields: str) -> ControlReply:
        return ask(self.context.control_path, ControlRequest(command=command, **fields))  # type: ignore[arg-type]

    def arm(self, authorisation: str = "W-1") -> ControlReply:
        return self.ask("arm", reason="patrol", authorisation=authorisation)

    def status(self) -> dict[str, Any]:
        try:
            return ask(self.context.control_path, STATUS).data
        except UnavailableError:
            return {"state": "none", "armed": False, "alerts": 0, "reason": ""}

    def pending(self) -> list[Any]:
        """Alerts; checkpoints of the audit log lie there too."""
        with closing(SqliteOutbox(self.context.state_dir / "outbox.sqlite")) as outbox:
            entries = outbox.pending(1000)
        return [one for one in entries if not one.payload.startswith(b'{"tag":"checkpoint"')]

    def audited(self, kind: str) -> list[dict[str, Any]]:
        records = [read_record(line) for line in self.context.audit().lines()]
        return [one["fields"] for one in records if one["kind"] == kind]


class RealClock(SystemClock):
    """For a hub that speaks to a broker."""

    @property
    def wall_now(self) -> float:
        return self.wall()


class Served:
    """The public folder as the fetcher that `Repository` wants."""

    last_url = ""

    def __init__(self, fetcher: Any) -> None:
        self._fetcher = fetcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fetcher, name)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def operated(device: Device, script: Callable[[], None], **options: Any) -> None:
    """Somebody at another terminal while the agent runs; at the end it is asked to stop."""
    errors: list[BaseException] = []

    def operate() -> None:
        try:
            wait_until(lambda: device.status()["state"] != "none")
            script()
        except BaseException as error:  # noqa: BLE001 -- told to the test below
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    agent = build_agent(device.context, RunOptions(**options))
    operator = threading.Thread(target=operate)
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # an agent that is gone hears none
    operator.start()
    try:
        agent.run()
    finally:
        operator.join()
        signal.signal(signal.SIGTERM, before)
    if errors:
        raise errors[0]


def wait_until(holds: Callable[[], bool], timeout_s: float = 15.0) -> None:
    receiver.wait_until(holds, "what was waited for", timeout_s)


def ready(device: Device, **sections: Any) -> Device:
    device.publish_policy(**sections)
    device.authorise()
    device.sync()
    device.install_list()
    return device


def test_armed_under_a_signed_authorisation_alone(device: Device) -> None:
    ready(device)

    def script() -> None:
        told = device.status()
        assert (told["state"], told["policy"]) == ("disarmed", "uk-live-deployment v1")
        for name in ("field-test", "TEST-1", "W-2"):
            refused = device.arm(name)
            assert (refused.ok, refused.code) == (False, 77)
            assert "not loaded here" in refused.error
        refused = device.status()
        assert (refused["reason"], refused["cause"]) == (told["reason"], told["cause"])
        assert "authorisation W-2: not loaded here" in refused["refused"]
        assert refused["refused_at"].endswith("Z")
        assert (refused["authorisation"], refused["authorised_until"]) == ("", None)
        assert refused["alerts"] == 0
        armed = device.arm()
        assert armed.ok
        assert armed.data["authorisation"] == "W-1"
        assert armed.data["authorised_until"].endswith("Z")
        assert (armed.data["refused"], armed.data["refused_at"]) == ("", None)
        wait_until(lambda: device.status()["alerts"] > 0)
        assert device.status()["test"] is False

    operated(device, script)
    (arm,) = device.audited("arm")
    text = (device.world.folder / "policy.yaml").read_bytes()
    assert arm["policy"] == hashlib.sha256(text).hexdigest()
    assert device.audited("disarm")[0]["cause"] == "signal"
    assert len(device.audited("refusal")) == 3


@pytest.mark.parametrize("file", ["rules", "rules-deleted", "rules-linked"])
def test_there_is_no_way_back_to_the_built_in_policy(device: Device, file: str) -> None:
    """Whoever edits, deletes or swaps the file of the rules has a device that matches nobody."""
    fresh = (device.context.keys_dir / "rules").read_bytes()
    assert fresh
    ready(device)
    path = device.context.keys_dir / "rules"
    if file == "rules":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        data = path.read_bytes()
        path.unlink()
        if file == "rules-linked":
            elsewhere = device.world.folder / "elsewhere"
            elsewhere.write_bytes(data)
            path.symlink_to(elsewhere)

    def script() -> None:
        for name in ("field-test", "W-1"):
            refused = device.arm(name)
            assert not refused.ok
            assert "rules of this device are missing or were changed" in refused.error
        assert device.status()["state"] == "degraded"
        assert device.status()["alerts"] == 0

    operated(device, script, arm=("patrol", "field-test"))
    assert device.pending() == []


def test_a_provisioned_device_without_any_policy_is_a_field_test(device: Device) -> None:
    device.sync()
    device.install_list("consent", "test")

    def script() -> None:
        assert device.status()["policy"] == "field-test v1"
        assert device.status()["test"] is True
        assert device.arm("TEST-1").ok
        wait_until(lambda: device.status()["alerts"] > 0)

    operated(device, script)


def test_a_list_with_an_entry_that_the_policy_forbids_is_not_used(device: Device) -> None:
    device.publish_policy()
    device.authorise()
    device.sync()
    with pytest.raises(RefusedError, match="basis 'hunch' is not allowed"):
        device.install_list(basis="hunch")


@pytest.mark.parametrize(
    ("setting", "reading"),
    [
        ("decision.threshold=0.01", 0.56),
        ("decision.min_shots=1", 3),
    ],
)
def test_local_configuration_loosens_nothing(device: Device, setting: str, reading: float) -> None:
    from agent.app.wire import limits_of

    ready(device)
    vault = vault_of(device.restarted(setting), SPACE)
    rules = rules_desk(device.context, vault, device.context.audit())
    limits = limits_of(device.context.config, vault)(rules.book.policy)
    vault.close()
    assert reading in (limits.floor, limits.min_shots)
    assert limits.min_face_px == 40


@pytest.mark.parametrize(
    "settings",
    [("detection.max_rate_hz=1",), ("detection.min_face_px=41", "governor.enabled=false")],
)
def test_configured_to_look_less_than_the_policy_asks_it_does_not_arm(
    device: Device, settings: tuple[str, ...]
) -> None:
    ready(device)
    device.restarted(*settings)

    def script() -> None:
        refused = device.arm()
        assert not refused.ok
        assert "as configured (detection.max_rate_hz" in refused.error
        assert device.status()["alerts"] == 0

    operated(device, script)


def test_the_end_of_the_authorisation_disarms(device: Device) -> None:
    device.publish_policy()
    now = time.time()
    device.authorise(not_after=iso_utc(now + 8.0))
    device.sync()
    device.install_list()

    def script() -> None:
        assert device.arm().ok
        wait_until(lambda: not device.status()["armed"], timeout_s=15.0)
        told = device.status()
        assert time.time() >= now + 7.9
        assert told["reason"] == "authorisation W-1 is over"
        assert told["cause"] == "authorisation-over"
        assert not device.arm().ok

    operated(device, script)


def test_a_newer_policy_that_forbids_the_type_disarms_a_running_device(device: Device) -> None:
    ready(device)

    def script() -> None:
        assert device.arm().ok

    operated(device, script)
    device.publish_policy(authorisations={"types": ["missing-person"]})
    device.sync()

    def again() -> None:
        refused = device.arm()
        assert not refused.ok
        assert "warrant is not allowed" in refused.error
        assert device.status()["policy"] == "uk-live-deployment v2"

    operated(device, again)


def test_revoked_from_afar_an_armed_device_stops_and_has_nothing_left(tmp_path: Path) -> None:
    """Measured from the moment the hub's command is asked for to an empty outbox."""
    with embedded_broker() as broker:
        device = ready(Device(tmp_path, broker))
        took: list[float] = []

        def script() -> None:
            assert device.arm().ok
            wait_until(lambda: len(device.pending()) > 0)
            wait_until(lambda: device.status()["connected"])
            passed: list[float] = []
            thread = threading.Thread(target=hear_command, args=(broker, passed))
            thread.start()
            device.world.clock = RealClock()  # type: ignore[assignment]
            host, port = broker
            words = ("--reason", "quashed", "--mqtt-host", host, "--mqtt-port", str(port))
            began = time.monotonic()
            office = threading.Thread(
                target=device.world, args=("authorise", "revoke", "W-1", *words)
            )
            office.start()
            wait_until(lambda: not device.status()["armed"] and not device.pending())
            gone = time.monotonic()
            office.join()
            thread.join()
            took.extend((gone - began, gone - passed[0]))
            told = device.status()
            assert told["cause"] == "revoked"
            assert not device.arm().ok

        operated(device, script)
        assert device.audited("purge")[0]["authorisation"] == "W-1"
        assert device.audited("purge")[0]["events"] >= 1
        assert device.audited("disarm")[0]["cause"] == "revoked"
        files = [p for p in device.context.state_dir.glob("outbox*") if p.is_file()]
        alert = re.compile(b'"arm":"[0-9a-f]{64}"')
        assert not any(alert.search(path.read_bytes()) for path in files)
        print(json.dumps({"whole_command_s": took[0], "from_the_broker_s": took[1]}))
        assert took[1] < 2.0
        device.sync()  # what comes again with the next look changes nothing
        operated(device, lambda: None)
        assert len(device.audited("purge")) == 1


def test_a_revocation_that_was_not_finished_is_finished_at_the_next_start(device: Device) -> None:
    """Killed between the stop and the deletion."""
    ready(device)

    def script() -> None:
        assert device.arm().ok
        wait_until(lambda: len(device.pending()) > 0)

    operated(device, script)
    assert device.pending()
    device.world("authorise", "revoke", "W-1")
    device.sync()
    assert device.pending()
    operated(device, lambda: None)
    assert device.pending() == []
    assert device.audited("purge")[0]["events"] >= 1


def test_commands_carry_authorisations_that_their_own_role_signed(tmp_path: Path) -> None:
    with embedded_broker() as broker:
        device = Device(tmp_path, broker)
        device.publish_policy()
        device.sync()
        device.install_list()

        def script() -> None:
            wait_until(lambda: device.status()["connected"])
            assert "not loaded" in device.arm("W-2").error
            device.authorise("W-2")
            with closing(device.world.open()) as hub:
                from agent.hub.authorisations import register_of

                document = register_of(hub).valid["W-2"]
            send(device, broker, {"document": document.model_dump(mode="json")})
            wait_until(lambda: device.arm("W-2").ok)
            forged = document.model_copy(update={"id": "W-3"})
            send(device, broker, {"document": forged.model_dump(mode="json")})
            longer = document.model_copy(update={"version": 2})
            send(device, broker, {"document": longer.model_dump(mode="json")})
            time.sleep(0.5)
            assert "not loaded" in device.arm("W-3").error

        operated(device, script)
        loaded = [one for one in device.audited("authorise") if one["what"] == "loaded"]
        assert [(one["authorisation"], one["version"]) for one in loaded] == [("W-2", 1)]


def hear_command(broker: tuple[str, int], passed: list[float]) -> None:
    """When a command passes the broker."""
    import paho.mqtt.client as mqtt

    came = threading.Event()

    def heard(*_: Any) -> None:
        passed.append(time.monotonic())
        came.set()

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_message = heard
    client.on_connect = lambda *_: client.subscribe("bodycam/+/+/command", 1)
    client.connect(*broker)
    client.loop_start()
    came.wait(20)
    client.loop_stop()
    client.disconnect()
    socket = client.socket()
    if socket is not None:
        socket.close()


def send(device: Device, broker: tuple[str, int], arguments: dict[str, Any]) -> None:
    """The commands role says so, whoever signed the document."""
    import paho.mqtt.client as mqtt

    from agent.hub.saying import command_message

    with closing(device.world.open()) as hub:
        message = command_message(
            hub, hub.devices.get("CAM-7"), "authorise", arguments,
            session=device.status()["session"], life_s=60.0, now=device.world.now,
        )  # fmt: skip
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.connect(*broker)
    client.loop_start()
    payload = message.model_dump_json().encode()
    client.publish("bodycam/example-pd/CAM-7/command", payload, qos=1).wait_for_publish(5)
    client.loop_stop()
    client.disconnect()
    socket = client.socket()
    if socket is not None:
        socket.close()


def test_a_damaged_device_raises_no_traceback(device: Device) -> None:
    ready(device)
    (device.context.keys_dir / "rules").unlink()
    with pytest.raises(BodycamError, match="rules of this device"):
        rules_in_force(device.context)
