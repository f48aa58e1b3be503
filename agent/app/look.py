"""One look for a newer list: verify, choose, fetch what is missing, install, clean up.

Whatever the server does, the list in use changes only by the last step, which is one transaction
of the store. What was fetched and is right stays in `incoming/` until then, so that a look that
was cut short goes on where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tuf.api.metadata import TargetFile

from agent.adapters.http_fetch import HttpFetcher
from agent.adapters.sealed_values import Change
from agent.adapters.sealing import decrypt
from agent.adapters.tuf_client import LookError, Repository, clean, refused, short
from agent.app.choosing import Choosing
from agent.app.sync_parts import Progress, SyncParts
from agent.errors import DataError, RefusedError
from agent.messages import iso_utc
from agent.messages.authorisation import (
    MAX_AUTHORISATION,
    authorisation_target,
    revocation_target,
)
from agent.messages.bundle import (
    EnvelopeFile,
    ListManifest,
    ShardRef,
    envelopes_target,
    manifest_target,
    shard_target,
)
from agent.messages.policy import MAX_POLICY, POLICY_TARGET
from agent.values import Wall
from agent.values.sync import Fault, Installed, NoChange, Refused, SyncResult, Withdrawn
from agent.watchlist.arrival import check_time
from agent.watchlist.bundle import open_bundle

_GRANT: Final = authorisation_target("").removesuffix(".json")
_END: Final = revocation_target("").removesuffix(".json")


class Look:
    """Runs once.

    Args:
        parts: see `SyncParts`.
        fetcher: fresh.
        progress: see `Progress`.
    """

    def __init__(self, parts: SyncParts, fetcher: HttpFetcher, progress: Progress | None) -> None:
        self._parts = parts
        self._store = parts.store
        self._fetcher = fetcher
        self._progress = progress

    @property
    def _now(self) -> Wall:
        """Asked anew each time: hours may pass while shards arrive."""
        return self._parts.clock.wall()

    def run(self) -> SyncResult:
        """From the newest metadata to the newest list.

        Raises:
            BodycamError: why that is impossible; nothing has changed.
        """
        parts = self._parts
        self._require_sane_clock()
        repository = Repository(
            parts.http.url,
            self._fetcher,
            root=parts.root,
            metadata=parts.metadata,
            incoming=parts.incoming,
        )
        repository.refresh()
        trouble = self._take_rules(repository)
        try:
            result = self._take_list(repository)
        except LookError:
            if trouble is None:
                raise
            return trouble  # rules that cannot be had come before a list that cannot
        return trouble or result

    def _take_rules(self, repository: Repository) -> Refused | None:
        """Before the list, which is held to them; what is wrong with them keeps no list away."""
        if self._parts.rules is None:
            return None
        try:
            policy = repository.documents("policy", MAX_POLICY).get(POLICY_TARGET)
            found = repository.documents("authorisations", MAX_AUTHORISATION)
            grants = [data for path, data in found.items() if path.startswith(_GRANT)]
            ends = [data for path, data in found.items() if path.startswith(_END)]
            self._parts.rules.listing(policy, grants, ends)
        except LookError as error:
            if isinstance(error.result, Refused):
                return error.result
            raise
        except (DataError, RefusedError) as error:
            return Refused(Fault.CONTENT, str(error))
        return None

    def _take_list(self, repository: Repository) -> SyncResult:
        choosing = Choosing(self._parts, repository)
        known = choosing.known()
        if known is not None:
            return known
        chosen = choosing.choose()
        if chosen is None:
            return self._withdraw()
        manifest, result = self._take(repository, chosen)
        choosing.remember(manifest)
        clean(self._parts.incoming)
        return result

    def _require_sane_clock(self) -> None:
        """Before tuf looks at the clock: it would believe any."""
        try:
            self._store.raise_high_water(self._now)
        except RefusedError:
            known = iso_utc(self._store.high_water)
            raise refused(
                Fault.CLOCK, f"the clock is wrong: it was {known} here before; set it right"
            ) from None

    def _take(
        self, repository: Repository, envelopes: EnvelopeFile
    ) -> tuple[ListManifest, SyncResult]:
        manifest = self._manifest(repository, envelopes)
        if self._compare(manifest):
            return manifest, NoChange(manifest.list, manifest.version)
        check_time(
            manifest,
            max_list_age_s=self._store.rules.max_list_age_s,
            now=self._now,
            high_water=self._store.high_water,
        )
        missing = self._store.missing(manifest)
        shards = self._fetch(repository, missing)
        self._install(manifest, shards, envelopes.manifest)
        return manifest, Installed(
            manifest.list,
            manifest.version,
            manifest.entries,
            manifest.templates,
            len(manifest.shards),
            len(missing),
        )

    def _manifest(self, repository: Repository, envelopes: EnvelopeFile) -> ListManifest:
        name = envelopes.list
        known = self._store.highest_version(name)
        if envelopes.version < known:
            raise refused(Fault.ROLLBACK, f"list {name}: older than version {known}, seen before")
        target = repository.require(manifest_target(name))
        if target.hashes["sha256"] != envelopes.manifest:
            raise refused(Fault.MIXED, f"list {name}: manifest and envelopes of two versions")
        return open_bundle(
            repository.fetch(repository.require(envelopes_target(name))).read_bytes(),
            repository.fetch(target).read_bytes(),
            list_id=name,
            key_id=self._parts.key_id,
            unseal=self._parts.keys.unseal,
            decrypt=decrypt,
        )

    def _compare(self, manifest: ListManifest) -> bool:
        """Whether this version is installed, whole."""
        here = self._store.installed()
        if here is None or (here.ref.id, here.ref.version) != (manifest.list, manifest.version):
            return False
        if here.shards != tuple(ref.name for ref in manifest.shards):
            raise refused(Fault.MIXED, f"list {manifest.list}: another list under the same version")
        return here.whole

    def _fetch(self, repository: Repository, missing: tuple[ShardRef, ...]) -> dict[str, Path]:
        targets = [self._shard(repository, ref) for ref in missing]
        self._require_room(sum(one.length for one in targets))
        wanted = [one for one in targets if repository.kept(one) is None]
        began, total = self._fetcher.received, sum(one.length for one in wanted)
        tell = self._progress
        if tell is not None:
            self._fetcher.progress = lambda: tell(self._fetcher.received - began, total)
        return {ref.name: repository.fetch(one) for ref, one in zip(missing, targets, strict=True)}

    def _shard(self, repository: Repository, ref: ShardRef) -> TargetFile:
        target = repository.require(shard_target(ref.name))
        if (target.length, target.hashes["sha256"]) != (ref.length, ref.name):
            raise refused(Fault.MIXED, f"{short(ref.name)}.shard: signed for as another file")
        return target

    def _require_room(self, coming: int) -> None:
        held = sum(path.stat().st_size for path in (self._parts.folder / "lists").iterdir())
        if held + coming > self._parts.quota_bytes:
            raise refused(
                Fault.QUOTA,
                f"{held} bytes of lists are here and {coming} would come, sync.quota_mb allows "
                f"{self._parts.quota_bytes}: raise it, or have a shorter list",
            )

    def _install(self, manifest: ListManifest, shards: dict[str, Path], sha256: str) -> None:
        def record(change: Change) -> None:
            self._parts.ledger.append(
                "sync",
                list=change.ref.id,
                version=change.ref.version,
                entries=change.entries,
                templates=change.templates,
                sha256=sha256,
                bytes=change.bytes,
            )

        self._store.install(manifest, shards, now=self._now, record=record, sha256=sha256)

    def _withdraw(self) -> Withdrawn:
        here = self._store.installed()
        if here is None:
            raise DataError("the list was destroyed meanwhile")
        self._parts.ledger.append(
            "expire",
            list=here.ref.id,
            version=here.ref.version,
            entries=here.entries,
            templates=here.templates,
            reason="withdrawn by the agency",
        )
        self._store.destroy("withdrawn by the agency", now=self._now)
        clean(self._parts.incoming)
        return Withdrawn(here.ref.id)
