"""The agency's rules on disk: one file beside the device's keys, sealed under its store key.

It is made together with the identity, before there is any policy, so that its absence means
tampering and not a fresh device: deleting it, or putting another in its place, leaves the device
disarmed, and never under the built-in policy for field tests. It is written whole; a link is not
followed.

An older copy of this very file, put back by somebody who reads the disk of a switched-off device,
has a generation that the audit log knows to be over (`agent.runtime.rules_desk`). Where the log was
put back with it, or cut, the agency's anchors of that log tell.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.private_files import read_private, write_private
from agent.errors import BodycamError, DataError
from agent.messages.authorisation import Authorisation
from agent.messages.policy import MAX_POLICY
from agent.policy.loaded import MAX_REMEMBERED, Held, Loaded

FILE: Final = "rules"
_ABOUT: Final = b"bodycam.rules.v1"
_MAX_BYTES: Final = 8 << 20


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    document: Authorisation
    listed: bool


class _Sealed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["bodycam.rules.v1"] = "bodycam.rules.v1"
    policy: str | None = Field(None, max_length=MAX_POLICY)
    held: tuple[_Kept, ...] = ()
    revoked: tuple[str, ...] = Field((), max_length=MAX_REMEMBERED)
    versions: tuple[tuple[str, int], ...] = Field((), max_length=MAX_REMEMBERED)
    generation: int = Field(0, ge=0, le=2**53)


def sealed_rules(keys: DeviceKeys, loaded: Loaded) -> bytes:
    """The content of the file."""
    policy = None if loaded.policy is None else loaded.policy.decode()
    held = tuple(_Kept(document=one.document, listed=one.listed) for one in loaded.held.values())
    versions = tuple(loaded.versions.items())
    made = _Sealed(
        policy=policy,
        held=held,
        revoked=loaded.revoked,
        versions=versions,
        generation=loaded.generation,
    )
    return keys.encrypt(made.model_dump_json().encode(), _ABOUT)


class RulesStore:
    """Reads and writes it.

    Args:
        directory: of the keys.
        keys: of the device; raises RefusedError while they are locked.
    """

    def __init__(self, directory: Path, keys: Callable[[], DeviceKeys]) -> None:
        self._path = directory / FILE
        self._keys = keys

    def load(self) -> Loaded:
        """What was saved last.

        Raises:
            RefusedError: the keys are locked.
            DataError: it is missing, changed, or of another device.
        """
        keys = self._keys()
        try:
            clear = keys.decrypt(read_private(self._path, _MAX_BYTES), _ABOUT)
            kept = _Sealed.model_validate_json(clear)
        except (BodycamError, ValidationError) as error:
            why = str(error) if isinstance(error, BodycamError) else "not what was written"
            raise DataError(
                f"the rules of this device are missing or were changed ({why}): wipe it and "
                "provision it again"
            ) from None
        return Loaded(
            None if kept.policy is None else kept.policy.encode(),
            MappingProxyType(
                {one.document.id: Held(one.document, one.listed) for one in kept.held}
            ),
            kept.revoked,
            MappingProxyType(dict(kept.versions)),
            kept.generation,
        )

    def save(self, loaded: Loaded) -> None:
        """On disk when this returns.

        Raises:
            RefusedError: the keys are locked.
            DiskError: it cannot be written; what was there is as it was.
        """
        write_private(self._path, sealed_rules(self._keys(), loaded))
