"""A verdict as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lines(verdict: Mapping[str, Any]) -> list[str]:
    shift, report = verdict["shift"], verdict["report"]
    frames, alerts = report.get("frames", {}), report.get("alerts", {})
    work = f"{frames.get('processed', 0)} frames, {report.get('tracks', 0)} tracks"
    made = [
        f"  {shift['hours']:g} h of the device, {shift['speed']:g} times as fast",
        f"  {work}, {alerts.get('raised', 0)} alerts, {verdict['hub_events']} at the hub",
        "",
        f"  {'':10}{'memory, MB':>16}{'MB a day':>10}{'descriptors':>13}{'threads':>9}",
    ]
    made += [_process(name, found) for name, found in verdict["processes"].items()]
    made += [
        f"  {what.partition('_')[0]:10}{most:>16.1f}" for what, most in verdict["disk"].items()
    ]
    made += [""] + [f"  BROKEN  {line}" for line in verdict["broken"]]
    return [*made, "  " + ("BROKEN" if verdict["broken"] else "flat")]


def _process(name: str, found: Mapping[str, float]) -> str:
    memory = f"{found['anon_first_mb']:.1f} to {found['anon_last_mb']:.1f}"
    counts = (f"{found[f'{of}_usual']:g} ({found[f'{of}_most']:g})" for of in ("fds", "threads"))
    descriptors, threads = counts
    return f"  {name:10}{memory:>16}{found['mb_per_day']:>10.1f}{descriptors:>13}{threads:>9}"
