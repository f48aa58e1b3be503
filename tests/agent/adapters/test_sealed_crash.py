"""Killed with -9 all over the store's code; see `tests/support/crash_store.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 14
"""Of each of install, expire and destroy; `python -m tests.support.crash_store 100 FOLDER` does
a hundred of each.
"""


@pytest.mark.slow
def test_the_next_start_serves_the_old_or_the_new_list_whole(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.crash_store", str(KILLS), str(tmp_path / "work")],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = json.loads(done.stdout)
    for act in told["acts"].values():
        assert act["died"] >= KILLS // 2
        assert sum(act["states"].values()) == KILLS
        assert set(act["states"]) == {told["before"], act["after"]}
        assert act["keys_left"] == 0
