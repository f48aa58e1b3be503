"""kill -9 at random moments, again and again, on the same outbox."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.adapters.outbox_sqlite import SqliteOutbox
from tests.support.alerts import ulid

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import sys
from pathlib import Path
from agent.adapters.outbox_sqlite import SqliteOutbox
from tests.support.alerts import an_entry, ulid
outbox = SqliteOutbox(Path(sys.argv[1]))
print("session", outbox.count_up("session"), flush=True)
number = int(sys.argv[2])
while True:
    outbox.put(an_entry(number, payload=b"x" * 3000), cooldown=(f"A/{number}", 2e9))
    print("put", number, flush=True)
    if number % 3 == 0:
        print("erasing", number - 2, flush=True)
        outbox.confirmed(ulid(number - 2))
    if number % 7 == 0:
        outbox.park(ulid(number), "no")
    if not outbox.depth() % 20:
        outbox.tidy()
    number += 1
"""


@pytest.mark.slow
def test_what_was_committed_is_there_whatever_is_killed_when(tmp_path):
    path, chance = tmp_path / "outbox.sqlite", random.Random(11)
    put: set[int] = set()
    erasing: set[int] = set()
    sessions: list[int] = []
    for life in range(12):
        command = [sys.executable, "-c", CHILD, str(path), str(life * 100_000)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        sessions.append(int(child.stdout.readline().split()[1]))
        time.sleep(chance.uniform(0.0, 0.25))  # this is what is tested
        child.kill()
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):
                word, number = line.split()
                (put if word == "put" else erasing).add(int(number))
        child.wait()
        child.stdout.close()

    outbox = SqliteOutbox(path)
    outbox.unpark()
    there = {entry.id for entry in outbox.pending(100_000)}
    assert len(put) > 50
    assert {ulid(n) for n in put - erasing} <= there
    assert all(outbox.cooldown(f"A/{n}") == (ulid(n), 2e9) for n in put)
    assert outbox.salvages == []
    assert sessions == sorted(set(sessions))
    outbox.close()
