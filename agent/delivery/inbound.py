"""What comes to the device over the network: who may say what to it.

Anybody who can publish to the broker can write here, and the broker itself may be hostile. So:

- what is cheap to see is looked at first: length, JSON, format, names; then the one signature;
  and only what is signed is checked field by field;
- a command counts once, and in order: `counter` must be higher than that of any signed command to
  this device before, obeyed or not;
- what starts something fits one session of the agent alone; what stops something fits any;
- nothing that is refused leaves a trace that grows: there are so many `Why`s, and counts of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel

from agent.messages.ack import ACK_FORMAT, MAX_ACK, Ack
from agent.messages.command import COMMAND_FORMAT, MAX_COMMAND, STARTS, Command
from agent.messages.signed import signable, to_bytes
from agent.values import Monotonic, Wall

Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Whether the owner of a public key signed data: (public key, data, signature)."""
_Message = TypeVar("_Message", bound=BaseModel)
_FORMATS: Final[Mapping[type[BaseModel], str]] = {Ack: ACK_FORMAT, Command: COMMAND_FORMAT}
STOPS: Final = frozenset({"disarm", "revoke"})
"""When in doubt, disarm: obeyed under keys that are out of date, and before it is recorded."""


class Why(str, Enum):
    """Why a message was refused, in words for the log."""

    FLOOD = "more came than is looked at"
    TOO_LONG = "too long"
    MALFORMED = "not what it should be"
    FOREIGN = "for another agency or device"
    UNKNOWN_KEY = "signed by nobody known here"
    FORGED = "its signature is wrong"
    REPLAYED = "its counter was used before"
    STALE = "its time is over"
    OLD_KEYS = "the agency's keys known here are out of date"
    OTHER_SESSION = "meant for another session"
    NOT_ALLOWED = "not allowed by the policy"


BELIEVED: Final = frozenset(
    {Why.REPLAYED, Why.STALE, Why.OLD_KEYS, Why.OTHER_SESSION, Why.NOT_ALLOWED}
)
"""Refused although the agency itself signed it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was done.

    Attributes:
        why: see `Why`.
        counter: of a command that the agency signed, and that fits this device: it is used up.
    """

    why: Why
    counter: int | None = None


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whose messages these must be.

    Attributes:
        agency: as provisioned.
        device: as provisioned.
        device_key: name of the device's X25519 key.
    """

    agency: str
    device: str
    device_key: str


@dataclass(frozen=True, slots=True)
class CommandKeys:
    """Who may command.

    Attributes:
        keys: Ed25519 public keys of the `commands` role, by name.
        not_after: wall seconds at which the word that they are those runs out.
    """

    keys: Mapping[str, bytes]
    not_after: float


@dataclass(frozen=True, slots=True)
class Present:
    """What a command is judged by.

    Attributes:
        session: of the running agent.
        now: wall seconds.
        remote_arm: the policy allows to arm from afar.
    """

    session: int
    now: Wall
    remote_arm: bool


def read_ack(
    payload: bytes, who: Addressee, keys: Mapping[str, bytes], verify: Verify
) -> Ack | Refused:
    """An acknowledgement, if the hub gave it to this device.

    Args:
        payload: as it arrived.
        who: this device.
        keys: Ed25519 public keys of the hub, by name.
        verify: see `Verify`.
    """
    if len(payload) > MAX_ACK:
        return Refused(Why.TOO_LONG)
    return _believed(payload, Ack, who, keys, verify)


class CommandGate:
    """Judges commands, in the order in which they come. Not for several threads at once.

    Args:
        who: this device.
        last: the highest counter so far.
        verify: see `Verify`.
    """

    def __init__(self, who: Addressee, last: int, verify: Verify) -> None:
        self._who = who
        self._verify = verify
        self.last = last

    def judge(self, payload: bytes, trust: CommandKeys, present: Present) -> Command | Refused:
        """The command, to be obeyed once its counter is on disk; or why not.

        Its counter is used up here whatever comes of it.
        """
        if len(payload) > MAX_COMMAND:
            return Refused(Why.TOO_LONG)
        command = _believed(payload, Command, self._who, trust.keys, self._verify)
        if isinstance(command, Refused):
            return command
        if command.device_key != self._who.device_key:
            return Refused(Why.FOREIGN)
        if command.counter <= self.last:
            return Refused(Why.REPLAYED)
        self.last = command.counter
        why = _why_not(command, trust, present)
        return command if why is None else Refused(why, command.counter)


def _why_not(command: Command, trust: CommandKeys, present: Present) -> Why | None:
    if present.now >= command.not_after:
        return Why.STALE
    if present.now >= trust.not_after and command.command not in STOPS:
        return Why.OLD_KEYS
    if command.command in STARTS and command.session != present.session:
        return Why.OTHER_SESSION
    if command.command == "arm" and not present.remote_arm:
        return Why.NOT_ALLOWED
    return None


def _believed(
    payload: bytes, model: type[_Message], who: Addressee, keys: Mapping[str, bytes], verify: Verify
) -> _Message | Refused:
    """Cheap to see first, then the signature, then everything."""
    tree = _object(payload)
    why = _glance(tree, _FORMATS[model], who, keys)
    if why is not None:
        return Refused(why)
    try:
        if not verify(keys[tree["signer"]], signable(tree), to_bytes(tree["signature"])):
            return Refused(Why.FORGED)
        return model.model_validate_json(payload)
    except (ValueError, RecursionError):
        return Refused(Why.MALFORMED)


def _glance(
    tree: Mapping[str, Any], message_format: str, who: Addressee, keys: Mapping[str, bytes]
) -> Why | None:
    signer, signature = tree.get("signer"), tree.get("signature")
    if tree.get("format") != message_format or not isinstance(signature, str):
        return Why.MALFORMED
    if tree.get("agency") != who.agency or tree.get("device") != who.device:
        return Why.FOREIGN
    return None if isinstance(signer, str) and signer in keys else Why.UNKNOWN_KEY


def _object(payload: bytes) -> dict[str, Any]:
    """Empty when it is none."""
    try:
        tree = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


class Allowance:
    """So many messages are looked at, whatever comes: a bucket of tokens that fills with time.

    Args:
        per_s: tokens a second.
        burst: the most that it holds.
        now: monotonic.
    """

    def __init__(self, per_s: float, burst: float, *, now: Monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = now

    def take(self, *, now: Monotonic) -> float:
        """Take one. Seconds until there is one; 0 when it was taken."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._per_s
        self._left -= 1.0
        return 0.0


@dataclass(slots=True)
class _Told:
    count: int = 0
    untold: int = 0
    next_at: float = float("-inf")


class Complaints:
    """Counts refusals, and says now and then that there were some: a line per kind and while.

    Args:
        every_s: between two lines of a kind, s.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told: dict[tuple[str, Why], _Told] = {}

    def add(self, what: str, why: Why, count: int = 1) -> None:
        """So many messages to `what` (`ack`, `command`) were refused."""
        told = self._told.setdefault((what, why), _Told())
        told.count += count
        told.untold += count

    def due(self, *, now: Monotonic) -> list[tuple[str, Why, int]]:
        """What is to be said now: (what, why, how many since the last time)."""
        lines: list[tuple[str, Why, int]] = []
        for (what, why), told in self._told.items():
            if told.untold and now >= told.next_at:
                lines.append((what, why, told.untold))
                told.untold, told.next_at = 0, now + self._every_s
        return lines

    def counts(self) -> dict[str, int]:
        """Of all refusals so far, by `what.why`, why in lower case."""
        return {
            f"{what}.{why.name.lower()}": told.count for (what, why), told in self._told.items()
        }
