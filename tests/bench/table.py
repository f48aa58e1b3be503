"""The figures for people: a table on the terminal, and the same as Markdown for the README."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH = 150
"""Characters, where no terminal says."""
HEADERS = ("what", "ours", "peer", "ratio", "unit", "threads", "precision", "peer is")


def rows(detail: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row for each comparison, with the extremes after the medians."""
    return [
        (
            name,
            _spread(entry["ours_spread"]),
            _spread(entry["peer_spread"]),
            f"{entry['ratio']:.1f}x",
            entry["unit"],
            str(entry["threads"]),
            entry["ours_precision"],
            entry["peer_name"],
        )
        for name, entry in detail.items()
        if isinstance(entry, dict) and "ratio" in entry
    ]


def other_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Figures without a peer."""
    listed = results.get("watchlist_300k", {})
    found = [(f"watchlist_300k {name}", f"{value:g}") for name, value in listed.items()]
    if "demo_rss_mb" in results:
        found.append(("demo_rss_mb", f"{results['demo_rss_mb']:g}"))
    return found


def print_tables(results: Mapping[str, Any], detail: Mapping[str, Any]) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(machine_line(results["machine"]))
    table = Table("what", *HEADERS[1:], title="ours against the OpenCV way: median (min to max)")
    for row in rows(detail):
        table.add_row(*row)
    console.print(table)
    for name, value in other_rows(results):
        console.print(f"{name}: {value}")


def markdown(results: Mapping[str, Any], detail: Mapping[str, Any], command: str) -> str:
    """The whole, with the machine and the command that made it."""
    intro = (
        f"Measured by `{command}` on {machine_line(results['machine'])}. "
        "Median (least to most); the sides take turns."
    )
    lines = [
        intro,
        "",
        _line(HEADERS),
        _line(["---"] * len(HEADERS)),
        *(_line(row) for row in rows(detail)),
        "",
    ]
    others = other_rows(results)
    if others:
        lines += [_line(("figure", "value")), _line(("---", "---")), *map(_line, others), ""]
    notes = {
        entry["how"] for entry in detail.values() if isinstance(entry, dict) and "how" in entry
    }
    return "\n".join([*lines, *(f"- {note}" for note in sorted(notes)), ""])


def machine_line(machine: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    flags = ", ".join(machine["flags"]) or "no known flags"
    return (
        f"{machine['cpu']}, {machine['cores']} cores ({flags}), {machine['system']}, "
        f"Python {machine['python']}, {versions}"
    )


def _spread(spread: Mapping[str, float]) -> str:
    digits = 1 if spread["median"] >= 10 else 2
    return (
        f"{spread['median']:.{digits}f} ({spread['low']:.{digits}f} to {spread['high']:.{digits}f})"
    )


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
