"""Waiting for what others do, with an end to patience."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from tests.demo.stage import StageError
from tests.stories.camera import StoryCamera
from tests.stories.service import Service

_START_S = 30.0
_DELIVERY_PENDING = 75


def finished(agent: Service, lens: StoryCamera, run_s: float) -> None:
    """Return when the agent has ended well.

    Raises:
        StageError: it ended otherwise or not in time, or the story stopped.
    """
    deadline = time.monotonic() + run_s
    while agent.poll() is None:
        if lens.error is not None:
            raise StageError(f"the story stopped: {lens.error!r}")
        if time.monotonic() > deadline:
            raise StageError(f"the agent did not end within {run_s:g} s")
        time.sleep(0.05)
    if agent.returncode not in (0, _DELIVERY_PENDING):
        raise StageError(f"the agent ended with exit code {agent.returncode}")


def until(
    holds: Callable[[], bool],
    what: str,
    process: subprocess.Popen[bytes] | Service | None = None,
    timeout_s: float = _START_S,
) -> None:
    """Return when it holds.

    Raises:
        StageError: it does not in time, or the process ended.
    """
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise StageError(f"never: {what}")
        time.sleep(0.02)
