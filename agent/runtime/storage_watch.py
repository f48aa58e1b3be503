"""What the device does when its disk is full."""

from __future__ import annotations

import threading
from collections.abc import Callable

from agent.ports.log import Log
from agent.runtime.board import Board


class StorageWatch:
    """Implements `agent.ports.StorageEvents`: says so, and disarms when nothing can be recorded.

    The disk is written to before there is anything to show it on or to disarm: what was told until
    then is passed on by `attach`.

    Args:
        log: for the operator.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._problem = ""
        self._over = False
        self._board: Board | None = None
        self._disarm: Callable[[str], None] | None = None

    def attach(self, board: Board, disarm: Callable[[str], None]) -> None:
        """From now on the trouble is shown.

        Args:
            board: the device counts as degraded.
            disarm: asks the pipeline to disarm for a reason; must not wait for it, since the
                pipeline may be the one who found the disk full.
        """
        with self._lock:
            self._board, self._disarm = board, disarm
        if self._problem:
            self._show()

    def spending(self, problem: str) -> None:
        self._log.error("the reserve is in use", reason=problem)
        self._change(problem, over=False)

    def exhausted(self, problem: str) -> None:
        self._log.error("disarming", reason=problem)
        self._change(problem, over=True)

    def restored(self) -> None:
        self._log.info("there is space again, and the reserve is back")
        self._change("", over=False)

    def _change(self, problem: str, *, over: bool) -> None:
        with self._lock:
            self._problem, self._over = problem, over
        self._show()

    def _show(self) -> None:
        if self._board is not None:
            self._board.storage(self._problem)
        if self._over and self._disarm is not None:
            self._disarm(self._problem)
