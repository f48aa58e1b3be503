"""One look for a newer list: verify, choose, fetch what is missing, install, clean up.

Whatever the server does, the list in use changes only by the last step, which is one transaction
of the store. What was fetched and is right stays in `incoming/` until then, so that a look that
was cut short goes on where it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from tuf.api.metadata import TargetFile

from agent.adapters.http_fetch import HttpFetcher
from agent.adapters.sealed_values import Change
from agent.adapters.sealing import decrypt
from agent.adapters.state_dir import write_whole
from agent.adapters.tuf_client import LookError, Repository, clean, refused, short
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
    Sha256,
    ShardRef,
    envelopes_target,
    manifest_target,
    shard_target,
)
from agent.messages.policy import MAX_POLICY, POLICY_TARGET
from agent.values import Wall
from agent.values.sync import Fault, Installed, NoChange, Refused, SyncResult, Withdrawn
from agent.watchlist.arrival import check_time
from agent.watchlist.bundle import open_bundle, parse_envelopes

_GRANT: Final = authorisation_target("").removesuffix(".json")
_END: Final = revocation_target("").removesuffix(".json")
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
        known = self._known(repository)
        if known is not None:
            return known
        chosen = self._choose(repository)
        if chosen is None:
            return self._withdraw()
        return self._take(repository, chosen)

    def _require_sane_clock(self) -> None:
        """Before tuf looks at the clock: it would believe any."""
        try:
            self._store.raise_high_water(self._now)
        except RefusedError:
            known = iso_utc(self._store.high_water)
            raise refused(
                Fault.CLOCK, f"the clock is wrong: it was {known} here before; set it right"
            ) from None

    def _known(self, repository: Repository) -> NoChange | None:
        """Whether what is signed for now is what is installed."""
        seen, here = self._seen(), self._store.installed()
        if seen is None or here is None or not here.whole:
            return None
        if (seen.list, seen.version) != (here.ref.id, here.ref.version):
            return None
        if self._parts.list_id not in ("", seen.list) or self._marks(repository, seen) != seen:
            return None
        return NoChange(seen.list, seen.version)

    def _choose(self, repository: Repository) -> EnvelopeFile | None:
        """The envelopes of the list to follow; None when the list in use is published no more."""
        names, wanted = repository.lists(), self._parts.list_id
        considered = tuple(name for name in names if wanted in ("", name))
        mine = [
            envelopes
            for envelopes in (self._envelopes(repository, name) for name in considered)
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

    def _envelopes(self, repository: Repository, name: str) -> EnvelopeFile:
        path = repository.fetch(repository.require(envelopes_target(name)))
        envelopes = parse_envelopes(path.read_bytes())
        if envelopes.list != name:
            raise refused(Fault.MIXED, f"{path.name} holds the envelopes of another list")
        return envelopes

    def _take(self, repository: Repository, envelopes: EnvelopeFile) -> SyncResult:
        manifest = self._manifest(repository, envelopes)
        unchanged = self._compare(manifest)
        if not unchanged:
            check_time(
                manifest,
                max_list_age_s=self._store.rules.max_list_age_s,
                now=self._now,
                high_water=self._store.high_water,
            )
            missing = self._store.missing(manifest)
            shards = self._fetch(repository, missing)
            self._install(manifest, shards, envelopes.manifest)
        self._remember(repository, manifest)
        clean(self._parts.incoming)
        if unchanged:
            return NoChange(manifest.list, manifest.version)
        return Installed(
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

        self._store.install(manifest, shards, now=self._now, record=record)

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

    def _remember(self, repository: Repository, manifest: ListManifest) -> None:
        fresh = {"list": manifest.list, "version": manifest.version}
        seen = self._marks(repository, _Seen(**fresh, envelopes="0" * 64, manifest="0" * 64))
        write_whole(self._seen_file, seen.model_dump_json() + "\n")

    def _marks(self, repository: Repository, seen: _Seen) -> _Seen:
        """The same with what is signed for now."""
        names = {"envelopes": envelopes_target(seen.list), "manifest": manifest_target(seen.list)}
        found = {key: repository.find(name) for key, name in names.items()}
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
