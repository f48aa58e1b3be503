"""The event side of the hub, put together: everything that a command about events needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from agent.adapters.signing import KeySigner, Signs
from agent.errors import DataError, RefusedError
from agent.hub.case_keys import FILE as KEYS_FILE
from agent.hub.case_keys import CaseKeys
from agent.hub.casebook import Casebook
from agent.hub.chain import sign_log
from agent.hub.context import HubContext
from agent.hub.devices import Device
from agent.hub.event_store import EventStore
from agent.hub.events_database import FILE, EventsDatabase
from agent.hub.hub import Hub, open_hub
from agent.hub.inbox import Inbox
from agent.hub.opening import Opener
from agent.hub.outcomes import Outcomes
from agent.hub.policies import in_force
from agent.hub.purge import retain
from agent.hub.reviewers import Reviewers
from agent.hub.vault import open_vault


@dataclass(frozen=True, slots=True)
class Station:
    """Where events arrive and are looked at.

    Attributes:
        hub: keys and devices.
        store: of events.
    """

    hub: Hub
    store: EventStore

    @property
    def database(self) -> EventsDatabase:
        return self.store.database

    @property
    def reviewers(self) -> Reviewers:
        """Who may decide; never fewer of them than the policy in force says."""
        return Reviewers(self.database, in_force(self.hub).reviews)

    def ready(self) -> None:
        """Open the keys that receiving needs, so that it does not fail at the first event.

        Raises:
            MissingFileError, RefusedError: a key is not there, or a passphrase is wrong.
        """
        ring = self.hub.ring
        ring.alerts_key(self.hub.alert_public)
        ring.acks_key(self.hub.ack_public)
        for device in self.hub.devices.every():
            if device.alert_key:
                ring.alerts_key(device.alert_key)
                ring.acks_key(device.ack_key)

    def retain(self, *, now: float) -> str:
        """Keep alerts as long as the policy in force says, and no longer; what was deleted, in
        words, empty when nothing was.
        """
        try:
            days = in_force(self.hub).retention_days
        except DataError as error:
            return f"nothing is deleted for its age: {error}"
        done = retain(self.store, days, now=now)
        return f"deleted {done.events} events older than {days:g} days" if done.events else ""

    def inbox(self, prefix: str) -> Inbox:
        """For topics that begin with `{prefix}/{agency}/`."""
        hub = self.hub
        opener = Opener(prefix, hub.agency, hub.devices, hub.ring.alerts_key)
        return Inbox(opener, self.store, f"{prefix}/{hub.agency}", self._signer)

    def outcomes(self, prefix: str) -> Outcomes:
        """Reviews as cameras are told of them, on topics that begin with `{prefix}/{agency}/`."""
        hub = self.hub
        book = Casebook(hub.agency, self.store, self.reviewers)
        return Outcomes(book, hub.devices.every, self._signer, f"{prefix}/{hub.agency}")

    def _signer(self, device: Device) -> Signs:
        if not device.ack_key:
            raise RefusedError(f"{device.name}: was provisioned without event keys; do it anew")
        return KeySigner(self.hub.ring.acks_key(device.ack_key))


@contextmanager
def open_station(context: HubContext) -> Iterator[Station]:
    """Open hub and events; closed at the end.

    Raises:
        MissingFileError: `init` was not run, or a key is gone.
        RefusedError: a wrong passphrase, or a file that others may read.
    """
    with closing(open_hub(context)) as hub, station_of(hub, context) as station:
        yield station


@contextmanager
def station_of(hub: Hub, context: HubContext) -> Iterator[Station]:
    """The same with a hub that is open already; it stays open.

    Raises:
        MissingFileError, RefusedError: as `open_station`.
    """
    with closing(EventsDatabase(context.state_dir / FILE)) as database:
        fresh = not database.read("SELECT 1 FROM event LIMIT 1")
        when = context.clock.wall()
        fresh = fresh and not (context.state_dir / "lists.sqlite").exists()
        vault = open_vault(hub.ring.working, hub.ring.files, when=when, fresh=fresh)
        with closing(CaseKeys(context.state_dir / KEYS_FILE, vault)) as keys:
            yield Station(hub, EventStore(database, vault, keys))
        signer = KeySigner(hub.ring.acks_key(hub.ack_public))
        sign_log(database, hub.agency, signer, context.clock.wall())
