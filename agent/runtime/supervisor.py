"""The main thread: signals, the watchdog, and how a run starts and ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Protocol

from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.board import Condition
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.outcome import Cause, Outcome
from agent.values import Monotonic, Wall

TICK_S = 0.25
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ServiceManager(Protocol):
    """Whoever started us, if he wants to know."""

    watchdog_s: float | None

    def ready(self) -> None: ...

    def stopping(self) -> None: ...

    def watchdog(self) -> None: ...

    def status(self, text: str) -> None: ...


class Supervisor:
    """Waits for the end of the run; meanwhile feeds the watchdog while every stage lives.

    Args:
        outcome: ends the wait.
        heartbeats: of the stages.
        manager: told that we live.
        clock, log: as everywhere.
    """

    def __init__(
        self,
        outcome: Outcome,
        heartbeats: Heartbeats,
        manager: ServiceManager,
        clock: Clock,
        log: Log,
    ) -> None:
        self._outcome = outcome
        self._heartbeats = heartbeats
        self._manager = manager
        self._clock = clock
        self._log = log
        self._fed_at: Monotonic | None = None
        self._late: tuple[str, ...] = ()

    def watch(self, interrupted: Callable[[], bool]) -> None:
        """Until the run is over, or a signal asks for its end."""
        while not self._outcome.wait(TICK_S):
            if interrupted():
                self._outcome.end(Cause.SIGNAL)
            self.tick()

    def tick(self) -> None:
        """One look at the heartbeats; a ping when one is due and nobody is late."""
        late = self._heartbeats.late()
        for stage in late:
            if stage not in self._late:
                self._log.error("a stage does not answer; the watchdog is not fed", stage=stage)
        self._late = late
        if not late:
            self._feed()

    def tell(self, condition: Condition, since: Wall) -> None:
        """A listener of the board: the state, for the service manager."""
        del since
        self._manager.status(f"{condition.state}: {condition.reason}")

    def wait_for(self, done: Callable[[float], bool], timeout_s: float) -> bool:
        """Ask `done` again and again, each time for a tick, and feed the watchdog meanwhile."""
        until = self._clock.monotonic() + timeout_s
        while (left := until - self._clock.monotonic()) > 0:
            if done(min(left, TICK_S)):
                return True
            self.tick()
        return False

    def _feed(self) -> None:
        """Twice as often as asked, as sd_watchdog_enabled(3) advises."""
        every_s = self._manager.watchdog_s
        if every_s is None:
            return
        now = self._clock.monotonic()
        if self._fed_at is None or now - self._fed_at >= every_s / 2 - TICK_S:
            self._fed_at = now
            self._manager.watchdog()


class Signals:
    """SIGTERM and SIGINT ask for an orderly end; the second one ends the process at once.

    The handler only sets an attribute: it may run while this very thread holds any lock.
    """

    def __init__(self) -> None:
        self._before: list[object] = []
        self._seen = False

    def caught(self) -> bool:
        return self._seen

    def __enter__(self) -> Signals:  # noqa: PYI034
        self._before = [signal.signal(number, self._note) for number in _SIGNALS]
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: object) -> None:
        del number, frame
        if self._seen:
            raise KeyboardInterrupt
        self._seen = True
