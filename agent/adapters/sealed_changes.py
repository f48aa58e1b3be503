"""Changing the sealed store. Whoever calls holds the writers' lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.adapters.sealed_reader import Parts, SealedReader
from agent.adapters.sealed_rows import Ended, Held, Listed
from agent.adapters.sealed_staging import NewShards, Rows, Staging, without, written
from agent.adapters.sealed_values import Change, change_to
from agent.errors import RefusedError
from agent.messages import iso_utc
from agent.messages.bundle import ListManifest
from agent.values import Wall
from agent.watchlist.arrival import check_arrival, check_time, check_use
from agent.watchlist.bundle import join
from agent.watchlist.columns import StoredList


class SealedChanges:
    """Writes aside, then switches, then destroys; see `sealed_store`."""

    def __init__(self, parts: Parts, reader: SealedReader) -> None:
        self._parts = parts
        self._reader = reader

    def install(
        self,
        manifest: ListManifest,
        new_shards: NewShards,
        *,
        now: Wall,
        high_water: Wall,
        record: Callable[[Change], object],
        sha256: str = "",
    ) -> None:
        """See `SealedListStore.install`; `high_water` is the latest time known when it began."""
        before = self._parts.catalogue.listed()
        check_time(
            manifest,
            max_list_age_s=self._parts.rules.max_list_age_s,
            now=now,
            high_water=high_water,
        )
        self._require_newer(manifest, before)
        staging = Staging(self._parts.files, self._reader.usable(), new_shards, manifest, now)
        try:
            stored = join(manifest, staging.parts())
            self._check(stored, manifest, staging, now=now, high_water=high_water)
            self._parts.files.settle()
            record(change_to(manifest, before, staging.held, new_shards))
            self._switch(manifest, staging.held, sha256)
        finally:
            self.sweep()

    def expire(self, now: Wall) -> int:
        """Destroy the entries whose time is over; how many."""
        found = self._reader.contents()
        held = () if found is None else found[1]
        due = [one for one in held if one.ends is not None and one.ends <= now]
        if not due:
            return 0
        try:
            after = [self._without_expired(one, now) for one in due]
            self._parts.files.settle()
            self._parts.catalogue.replace(after)
        finally:
            self.sweep()
        return sum(one.entries for one in due) - sum(one.entries for one in after)

    def destroy(self, reason: str, now: Wall) -> int:
        """Destroy the list; how many entries it had."""
        found = self._reader.contents()
        if found is None:
            return 0
        listed, held = found
        entries = sum(one.entries for one in held)
        name, version = listed.manifest.list, listed.manifest.version
        line = " ".join(reason.split())[:200]
        self._parts.catalogue.destroy(Ended(list=name, version=version, at=now, reason=line))
        self._parts.damaged.clear()
        self.sweep()
        return entries

    def over(self, manifest: ListManifest, now: Wall) -> str:
        """Why a list's time is over; empty when it is not."""
        moment = max(now, self._parts.clock.value)
        if moment >= manifest.not_after:
            return f"it ended at {iso_utc(manifest.not_after)}"
        if moment - manifest.created > self._parts.rules.max_list_age_s:
            return f"it is older than the {self._parts.rules.max_list_age_s:g} s allowed"
        return ""

    def sweep(self) -> None:
        """Delete every file that the catalogue does not name."""
        self._parts.files.sweep(self._parts.catalogue.files())

    def _without_expired(self, held: Held, now: Wall) -> Held:
        files = self._parts.files
        space, columns = files.read(held.file, held.key)
        rows, left = without(Rows.of(held), columns, columns.not_after <= now)
        return written(files, held.source, rows, left, space)

    def _require_newer(self, manifest: ListManifest, before: Listed | None) -> None:
        known = self._parts.catalogue.marks().version_of(manifest.list)
        if manifest.version < known:
            raise RefusedError(
                f"list {manifest.list}: version {manifest.version} is older than {known}, which "
                "was here: a rollback"
            )
        if before is None or before.manifest.list != manifest.list or manifest.version > known:
            return
        names = tuple(ref.name for ref in manifest.shards)
        if manifest.model_copy(update={"shards": ()}) != before.manifest or names != before.shards:
            raise RefusedError(f"list {manifest.list}: another list under the same version {known}")

    def _check(
        self,
        stored: StoredList,
        manifest: ListManifest,
        staging: Staging,
        *,
        now: Wall,
        high_water: Wall,
    ) -> None:
        check = check_use if staging.expired_before else check_arrival
        check(
            stored,
            manifest,
            rules=self._parts.rules,
            space=self._parts.space,
            now=now,
            high_water=high_water,
        )

    def _switch(self, manifest: ListManifest, held: Sequence[Held], sha256: str) -> None:
        bare = manifest.model_copy(update={"shards": ()})
        listed = Listed(manifest=bare, shards=tuple(one.source for one in held), sha256=sha256)
        self._parts.catalogue.switch(listed, held, self._parts.clock.value)
        self._parts.damaged.clear()
