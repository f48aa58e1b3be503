"""What a look for a new list can come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Fault(Enum):
    """What is wrong with what the server offers, or with the device's own state.

    Whatever it is, the list in use stays what it is.
    """

    CLOCK = "clock"
    """This device's clock goes backwards: nothing about expiry could be told."""
    FROZEN = "frozen"
    """The newest metadata has expired."""
    ROLLBACK = "rollback"
    """Something older than what was verified before."""
    SIGNATURE = "signature"
    """Not signed by enough of the right keys."""
    TAMPERED = "tampered"
    """Changed after it was signed, or nonsense."""
    MIXED = "mixed"
    """Parts of different versions."""
    ENDLESS = "endless"
    """Longer than was signed for, or than any such file may be."""
    MISSING = "missing"
    """Signed for, but not there."""
    REMOVED = "removed"
    """The list is no longer sealed to this device."""
    NOT_OURS = "not-ours"
    """No list, or more than one, is sealed to this device."""
    CONTENT = "content"
    """Truly the agency's, but it breaks a rule for lists."""
    QUOTA = "quota"
    """It does not fit on the disk."""
    DEVICE = "device"
    """Nothing to do with the server: the disk, a file that the configuration names."""


@dataclass(frozen=True, slots=True)
class NoChange:
    """The list in use is the newest there is."""

    list_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Installed:
    """Another version is on disk now, whole.

    Attributes:
        entries, templates: on the list.
        shards: that it is made of.
        fetched: shards that came over the network this time.
    """

    list_id: str
    version: int
    entries: int
    templates: int
    shards: int
    fetched: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The agency no longer publishes the list: it was destroyed here."""

    list_id: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No answer, or none that means anything; no attack can be told from a poor network."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What was offered is not taken.

    Attributes:
        reason: one line without anything the server could vary at will, so that the same attack
            gives the same words at every look.
    """

    fault: Fault
    reason: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """One look.

    Attributes:
        received: bytes of files that came over the network, whatever became of them.
    """

    result: SyncResult
    received: int = 0


SyncResult: TypeAlias = NoChange | Installed | Withdrawn | Unreachable | Refused
