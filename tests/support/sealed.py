"""Published lists without a hub, and stores to put them in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.sealing import encrypt, new_key
from agent.messages.bundle import SHARD_ABOUT, ListManifest, ShardRef
from agent.values import Wall
from agent.watchlist.arrival import ArrivalRules
from agent.watchlist.bundle import a_shard
from agent.watchlist.columns import Columns
from agent.watchlist.shard import encode_shard
from tests.support.lists import BEGIN, DIM, END, SPACE, a_meta, columns_of, units

NOW = Wall(1_800_000_000.0)
HOUR = 3600.0
DAY = 24 * HOUR
RULES = ArrivalRules(("consent",), ("test",), max_templates=1_000_000, max_list_age_s=31 * DAY)


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a list: its manifest, and the encrypted shards by their sha256."""

    manifest: ListManifest
    shards: dict[str, bytes]

    def changed(self, **changes: object) -> Published:
        fields = {**self.manifest.model_dump(exclude={"shards"}), **changes}
        shards = changes.get("shards", self.manifest.shards)
        return replace(self, manifest=ListManifest(**{**fields, "shards": shards}))

    def without(self, removed: dict[int, Sequence[int]], templates: int | None = None) -> Published:
        """The next version: rows removed from shards, by the number of the shard."""
        refs = list(self.manifest.shards)
        for number, rows in removed.items():
            refs[number] = refs[number].model_copy(update={"removed": tuple(rows)})
        live = sum(ref.entries - len(ref.removed) for ref in refs)
        return self.changed(
            version=self.manifest.version + 1,
            shards=tuple(refs),
            entries=live,
            templates=live if templates is None else templates,
        )

    def joined(self, other: Published) -> Published:
        """The next version: with the shards of another one as well."""
        return replace(
            self.changed(
                version=self.manifest.version + 1,
                shards=(*self.manifest.shards, *other.manifest.shards),
                entries=self.manifest.entries + other.manifest.entries,
                templates=self.manifest.templates + other.manifest.templates,
            ),
            shards={**self.shards, **other.shards},
        )


def publish(
    parts: Sequence[Columns],
    *,
    version: int = 1,
    not_after: float = NOW + DAY,
    created: float = NOW - HOUR,
    space: str = SPACE,
) -> Published:
    """A list of one shard for each part."""
    refs, shards = [], {}
    for columns in parts:
        ref, blob = sealed_shard(columns, space)
        refs.append(ref)
        shards[ref.name] = blob
    manifest = ListManifest(
        list="L-1",
        version=version,
        created=created,
        not_after=not_after,
        space=space,
        dim=parts[0].dim,
        entries=sum(len(part) for part in parts),
        templates=sum(len(part.owner) for part in parts),
        shards=tuple(refs),
    )
    return Published(manifest, shards)


def sealed_shard(columns: Columns, space: str = SPACE) -> tuple[ShardRef, bytes]:
    key = new_key()
    blob = encrypt(key, encode_shard(columns, space), SHARD_ABOUT)
    name = hashlib.sha256(blob).hexdigest()
    return a_shard(name, len(blob), key, len(columns), ()), blob


def entries(
    first: int, count: int, *, not_after: float | Sequence[float] = END, dim: int = DIM
) -> Columns:
    """`count` entries of one template each, from number `first` on."""
    ends = [not_after] * count if isinstance(not_after, (int, float)) else list(not_after)
    metas = [a_meta(first + at, not_before=BEGIN, not_after=end) for at, end in enumerate(ends)]
    return columns_of(metas, [1] * count, units(count, dim, seed=first))


def many_entries(count: int, *, dim: int = 128, seed: int = 0) -> Columns:
    """Long lists, made fast."""
    few = entries(1, 1, dim=dim)
    rows = np.zeros(count, np.intp)
    numbers = np.arange(count)
    return Columns(
        np.char.add(b"E-", numbers.astype("S10")),
        np.char.add(b"S-", numbers.astype("S10")),
        few.basis.take(rows),
        few.purpose.take(rows),
        few.authorisation.take(rows),
        few.priority[rows],
        few.not_before[rows],
        few.not_after[rows],
        np.arange(count, dtype=np.int32),
        few.kind[rows],
        few.source[rows],
        few.embedder.take(rows),
        units(count, dim, seed),
    )


def in_pieces(columns: Columns, size: int) -> list[Columns]:
    rows = np.arange(len(columns))
    return [
        columns.take((rows >= start) & (rows < start + size))
        for start in range(0, len(columns), size)
    ]


def a_store(directory: Path, keys: DeviceKeys, **settings: object) -> SealedListStore:
    given = {"rules": RULES, "space": SPACE, **settings}
    return SealedListStore(directory / "lists", keys, **given)  # type: ignore[arg-type]


def nothing(change: object) -> None:
    """A record that nobody keeps."""
