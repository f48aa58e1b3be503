"""The list side of the hub, put together: everything that a command about lists needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.errors import DataError
from agent.hub.context import HubContext
from agent.hub.copies import lists_problem, require_newest
from agent.hub.hub import Hub, open_hub
from agent.hub.list_values import Facts, ListRecord
from agent.hub.lists import Lists
from agent.hub.lists_database import FILE, ListsDatabase
from agent.hub.photo_ledger import Ledger
from agent.hub.policies import in_force
from agent.hub.present import Present, manifest_sha256
from agent.hub.progress import Progress, silent
from agent.hub.publish import Publisher
from agent.hub.vault import open_vault
from agent.hub.version import Order

Compose = Callable[[Present], Order]
"""From what is published now to what shall be next."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where lists are made.

    Attributes:
        hub: keys, devices and repository.
        lists: the hub's own store of them.
        ledger: of photographs.
        publisher: makes and publishes versions.
        folder: reports of runs, and the lock.
    """

    hub: Hub
    lists: Lists
    ledger: Ledger
    publisher: Publisher
    folder: Path

    def ready(self) -> None:
        """Open the keys that a publication needs, so that it does not fail after hours of work.

        Raises:
            MissingFileError, RefusedError: a key is not there, or a passphrase is wrong.
        """
        repository = self.hub.repository
        repository.signers(repository.load(), ["lists", "snapshot", "timestamp"])

    def present(self, record: ListRecord, now: float) -> Present:
        """What is published now."""
        with self.publisher.alone(self.folder):
            return self.publisher.present(record, now)

    def issue(self, record: ListRecord, compose: Compose, now: float) -> Facts:
        """Publish the next version. While it is composed, others may publish, such as a revocation:
        then it is composed again.

        Raises:
            as `Publisher.publish`; from `compose`.
        """
        present = self.present(record, now)
        order = compose(present)
        with self.publisher.alone(self.folder):
            if not self.publisher.still(record, present, now):
                present = self.publisher.present(record, now)
                order = compose(present)
            return self.publisher.publish(record, present, order, now)

    def cited(self, record: ListRecord) -> dict[str, str | int]:
        """What the hub's log says of the version that is published."""
        facts = self.lists.facts(record.id)
        digest = manifest_sha256(self.hub.repository, record.id)
        version = {"version": facts[-1].version} if facts else {}
        return {**version, **({"sha256": digest} if digest else {})}

    def reports(self, record: ListRecord) -> Path:
        """Folder of what is written about a list, for people at the hub alone."""
        return self.folder / record.id


@contextmanager
def open_desk(
    context: HubContext, progress: Progress = silent, *, lost: bool = False
) -> Iterator[Desk]:
    """Open hub and lists; closed at the end.

    Args:
        context: of the command.
        progress: told how far it is.
        lost: also when lists are published that the hub knows nothing of.

    Raises:
        DataError: lists are published that the hub knows nothing of; or its register of devices is
            an older copy.
        MissingFileError: `init` was not run, or a key is gone.
        RefusedError: a wrong passphrase, or a file that others may read.
    """
    path = context.state_dir / FILE
    with closing(open_hub(context)) as hub:
        require_newest(hub)
        if not lost and (problem := lists_problem(path, hub.repository)):
            raise DataError(problem)
        with closing(ListsDatabase(path)) as database:
            yield _desk(context, hub, database, progress)


def _desk(context: HubContext, hub: Hub, database: ListsDatabase, progress: Progress) -> Desk:
    fresh = not database.read("SELECT 1 FROM list LIMIT 1")
    fresh = fresh and not database.read("SELECT 1 FROM photograph LIMIT 1")
    when = context.clock.wall()
    vault = open_vault(hub.ring.working, hub.ring.files, when=when, fresh=fresh)
    lists = Lists(database, vault)
    publisher = Publisher(hub.repository, hub.devices, lists, in_force(hub), progress)
    return Desk(hub, lists, Ledger(database, vault), publisher, context.state_dir / "lists")
