"""Verdicts as a table: a row for each kind of fault, over every timeline that had it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.judge import Verdict
from tests.faults.timelines import Timeline

_HEAD = (
    f"{'fault':18}{'alone':>7}{'pairs':>7}{'broken':>8}{'recovery s':>12}{'stated':>8}{'named':>9}"
)


def as_table(verdicts: Sequence[Verdict], plan: Sequence[Timeline]) -> str:
    """Several lines, then what is broken; without the last line break."""
    kinds = list(dict.fromkeys(fault for one in plan for fault in one.faults))
    both = list(zip(plan, verdicts, strict=True))
    rows = [_row(kind, [(one, v) for one, v in both if kind in one.faults]) for kind in kinds]
    lines = [_HEAD, *rows, _row("all", both)]
    lines += [
        f"{'void   ' if v.void else 'BROKEN '} {v.name}: {line}"
        for v in verdicts
        for line in v.broken
    ]
    return "\n".join(lines)


def _row(kind: str, both: Sequence[tuple[Timeline, Verdict]]) -> str:
    single = sum(len(one.faults) == 1 for one, _ in both)
    broken = sum(bool(verdict.broken) for _, verdict in both)
    figures = [verdict.figures for _, verdict in both if verdict.figures]
    took = [one["recovery_s"] for one in figures if one["recovery_s"] is not None]
    stated = max((one["recovers_within_s"] for one in figures), default=0.0)
    named = sum(one["named_afterwards"] for one in figures)
    walked = sum(one["walked_by_afterwards"] for one in figures)
    return (
        f"{kind:18}{single:7}{len(both) - single:7}{broken:8}"
        f"{max(took, default=0.0):12.1f}{stated:8g}{f'{named}/{walked}':>9}"
    )
