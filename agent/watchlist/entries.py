"""What is known about a watchlist entry: opaque ids, why it is there, and until when.

Rules, all checked here: no entry without basis, purpose, authorisation and expiry; ids are
opaque (letters, digits, `_ . : -`), never names; `TEST` is nobody (test alerts); an entry ends
after it begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from agent.errors import DataError
from agent.messages.match import TEST_ID, OpaqueId
from agent.values import Wall

MAX_WALL = 32503680000.0
"""3000-01-01: a later expiry is a mistake, or a way around having one."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{3}|\.\d{6})?)?([Zz]|[+-]\d\d:\d\d))?", re.ASCII
)


class Kind(IntEnum):
    """Where a template came from."""

    PHOTOGRAPH = 1
    VECTORS = 2
    DISTRACTOR = 3


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of one template.

    Attributes:
        sha256: hexadecimal; of the photograph, of the imported file, or of the words that say how
            a distractor was drawn.
        kind: see `Kind`.
        embedder: sha256 of the network that made the vector, hexadecimal.
    """

    sha256: str
    kind: Kind
    embedder: str


def wall_time(value: object, *, end_of_day: bool = False) -> Wall:
    """Seconds since 1970 UTC from a number, an RFC 3339 time or a date.

    Args:
        value: a time of day needs `Z` or an offset: nobody shall guess whose evening it is.
        end_of_day: a bare date means the end of that day (UTC), not its start.

    Raises:
        ValueError: not a time between 1970 and 3000.
    """
    seconds = _seconds(value, end_of_day=end_of_day)
    if not 0 <= seconds <= MAX_WALL:
        raise ValueError("a time between 1970 and 3000 is needed")
    return Wall(seconds)


def _seconds(value: object, *, end_of_day: bool) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    wrong = f"{text[:40]!r} is not a time with its zone; write 2026-12-31 or 2026-12-31T18:00:00Z"
    if not _TIME.fullmatch(text):
        raise ValueError(wrong)
    try:
        moment = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
        if moment.tzinfo is None:  # a date
            moment = moment.replace(tzinfo=timezone.utc)
        if end_of_day and _DATE.fullmatch(text):
            moment += timedelta(days=1)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise ValueError(wrong) from None


def _end(value: object) -> float:
    return wall_time(value, end_of_day=True)


class EntryMeta(BaseModel):
    """Metadata of one entry, checked at the edge (command line, CSV, sync).

    Attributes:
        entry: unique on the list.
        subject: the person, by an opaque id; may have several entries.
        basis: code of the legal basis.
        purpose: code of the purpose.
        authorisation: id of the authorisation that allows it.
        priority: higher alerts go first.
        not_before, not_after: wall seconds; valid while not_before <= now < not_after. Also taken
            as RFC 3339 text; a bare date in `not_after` includes that day (UTC).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: OpaqueId
    subject: OpaqueId
    basis: OpaqueId
    purpose: OpaqueId
    authorisation: OpaqueId
    priority: int = Field(0, ge=0, le=1000)
    not_before: Annotated[float, BeforeValidator(wall_time)] = 0.0
    not_after: Annotated[float, BeforeValidator(_end)]

    @field_validator("entry", "subject")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value == TEST_ID:
            raise ValueError(f"{TEST_ID} is kept for test alerts; choose another id")
        return value

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> EntryMeta:
        if self.not_after <= self.not_before:
            raise ValueError("not_after must be later than not_before")
        return self


def entry_meta(fields: Mapping[str, Any]) -> EntryMeta:
    """Check the fields of one entry.

    Raises:
        DataError: one line that names the entry and every problem with it.
    """
    try:
        return EntryMeta.model_validate(dict(fields))
    except ValidationError as error:
        name = str(fields.get("entry") or "(without id)")[:64]
        problems = "; ".join(_problem(item) for item in error.errors())
        raise DataError(f"entry {name!r}: {problems}") from None


def _problem(item: Any) -> str:
    path = ".".join(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "missing" or item.get("input") == "":
        message = "missing"
    elif item["type"] == "string_pattern_mismatch":
        message = "use letters, digits and _ . : - only (an opaque id, never a name)"
    elif path == "priority":
        message = "a whole number from 0 to 1000; alerts of a higher one are sent first"
    elif item["type"] == "extra_forbidden":
        message = "no such field"
    return f"{path}: {message}" if path else message
