"""`watchlist sync|verify|stats` of a provisioned device, against an agency on the loopback."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading

import numpy as np
import pytest

from agent.adapters.control_socket import ControlServer
from agent.adapters.state_dir import StateLock
from agent.errors import DataError, RefusedError, UnavailableError
from agent.messages.control import ControlReply
from agent.messages.provisioning import ProvisioningRequest
from tests.support import file_server as bad
from tests.support.commands import Commands
from tests.support.file_server import FileServer
from tests.support.list_world import LIST, World, tuf_reads
from tests.support.lists import a_meta, columns_of
from tests.support.portraits import SPACE, template
from tests.support.provisioning import PASSPHRASE, a_file


def people(*numbers: int):
    vectors = np.stack([template(number) for number in numbers])
    return columns_of([a_meta(number) for number in numbers], [1] * len(numbers), vectors)


@pytest.fixture
def agent(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    agent = Commands(tmp_path / "state", capsys)
    tuf_reads(monkeypatch, agent.clock)
    return agent


@pytest.fixture
def server():
    with FileServer() as running:
        yield running


@pytest.fixture
def world(agent, server):
    return World(agent.clock, server.files, SPACE)


def provision(agent, world, server, tmp_path, unlock="device") -> bytes:
    """The device's public key."""
    file = a_file(unlock, root=world.root).model_copy(update={"url": server.url})
    (tmp_path / "cam.json").write_text(file.model_dump_json())
    passphrase = tmp_path / "pass.txt"
    passphrase.touch(mode=0o600)
    passphrase.write_text(PASSPHRASE + "\n")
    more = ("--passphrase-file", passphrase) if unlock == "operator" else ()
    root = hashlib.sha256(world.root).hexdigest()
    agent("provision", tmp_path / "cam.json", "--root-sha256", root, *more)
    answer = (tmp_path / "cam.request.json").read_bytes()
    return ProvisioningRequest.model_validate_json(answer).seal_key


@pytest.fixture
def key(agent, world, server, tmp_path):
    return provision(agent, world, server, tmp_path)


def test_a_device_without_identity_follows_nothing(agent):
    with pytest.raises(RefusedError, match="bodycam-agent provision"):
        agent("watchlist", "sync")


def test_sync_fetches_the_list(agent, world, key):
    world.publish([people(1, 2), people(3)], [key])
    said = agent("watchlist", "sync", "--json")
    assert said.code == 0
    assert said.json["result"] == "installed"
    assert said.json["bytes"] > 1000
    again = agent("watchlist", "sync")
    assert again.code == 0
    assert again.out == ""
    assert f"{LIST} v1 is the newest" in again.err


def test_sync_says_what_went_wrong_by_its_exit_code(agent, world, key, server):
    world.publish([people(1)], [key])
    server.faults.append(("", bad.status(503)))
    offline = agent("watchlist", "sync", "--json")
    assert (offline.code, offline.json["result"]) == (69, "unreachable")
    server.faults[0] = (r"\.shard$", bad.flipped)
    attacked = agent("watchlist", "sync", "--json")
    assert (attacked.code, attacked.json["fault"]) == (65, "tampered")
    server.faults.clear()
    world.publish([people(1)], [])
    others = agent("watchlist", "sync", "--json")
    assert (others.code, others.json["fault"]) == (77, "not-ours")


def test_a_locked_store_can_only_be_synced_by_the_agent_that_has_its_keys(
    agent, world, server, tmp_path
):
    provision(agent, world, server, tmp_path, "operator")
    with pytest.raises(RefusedError, match="ctl unlock"):
        agent("watchlist", "sync")


def test_the_operator_opens_a_locked_store_for_one_command(agent, world, server, tmp_path):
    world.publish([people(1, 2)], [provision(agent, world, server, tmp_path, "operator")])
    words = ("--passphrase-file", tmp_path / "pass.txt")
    assert agent("watchlist", "sync", *words).code == 0
    assert agent("watchlist", "verify", *words, "--json").json["searched"] == 2
    assert agent("watchlist", "stats", *words, "--json").json["entries"] == 2
    with pytest.raises(RefusedError, match="--passphrase-file here"):
        agent("watchlist", "verify")
    (tmp_path / "pass.txt").write_text("another\n")
    with pytest.raises(RefusedError, match="wrong passphrase"):
        agent("watchlist", "stats", *words)
    log = (tmp_path / "state" / "audit" / "audit.jsonl").read_text().splitlines()
    kinds = [record["kind"] for record in map(json.loads, log)]
    assert kinds.count("unlock") == 3
    assert kinds[-1] == "refusal"


def test_verify_looks_at_everything(agent, world, key):
    world.publish([people(1, 2), people(3)], [key])
    agent("watchlist", "sync")
    found = agent("watchlist", "verify", "--json").json
    assert (found["entries"], found["shards"], found["searched"]) == (3, 2, 3)
    assert found["metadata"]["lists"] == 2
    assert found["expired_metadata"] == []
    assert "are what the agency signed" in agent("watchlist", "verify").out


