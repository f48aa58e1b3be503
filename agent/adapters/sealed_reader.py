"""Reading the sealed store."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from agent.adapters.sealed_catalogue import Catalogue
from agent.adapters.sealed_clock import HighWater
from agent.adapters.sealed_files import ShardFiles
from agent.adapters.sealed_rows import Held, Listed
from agent.adapters.sealed_staging import serves
from agent.errors import BodycamError, DataError, RefusedError
from agent.messages.bundle import ListManifest, ShardRef
from agent.values import Wall
from agent.watchlist.arrival import ArrivalRules, check_use
from agent.watchlist.bundle import join
from agent.watchlist.columns import Columns, StoredList

_READS: Final = 3


@dataclass(slots=True, eq=False)
class Parts:
    """What reader and writer share. `rules` alone is ever changed.

    Attributes:
        files, catalogue, clock: of the store.
        rules: of the policy.
        space: family of the embedder that this device runs.
        damaged: a file could not be decrypted: each must be tried before it is relied on.
    """

    files: ShardFiles
    catalogue: Catalogue
    clock: HighWater
    rules: ArrivalRules
    space: str
    damaged: threading.Event = field(default_factory=threading.Event)


class SealedReader:
    """Reads what the catalogue lists. A writer in another process is not waited for: when the
    files change under a reader, it begins again.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def load(self, now: Wall, high_water: Wall) -> tuple[StoredList, int]:
        """The list, and the count of changes at that time; errors as `SealedListStore.load`.

        Args:
            now: wall seconds.
            high_water: the latest time known at that moment: later ones are noted while this reads.
        """
        catalogue = self._parts.catalogue
        for _ in range(_READS):
            before = catalogue.counts()[1]
            try:
                return self._load(now, high_water), before
            except DataError:
                if catalogue.counts()[1] == before:
                    raise
        raise DataError("list store: it changes faster than it can be read; try again")

    def contents(self) -> tuple[Listed, tuple[Held, ...]] | None:
        """The list and its shards, as the manifest had them; None without a list.

        Raises:
            DataError: a shard is not in the catalogue.
        """
        found = self._parts.catalogue.contents()
        if found is None:
            return None
        listed, held = found
        try:
            return listed, tuple(held[source] for source in listed.shards)
        except KeyError:
            raise DataError("list store: damaged; wipe and provision again") from None

    def whole(self, held: Sequence[Held]) -> bool:
        """Whether every file is there."""
        return all(map(self._there, held)) and not self._parts.damaged.is_set()

    def usable(self) -> dict[str, Held]:
        """The shards that can be relied on, by source."""
        test = self._readable if self._parts.damaged.is_set() else self._there
        return {name: one for name, one in self._parts.catalogue.held().items() if test(one)}

    def missing(self, manifest: ListManifest) -> tuple[ShardRef, ...]:
        """The shards of a manifest that must be downloaded."""
        held = self.usable()
        return tuple(
            ref
            for ref in manifest.shards
            if ref.name not in held or not serves(held[ref.name], ref)
        )

    def _load(self, now: Wall, high_water: Wall) -> StoredList:
        parts = self._parts
        found = self.contents()
        if found is None:
            raise RefusedError(self._why_none())
        listed, held = found
        stored = join(listed.manifest, self._columns(held))
        check_use(
            stored,
            listed.manifest,
            rules=parts.rules,
            space=parts.space,
            now=now,
            high_water=high_water,
        )
        end = min(listed.manifest.not_after, listed.manifest.created + parts.rules.max_list_age_s)
        columns = replace(stored.columns, not_after=np.minimum(stored.columns.not_after, end))
        return replace(stored, columns=columns, sha256=listed.sha256)

    def _columns(self, held: Sequence[Held]) -> Iterator[Columns]:
        for one in held:
            if one.file:
                try:
                    yield self._parts.files.read(one.file, one.key)[1]
                except DataError:
                    self._parts.damaged.set()
                    raise

    def _why_none(self) -> str:
        ended = self._parts.catalogue.ended()
        if ended is None and self._parts.catalogue.begun_anew:
            return "no list: the store was damaged and is begun anew; the next sync fills it"
        if ended is None:
            return "no list yet: it comes with the first sync"
        return f"no list: version {ended.version} of {ended.list} was destroyed: {ended.reason}"

    def _there(self, held: Held) -> bool:
        return not held.file or self._parts.files.there(held.file, held.size)

    def _readable(self, held: Held) -> bool:
        try:
            return not held.file or bool(self._parts.files.read(held.file, held.key))
        except BodycamError:
            return False
