"""A provisioned device, locked and unlocked, its clock set back, and stolen."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.control_socket import ask
from agent.adapters.device_identity import base64_of
from agent.adapters.device_provisioning import generate
from agent.adapters.keystore import Keystore
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.sealing import ScryptCost
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.app.vault import rules_of
from agent.cli import main
from agent.errors import BodycamError, UnavailableError
from agent.messages.control import ControlReply, ControlRequest
from agent.messages.provisioning import ProvisioningRequest, Unlock, UnlockRequest
from agent.policy import FIELD_TEST
from agent.runtime.agent import Agent
from agent.values import Monotonic, Wall
from agent.watchlist.columns import Columns
from agent.watchlist.shard import encode_shard
from tests.support.agents import CURVE, MAN
from tests.support.lists import a_meta, columns_of
from tests.support.portraits import (
    SPACE,
    PortraitDetector,
    PortraitEmbedder,
    save_portrait,
    template,
)
from tests.support.provisioning import PASSPHRASE, Hub, a_file, a_root
from tests.support.sealed import DAY, HOUR, Published, nothing, publish

CHEAP = ScryptCost(n=2, r=1, p=1)
STATUS = ControlRequest(command="status")
ARM = ControlRequest(command="arm", reason="patrol", authorisation="TEST-1")


class MovableClock(SystemClock):
    """The device's own, but somebody can set the wall clock."""

    def __init__(self) -> None:
        self.moved = 0.0

    def wall(self) -> Wall:
        return Wall(super().wall() + self.moved)

    def monotonic(self) -> Monotonic:
        return super().monotonic()


class Device:
    """A provisioned device before a camera that shows the man for ever."""

    def __init__(self, folder: Path, unlock: Unlock) -> None:
        self.folder = folder
        self.hub = Hub()
        self.clock = MovableClock()
        self.answers: list[ProvisioningRequest] = []
        clip = folder / "clip"
        clip.mkdir()
        for number in range(10):
            save_portrait(clip / f"{number:03d}.png", MAN)
        settings = (f"camera.source={clip}", "camera.fps=0.05", "camera.pace=live",
                    "sync.url=http://127.0.0.1:1/")  # fmt: skip
        models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
        self.context = Context(folder / "state", None, settings, models=models)
        self.context.clock = self.clock
        self.context.state_dir.mkdir(mode=0o700)
        passphrase = PASSPHRASE if unlock == "operator" else None
        generate(
            self.context.keys_dir, a_file(unlock, self.hub, root=a_root()), passphrase,
            commit=self.answers.append, cost=CHEAP,
        )  # fmt: skip

    def opened(self) -> Keystore:
        keystore = self.context.keystore()
        if keystore.identity.unlock == "operator":
            keystore.unlock_with_passphrase(PASSPHRASE)
        elif keystore.locked:
            asked = keystore.unlock_request(now=Wall(0.0))
            keystore.unlock_with_release(self.hub.release(self.answers[0], asked))
        return keystore

    def receive(self, *people: int, version: int = 1, ends_in: float = DAY) -> Published:
        """What a sync would do."""
        now = self.clock.wall()
        published = publish(
            [people_columns(people, now + 2 * DAY)], version=version, created=now - HOUR,
            not_after=now + ends_in, space=SPACE,
        )  # fmt: skip
        store = SealedListStore(
            self.context.state_dir / "lists", self.opened().keys, rules=rules_of(FIELD_TEST),
            space=SPACE,
        )  # fmt: skip
        store.install(published.manifest, published.shards, now=now, record=nothing)
        store.close()
        return published

    def ask(self, request: ControlRequest) -> ControlReply:
        deadline = time.monotonic() + 15
        while True:
            try:
                return ask(self.context.control_path, request)
            except UnavailableError:  # noqa: PERF203
                assert time.monotonic() < deadline

    def until(self, **wanted: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 15
        while True:
            status = self.ask(STATUS).data
            if all(status[name] == value for name, value in wanted.items()):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.02)

    def audited(self) -> list[str]:
        return [kind for kind, _ in self.records()]

    def records(self) -> list[tuple[str, dict[str, Any]]]:
        lines = [json.loads(line) for line in self.context.audit().lines()]
        return [(one["kind"], one["fields"]) for one in lines if one["kind"] != "checkpoint"]


