"""The agent as its service manager keeps it: one that was killed is started again."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Collection

RESTART_S = 2.0
"""As in systemd/bodycam-agent.service."""


class Service:
    """One process after the other. For any thread.

    Args:
        start: a new process.
        later: has something done after so many seconds.
        restarts: exit codes after which it is started again; others are its end.

    Attributes:
        kills: how often it was killed.
        exits: codes with which it ended by itself and was started again.
    """

    def __init__(
        self,
        start: Callable[[], subprocess.Popen[bytes]],
        later: Callable[[float, Callable[[], object]], object],
        restarts: Collection[int] = (),
    ) -> None:
        self._start, self._later, self._restarts = start, later, restarts
        self._lock = threading.Lock()
        self._down = self._over = False
        self.kills = 0
        self.exits: list[int] = []
        self._process = start()

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def poll(self) -> int | None:
        """None while it runs, or will again."""
        with self._lock:
            if self._down:
                return None
            code = self._process.poll()
            if code is None or self._over or code not in self._restarts:
                return code
            self.exits.append(code)
            self._revive(RESTART_S)
            return None

    def kill(self, seconds: float) -> None:
        """As by a loss of power; it is started again so much later."""
        with self._lock:
            self._process.kill()
            self._process.wait()
            self.kills += 1
            self._revive(seconds)

    def terminate(self) -> None:
        """For good."""
        with self._lock:
            self._over = True
            if not self._down:
                self._process.terminate()

    def wait(self, timeout: float) -> int:
        return self._process.wait(timeout)

    def _revive(self, seconds: float) -> None:
        self._down = True
        self._later(seconds, self._again)

    def _again(self) -> None:
        with self._lock:
            if not self._over:
                self._process = self._start()
            self._down = False
