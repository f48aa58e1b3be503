"""A running agent on real footage, its agency's list attacked on the way."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish
from securesystemslib.signer import CryptoSigner

from agent.adapters.control_socket import ask
from agent.adapters.watchlist_store import WatchlistStore
from agent.errors import UnavailableError
from agent.messages.control import ControlRequest
from agent.messages.provisioning import ProvisioningRequest
from agent.watchlist.columns import StoredList
from tests.demo.stage import AGENT, Stage, enrol_commands
from tests.support import file_server as bad
from tests.support.broker import Broker
from tests.support.clocks import FakeClock
from tests.support.file_server import FileServer
from tests.support.list_world import DAY, LIST, World
from tests.support.provisioning import a_file
from tests.support.receiver import lines

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_dir")]
_LOOK_S = 5


@dataclass
class Patrol:
    """An armed agent that sees the man again and again, and the agency it follows."""

    stage: Stage
    server: FileServer
    world: World
    people: StoredList
    key: bytes
    state: Path

    def ctl(self, question: str) -> dict[str, Any]:
        """Over the socket itself: a command for each question would cost the agent its frames."""
        deadline = time.monotonic() + 20
        request = ControlRequest.model_validate({"command": question})
        while time.monotonic() < deadline:
            with suppress(UnavailableError):  # not up yet
                return ask(self.state / "control.sock", request).data
            time.sleep(0.1)
        raise AssertionError(self.stage.last_words("agent"))

    def publish(self, *rows: range) -> None:
        columns = self.people.columns
        self.world.clock.wall_now = time.time()
        self.world.publish([columns.pick(list(one)) for one in rows], [self.key])

    def commit(self, **how: Any) -> None:
        self.world.clock.wall_now = time.time()
        self.world.commit(**how)

    def wait(self, what: Callable[[dict[str, Any]], bool], timeout_s: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while not what(status := self.ctl("status")):
            assert time.monotonic() < deadline, status
            time.sleep(0.3)
        return status

    def frames_per_s(self, seconds: float = 4.0) -> float:
        """Processed, measured from outside."""
        began, first = time.monotonic(), self.ctl("status")["frames"]
        time.sleep(seconds)
        return (self.ctl("status")["frames"] - first) / (time.monotonic() - began)

    def refusals(self) -> list[str]:
        audit = lines(self.state / "audit" / "audit.jsonl")
        return [one["fields"]["reason"] for one in audit if one["kind"] == "refusal"]


@pytest.fixture
def settings() -> list[str]:
    """Of the agent, besides the usual ones."""
    return [f"sync.every_s={_LOOK_S}"]


@pytest.fixture
def patrol(tmp_path: Path, footage: Path, settings: list[str]) -> Iterator[Patrol]:
    state = tmp_path / "state"
    with Stage(tmp_path) as stage, FileServer() as server:
        scratch = tmp_path / "scratch"
        for command in enrol_commands(scratch, footage / "single_face.jpg", 60, "2999-12-31"):
            stage.once("enrol", command)
        people = WatchlistStore(scratch / "watchlist").load()
        world = World(FakeClock(wall=time.time()), server.files, people.space)
        key = provision(stage, world, server, state)
        patrol = Patrol(stage, server, world, people, key, state)
        patrol.publish(range(30, len(people.columns)))
        stage.once("sync", [*AGENT, "watchlist", "sync", "--state-dir", str(state)])
        camera = stage.start_camera([footage / "single_face.mp4"], "--loop", "1000")
        stage.start("agent", run_command(state, camera, settings))
        patrol.wait(lambda status: status["frames"] > 30 and status["sync"]["kind"] == "nochange")
        yield patrol


def provision(stage: Stage, world: World, server: FileServer, state: Path) -> bytes:
    file = a_file(root=world.root).model_copy(update={"url": server.url})
    path = stage.folder / "cam.json"
    path.write_text(file.model_dump_json())
    sha256 = hashlib.sha256(world.root).hexdigest()
    options = ["--root-sha256", sha256, "--state-dir", str(state)]
    stage.once("provision", [*AGENT, "provision", str(path), *options])
    answer = path.with_suffix(".request.json").read_bytes()
    return ProvisioningRequest.model_validate_json(answer).seal_key


def run_command(state: Path, source: str, settings: list[str]) -> list[str]:
    arm = ["--reason", "patrol", "--authorisation", "TEST-1"]
    usual = ["sync.jitter=0", "sync.timeout_s=2"]
    options = [word for one in (*usual, *settings) for word in ("--set", one)]
    return [*AGENT, "run", "--source", source, *arm, "--state-dir", str(state), *options]


def tampered_shard(patrol: Patrol) -> None:
    patrol.publish(range(30, len(patrol.people.columns)), range(5))
    patrol.server.faults.append((r"\.shard$", bad.flipped))


def wrong_key(patrol: Patrol) -> None:
    patrol.commit(by={"timestamp": CryptoSigner.generate_ed25519()})


def endless_timestamp(patrol: Patrol) -> None:
    patrol.server.faults.append((r"timestamp\.json$", bad.endless))


def rollback(patrol: Patrol) -> None:
    old = dict(patrol.server.files)
    patrol.commit()
    newer = patrol.ctl("status")["sync"]["looks"]
    patrol.wait(lambda status: status["sync"]["looks"] >= newer + 2)
    patrol.server.files.update(old)


def freeze(patrol: Patrol) -> None:
    patrol.world.lives["timestamp"] = 3
    patrol.commit()
    patrol.world.lives["timestamp"] = DAY


def mixed_versions(patrol: Patrol) -> None:
    """The newest timestamp, and an older snapshot under the name of the new one."""
    files, world = patrol.server.files, patrol.world
    old = files[world.served(".snapshot.json")]
    patrol.commit()
    files[world.served(".snapshot.json")] = old


def missing_snapshot(patrol: Patrol) -> None:
    patrol.commit()
    del patrol.server.files[patrol.world.served(".snapshot.json")]


def root_of_his_own(patrol: Patrol) -> None:
    """The next root, signed by nobody whom the present one names. It is gone with the faults."""
    forged = copy.deepcopy(patrol.world.role("root"))
    forged.signed.version += 1
    forged.signatures.clear()
    forged.sign(CryptoSigner.generate_ed25519())
    path = rf"{forged.signed.version}\.root\.json$"
    patrol.server.faults.append((path, bad.swapped(forged.to_bytes())))


ATTACKS = (
    (wrong_key, "signature"),
    (endless_timestamp, "endless"),
    (rollback, "rollback"),
    (freeze, "frozen"),
    (mixed_versions, "mixed"),
    (missing_snapshot, "missing"),
    (root_of_his_own, "signature"),
    (tampered_shard, "tampered"),
)


def test_attacks_change_nothing_and_cost_no_frames(patrol: Patrol) -> None:
    usual = patrol.frames_per_s()
    for attack, fault in ATTACKS:
        attack(patrol)
        hit = patrol.wait(lambda status: status["sync"]["fault"] == fault)  # noqa: B023
        rate = patrol.frames_per_s()
        looks = hit["sync"]["looks"]
        again = patrol.wait(lambda status: status["sync"]["looks"] > looks)  # noqa: B023
        assert again["state"] == "degraded"
        assert again["armed"]
        assert again["watchlist"] == f"{LIST} v1"
        assert rate > 0.8 * usual, (attack.__name__, rate, usual)
        patrol.server.faults.clear()
        patrol.commit()
        patrol.wait(lambda status: status["sync"]["kind"] in ("nochange", "installed"))
    assert [reason.partition(":")[0] for reason in patrol.refusals()] == [
        fault for _, fault in ATTACKS
    ]
    patrol.wait(lambda status: status["state"] == "armed")
    patrol.wait(lambda status: status["watchlist"] == f"{LIST} v2")

    looks = patrol.ctl("status")["sync"]["looks"]
    patrol.world.clock.wall_now = time.time()
    patrol.world.rotate("root", "timestamp", "snapshot", "lists")  # the agency's own: followed
    patrol.publish(range(30, len(patrol.people.columns)), range(10))
    followed = patrol.wait(lambda status: status["watchlist"] == f"{LIST} v3")
    assert followed["sync"]["looks"] > looks
    assert followed["sync"]["fault"] is None
    assert len(patrol.refusals()) == len(ATTACKS)


class TestNudges:
    """The timer is of no use here: it would look again in an hour."""

    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[Broker]:
        broker = Broker("amqtt", tmp_path)
        broker.start()
        yield broker
        broker.stop()

    @pytest.fixture
    def settings(self, broker: Broker) -> list[str]:
        return ["sync.every_s=3600", f"mqtt.host={broker.host}", f"mqtt.port={broker.port}"]

    def test_a_nudge_brings_a_change_within_seconds(self, patrol: Patrol, broker: Broker) -> None:
        assert patrol.ctl("report")["alerts"]["raised"] == 1, "the man is on the list"
        patrol.wait(lambda status: status["connected"])
        time.sleep(10.0)  # what no nudge may undercut
        patrol.publish(range(30))
        topic = "bodycam/agency/cam-7/watchlist"
        publish.single(topic, b"look", qos=1, hostname=broker.host, port=broker.port)
        patrol.wait(lambda status: status["watchlist"] == f"{LIST} v2", 5)
        assert patrol.ctl("report")["watchlist"]["templates"] == 30

        patrol.publish(range(20))
        patrol.ctl("sync")
        patrol.wait(lambda status: status["watchlist"] == f"{LIST} v3", 15)
