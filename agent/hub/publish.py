"""The next version of a list, signed and put in place.

In this order, so that a kill at any moment leaves the old version or the new one published and the
hub in agreement with it: everything is made in memory; the hub writes down what it is about to
publish; the devices that will be able to read it are noted; the repository writes the files and
last the timestamp; the hub confirms, and destroys keys and photographs that are no longer needed.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.errors import RefusedError, UsageError
from agent.hub.changes import check_policy, difference, over
from agent.hub.devices import Devices
from agent.hub.files import locked, private_folder
from agent.hub.list_values import Facts, ListRecord, ListState, Pending
from agent.hub.lists import Lists
from agent.hub.present import Present, manifest_sha256, published_lists, read_present
from agent.hub.progress import Progress
from agent.hub.repository import Repository
from agent.hub.version import Draft, Order, Version, make_version
from agent.messages.authorisation import revocation_target
from agent.messages.bundle import envelopes_target, manifest_target, shard_target
from agent.policy import Policy
from agent.values import Wall
from agent.watchlist.arrival import ArrivalRules, check_arrival
from agent.watchlist.columns import Columns, StoredList, text
from agent.watchlist.sharding import Rewrite, plan

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes versions of lists.

    Attributes:
        repository: where they are published.
        devices: who may read them.
        lists: the hub's own store.
        policy: what may be on a list.
        progress: told how far it is.
    """

    repository: Repository
    devices: Devices
    lists: Lists
    policy: Policy
    progress: Progress

    def check_end(self, not_after: float, now: float) -> None:
        """Whether a list may end then; wall seconds.

        Raises:
            RefusedError: it may not.
        """
        longest = self.policy.max_list_age_s
        if not now < not_after <= now + longest:
            raise RefusedError(
                f"the list must end in the future, and the policy {self.policy.name} allows "
                f"{longest / _DAY_S:g} days at most: choose --valid-days or --list-not-after"
            )

    @contextlib.contextmanager
    def alone(self, folder: Path) -> Iterator[None]:
        """No other command changes a list meanwhile.

        Raises:
            UnavailableError: one does, and does not end.
        """
        private_folder(folder)
        with locked(folder):
            yield

    def present(self, record: ListRecord, now: float) -> Present:
        """What is published now, once hub and public folder agree.

        Raises:
            MissingFileError, DataError: the public folder is not what it should be.
        """
        self.lists.settle(record.id, manifest_sha256(self.repository, record.id), now)
        return read_present(self.repository, self.lists.state(record.id))

    def still(self, record: ListRecord, present: Present, now: float) -> bool:
        """Whether that is what is published now."""
        self.lists.settle(record.id, manifest_sha256(self.repository, record.id), now)
        return self.lists.version(record.id) == present.stored.version

    def publish(self, record: ListRecord, present: Present, order: Order, now: float) -> Facts:
        """Publish the next version.

        Returns:
            what may be told of it.

        Raises:
            RefusedError: the policy forbids an entry or the list; nothing has changed.
            DataError: an entry breaks a rule; nothing has changed.
            MissingFileError, DiskError: a key is not within reach, or a file cannot be written;
                nothing has changed that a device could see.
        """
        draft = self._draft(record, present, order, now)
        version = make_version(draft, self.progress)
        self._check(version, draft)
        self._write_down(version, draft)
        self.repository.stage("lists", version.files)
        self.repository.remove("lists", [shard_target(one) for one in draft.planned.dropped])
        self.repository.publish(now)
        self.lists.finish(record.id, version.facts.version, now)
        if not draft.planned.kept:
            self.devices.rekeyed(record.id, version.facts.devices)
        if order.destroy:
            self._destroy(draft.planned.dropped)
        return version.facts

    def drop(self, record: ListRecord, now: float) -> None:
        """Take a list without entries out of what is signed: cameras find it withdrawn.

        May be run again when it was killed in between.

        Raises:
            RefusedError: there are entries on it.
            MissingFileError, DiskError: as `publish`.
        """
        facts = self.lists.facts(record.id)
        published = manifest_sha256(self.repository, record.id)
        if published is not None:
            self.lists.settle(record.id, published, now)
            facts = self.lists.facts(record.id)
        if facts and facts[-1].entries:
            raise RefusedError(
                f"{record.name}: {facts[-1].entries} entries are on it; first "
                f"`bodycam-hub revoke {record.name} --all`"
            )
        self._withdraw(record.id, now)
        self.lists.drop(record.id, now)

    def drop_lost(self, list_id: str, now: float) -> None:
        """Take out a list that is published and that this hub knows nothing of.

        Raises:
            UsageError: there is none such.
            MissingFileError, DiskError: as `publish`.
        """
        published = published_lists(self.repository)
        known = {one.id for one in self.lists.every()}
        if list_id not in published or list_id in known:
            others = ", ".join(sorted(set(published) - known)) or "none"
            raise UsageError(f"{list_id}: not a list that the hub lost; there are: {others}")
        self._withdraw(list_id, now, whole=not set(published) - known - {list_id})

    def _withdraw(self, list_id: str, now: float, *, whole: bool = False) -> None:
        """`whole`: with every shard that no list of the hub names."""
        targets = self.repository.targets("lists")
        gone = [manifest_target(list_id), envelopes_target(list_id)]
        if whole:
            states = [self.lists.state(one.id) for one in self.lists.every()]
            kept = {shard_target(ref.name) for one in states if one for ref in one.manifest.shards}
            gone += [path for path in targets if path.endswith(".shard") and path not in kept]
        if set(gone) & set(targets):
            self.repository.remove("lists", gone)
            self.repository.publish(now)
        self.devices.forget(list_id)

    def _draft(self, record: ListRecord, present: Present, order: Order, now: float) -> Draft:
        self.check_end(order.not_after, now)
        columns = order.columns.take(~over(order.columns, now))
        check_policy(columns, self.policy, now)
        if order.command != "revoke":
            self._check_revoked(record, columns)
        everything = (
            order.rewrite.everything
            or order.space != present.stored.space  # each shard says which family made it
            or self.devices.rekey_needed(record.id)
        )
        rewrite = Rewrite(everything, order.rewrite.removed, order.rewrite.shards)
        keys = self.repository.load().keys["lists"][0]
        return Draft(
            record.id,
            now,
            present,
            order,
            columns,
            difference(present.stored.columns, columns),
            plan(present.layout, columns, rewrite),
            self.devices.recipients(record.id),
            tuple(key.keyid for key in keys),
        )

    def _check_revoked(self, record: ListRecord, columns: Columns) -> None:
        """Cameras would match none of them; nobody should believe that they are sought."""
        ended = self.repository.targets("authorisations")
        column = columns.authorisation
        for code, name in enumerate(column.values):
            rows = np.flatnonzero(column.codes == code)
            if len(rows) and revocation_target(name) in ended:
                raise RefusedError(
                    f"entry {text(columns.entry[rows[0]])!r}: authorisation {name} was revoked; "
                    f"`bodycam-hub revoke {record.name} --authorisation {name}` takes it off"
                )

    def _check(self, version: Version, draft: Draft) -> None:
        """What a device will hold it to."""
        policy, manifest = self.policy, version.manifest
        stored = StoredList(manifest.list, manifest.version, manifest.space, draft.columns)
        check_arrival(
            stored,
            manifest,
            rules=ArrivalRules(
                policy.bases, policy.purposes, policy.max_templates, policy.max_list_age_s
            ),
            space=manifest.space,
            now=Wall(draft.now),
            high_water=Wall(draft.now),
        )

    def _write_down(self, version: Version, draft: Draft) -> None:
        changed = draft.changed
        fresh = {*changed.added, *changed.replaced}
        pending = Pending(
            hashlib.sha256(version.sealed).hexdigest(),
            ListState(version.manifest, version.since),
            version.facts,
            [one for one in draft.order.photos if one.entry in fresh],
            [*changed.removed, *changed.replaced],
        )
        self.lists.begin(draft.list_id, pending)
        self.devices.granted(draft.list_id, version.facts.version, version.facts.devices)

    def _destroy(self, names: Collection[str]) -> None:
        folder = self.repository.folder
        for name in names:
            folder.disk.remove(folder.path / "targets" / "lists" / f"{name}.{name}.shard")
