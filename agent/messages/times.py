"""Times as text: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from pydantic import Field

IsoUtc = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


def iso_utc(wall_s: float) -> str:
    """`2026-01-31T12:34:56.789Z` for seconds since 1970 UTC."""
    moment = datetime.fromtimestamp(wall_s, tz=timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
