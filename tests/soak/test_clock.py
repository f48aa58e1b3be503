"""The faster clock: every wait is shorter by the same factor, and both clocks agree about it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.soak.clock import COMPILER, DeviceClock, compiled, from_now_on

SPEED, WAIT_S = 20.0, 4.0
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COMPILER, reason="needs a C compiler: apt-get install gcc"),
    pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="other processor"),
]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> DeviceClock:
    return from_now_on(compiled(tmp_path_factory.mktemp("clock")), SPEED)


def told(clock: DeviceClock, *command: str) -> str:
    environment = dict(clock.environment())
    done = subprocess.run(
        [sys.executable, *command], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_whatever_waits_waits_so_much_shorter(clock: DeviceClock) -> None:
    """A busy machine makes a wait longer, never shorter."""
    script = str(Path(__file__).with_name("waits.py"))
    found = json.loads(told(clock, script, str(WAIT_S), platform.machine()))
    assert len(found) == 11
    for name, (monotonic, wall, least, most) in found.items():
        assert least * SPEED - 0.001 <= monotonic <= most * SPEED + 0.001, name
        assert least * SPEED - 0.001 <= wall <= most * SPEED + 0.001, name
        assert name == "join" or monotonic >= 0.99 * WAIT_S, name
        assert least < WAIT_S, f"{name}: by our own clock"


def test_all_processes_have_the_same_time(clock: DeviceClock) -> None:
    """Whenever they were started: what one stamps, the other compares."""
    for _ in range(2):
        before = clock.wall()
        said = float(told(clock, "-c", "import time; print(time.time())"))
        assert before <= said <= clock.wall()
    assert clock.wall() > time.time()
