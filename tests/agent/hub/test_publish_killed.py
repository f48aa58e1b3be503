"""Power cuts while a list is made and published: the old version or the new one, and a hub that
knows which."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agent.hub.composing import Composer
from agent.hub.desk import Desk, open_desk
from agent.hub.lists import Lists
from agent.hub.lists_database import ListsDatabase
from tests.support.hub_lists import Reader, Roll, entries, publish
from tests.support.hub_photos import LOOKS, CountingDetector, PhotoWorld, PowerCut
from tests.support.hubs import DAY_S, HubWorld, Killed, MortalDisk
from tests.support.portraits import save_portrait

OLD = {"E-1", "E-2", "E-3", "E-4"}
NEW = OLD - {"E-2"}


def change(desk: Desk, now: float) -> None:
    composer = Composer(now + DAY_S, entries=["E-2"], compact=True)
    desk.issue(desk.lists.get("wanted"), composer, now)


def present(world: HubWorld) -> tuple[int, set[str]]:
    with open_desk(world.context()) as desk:
        found = desk.present(desk.lists.get("wanted"), world.now)
        return found.stored.version, entries(found.stored)


@pytest.mark.slow
def test_killed_at_any_write_of_the_public_folder(world: HubWorld, tmp_path: Path) -> None:
    reader = Reader(world)
    listed = publish(world, Roll([1, 2, 3, 4])).json["list"]
    first = tmp_path / "first"
    shutil.copytree(world.state_dir, first)
    seen: list[int] = []
    for lives in range(40):
        shutil.rmtree(world.state_dir)
        shutil.copytree(first, world.state_dir)
        died = _change_and_die(world, lives)
        version, held = present(world)
        assert (version, held) in ((1, OLD), (2, NEW))
        seen.append(version)
        assert publish(world).json["version"] == version + 1
        if not died:
            break
    assert not died
    assert {*seen} == {1, 2}
    assert entries(reader.read(listed)) == NEW


def _change_and_die(world: HubWorld, lives: int) -> bool:
    with open_desk(world.context()) as desk:
        desk.hub.repository.folder.disk = MortalDisk(lives, half=lives % 2 == 1)
        try:
            change(desk, world.now)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("step", ["begin", "finish"])
def test_killed_between_the_hub_and_the_public_folder(
    world: HubWorld, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Just after the hub wrote down what it would publish; and when it had, before it noted so."""
    publish(world, Roll([1, 2, 3, 4]))
    real = getattr(Lists, step)

    def dying(*given: object) -> None:
        if step == "begin":
            real(*given)
        raise Killed

    monkeypatch.setattr(Lists, step, dying)
    with open_desk(world.context()) as desk, pytest.raises(Killed):
        change(desk, world.now)
    monkeypatch.undo()
    assert present(world) == ((1, OLD) if step == "begin" else (2, NEW))
    told = publish(world, Roll([9]), how="--change-vectors").json
    assert told["version"] == (2 if step == "begin" else 3)


def test_a_killed_rekeying_is_not_forgotten(
    world: HubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removed camera's keys stay suspect until a version without them is out."""
    Reader(world)
    gone = Reader(world, "CAM-2")
    listed = publish(world, Roll([1, 2, 3])).json["list"]
    gone.read(listed)
    world("devices", "remove", "CAM-2")
    with open_desk(world.context()) as desk:
        desk.hub.repository.folder.disk = MortalDisk(1)
        with pytest.raises(Killed):
            desk.issue(desk.lists.get("wanted"), Composer(world.now + DAY_S), world.now)
    assert publish(world).json["rekeyed"]


def test_killed_while_templates_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written down is not made again, in another process that opens the same ledger."""
    monkeypatch.setattr("agent.hub.photographs._KEPT_EVERY", 4)
    world = PhotoWorld(tmp_path, CountingDetector(cut_at=10 * LOOKS + 1))
    photos = [world.photograph(at, at) for at in range(1, 16)]
    with pytest.raises(PowerCut):
        world.run(*photos)
    world.database.close()
    after = PhotoWorld(tmp_path)
    done = after.run(*photos)
    assert done.columns is not None
    assert len(done.columns) == 15
    assert done.embedded == 15 - 10
    assert after.detector.looks == done.embedded * LOOKS
    after.database.close()


def start(folder: Path, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.photo_run", str(folder), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_kill_9_while_templates_are_made(tmp_path: Path, workers: int) -> None:
    """Nothing that was written down is made again, and no worker outlives the hub."""
    for number in range(1, 81):
        save_portrait(tmp_path / f"{number:02d}.png", number)
    with start(tmp_path, workers) as first:
        assert first.stdout is not None
        for _ in range(70 * LOOKS):
            assert first.stdout.readline() == "looked\n"
        first.kill()
        first.stdout.read()  # ends when the last process that could write has ended
    with closing(ListsDatabase(tmp_path / "lists.sqlite")) as database:
        ((kept,),) = database.read("SELECT count(*) FROM photograph")
    assert 32 <= kept <= 70
    with start(tmp_path, workers) as second:
        said, _ = second.communicate(timeout=60)
    assert said.splitlines()[-1] == f"made {80 - kept}"
    assert said.count("looked") == (80 - kept) * LOOKS
