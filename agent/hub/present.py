"""The version of a list that is published now, read back from the public folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.adapters.sealing import decrypt
from agent.errors import DataError, MissingFileError
from agent.hub.list_values import ListState, Since
from agent.hub.repository import Repository
from agent.messages.bundle import SHARD_ABOUT, ShardRef, manifest_target, shard_target
from agent.watchlist.bundle import join, live_rows
from agent.watchlist.columns import Columns, StoredList
from agent.watchlist.shard import decode_shard
from agent.watchlist.sharding import Placed, place

_ENVELOPES: Final = ".envelopes"


@dataclass(frozen=True, slots=True, eq=False)
class Present:
    """A published version.

    Attributes:
        stored: its entries; the empty list of version 0 before the first.
        layout: which shard holds which.
        since: when each row of the layout came onto the list, wall seconds.
        not_after: end of the list, wall seconds.
    """

    stored: StoredList
    layout: tuple[Placed, ...]
    since: Since
    not_after: float

    @staticmethod
    def none() -> Present:
        return Present(StoredList.empty(), (), np.zeros(0), 0.0)

    def since_of_entries(self) -> Since:
        """(n,) when each entry came onto the list, in the order of `stored`."""
        gone = [np.zeros(0, np.bool_)]
        for placed in self.layout:
            mask = np.zeros(len(placed.entry), np.bool_)
            mask[list(placed.ref.removed)] = True
            gone.append(mask)
        since: Since = self.since[~np.concatenate(gone)]
        return since


def manifest_sha256(repository: Repository, list_id: str) -> str | None:
    """Which encrypted manifest of a list is published; None without one."""
    target = repository.targets("lists").get(manifest_target(list_id))
    return None if target is None else str(target.hashes["sha256"])


def published_lists(repository: Repository) -> dict[str, str | None]:
    """Sha256 of the encrypted manifest of every published list, by its id."""
    targets = repository.targets("lists")
    names = [path for path in sorted(targets) if path.endswith(_ENVELOPES)]
    ids = [path.removeprefix("lists/").removesuffix(_ENVELOPES) for path in names]
    found = {one: targets.get(manifest_target(one)) for one in ids}
    return {one: str(file.hashes["sha256"]) if file else None for one, file in found.items()}


def read_present(repository: Repository, state: ListState | None) -> Present:
    """Decrypt and check every shard.

    Raises:
        MissingFileError: a shard is gone from the public folder.
        DataError: one was changed.
    """
    if state is None:
        return Present.none()
    layout: list[Placed] = []
    manifest = state.manifest

    def parts() -> Iterator[Columns]:
        for ref, columns in _shards(repository, manifest.shards):
            layout.append(place(ref, columns))
            yield live_rows(ref, columns)

    stored = join(manifest, parts())
    if len(state.since) != sum(ref.entries for ref in manifest.shards):
        raise DataError(f"list {manifest.list}: the hub's state of it is damaged; restore a copy")
    return Present(stored, tuple(layout), state.since, manifest.not_after)


def _shards(
    repository: Repository, refs: tuple[ShardRef, ...]
) -> Iterator[tuple[ShardRef, Columns]]:
    targets = repository.targets("lists")
    for ref in refs:
        target = targets.get(shard_target(ref.name))
        if target is None:
            raise MissingFileError(f"{shard_target(ref.name)}: not published any more")
        blob = repository.folder.read_target(target)
        yield ref, decode_shard(decrypt(ref.key, blob, SHARD_ABOUT))[1]
