"""What the hub says to devices: that it has their events, and what the agency commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.adapters.signing import KeySigner, Signs, signed
from agent.errors import RefusedError, UsageError
from agent.hub.devices import Device
from agent.hub.hub import Hub
from agent.hub.review_records import Status
from agent.hub.typed import checked
from agent.messages import Ack, Command, iso_utc
from agent.messages.ack import ACK_FORMAT, MAX_IDS
from agent.messages.command import COMMAND_FORMAT, STARTS

_UNSIGNED: Final = {"signer": "0" * 32, "signature": "A" * 86 + "=="}
_ROLE: Final = "commands"


def ack_messages(
    agency: str,
    device: str,
    ids: Sequence[str],
    signer: Signs,
    *,
    now: float,
    outcomes: Mapping[str, Status] | None = None,
) -> list[Ack]:
    """Acknowledgements of events that are on disk, at most 100 in each.

    Args:
        agency: whose hub.
        device: whose events.
        ids: of the events.
        signer: holds the key that the device knows, `Hub.ring.acks_key(device.ack_key)`.
        now: wall seconds.
        outcomes: what reviews of some of them came to.
    """
    came_to = outcomes or {}

    def those(status: Status, part: Sequence[str]) -> list[str]:
        return [one for one in part if came_to.get(one) == status]

    return [
        Ack.model_validate(
            signed(
                {
                    "format": ACK_FORMAT,
                    "agency": agency,
                    "device": device,
                    "ids": list(part),
                    "confirmed": those("confirmed", part),
                    "rejected": those("rejected", part),
                    "time": iso_utc(now),
                },
                signer,
            )
        )
        for part in (ids[at : at + MAX_IDS] for at in range(0, len(ids), MAX_IDS))
    ]


def command_message(
    hub: Hub,
    device: Device,
    command: str,
    arguments: dict[str, Any],
    *,
    session: int | None,
    life_s: float,
    now: float,
) -> Command:
    """A command; its number is used up, whether it is sent or not.

    Args:
        hub: open; its `commands` key is opened.
        device: for whom.
        command: its name.
        arguments: see `CommandArguments`.
        session: of the device, for what starts something.
        life_s: refused by the device after so many seconds.
        now: wall seconds.

    Raises:
        UsageError: a value is not what it must be.
        RefusedError: the role needs more than one signature.
        BodycamError: as `KeyRing.private`.
    """
    values: dict[str, Any] = {
        "format": COMMAND_FORMAT,
        "agency": hub.agency,
        "device": device.name,
        "device_key": device.key_id,
        "counter": 1,
        "not_after": int(now + life_s),
        "session": session,
        "command": command,
        "arguments": arguments,
    }
    checked(Command, values | _UNSIGNED)
    if session is not None and command not in STARTS:
        raise UsageError(f"{command}: starts nothing, so it takes no session")
    signer = _office(hub)
    complete = checked(Command, values | _UNSIGNED | {"counter": hub.devices.next_command(device)})
    return Command.model_validate(signed(complete.model_dump(mode="json"), signer))


def _office(hub: Hub) -> KeySigner:
    keys, threshold = hub.repository.load().keys[_ROLE]
    if threshold != 1:
        raise RefusedError(
            f"the role {_ROLE} needs {threshold} signatures, and a command carries one; "
            f"`bodycam-hub keys rotate {_ROLE} --threshold 1`"
        )
    return KeySigner(hub.ring.private(_ROLE, keys))
