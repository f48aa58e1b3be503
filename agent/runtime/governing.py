"""Watches battery, heat, load and scene, and tells the pipeline how much to do.

Runs on the delivery thread, every two seconds. Effort changes as a message between two frames. What
would fall short of the policy's minimum is no lower effort but no matching at all: the board is
told, and the pipeline disarms. So it is with a configuration that asks for less than that minimum,
governed or not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from agent.config.governor import GovernorConfig, GovernorRule
from agent.ports import Clock
from agent.ports.hardware import Hardware
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.tally import Tally
from agent.stages.governor import Effort, Measures, at_first, effort, govern, in_force
from agent.values import Monotonic

_SMOOTHING: Final = 0.5
"""Share of the newest reading in the load that counts."""
_SETTINGS: Final = "detection.max_rate_hz, detection.min_face_px, recognition.shots_per_s"
_OF_THE_HARDWARE: Final = frozenset({"battery", "temperature"})


class Governing:
    """`upkeep` for one thread; the rest for any.

    Args:
        config: the table.
        asked: as configured.
        least: the minimum of the policy at the start.
        hardware: battery and heat.
        tally: what the pipeline has done.
        live: whether it works against time; else its load means nothing.
        adjust: hands an effort to the pipeline.
        board: told when the policy's minimum is not to be had.
        clock, log: as everywhere.
    """

    def __init__(
        self,
        config: GovernorConfig,
        asked: Effort,
        least: Effort,
        *,
        hardware: Hardware,
        tally: Tally,
        live: bool,
        adjust: Callable[[Effort], None],
        board: Board,
        clock: Clock,
        log: Log,
    ) -> None:
        self._config = config
        self._asked = self._effort = asked
        self._least = least
        self._hardware = hardware
        self._tally = tally
        self._live = live
        self._adjust = adjust
        self._board = board
        self._clock = clock
        self._log = log
        self._states = at_first(config)
        self._rules: tuple[GovernorRule, ...] = ()
        self._trouble = ""
        self._lock = threading.Lock()
        self._load = 0.0
        self._seen = (clock.monotonic(), tally.busy_s)
        self._judge()

    def hold_to(self, least: Effort) -> None:
        """Another policy has this minimum. In force when this returns."""
        with self._lock:
            self._least = least
            self._judge()

    def upkeep(self) -> None:
        """To be called every few seconds."""
        if not self._config.enabled:
            return
        now = self._clock.monotonic()
        self._states = govern(self._states, self._measures(now), self._config, now=now)
        rules = in_force(self._states, self._config)
        if rules == self._rules:
            return
        with self._lock:
            self._rules = rules
            self._log.info("effort", reason=_names(rules))
            self._judge()

    def status(self) -> dict[str, Any] | None:
        """For `ctl status`: everything, since it stays on the device; None: not governed."""
        if not self._config.enabled:
            return None
        return {
            "rules": [rule.name for rule in self._rules],
            "detections_per_second": self._effort.rate_hz,
            "smallest_face_px": self._effort.face_px,
            "shots_per_second": self._effort.shots_per_s,
            "trouble": self._trouble,
        }

    def hardware_effort(self) -> tuple[tuple[str, ...], Effort] | None:
        """Names of the rules on battery and heat in force, and the effort that they alone leave:
        what may be told to others, since it does not follow who is there. None: not governed.
        """
        if not self._config.enabled:
            return None
        rules = [rule for rule in self._rules if rule.measure in _OF_THE_HARDWARE]
        return tuple(rule.name for rule in rules), effort(rules, self._asked)

    def _culprit(self) -> str:
        """What falls short of the policy's minimum by itself."""
        if self._asked.short_of(self._least):
            return f"as configured ({_SETTINGS})"
        alone = [one for one in self._rules if effort([one], self._asked).short_of(self._least)]
        return _names(alone or self._rules)

    def _measures(self, now: Monotonic) -> Measures:
        hardware = self._hardware.read()
        battery = hardware.battery
        return Measures(
            battery=None if battery is None else battery.percent,
            charging=None if battery is None else battery.charging,
            temperature=hardware.temperature_c,
            load=self._smooth_load(now) if self._live else None,
            faces=self._tally.followed,
        )

    def _smooth_load(self, now: Monotonic) -> float:
        (before, busy_before), busy = self._seen, self._tally.busy_s
        if now <= before:
            return self._load
        self._seen = (now, busy)
        newest = min(1.0, max(0.0, (busy - busy_before) / (now - before)))
        self._load += _SMOOTHING * (newest - self._load)
        return self._load

    def _judge(self) -> None:
        wanted = effort(self._rules, self._asked)
        short = wanted.short_of(self._least)
        self._trouble = f"{self._culprit()}: {short} under the policy" if short else ""
        self._board.effort(self._trouble)
        if not short and wanted != self._effort:
            self._effort = wanted
            self._adjust(wanted)


def _names(rules: Sequence[GovernorRule]) -> str:
    return ", ".join(rule.name for rule in rules) or "as configured"
