"""The agency's list on the device: encrypted at rest, replaced whole, destroyed when its time is.

What holds, whatever is killed when:

- The catalogue names the list. A new version is written beside the old one under new keys, and one
  SQLite transaction switches; until its commit the old list is in service, from then on the new.
- What is deleted loses its key first: the row with the key is overwritten and the log truncated,
  then the file goes. A wear-levelled copy of the file is without a key.
- Files that no catalogue names are swept at the next opening.
- A list that was left for a newer version does not come back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.private_files import private_directory
from agent.adapters.sealed_cache import SealedCache
from agent.adapters.sealed_catalogue import Catalogue
from agent.adapters.sealed_changes import SealedChanges
from agent.adapters.sealed_clock import HighWater
from agent.adapters.sealed_files import ShardFiles
from agent.adapters.sealed_reader import Parts, SealedReader
from agent.adapters.sealed_rows import Ended
from agent.adapters.sealed_staging import NewShards, serves
from agent.adapters.sealed_values import Change, Installed, describe
from agent.adapters.sealing import Buffer
from agent.errors import DataError, UnavailableError
from agent.messages.bundle import ListManifest, ShardRef
from agent.values import Wall
from agent.watchlist.arrival import ArrivalRules
from agent.watchlist.columns import StoredList

__all__ = ["DEFAULT_QUOTA", "Change", "Installed", "NewShards", "SealedListStore"]

DEFAULT_QUOTA: Final = 1 << 30


class SealedListStore:
    """One list in a folder of its own. Safe to use from several threads and processes.

    Args:
        directory: made when missing, 0700.
        keys: open.
        rules: of the policy.
        space: family of the embedder that this device runs.
        quota_bytes: most that the folder may take.
        wait_s: how long a writer waits for another one.

    Raises:
        RefusedError: the folder can be read by others.
        DataError, DiskError: of another device, or it cannot be opened.
    """

    def __init__(
        self,
        directory: Path,
        keys: DeviceKeys,
        *,
        rules: ArrivalRules,
        space: str,
        quota_bytes: int = DEFAULT_QUOTA,
        wait_s: float = 30.0,
    ) -> None:
        private_directory(directory)
        self._wait_s = wait_s
        self._loaded = -1
        self._files = ShardFiles(directory, quota_bytes)
        self._catalogue = Catalogue(directory, keys)
        try:
            self._clock = HighWater(self._catalogue)
            parts = Parts(self._files, self._catalogue, self._clock, rules, space)
            self._parts = parts
            self._reader = SealedReader(parts)
            self._changes = SealedChanges(parts, self._reader)
            self._cache = SealedCache(directory, self._catalogue, self._files)
            self._sweep()
        except BaseException:
            self._catalogue.close()
            raise

    @property
    def begun_anew(self) -> bool:
        """A damaged catalogue was deleted at opening: its list must be fetched again."""
        return self._catalogue.begun_anew

    @property
    def rules(self) -> ArrivalRules:
        """What lists are held to, when they arrive and when they are loaded."""
        return self._parts.rules

    def hold_to(self, rules: ArrivalRules) -> None:
        """From now on; what is loaded already is its user's to load again."""
        self._parts.rules = rules

    @property
    def high_water(self) -> Wall:
        """The latest time this device has known, wall seconds."""
        return self._clock.value

    def close(self) -> None:
        self._catalogue.close()

    def raise_high_water(self, now: Wall) -> None:
        """Take note of the time; call it as often as twice a second.

        Raises:
            RefusedError: the clock is wrong: it is more than 2 s behind a time known before.
            DiskError: it cannot be kept.
        """
        self._clock.note(now)

    def stamp(self) -> int:
        """Differs after every other list or version; not when entries expire.

        Raises:
            DiskError: it cannot be told.
        """
        return self._catalogue.counts()[0]

    def installed(self) -> Installed | None:
        """What is there; None without a list."""
        found = self._reader.contents()
        if found is None:
            return None
        listed, held = found
        return describe(listed, held, whole=self._reader.whole(held))

    def ended(self) -> Ended | None:
        """What was destroyed last; None while there is a list, or was none."""
        return self._catalogue.ended()

    def highest_version(self, list_id: str) -> int:
        """Of a list that was ever in here; 0 for others."""
        return self._catalogue.marks().version_of(list_id)

    def has_shard(self, ref: ShardRef) -> bool:
        """Whether `install` needs no download of this shard: it lies here with every row that is
        still on the list. Rows that were removed since are dropped here.
        """
        held = self._reader.usable().get(ref.name)
        return held is not None and serves(held, ref)

    def missing(self, manifest: ListManifest) -> tuple[ShardRef, ...]:
        """The shards that `install` needs: `has_shard` for all of them at once."""
        return self._reader.missing(manifest)

    def load(self, *, now: Wall) -> StoredList:
        """The list. No entry in it lasts longer than the list itself may be used; those whose time
        is over may still be in it until `expire`.

        Raises:
            RefusedError: there is none (any more), its time is over, a rule of the policy, or the
                clock is wrong: nobody may be matched.
            DataError: it is damaged: sync again.
            DiskError: it cannot be read.
        """
        self._clock.note(now)
        stored, self._loaded = self._reader.load(now, self._clock.value)
        return stored

    def install(
        self,
        manifest: ListManifest,
        new_shards: NewShards,
        *,
        now: Wall,
        record: Callable[[Change], object],
        sha256: str = "",
    ) -> Installed:
        """Put a version in the place of what is there.

        Args:
            manifest: verified, and decrypted by `open_bundle`.
            new_shards: every shard that `missing` names, as downloaded: bytes, or a file.
            now: trusted time.
            record: told before the switch, for the audit log. When it raises, nothing changes.
            sha256: of the manifest as it was signed; records of its use cite it.

        Raises:
            RefusedError: a rule of the policy, an older version, or the clock is wrong.
            DataError: a shard or an entry is not what it must be; none is taken then.
            UnavailableError: another process is changing the list.
            DiskError: full or over the quota; the old list stays.
        """
        self._clock.note(now)
        high_water = self._clock.value
        with self._files.writing(self._wait_s):
            self._changes.install(
                manifest, new_shards, now=now, high_water=high_water, record=record, sha256=sha256
            )
            after = self.installed()
        if after is None:
            raise DataError(f"list {manifest.list}: gone as soon as it was installed")
        return after

    def due(self, *, now: Wall) -> bool:
        """Whether `expire` would have something to destroy."""
        found = self._reader.contents()
        if found is None:
            return False
        listed, held = found
        over = any(one.ends is not None and one.ends <= now for one in held)
        return over or bool(self._changes.over(listed.manifest, now))

    def expire(self, *, now: Wall) -> int:
        """Destroy what is over by now, with its keys; a list whose own time is over, whole.

        Returns:
            how many entries were destroyed.

        Raises:
            RefusedError: the clock is wrong; nothing is destroyed on its word.
            DataError, DiskError: a shard cannot be read or written.
            UnavailableError: another process is changing the list.
        """
        self._clock.require(now)
        with self._files.writing(self._wait_s):
            listed = self._catalogue.listed()
            if listed is None:
                return 0
            over = self._changes.over(listed.manifest, now)
            if over:
                return self._changes.destroy(over, now)
            current = self._catalogue.counts()[1] == self._loaded
            gone = self._changes.expire(now)
            self._loaded = self._catalogue.counts()[1] if current else -1
        return gone

    def destroy(self, reason: str, *, now: Wall) -> int:
        """Destroy the list with its keys; what is left is which one it was, when, and why.

        Returns:
            how many entries there were.
        """
        with self._files.writing(self._wait_s):
            return self._changes.destroy(reason, now)

    def cache_get(self, key: str) -> bytearray | None:
        """A blob that was put under this key and belongs to the present list; None without one,
        or when it is damaged.
        """
        return self._cache.get(key)

    def cache_put(self, key: str, data: Buffer) -> bool:
        """Keep a blob made from the list last loaded here, in the place of any other.

        It goes with the next change of the list, expiry included.

        Returns:
            False when the list has changed since `load`: then it is not kept.

        Raises:
            DiskError: full or over the quota.
        """
        with self._files.writing(self._wait_s):
            return self._cache.put(key, data, self._loaded)

    def _sweep(self) -> None:
        """At opening, unless somebody is at work: what he wrote aside is no stray."""
        try:
            with self._files.writing(0.0):
                self._catalogue.scrub()
                self._changes.sweep()
        except UnavailableError:
            return
