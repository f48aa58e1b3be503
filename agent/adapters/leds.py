"""Lamp and vibrator as the kernel shows them: folders of class/leds (Documentation/leds)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.adapters.sysfs import read_number, read_text
from agent.ports.log import Log
from agent.stages.indication import Signal, signal_for
from agent.values.states import State

_FULL: Final = "255"
"""Brightness where `max_brightness` cannot be read; the kernel takes its own maximum instead."""


class SysfsIndicator:
    """Implements `agent.ports.indicator.Indicator`.

    Args:
        root: `/sys`, or what stands in for it.
        led, haptic: folders of class/leds; empty: none.
        log: told, once, that something cannot be written, and once that it can be again.
    """

    def __init__(self, root: Path, led: str, haptic: str, log: Log) -> None:
        folder = root / "class" / "leds"
        self._led = folder / led if led else None
        self._haptic = folder / haptic if haptic else None
        self._log = log
        self._lock = threading.Lock()
        self._state: State | None = None
        self._lit: Signal | None = None
        self._troubled = False

    def show(self, state: State) -> None:
        with self._lock:
            before, self._state = self._state, state
            if state != before:
                self._bring_up_to_date(state, buzz=before is not None)

    def refresh(self) -> None:
        with self._lock:
            if self._state is not None:
                self._bring_up_to_date(self._state, buzz=False)

    def _bring_up_to_date(self, state: State, *, buzz: bool) -> None:
        signal, troubles = signal_for(state), []
        try:
            self._light(signal)
        except OSError as error:
            self._lit = None
            troubles.append(f"{error.filename}: {error.strerror}")
        try:
            self._feel(signal.buzz_ms if buzz else 0)
        except OSError as error:
            troubles.append(f"{error.filename}: {error.strerror}")
        self._tell(troubles)

    def _light(self, signal: Signal) -> None:
        if self._led is None:
            return
        if signal != self._lit or (_steady(signal) and not read_number(self._led / "brightness")):
            _light(self._led, signal)
            self._lit = signal
        else:
            self._led.stat()

    def _feel(self, buzz_ms: int) -> None:
        if self._haptic is None:
            return
        if buzz_ms:
            _buzz(self._haptic, buzz_ms)
        else:
            self._haptic.stat()

    def _tell(self, troubles: list[str]) -> None:
        """Once, when it begins and when it is over."""
        if troubles and not self._troubled:
            self._log.warning("the state cannot be shown", reason=troubles[0])
        elif self._troubled and not troubles:
            self._log.info("the state is shown again")
        self._troubled = bool(troubles)


def unwritable(root: Path, names: Iterable[str]) -> list[str]:
    """Of these lamps and vibrators, the files that are not there or that we may not write."""
    folders = (root / "class" / "leds" / name for name in names if name)
    files = (folder / file for folder in folders for file in ("brightness", "trigger"))
    return [str(file) for file in files if not os.access(file, os.W_OK)]


def _steady(signal: Signal) -> bool:
    return signal.on_ms > 0 and signal.off_ms == 0


def _light(led: Path, signal: Signal) -> None:
    """Steady or dark by brightness; blinking by the kernel's timer, steady where it has none."""
    full = read_text(led / "max_brightness") or _FULL
    if signal.on_ms and signal.off_ms:
        try:
            _write(led / "trigger", "timer")
            _write(led / "delay_on", str(signal.on_ms))
            _write(led / "delay_off", str(signal.off_ms))
        except OSError:
            _write(led / "brightness", full)
        return
    _write(led / "trigger", "none")
    _write(led / "brightness", full if signal.on_ms else "0")


def _buzz(vibrator: Path, for_ms: int) -> None:
    """One pulse by the kernel's transient trigger."""
    _write(vibrator / "trigger", "transient")
    _write(vibrator / "duration", str(for_ms))
    _write(vibrator / "state", "1")
    _write(vibrator / "activate", "1")


def _write(file: Path, text: str) -> None:
    """Into a file that is there; the kernel takes one write for one value.

    Raises:
        OSError: it is not there, may not be written, or does not take this.
    """
    handle = os.open(file, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(handle, text.encode("ascii"))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
    finally:
        os.close(handle)
