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
    """One bar for each thing that is being done, while one is: before the first, and after the last
    is done, questions and answers have the terminal to themselves.
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
    console = Console(stderr=True)
    shown = Progress(
        *looks,
        console=console,
        transient=True,
        redirect_stdout=False,  # it would go to stderr, also where it is a file
        redirect_stderr=False,
    )

    def tell(what: str, done: int, total: int) -> None:
        shown.start()
        if what not in tasks:
            tasks[what] = shown.add_task(what)
        shown.update(tasks[what], completed=done, total=total)
        if shown.finished:
            shown.stop()

    try:
        yield tell
    finally:
        if tasks:
            shown.stop()
