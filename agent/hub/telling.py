"""What a command about a list answers: in words, as JSON, and as files for people at the hub."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from agent.hub.files import Disk, private_folder
from agent.hub.list_values import Facts, ListRecord
from agent.hub.near_duplicates import Found
from agent.hub.photographs import Enrolment, by_reason, rejection_rows
from agent.messages import iso_utc

REJECTED: Final = "rejected.csv"
PHOTOGRAPHS: Final = "photographs.json"
LARGE: Final = 300_000
_SHOWN: Final = 10
_TELLING: Final = 100
"""Photographs from which on the speed says something: before, the networks are being loaded."""


def facts_json(record: ListRecord, facts: Facts) -> dict[str, Any]:
    """A version, for a program."""
    told = asdict(facts) | {"devices": len(facts.devices), "keys": list(facts.keys)}
    told |= {"created": iso_utc(facts.created), "not_after": iso_utc(facts.not_after)}
    return {"list": record.id, "name": record.name, **told}


def facts_lines(record: ListRecord, facts: Facts) -> list[str]:
    """A version, for people."""
    over = f" ({facts.expired} whose time was over)" if facts.expired else ""
    keys = "; every shard has a new key" if facts.rekeyed else ""
    title = f"{record.name} ({record.id}) version {facts.version}"
    size = f"{facts.entries} entries with {facts.templates} templates"
    fetched = f"{facts.new_bytes / 1e6:.1f} MB to fetch{keys}"
    readers = f"readable by {len(facts.devices)} devices"
    return [
        f"{title}: {size}, until {iso_utc(facts.not_after)}",
        f"entries: {facts.added} added, {facts.removed} removed{over}, {facts.replaced} replaced",
        f"{facts.new_shards} of {facts.shards} shards are new, {fetched}; {readers}",
    ]


def run_json(enrolment: Enrolment | None, found: Found | None) -> dict[str, Any]:
    """What became of photographs, and near-duplicates, for a program."""
    told: dict[str, Any] = {}
    if enrolment is not None:
        told["photographs"] = {
            "accepted": len(enrolment.accepted),
            "made_now": enrolment.embedded,
            "seconds": round(enrolment.seconds, 2),
            "per_second": _rate(enrolment),
            "rejected_by_reason": by_reason(enrolment.rejected),
            "rejected": list(rejection_rows(enrolment.rejected)),
            "entries_without": list(enrolment.without),
        }
    if found is not None:
        told["near_duplicates"] = {
            "from_similarity": round(found.least, 4),
            "count": found.count,
            "pairs": [asdict(pair) for pair in found.pairs],
        }
    return told


def run_lines(enrolment: Enrolment | None, found: Found | None, folder: Path) -> list[str]:
    """The same, for people."""
    lines = [] if enrolment is None else _photograph_lines(enrolment, folder)
    if found is not None and found.count:
        lines.append(
            f"near-duplicates: {found.count} pairs of entries of different subjects are alike from "
            f"{found.least:.2f} on; nothing was merged:"
        )
        lines += [
            f"  {one.entry} and {one.other} ({one.similarity:.2f})" for one in found.pairs[:_SHOWN]
        ]
        if found.count > _SHOWN:
            lines.append(f"  and {found.count - _SHOWN} more, see {folder / PHOTOGRAPHS}")
    return lines


def write_run(
    folder: Path, enrolment: Enrolment | None, found: Found | None, *, when: float
) -> None:
    """Leave the reports of the latest run, readable by the owner alone; older ones are replaced.

    Raises:
        DiskError: they cannot be written.
    """
    if enrolment is None and found is None:
        return
    private_folder(folder)
    disk = Disk()
    data = json.dumps(run_json(enrolment, found), indent=2).encode() + b"\n"
    disk.write(folder / PHOTOGRAPHS, data, when=when, mode=0o600)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["image", "entry", "reason", "text"])
    writer.writeheader()
    writer.writerows(rejection_rows(enrolment.rejected) if enrolment else ())
    data = text.getvalue().encode("utf-8", "surrogateescape")
    disk.write(folder / REJECTED, data, when=when, mode=0o600)


def forget_run(folder: Path) -> None:
    """Delete the reports of the latest run: they may name who has just been taken off the list.

    Raises:
        DiskError: they cannot be deleted.
    """
    for name in (PHOTOGRAPHS, REJECTED):
        Disk().remove(folder / name)


def _photograph_lines(enrolment: Enrolment, folder: Path) -> list[str]:
    accepted, rejected = len(enrolment.accepted), len(enrolment.rejected)
    lines = [f"photographs: {accepted} of {accepted + rejected} accepted{_speed(enrolment)}"]
    if rejected:
        reasons = ", ".join(
            f"{count} {reason.replace('_', ' ')}"
            for reason, count in sorted(by_reason(enrolment.rejected).items())
        )
        lines.append(f"NOT on the list: {rejected} photographs ({reasons}); {folder / REJECTED}")
        lines += [
            f"  {one.image} (entry {one.entry}): {'; '.join(why.text for why in one.why)}"
            for one in enrolment.rejected[:_SHOWN]
        ]
        if rejected > _SHOWN:
            lines.append(f"  and {rejected - _SHOWN} more")
    if enrolment.without:
        names = ", ".join(enrolment.without[:_SHOWN])
        more = len(enrolment.without) - _SHOWN
        lines.append(
            f"NOT on the list: {len(enrolment.without)} entries without one good photograph: "
            f"{names}{f' and {more} more' if more > 0 else ''}"
        )
    return lines


def _speed(enrolment: Enrolment) -> str:
    if not enrolment.embedded:
        return ", all known from before"
    rate = _rate(enrolment)
    said = f"; {enrolment.embedded} made now at {rate:.1f} a second"
    if enrolment.embedded < _TELLING or not rate:
        return said
    minutes = round(LARGE / rate / 60)
    return f"{said} ({LARGE:,} would take {minutes // 60} h {minutes % 60:02d} min here)"


def _rate(enrolment: Enrolment) -> float:
    return round(enrolment.embedded / enrolment.seconds, 2) if enrolment.embedded else 0.0