def people_columns(people: tuple[int, ...], not_after: float) -> Columns:
    metas = [a_meta(person, not_after=not_after) for person in people]
    return columns_of(metas, [1] * len(people), np.stack([template(one) for one in people]))


@contextmanager
def operated(agent: Agent, script: Callable[[], None]) -> Iterator[None]:
    """Somebody at another terminal; at the end of his script the agent is asked to stop."""
    errors: list[BaseException] = []

    def operate() -> None:
        try:
            script()
        except BaseException as error:  # noqa: BLE001 -- told to the test below
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=operate)
    thread.start()
    yield
    thread.join(30)
    if errors:
        raise errors[0]


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
def test_locked_it_stays_up_and_comes_alive_at_the_passphrase(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = Device(tmp_path, "operator")
    device.receive(MAN)
    words, wrong = tmp_path / "words", tmp_path / "wrong"
    for path, text in ((words, PASSPHRASE), (wrong, "open barley")):
        path.touch(mode=0o600)
        path.write_text(text)
    state = ("--state-dir", str(device.context.state_dir))

    def script() -> None:
        locked = device.until(state="locked", armed=False)
        assert "the store is locked: ctl unlock" in locked["reason"]
        refused = device.ask(ARM)
        assert (refused.ok, refused.code) == (False, 77)
        assert main(["ctl", "unlock", "--passphrase-file", str(wrong), *state]) == 77
        time.sleep(1.05)  # the pause after a wrong one
        assert main(["ctl", "unlock", "--passphrase-file", str(words), *state]) == 0
        device.until(state="disarmed", watchlist="L-1 v1")
        assert device.ask(ARM).data["state"] == "armed"

    agent = build_agent(device.context, RunOptions())
    with operated(agent, script):
        agent.run()
    kinds = device.audited()
    assert kinds == [
        "start",
        "models",
        "refusal",
        "refusal",
        "unlock",
        "list",
        "arm",
        "disarm",
        "stop",
    ]
    unlock = dict(device.records())["unlock"]
    assert (unlock["how"], unlock["uid"]) == ("operator", os.getuid())
    said = capsys.readouterr()
    log = said.err + said.out + b"".join(device.context.audit().lines()).decode()
    assert PASSPHRASE not in log
    assert "open barley" not in log


def test_the_hub_unlocks_it_in_two_steps(tmp_path: Path) -> None:
    device = Device(tmp_path, "hub")
    device.receive(MAN)
    request, release = tmp_path / "unlock.json", tmp_path / "release.json"
    state = ("--state-dir", str(device.context.state_dir))

    def script() -> None:
        device.until(state="locked")
        assert main(["ctl", "unlock", "--request", str(request), *state]) == 0
        asked = UnlockRequest.model_validate_json(request.read_text())
        release.write_text(device.hub.release(device.answers[0], asked).model_dump_json())
        assert main(["ctl", "unlock", "--release", str(release), *state]) == 0
        device.until(state="disarmed", watchlist="L-1 v1")

    agent = build_agent(device.context, RunOptions())
    with operated(agent, script):
        agent.run()
    assert dict(device.records())["unlock"]["how"] == "hub"


def test_the_device_is_who_its_agency_says(tmp_path: Path) -> None:
    device = Device(tmp_path, "device")
    device.receive(MAN)
    other = device.context.adjusted("device.id=somebody-else")
    agent = build_agent(other, RunOptions())
    events = agent._parts.pipeline._around.events.context
    agent._parts.release()
    assert (events.agency, events.device) == ("agency", "cam-7")


def test_another_way_to_unlock_than_provisioned_is_refused(tmp_path: Path) -> None:
    device = Device(tmp_path, "device")
    device.receive(MAN)
    strict = device.context.adjusted("store.unlock=operator")

    def script() -> None:
        reason = device.until(state="degraded")["reason"]
        assert "store.unlock is 'operator', but this device was provisioned with 'device'" in reason

    agent = build_agent(strict, RunOptions())
    with operated(agent, script):
        agent.run()


@pytest.mark.slow
def test_a_device_that_never_synced_says_so(tmp_path: Path) -> None:
    device = Device(tmp_path, "device")

    def script() -> None:
        assert "no list yet" in device.until(state="degraded")["reason"]
        device.receive(MAN)
        device.until(state="disarmed", watchlist="L-1 v1")

    agent = build_agent(device.context, RunOptions())
    with operated(agent, script):
        agent.run()


@pytest.mark.slow
def test_a_clock_set_back_disarms(tmp_path: Path) -> None:
    device = Device(tmp_path, "device")
    device.receive(MAN)

    def script() -> None:
        device.until(watchlist="L-1 v1")
        assert device.ask(ARM).ok
        device.clock.moved = -60.0
        status = device.until(armed=False)
        assert "the clock is wrong" in str(device.until(state="degraded")["reason"]), status
        device.clock.moved = 0.0
        device.until(state="disarmed", armed=False)
        assert device.ask(ARM).data["state"] == "armed"

    agent = build_agent(device.context, RunOptions())
    with operated(agent, script):
        agent.run()


@pytest.mark.slow
def test_a_list_whose_time_is_over_disarms_and_is_destroyed(tmp_path: Path) -> None:
    device = Device(tmp_path, "device")
    device.receive(MAN, ends_in=HOUR)

    def script() -> None:
        device.until(watchlist="L-1 v1")
        assert device.ask(ARM).ok
        device.clock.moved = HOUR
        device.until(armed=False)
        shards = device.context.state_dir / "lists"
        deadline = time.monotonic() + 15
        while list(shards.glob("*.shard")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        again = device.ask(ARM)
        assert not again.ok or device.ask(STATUS).data["state"] != "armed"

    agent = build_agent(device.context, RunOptions())
    with operated(agent, script):
        agent.run()
    assert "expire" in device.audited()


# --- stolen


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def needles(columns: Columns) -> list[bytes]:
    vectors = [columns.vectors.astype(kind)[0].tobytes() for kind in ("<f2", "<f4")]
    return [b"E-0117", b"S-0117", *vectors]


def planted() -> Columns:
    meta = a_meta(1, entry="E-0117", subject="S-0117", not_after=time.time() + 2 * DAY)
    return columns_of([meta], [1], template(MAN)[None])


def stolen_after_a_shift(folder: Path, unlock: Unlock) -> tuple[Device, Columns]:
    """It served the list, was armed, and then the power was cut and the whole device taken."""
    device, columns = Device(folder, unlock), planted()
    now = device.clock.wall()
    published = publish([columns], created=now - HOUR, not_after=now + DAY, space=SPACE)
    store = SealedListStore(
        device.context.state_dir / "lists", device.opened().keys, rules=rules_of(FIELD_TEST),
        space=SPACE,
    )  # fmt: skip
    store.install(published.manifest, published.shards, now=now, record=nothing)
    store.load(now=now)
    store.close()
    return device, columns


def thief_opens(device: Device) -> bytes:
    """Everything that the files alone lead to, in the clear."""
    keystore = Keystore(device.context.keys_dir, device.clock.monotonic)
    store = SealedListStore(
        device.context.state_dir / "lists", keystore.keys, rules=rules_of(FIELD_TEST), space=SPACE
    )
    stored = store.load(now=device.clock.wall())
    store.close()
    return encode_shard(stored.columns, SPACE) + stored.columns.vectors.tobytes()


@pytest.mark.parametrize("unlock", ["device", "operator", "hub"])
def test_no_file_shows_an_id_or_a_vector(tmp_path: Path, unlock: Unlock) -> None:
    device, columns = stolen_after_a_shift(tmp_path, unlock)
    control = encode_shard(columns, SPACE) + columns.vectors.tobytes()
    stolen = everything_in(device.context.state_dir)
    for needle in needles(columns):
        assert needle in control
        assert needle not in stolen


@pytest.mark.parametrize("unlock", ["operator", "hub"])
def test_the_whole_device_without_power_opens_nothing(tmp_path: Path, unlock: Unlock) -> None:
    device, _ = stolen_after_a_shift(tmp_path, unlock)
    key = device.opened().keys.export_store_key()
    stolen = everything_in(tmp_path)
    assert key not in stolen
    assert base64_of(key) not in stolen
    with pytest.raises(BodycamError, match="the store is locked"):
        thief_opens(device)


def test_mode_device_protects_nothing_of_a_whole_device(tmp_path: Path) -> None:
    """As the threat table says, plainly."""
    device, columns = stolen_after_a_shift(tmp_path, "device")
    opened = thief_opens(device)
    assert all(needle in opened for needle in (b"E-0117", b"S-0117"))
    assert device.opened().keys.export_store_key() in everything_in(device.context.state_dir)
    assert columns.vectors.astype("<f2")[0].tobytes() in opened
