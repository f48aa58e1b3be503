"""The whole agent, killed with -9 at random moments while its agency publishes versions.

`KILLS=100 python -m pytest tests/agent/test_sync_killed.py` does a hundred; a few are part of the
suite. Killed may be: starting, verifying, fetching, installing, building, swapping, matching.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from agent.adapters.audit_log import AuditLog
from agent.adapters.clock import SystemClock
from agent.adapters.keystore import Keystore
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.watchlist_store import WatchlistStore
from agent.messages.provisioning import ProvisioningRequest
from agent.policy import FIELD_TEST
from agent.values import Wall
from agent.watchlist.arrival import ArrivalRules
from agent.watchlist.columns import Columns
from tests.demo.stage import AGENT, Stage, enrol_commands
from tests.support.clocks import FakeClock
from tests.support.file_server import FileServer
from tests.support.list_world import World
from tests.support.provisioning import a_file

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_dir")]
KILLS = int(os.environ.get("KILLS", "8"))
_ENTRIES = 3000


def test_the_next_start_serves_the_old_or_the_new_list_whole(tmp_path: Path, footage: Path) -> None:
    state, chance = tmp_path / "state", random.Random(7)
    with Stage(tmp_path) as stage, FileServer() as server:
        for command in enrol_commands(tmp_path / "scratch", footage / "single_face.jpg",
                                      _ENTRIES - 1, "2999-12-31"):  # fmt: skip
            stage.once("enrol", command)
        people = WatchlistStore(tmp_path / "scratch" / "watchlist").load()
        world = World(FakeClock(wall=time.time()), server.files, people.space)
        key = provisioned(stage, world, server, state)
        published = [publish(world, people.columns, key, 1)]
        stage.once("sync", [*AGENT, "watchlist", "sync", "--state-dir", str(state)])
        camera = stage.start_camera([footage / "single_face.mp4"], "--loop", "0")
        seen: Counter[str] = Counter()
        before = 1
        for version in range(2, KILLS + 2):
            published.append(publish(world, people.columns, key, version))
            killed_after(stage, state, camera, chance.uniform(1.0, 8.0))
            before = entries_of(state, people.space, published, before)
            seen["new" if before == version else "old"] += 1
    print(dict(seen))
    assert seen["new"] > 0, "killed too early, every time"
    assert AuditLog(state / "audit", SystemClock()).verify().intact


def provisioned(stage: Stage, world: World, server: FileServer, state: Path) -> bytes:
    path = stage.folder / "cam.json"
    file = a_file(root=world.root).model_copy(update={"url": server.url})
    path.write_text(file.model_dump_json())
    sha256 = hashlib.sha256(world.root).hexdigest()
    options = ["--root-sha256", sha256, "--state-dir", str(state)]
    stage.once("provision", [*AGENT, "provision", str(path), *options])
    answer = path.with_suffix(".request.json").read_bytes()
    return ProvisioningRequest.model_validate_json(answer).seal_key


def publish(world: World, people: Columns, key: bytes, version: int) -> set[bytes]:
    """Most entries stay, in shards that stay; a part is another in every version."""
    world.clock.wall_now = time.time()
    kept, own = list(range(2000)), list(range(2000 + version, 2000 + version + 800))
    world.publish([people.pick(kept[:1000]), people.pick(kept[1000:]), people.pick(own)], [key])
    return set(people.entry[kept + own].tolist())


def killed_after(stage: Stage, state: Path, camera: str, seconds: float) -> None:
    options = ["--set", "sync.every_s=5", "--state-dir", str(state)]
    command = [*AGENT, "run", "--source", camera, *options]
    process: subprocess.Popen[bytes] = stage.start("agent", command)
    time.sleep(seconds)
    assert process.poll() is None, stage.last_words("agent")
    process.kill()
    process.wait()


def entries_of(state: Path, space: str, published: list[set[bytes]], least: int) -> int:
    """The version that the next start would serve, after a look at every entry of it."""
    store = SealedListStore(
        state / "lists",
        Keystore(state / "keys", SystemClock().monotonic).keys,
        rules=ArrivalRules(
            FIELD_TEST.bases, FIELD_TEST.purposes, FIELD_TEST.max_templates, 10 * 86400.0
        ),
        space=space,
    )
    try:
        stored = store.load(now=Wall(time.time()))
    finally:
        store.close()
    assert least <= stored.version <= len(published)
    assert set(stored.columns.entry.tolist()) == published[stored.version - 1]
    return stored.version
