"""What became of alerts, in counts: for publication. Nothing in it names a person, an alert, a
reviewer or an authorisation.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from agent.hub.chain import log_lines
from agent.hub.events_database import EventsDatabase
from agent.messages import GAP_TYPE, MATCH_TYPE, TEST_TYPE, UPDATE_TYPE, iso_utc
from agent.messages.accountability import HubDay, HubReport

_DAY_S = 86_400.0


def hub_report(
    database: EventsDatabase,
    agency: str,
    *,
    first: float,
    end: float,
    device: str | None = None,
    needed: int,
    now: float,
) -> HubReport:
    """Alerts raised in a time, and what has been decided about them until now.

    Decisions are read from the hub's log, which outlives a purge.

    Args:
        database: of events.
        agency: whose.
        first: beginning, wall seconds.
        end: end, not included.
        device: only of this camera.
        needed: reviewers who must confirm.
        now: wall seconds.
    """
    rows = database.read(
        "SELECT device, id, type, time, purged FROM event WHERE time >= ? AND time < ?"
        " AND (? IS NULL OR device = ?) ORDER BY time",
        *(first, end, device, device),
    )
    lines = log_lines(database)
    records = [json.loads(line) for line in lines]
    words = _words(records)
    types = Counter(row[2] for row in rows)
    days: dict[str, Counter[str]] = defaultdict(Counter)
    for name, event, kind, at, purged in rows:
        if kind == MATCH_TYPE:
            status = _decided(words.get((name, event), {}), needed)
            lapsed = purged is not None and status == "pending"
            days[_day(at)].update(("alerts", "lapsed" if lapsed else status))
            days[_day(at)]["purged"] += purged is not None
    total: Counter[str] = sum(days.values(), Counter())
    return HubReport(
        agency=agency,
        device=device,
        first=_day(first),
        last=_day(end - 1),
        made=iso_utc(now),
        alerts=total["alerts"],
        updates=types[UPDATE_TYPE],
        test_alerts=types[TEST_TYPE],
        gaps=types[GAP_TYPE],
        confirmed=total["confirmed"],
        rejected=total["rejected"],
        pending=total["pending"],
        lapsed=total["lapsed"],
        purged=total["purged"],
        by_day=tuple(
            HubDay(
                day=day,
                alerts=count["alerts"],
                confirmed=count["confirmed"],
                rejected=count["rejected"],
            )
            for day, count in sorted(days.items())
        ),
        refused=_refused(database, first, end, device),
        holds=_held(database, device),
        forks=len({one["fields"]["device"] for one in _of(records, "fork", device)}),
        log_records=len(lines),
        log_head=records[-1]["hash"] if records else None,
    )


def _words(records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    """The latest decision of each reviewer, by camera and alert."""
    words: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for one in _of(records, "review", None):
        fields = one["fields"]
        words[fields["device"], fields["event"]][fields["signer"]] = fields["decision"]
    return words


def _decided(words: Mapping[str, str], needed: int) -> str:
    """As `agent.hub.review_records.status_of`."""
    if "rejected" in words.values():
        return "rejected"
    return "confirmed" if len(words) >= needed else "pending"


def _of(
    records: Iterable[Mapping[str, Any]], kind: str, device: str | None
) -> list[Mapping[str, Any]]:
    return [
        one
        for one in records
        if one["kind"] == kind and (device is None or one["fields"].get("device") == device)
    ]


def _refused(
    database: EventsDatabase, first: float, end: float, device: str | None
) -> dict[str, int]:
    rows = database.read(
        "SELECT why, sum(count) FROM refusal WHERE minute >= ? AND minute < ?"
        " AND (? IS NULL OR device = ?) GROUP BY why ORDER BY why",
        *(first // 60, end // 60, device, device),
    )
    return dict(rows)


def _held(database: EventsDatabase, device: str | None) -> int:
    sql = "SELECT count(*) FROM event WHERE hold IS NOT NULL AND (? IS NULL OR device = ?)"
    return int(database.read(sql, device, device)[0][0])


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, tz=timezone.utc).strftime("%Y-%m-%d")
