"""The parent's end of `tests.bench.worker`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Any


class Worker:
    """A child that does a pass when asked; a context manager.

    Args:
        side: which, see `worker.SIDES`.
        threads: of the networks, OpenCV and the matrix product.
        templates: on its list.

    Raises:
        RuntimeError: the child died; its own words are on stderr.
    """

    def __init__(self, side: str, *, threads: int, templates: int = 300_000) -> None:
        command = [sys.executable, "-m", "tests.bench.worker", side]
        command += ["--threads", str(threads), "--templates", str(templates)]
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
        self._name = f"the {side} side"
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **limits},
            text=True,
        )
        self.peak_mb = 0.0

    def ready(self) -> None:
        """Wait until it has loaded its networks and its list."""
        self._answer()

    def ask(self, **task: Any) -> dict[str, Any]:
        """One pass; `peak_mb` is brought up to date."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        found = self._answer()
        self.peak_mb = found.pop("rss_peak_mb")
        return found

    def fps(self, **task: Any) -> float:
        """Frames per second of one pass."""
        found = self.ask(**task)
        return float(found["frames"] / found["seconds"])

    def __enter__(self) -> Worker:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:
            self._process.kill()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended early, with code {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found
