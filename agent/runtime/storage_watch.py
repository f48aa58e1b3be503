"""What the device does when its disk is full."""

from __future__ import annotations

from collections.abc import Callable

from agent.ports.log import Log
from agent.runtime.board import Board


class StorageWatch:
    """Implements `agent.ports.StorageEvents`: says so, and disarms when nothing can be recorded.

    Args:
        board: shows the trouble; the device counts as degraded.
        log: for the operator.
        disarm: asks the pipeline to disarm for a reason; must not wait for it, since the
            pipeline may be the one who found the disk full.
    """

    def __init__(self, board: Board, log: Log, disarm: Callable[[str], None]) -> None:
        self._board = board
        self._log = log
        self._disarm = disarm

    def spending(self, problem: str) -> None:
        self._log.error("the reserve is in use", reason=problem)
        self._board.storage(problem)

    def exhausted(self, problem: str) -> None:
        self._log.error("disarming", reason=problem)
        self._board.storage(problem)
        self._disarm(problem)

    def restored(self) -> None:
        self._log.info("there is space again, and the reserve is back")
        self._board.storage("")
