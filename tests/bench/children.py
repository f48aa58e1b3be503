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
        side: `ours`, `peer` or `watchlist`.
        threads: of the networks, OpenCV and the matrix product.
        precision: of the networks.

    Raises:
        RuntimeError: the child died; its own words are on stderr.
    """

    def __init__(self, side: str, *, threads: int, precision: str = "auto") -> None:
        command = [sys.executable, "-m", "tests.bench.worker", side]
        command += ["--threads", str(threads), "--precision", precision]
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
        """One pass."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def fps(self, **task: Any) -> float:
        """Frames per second of one pass."""
        found = self.ask(**task)
        return float(found["frames"] / found["seconds"])

    def finish(self) -> None:
        """End it in good order, and learn its peak memory."""
        assert self._process.stdin
        self._process.stdin.close()
        self.peak_mb = self._answer()["rss_peak_mb"]
        self._process.wait()

    def __enter__(self) -> Worker:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended early, with code {self._process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found
