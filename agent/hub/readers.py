"""Who may read which of the lists that are published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.hub.devices import Devices
from agent.hub.list_values import ListRecord

_SHOWN: Final = 5


def readers_of_several(devices: Devices, lists: Sequence[ListRecord]) -> dict[str, tuple[str, ...]]:
    """Names of the lists of every camera that may read more than one, by its name."""
    found: dict[str, list[str]] = {}
    for record in lists:
        for device in devices.recipients(record.id):
            found.setdefault(device.name, []).append(record.name)
    return {name: tuple(some) for name, some in sorted(found.items()) if len(some) > 1}


def several_line(several: dict[str, tuple[str, ...]]) -> str:
    """What to say of them, in one line."""
    names = list(several)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    lists = ", ".join(several[names[0]])
    return (
        f"warning: {', '.join(names[:_SHOWN])}{more} may read several lists ({lists}), and a "
        f"camera follows one: `bodycam-hub devices assign {names[0]} --list "
        f"{several[names[0]][0]}`, or `bodycam-hub lists drop` one of them"
    )