def test_verify_offline_for_long_tells_what_has_expired(agent, world, key):
    world.lives["timestamp"] = 3600
    world.publish([people(1)], [key])
    agent("watchlist", "sync")
    agent.clock.advance(7200)
    assert agent("watchlist", "verify", "--json").json["expired_metadata"] == ["timestamp"]
    assert "sync soon: timestamp" in agent("watchlist", "verify").err


def test_verify_after_root_rotations(agent, world, key):
    world.rotate("root", "lists")
    world.rotate("timestamp", "snapshot", "targets")
    world.publish([people(1)], [key])
    agent("watchlist", "sync")
    assert agent("watchlist", "verify", "--json").json["metadata"]["root"] == 3


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_verify_finds_a_damaged_shard(agent, world, key):
    world.publish([people(1, 2)], [key])
    agent("watchlist", "sync")
    damage(next((agent.state_dir / "lists").glob("*.shard")))
    with pytest.raises(DataError):
        agent("watchlist", "verify")
    assert agent("watchlist", "sync", "--json").json["result"] == "installed"
    assert agent("watchlist", "verify").code == 0


@pytest.mark.parametrize("name", ["timestamp", "snapshot", "targets", "lists"])
def test_verify_finds_changed_metadata(agent, world, key, name):
    world.publish([people(1)], [key])
    agent("watchlist", "sync")
    path = agent.state_dir / "tuf" / f"{name}.json"
    document = json.loads(path.read_text())
    document["signed"]["version"] += 1
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=f"list metadata: {name}"):
        agent("watchlist", "verify")
    path.unlink()
    with pytest.raises(DataError, match=f"list metadata: {name}"):
        agent("watchlist", "verify")
    assert agent("watchlist", "sync").code == 0
    assert agent("watchlist", "verify").code == 0


def test_verify_finds_a_changed_root(agent, world, key):
    world.rotate("root")
    world.publish([people(1)], [key])
    agent("watchlist", "sync")
    path = agent.state_dir / "tuf" / "root_history" / "2.root.json"
    document = json.loads(path.read_text())
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"2\.root\.json"):
        agent("watchlist", "verify")


def test_verify_without_a_list(agent, key):
    with pytest.raises(DataError, match="no list"):
        agent("watchlist", "verify")


def test_a_list_that_has_ended_does_not_verify(agent, world, key):
    world.publish([people(1)], [key])
    agent("watchlist", "sync")
    agent.clock.advance(90_000)
    with pytest.raises(DataError, match="ended"):
        agent("watchlist", "verify")


def test_stats_of_a_synced_list(agent, world, key):
    manifest = world.publish([people(1, 2), people(3)], [key])
    agent("watchlist", "sync")
    stats = agent("watchlist", "stats", "--json").json
    assert stats["list"] == {"id": LIST, "version": 1}
    assert (stats["entries"], stats["shards"], stats["basis"]) == (3, 2, {"consent": 3})
    assert stats["purpose"] == {"test": 3}
    assert stats["last_sync"] == stats["created"] == "2027-01-15T08:00:00.000Z"
    assert stats["search"] is None
    assert 0 < stats["bytes"] < 4 * sum(ref.length for ref in manifest.shards)
    assert "basis" in agent("watchlist", "stats").out


class Asked:
    """A running agent, as far as the socket shows it: the second status tells of another look."""

    def __init__(self, folder, *, state="armed", **sync: object) -> None:
        self.commands: list[str] = []
        self.state = state
        self._sync = {"looks": 3, "bytes": 77, "kind": "", "fault": None, "result": ""} | sync
        self._folder = folder

    @contextlib.contextmanager
    def running(self):
        lock = StateLock(self._folder)
        lock.acquire()
        server = ControlServer(self._folder / "control.sock", os.getuid())
        server.open()
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                server.serve(self._answer, 0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(5)
            server.close()
            lock.release()

    def _answer(self, request, uid) -> ControlReply:
        self.commands.append(request.command)
        if request.command == "sync":
            self._sync = self._sync | {"looks": 4}
        data = {
            "sync": self._sync,
            "search": "exactly",
            "state": self.state,
            "reason": "ctl unlock",
        }
        return ControlReply(ok=True, data=data)


@pytest.mark.parametrize(
    ("kind", "fault", "code"),
    [
        ("installed", None, 0),
        ("unreachable", None, 69),
        ("refused", "tampered", 65),
        ("refused", "removed", 77),
    ],
)
def test_a_running_agent_is_asked_to_do_it(agent, key, kind, fault, code):
    asked = Asked(agent.state_dir, kind=kind, fault=fault, result="so it went")
    with asked.running():
        said = agent("watchlist", "sync", "--json")
    assert asked.commands == ["status", "sync", "status"]
    assert said.code == code
    assert said.json == {"result": kind, "fault": fault, "text": "so it went", "bytes": 77}


def test_a_locked_agent_is_not_asked(agent, key):
    asked = Asked(agent.state_dir, state="locked")
    with asked.running(), pytest.raises(RefusedError, match="ctl unlock"):
        agent("watchlist", "sync")
    assert asked.commands == ["status"]


def test_an_agent_that_does_not_answer_is_unavailable(agent, key):
    lock = StateLock(agent.state_dir)
    lock.acquire()
    try:
        with pytest.raises(UnavailableError):
            agent("watchlist", "sync")
    finally:
        lock.release()
