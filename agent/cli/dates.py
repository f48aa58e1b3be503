"""Days and times as people type them."""

from __future__ import annotations

from datetime import datetime, timezone

from agent.errors import UsageError

_DAY_S = 86_400.0


def day_or_time(text: str, option: str) -> float:
    """Wall seconds of `2026-03-01` (its beginning, UTC) or `2026-03-01T12:30:00Z`.

    Args:
        text: as typed.
        option: for the error.

    Raises:
        UsageError: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(f"{option}: not a date such as 2026-03-01: {text!a}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return moment.timestamp()


def days(first: str, last: str, command: str) -> tuple[float, float]:
    """Wall seconds from the beginning of one day up to the end of another, both included (UTC).

    Args:
        first: `2026-03-01`.
        last: the same.
        command: for the error.

    Raises:
        UsageError: not days, or the wrong way round.
    """
    ends: list[float] = []
    for option, text in (("--from", first), ("--to", last)):
        try:
            moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
        except ValueError:
            message = f"{command} {option}: not a day such as 2026-03-01: {text!a}"
            raise UsageError(message) from None
        ends.append(moment.timestamp())
    if ends[0] > ends[1]:
        raise UsageError(f"{command}: --from {first} is after --to {last}")
    return ends[0], ends[1] + _DAY_S
