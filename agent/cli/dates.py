"""Days and times as people type them."""

from __future__ import annotations

from datetime import datetime, timezone

from agent.errors import UsageError


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
