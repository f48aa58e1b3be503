"""What people do at the hub, in its log: before it is done, and after.

What is done lies in other files than the log, so neither can be there in one transaction with the
other. A record that something begins comes first, another one when it is done or has failed: an act
that begins and does not end was cut short, and whoever reads the log sees it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from agent.errors import BodycamError
from agent.hub.chain import write_log
from agent.hub.context import HubContext
from agent.hub.events_database import FILE, EventsDatabase
from agent.messages import new_ulid

KIND: Final = "act"


@dataclass(slots=True)
class Act:
    """What came of it, for the record of its end.

    Attributes:
        facts: `version`, `sha256` of what was done.
    """

    facts: dict[str, str | int] = field(default_factory=dict)


@contextmanager
def recorded(
    context: HubContext, what: str, about: str, *, say: Callable[[str], None] | None = None
) -> Iterator[Act]:
    """Record that this begins, and how it ended.

    Args:
        context: of the command.
        what: the act.
        about: the id of what it is done to: a list, a camera, an authorisation, a role.
        say: told why it cannot be recorded, of an act that ends or takes back something: that is
            done all the same. None: what cannot be recorded is not done.

    Raises:
        DataError: the log was changed: nothing is added to it.
        DiskError: it cannot be written.
    """
    act, ulid = Act(), new_ulid(wall_s=context.clock.wall(), randomness=os.urandom(10))

    def note(step: str) -> None:
        fields = {"what": what, "about": about, "act": ulid, "uid": os.getuid(), **act.facts}
        with closing(EventsDatabase(context.state_dir / FILE)) as log, log.transaction() as db:
            write_log(db, KIND, context.clock.wall(), step=step, **fields)

    def note_or_say(step: str) -> None:
        try:
            note(step)
        except BodycamError as error:
            if say is None:
                raise
            say(f"not recorded in the hub's log: {error}")

    note_or_say("begun")
    try:
        yield act
    except BaseException:
        act.facts.clear()
        with suppress(BodycamError):
            note("failed")
        raise
    note_or_say("done")


def unfinished(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Acts that began and have no end: cut short, or at work now. Their first records."""
    open_: dict[str, Mapping[str, Any]] = {}
    for record in records:
        if record["kind"] != KIND:
            continue
        ulid = record["fields"].get("act", "")
        if record["fields"].get("step") == "begun":
            open_[ulid] = record
        else:
            open_.pop(ulid, None)
    return list(open_.values())
