"""A new state of the sealed store, written beside the present one: nothing of it counts yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agent.adapters.sealed_files import ShardFiles
from agent.adapters.sealed_rows import Held, new_held
from agent.adapters.sealing import decrypt, new_key
from agent.errors import DataError, MissingFileError
from agent.messages.bundle import MAX_SHARD, SHARD_ABOUT, ListManifest, ShardRef
from agent.values import Wall
from agent.watchlist.columns import Columns
from agent.watchlist.shard import decode_shard

Mask: TypeAlias = npt.NDArray[np.bool_]
NewShards: TypeAlias = Mapping[str, Path | bytes]
"""Encrypted shards as downloaded, by their sha256."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is known of the rows of a published shard. Both (n,) masks.

    Attributes:
        removed: no longer on the list.
        expired: their time is over.
    """

    removed: Mask
    expired: Mask

    @property
    def present(self) -> Mask:
        """Those that lie here."""
        return ~(self.removed | self.expired)

    @staticmethod
    def of(held: Held) -> Rows:
        return Rows(_unpacked(held.removed, held.rows), _unpacked(held.expired, held.rows))


def removed_mask(ref: ShardRef) -> Mask:
    """(n,) rows that a manifest names as removed."""
    mask = np.zeros(ref.entries, np.bool_)
    mask[list(ref.removed)] = True
    return mask


def serves(held: Held, ref: ShardRef) -> bool:
    """Whether what lies here holds every row that the manifest wants."""
    gone = Rows.of(held).removed
    return held.rows == ref.entries and not (gone & ~removed_mask(ref)).any()


class Staging:
    """Writes what a manifest asks for.

    Args:
        files: of the store.
        old: what lies there, by source.
        new: shards as downloaded.
        manifest: of the version to come.
        now: entries whose time is over by then are not written.

    Attributes:
        held: what the list is made of, in the manifest's order; complete once `parts` ended.
        expired_before: whether some rows had expired, and been destroyed, before this.
    """

    def __init__(
        self,
        files: ShardFiles,
        old: Mapping[str, Held],
        new: NewShards,
        manifest: ListManifest,
        now: Wall,
    ) -> None:
        self._files = files
        self._old = old
        self._new = new
        self._manifest = manifest
        self._now = now
        self.held: list[Held] = []
        self.expired_before = False

    def parts(self) -> Iterator[Columns]:
        """The entries on the list, shard by shard, each written on the way.

        Raises:
            DataError: a shard is missing, or not what the manifest says.
            DiskError: full, over the quota, or it cannot be read or written.
        """
        for ref in self._manifest.shards:
            held = self._old.get(ref.name)
            if held is not None and serves(held, ref):
                yield from self._kept(held, ref)
            else:
                yield self._arrived(ref)

    def _kept(self, held: Held, ref: ShardRef) -> Iterator[Columns]:
        was = Rows.of(held)
        removed = removed_mask(ref)
        rows = Rows(removed, was.expired & ~removed)
        self.expired_before |= bool(rows.expired.any())
        if not held.file:
            self.held.append(_described(ref.name, rows, None))
            return
        space, columns = self._files.read(held.file, held.key)
        if len(columns) != np.count_nonzero(was.present):
            raise DataError(f"list store: {held.file}: other entries than expected; sync again")
        live = columns.take(~removed[was.present])
        if len(live) == len(columns) and not self._over(live).any():
            self.held.append(_moved(held, rows))
        else:
            self._write(ref.name, rows, live, space)
        yield live

    def _arrived(self, ref: ShardRef) -> Columns:
        blob = self._fetched(ref)
        if len(blob) != ref.length or hashlib.sha256(blob).hexdigest() != ref.name:
            raise DataError(f"watchlist shard {ref.name[:12]}: not the file that was published")
        space, columns = decode_shard(decrypt(ref.key, blob, SHARD_ABOUT))
        said = (self._manifest.space, self._manifest.dim, ref.entries)
        if (space, columns.dim, len(columns)) != said:
            raise DataError(
                f"watchlist shard {ref.name[:12]}: {len(columns)} entries of {columns.dim} numbers "
                f"for {space!r}, the manifest says {said[2]} of {said[1]} for {said[0]!r}"
            )
        removed = removed_mask(ref)
        live = columns.take(~removed)
        self._write(ref.name, Rows(removed, np.zeros_like(removed)), live, space)
        return live

    def _fetched(self, ref: ShardRef) -> bytes:
        found = self._new.get(ref.name)
        if found is None:
            raise DataError(f"watchlist shard {ref.name[:12]}: missing; sync again")
        if isinstance(found, bytes):
            return found
        try:
            with found.open("rb") as stream:
                return stream.read(MAX_SHARD + 1)
        except OSError:
            raise MissingFileError(f"watchlist shard {found}: cannot be read; sync again") from None

    def _write(self, source: str, rows: Rows, live: Columns, space: str) -> None:
        after, left = without(rows, live, self._over(live))
        self.held.append(written(self._files, source, after, left, space))

    def _over(self, columns: Columns) -> Mask:
        over: Mask = columns.not_after <= self._now
        return over


def without(rows: Rows, live: Columns, over: Mask) -> tuple[Rows, Columns]:
    """What is left when entries expire.

    Args:
        rows: of the published shard; those present are `live`.
        live: the entries.
        over: (n,) of `live`, those that expired.
    """
    expired = rows.expired.copy()
    expired[np.flatnonzero(rows.present)[over]] = True
    return Rows(rows.removed, expired), live.take(~over)


def written(files: ShardFiles, source: str, rows: Rows, left: Columns, space: str) -> Held:
    """Write what is left of a published shard under a new key.

    Raises:
        DiskError: full, over the quota, or it cannot be written.
    """
    if not len(left):
        return _described(source, rows, None)
    key = new_key()
    name, size = files.write(left, space, key)
    return _described(source, rows, left, file=name, size=size, key=key)


def _described(
    source: str,
    rows: Rows,
    left: Columns | None,
    *,
    file: str = "",
    size: int = 0,
    key: bytes = bytes(32),
) -> Held:
    values = {
        "source": source,
        "rows": len(rows.removed),
        "file": file,
        "size": size,
        "entries": 0 if left is None else len(left),
        "templates": 0 if left is None else len(left.owner),
        "ends": None if left is None else float(left.not_after.min()),
    }
    masks = {"removed": _packed(rows.removed), "expired": _packed(rows.expired)}
    return new_held(values, **masks, key=key)


def _moved(held: Held, rows: Rows) -> Held:
    """The same file, under the manifest's present view of its rows."""
    return held.model_copy(
        update={"removed": _packed(rows.removed), "expired": _packed(rows.expired)}
    )


def _packed(mask: Mask) -> bytes:
    return np.packbits(mask).tobytes()


def _unpacked(packed: bytes, count: int) -> Mask:
    bits = np.unpackbits(np.frombuffer(packed, np.uint8))
    if not count <= len(bits) < count + 8:
        raise DataError("list store: damaged; wipe and provision again")
    return bits[:count].astype(np.bool_)
