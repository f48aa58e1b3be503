"""Kills a process in the sealed store's code, and looks at what is left.

    python -m tests.support.crash_store KILLS FOLDER

A child is forked for each kill; a trace function in it counts the lines that the store's modules
execute and sends SIGKILL at the chosen one: in the middle of staging, between the files and the
catalogue, before and after the commit, while sweeping. Every other child is killed from outside
at a random moment instead, which may be inside SQLite or the kernel. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_store import SealedListStore
from agent.values import Wall
from tests.support.sealed import DAY, NOW, a_store, entries, nothing, publish

ENDS = [NOW + 10, NOW + DAY, NOW + DAY]
FIRST = publish([entries(1, 3, not_after=ENDS), entries(11, 3, not_after=ENDS), entries(21, 2)])
MORE = publish([entries(31, 2)])
SECOND = FIRST.without({2: [0]}).joined(MORE)
LATER = Wall(NOW + 10)

Act = Callable[[SealedListStore], object]
ACTS: dict[str, Act] = {
    "install": lambda store: store.install(SECOND.manifest, MORE.shards, now=NOW, record=nothing),
    "expire": lambda store: store.expire(now=LATER),
    "destroy": lambda store: store.destroy("test", now=NOW),
}


class Lines:
    """Counts the lines of the store's modules; at `kill_at` it is over."""

    def __init__(self, kill_at: int = -1) -> None:
        self.count = 0
        self._kill_at = kill_at

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if "/adapters/sealed_" not in frame.f_code.co_filename:
            return None
        if event == "line":
            if self.count == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self.count += 1
        return self


def lines_of(act: Act, folder: Path, keys: DeviceKeys, kill_at: int = -1) -> int:
    """How many lines it takes, opening included; or none of that, for it does not come back."""
    lines = Lines(kill_at)
    sys.settrace(lines)
    try:
        store = a_store(folder, keys)
        act(store)
        store.close()
    finally:
        sys.settrace(None)
    return lines.count


def killed(act: Act, folder: Path, keys: DeviceKeys, kill_at: int, after_s: float) -> bool:
    """Kill at a line, or after a time when `kill_at` is negative; whether it was in time."""
    child = os.fork()
    if not child:
        try:
            lines_of(act, folder, keys, kill_at)
        finally:
            os._exit(0)
    if kill_at < 0:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def state_of(folder: Path, keys: DeviceKeys) -> str:
    """What the next start serves, having checked that it is whole and nothing else is left."""
    store = a_store(folder, keys)
    installed = store.installed()
    if installed is None:
        found = "none"
    else:
        columns = store.load(now=NOW).columns
        found = f"v{installed.ref.version} {' '.join(one.decode() for one in columns.entry)}"
        if not installed.whole or len(columns) != installed.entries:
            found = f"TORN {found}"
    store.close()
    on_disk = len(list((folder / "lists").glob("*.shard")))
    if on_disk != (0 if installed is None else len(installed.shards)):
        found = f"STRAYS {found}"
    return found


def keys_left(folder: Path, wrapped: dict[str, bytes]) -> int:
    """How many of these wrapped keys are in no row any more, and yet in some file."""
    db = sqlite3.connect(folder / "lists" / "lists.sqlite")
    rows = {blob for (blob,) in db.execute("SELECT sealed FROM shard")}
    db.close()
    data = b"".join(path.read_bytes() for path in (folder / "lists").iterdir())
    return sum(blob in data for blob in wrapped.values() if blob not in rows)


def wrapped_keys(folder: Path) -> dict[str, bytes]:
    db = sqlite3.connect(folder / "lists" / "lists.sqlite")
    rows = dict(db.execute("SELECT source, sealed FROM shard"))
    db.close()
    return rows


def main(kills: int, work: Path) -> dict[str, Any]:
    keys, base = DeviceKeys.new(), work / "base"
    base.mkdir(parents=True)
    first = a_store(base, keys)
    first.install(FIRST.manifest, FIRST.shards, now=NOW, record=nothing)
    first.close()
    wrapped = wrapped_keys(base)
    found: dict[str, Any] = {}
    chance = random.Random(1)
    for name, act in ACTS.items():
        trial = shutil.copytree(base, work / f"{name}-trial")
        began = time.monotonic()
        total = lines_of(act, trial, keys)
        took = time.monotonic() - began
        states: Counter[str] = Counter()
        died = left = 0
        for number in range(kills):
            folder = shutil.copytree(base, work / "victim")
            line = -1 if number % 2 else number * total // kills
            died += killed(act, folder, keys, line, took * chance.random())
            states[state_of(folder, keys)] += 1
            left += keys_left(folder, wrapped)
            shutil.rmtree(folder)
        after = state_of(trial, keys)
        found[name] = {
            "died": died, "states": dict(states), "keys_left": left, "after": after, "lines": total
        }  # fmt: skip
    return {"before": state_of(base, keys), "acts": found}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2])), indent=2))
