"""Which of the agency's lists this device follows, and whether it has what is signed for now."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.adapters.state_dir import write_whole
from agent.adapters.tuf_client import Repository, refused
from agent.app.sync_parts import SyncParts
from agent.messages.bundle import (
    EnvelopeFile,
    ListManifest,
    Sha256,
    envelopes_target,
    manifest_target,
)
from agent.values.sync import Fault, NoChange
from agent.watchlist.bundle import parse_envelopes

REMOVED: Final = "this device was removed from the list"


class _Seen(BaseModel):
    """What is installed, by what the agency signed for it: no need to fetch that again.

    Attributes:
        envelopes, manifest: sha256 of the targets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    list: str
    version: int
    envelopes: Sha256
    manifest: Sha256


class Choosing:
    """For one look.

    Args:
        parts: see `SyncParts`.
        repository: refreshed.
    """

    def __init__(self, parts: SyncParts, repository: Repository) -> None:
        self._parts = parts
        self._store = parts.store
        self._repository = repository

    def known(self) -> NoChange | None:
        """Whether what is signed for now is what is installed."""
        seen, here = self._seen(), self._store.installed()
        if seen is None or here is None or not here.whole:
            return None
        if (seen.list, seen.version) != (here.ref.id, here.ref.version):
            return None
        if self._parts.list_id not in ("", seen.list) or self._marks(seen) != seen:
            return None
        return NoChange(seen.list, seen.version)

    def choose(self) -> EnvelopeFile | None:
        """The envelopes of the list to follow; None when the list in use is published no more.

        Raises:
            BodycamError: there is none for this device, or several.
        """
        names, wanted = self._repository.lists(), self._parts.list_id
        considered = tuple(name for name in names if wanted in ("", name))
        mine = [
            envelopes
            for envelopes in (self._envelopes(name) for name in considered)
            if any(one.key_id == self._parts.key_id for one in envelopes.envelopes)
        ]
        here = self._store.installed()
        followed = [one for one in mine if here is not None and one.list == here.ref.id]
        if len(mine) == 1 or followed:  # another list beside it is no reason to miss its changes
            return (followed or mine)[0]
        if mine:
            several = ", ".join(one.list for one in mine)
            raise refused(Fault.NOT_OURS, f"several lists are for this device ({several}): set "
                          "sync.list")  # fmt: skip
        self._require_withdrawn(names)
        return None

    def _require_withdrawn(self, names: tuple[str, ...]) -> None:
        """Nothing is sealed to us: that is the end of the list in use, or it is not."""
        here, wanted = self._store.installed(), self._parts.list_id
        if here is not None and here.ref.id not in names:
            return
        if wanted and wanted not in names:
            raise refused(Fault.NOT_OURS, f"the agency publishes no list {wanted}: check sync.list")
        if here is not None:
            raise refused(Fault.REMOVED, f"{REMOVED}: {here.ref.id} stays until its own end")
        raise refused(
            Fault.NOT_OURS,
            f"no list is for this device (key {self._parts.key_id}): the agency must add it",
        )

    def _envelopes(self, name: str) -> EnvelopeFile:
        path = self._repository.fetch(self._repository.require(envelopes_target(name)))
        envelopes = parse_envelopes(path.read_bytes())
        if envelopes.list != name:
            raise refused(Fault.MIXED, f"{path.name} holds the envelopes of another list")
        return envelopes

    def remember(self, manifest: ListManifest) -> None:
        """It is installed."""
        fresh = {"list": manifest.list, "version": manifest.version}
        seen = self._marks(_Seen(**fresh, envelopes="0" * 64, manifest="0" * 64))
        write_whole(self._seen_file, seen.model_dump_json() + "\n")

    def _marks(self, seen: _Seen) -> _Seen:
        """The same with what is signed for now."""
        names = {"envelopes": envelopes_target(seen.list), "manifest": manifest_target(seen.list)}
        found = {key: self._repository.find(name) for key, name in names.items()}
        hashes: dict[str, Any] = {
            key: one.hashes["sha256"] for key, one in found.items() if one is not None
        }
        return seen.model_copy(update={"envelopes": "", "manifest": "", **hashes})

    def _seen(self) -> _Seen | None:
        try:
            return _Seen.model_validate_json(self._seen_file.read_bytes())
        except (OSError, ValidationError):
            return None

    @property
    def _seen_file(self) -> Path:
        return self._parts.metadata / "seen.json"
