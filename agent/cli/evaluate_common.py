"""What the evaluations share: options, the networks, tables, a bar for who watches."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

from agent.app import Context

T = TypeVar("T")


def add_precision(parser: Any) -> None:
    parser.add_argument(
        "--precision",
        choices=("int8", "fp32", "auto"),
        help="of both networks (default: models.precision of the configuration)",
    )


def adjusted(args: argparse.Namespace, context: Context, *overrides: str) -> Context:
    """A context like this one, with the settings that the evaluation needs."""
    precision = (f"models.precision={args.precision}",) if args.precision else ()
    return context.adjusted(*precision, *overrides)


def print_table(title: str, rows: list[tuple[str, str]]) -> None:
    table = Table(title=title, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def progress(items: list[T], what: str) -> Iterable[T]:
    """A bar on stderr while somebody watches."""
    if not sys.stderr.isatty():
        return items
    return track(items, description=what, console=Console(stderr=True), transient=True)
