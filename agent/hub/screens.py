"""How a running `receive` shows what arrives: a table at a terminal, lines, or JSON lines."""

from __future__ import annotations

import json
import sys
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Protocol

from agent.cli.common import say
from agent.hub.shown import (
    Shown,
    beside_of,
    clean,
    kind_of,
    line_of,
    marks_of,
    place_of,
    score_of,
    what_of,
)
from agent.hub.watching import DeviceWatch, Seen

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_ROWS: Final = 15
_REDRAW_S: Final = 1.0


class Screen(Protocol):
    """Shows events and what else there is to say."""

    def event(self, shown: Shown) -> None: ...

    def line(self, text: str) -> None: ...

    def tick(self, watch: DeviceWatch, *, now: float) -> None: ...


class LineScreen:
    """One line an event on stdout, all else on stderr."""

    def event(self, shown: Shown) -> None:
        print(line_of(shown), flush=True)

    def line(self, text: str) -> None:
        say(clean(text))

    def tick(self, watch: DeviceWatch, *, now: float) -> None:
        pass


class JsonScreen(LineScreen):
    """One opened event a line on stdout, as `agent.messages` has it."""

    def event(self, shown: Shown) -> None:
        tree = shown.event.model_dump(mode="json")
        if tree["data"].get("match", "") is None:
            del tree["data"]["match"]
        sys.stdout.write(json.dumps(tree, separators=(",", ":")) + "\n")
        sys.stdout.flush()


class TableScreen:
    """The newest events and every camera, drawn anew when something changes.

    Args:
        live: of rich, without a thread of its own.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._events: deque[Shown] = deque(maxlen=_ROWS)
        self._stale = True
        self._drawn_at = 0.0

    def event(self, shown: Shown) -> None:
        self._events.append(shown)
        self._stale = True

    def line(self, text: str) -> None:
        self._live.console.print(clean(text), markup=False, highlight=False)

    def tick(self, watch: DeviceWatch, *, now: float) -> None:
        if self._stale or now - self._drawn_at >= _REDRAW_S:
            self._stale, self._drawn_at = False, now
            from rich.console import Group

            cameras = _cameras(watch, now)
            self._live.update(Group(_events(self._events), cameras), refresh=True)


def open_screen(*, json_lines: bool) -> AbstractContextManager[Screen]:
    """The one that fits: JSON when asked for, a table at a terminal, else lines."""
    if json_lines:
        return nullcontext(JsonScreen())
    if not sys.stdout.isatty():
        return nullcontext(LineScreen())
    return _Table()


class _Table(AbstractContextManager[Screen]):
    def __enter__(self) -> Screen:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(console=Console(), auto_refresh=False)
        self._live.start()
        return TableScreen(self._live)

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def _events(events: deque[Shown]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("time", "camera", "what", "who", "similarity", "place", "", "", expand=True)
    for one in events:
        event = one.event
        cells = (
            *(event.time, one.device, kind_of(event), what_of(event), score_of(event)),
            *(place_of(event), marks_of(event), beside_of(one)),
        )
        style = "bold" if beside_of(one) else "dim" if "historical" in marks_of(event) else ""
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


def _cameras(watch: DeviceWatch, now: float) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("camera", "state", "reason", "health", "events", "heard", expand=True)
    for name, seen in sorted(watch.cameras.items()):
        heard = f"{now - seen.heard:.0f} s ago"
        reason = seen.state.reason if seen.state else ""
        cells = (name, _state(seen), reason, _health(seen), str(seen.events), heard)
        style = "bold red" if seen.silent else ""
        table.add_row(*(Text(clean(one)) for one in cells), style=style)
    return table


def _health(seen: Seen) -> str:
    health = seen.health
    if health is None:
        return ""
    parts = [f"battery {health.battery.percent:.0f} %"] if health.battery else []
    parts += [f"{health.temperature_c:.0f} °C"] if health.temperature_c is not None else []
    parts += health.governor.rules if health.governor else ()
    parts += [f"{health.outbox.waiting} waiting"] if health.outbox.waiting else []
    parts += [f"reserve {health.disk.reserve}"] if health.disk.reserve != "held" else []
    return ", ".join(parts) or "good"


def _state(seen: Seen) -> str:
    if seen.silent:
        return "SILENT"
    if seen.state is None:
        return "?"
    return seen.state.state if seen.state.online else "offline"
