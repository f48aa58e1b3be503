"""How far a long command is: bars on stderr for people, nothing when it is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]
"""Told what is being done, and (done, all)."""


def silent(_what: str, _done: int, _all: int) -> None:
    """Progress that nobody watches."""


@contextmanager
def bars() -> Iterator[Progress]:
    """One bar for each thing that is being done; nothing before the first is told of, so that
    passphrases can be asked for.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    looks = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    shown = Progress(*looks, console=Console(stderr=True), transient=True)

    def tell(what: str, done: int, total: int) -> None:
        shown.start()
        if what not in tasks:
            tasks[what] = shown.add_task(what)
        shown.update(tasks[what], completed=done, total=total)

    try:
        yield tell
    finally:
        if tasks:
            shown.stop()
