"""How a run ends: the first cause wins, and the main thread waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

from agent.errors import BodycamError, Exit
from agent.ports.log import Log


class Cause(str, Enum):
    """Why a run ends."""

    END_OF_FILE = "end of file"
    SIGNAL = "signal"
    FAILURE = "failure"


class Outcome:
    """Set once, from any thread or signal handler."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self.cause: Cause | None = None
        self.error: BaseException | None = None

    def end(self, cause: Cause, error: BaseException | None = None) -> None:
        """The run is over; later causes change nothing."""
        if self.cause is None:
            self.cause, self.error = cause, error
            self._set.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether the run is over, waiting up to `timeout_s` for it."""
        return self._set.wait(timeout_s)

    def exit_code(self, pending: int) -> int:
        """The exit code of the run.

        Args:
            pending: alerts not yet confirmed. They count at the end of a file only: whoever
                stops a service knows that it goes on later.
        """
        if self.cause is Cause.FAILURE:
            code = self.error.exit_code if isinstance(self.error, BodycamError) else Exit.INTERNAL
            return int(code)
        if self.cause is Cause.END_OF_FILE and pending:
            return int(Exit.PENDING)
        return int(Exit.OK)


class Workers:
    """The threads of a run. A failure in any of them ends the run.

    Args:
        outcome: told of failures.
        log: told of them too, in one line.
    """

    def __init__(self, outcome: Outcome, log: Log) -> None:
        self._outcome = outcome
        self._log = log
        self._threads: list[threading.Thread] = []

    def start(self, stage: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._guard, args=(stage, target), name=stage, daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float) -> tuple[str, ...]:
        """Wait for all of them, each up to `timeout_s`; names of those that still run."""
        for thread in self._threads:
            thread.join(timeout_s)
        return tuple(thread.name for thread in self._threads if thread.is_alive())

    def _guard(self, stage: str, target: Callable[[], None]) -> None:
        try:
            target()
        except BodycamError as error:
            self._outcome.end(Cause.FAILURE, error)
        except Exception as error:  # noqa: BLE001 -- a bug in one loop ends the run, in one line
            what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            self._log.error("a stage failed", stage=stage, reason=what)
            self._outcome.end(Cause.FAILURE, error)
