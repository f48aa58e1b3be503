"""Why an entry may be on the list, as options of the commands that make one."""

from __future__ import annotations

from typing import Any

from agent.errors import UsageError
from agent.values import Wall


def add_grounds(parser: Any, *, required: bool) -> None:
    """The options that every entry needs; without `required` they are for distractors."""
    distractor = "" if required else " (for distractors)"
    for name, text in (
        ("basis", "code of the legal basis"),
        ("purpose", "code of the purpose"),
        ("authorisation", "id of what permits it"),
        ("not-after", "expiry: 2026-12-31 (that day included, UTC) or RFC 3339"),
    ):
        parser.add_argument(f"--{name}", required=required, help=text + distractor)


def refuse_over(not_after: float, now: Wall) -> None:
    """An entry that has expired is a mistake.

    Raises:
        UsageError: it has.
    """
    if not_after <= now:
        raise UsageError("--not-after: is over already; an entry needs an expiry in the future")
