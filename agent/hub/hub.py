"""The hub as a whole: where its parts are put together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.errors import DataError, MissingFileError, UsageError
from agent.hub.admission import Admission
from agent.hub.context import HubContext
from agent.hub.database import HubDatabase
from agent.hub.devices import Devices
from agent.hub.files import private_folder
from agent.hub.keyfiles import KeyFiles
from agent.hub.keyring import KeyRing
from agent.hub.passphrases import Passphrases
from agent.hub.public_folder import PublicFolder
from agent.hub.repository import Repository
from agent.hub.roles import Periods, RoleKeys


@dataclass(frozen=True, slots=True)
class Hub:
    """An agency's hub, open.

    Attributes:
        agency: whose.
        url: where the public folder is served; empty when that was never said.
        release_public: X25519 public key that devices seal to the hub with, 32 bytes.
        alert_public: X25519 public key that new devices seal events to, 32 bytes.
        ack_public: Ed25519 public key that new devices know acknowledgements by, 32 bytes.
        database, ring, repository, devices, admission: its parts.
    """

    agency: str
    url: str
    release_public: bytes
    alert_public: bytes
    ack_public: bytes
    database: HubDatabase
    ring: KeyRing
    repository: Repository
    devices: Devices
    admission: Admission

    def close(self) -> None:
        self.database.close()


@dataclass(frozen=True, slots=True)
class Founding:
    """What `init` is told.

    Attributes:
        agency: a slug.
        url: where the public folder will be served; may be empty.
        sizes: keys and threshold of every role.
        periods: how long signatures are good for.
    """

    agency: str
    url: str
    sizes: Mapping[str, RoleKeys]
    periods: Periods


def create_hub(context: HubContext, founding: Founding, passphrases: Passphrases) -> Hub:
    """Make a hub with new keys and an empty repository.

    Raises:
        UsageError: there is one already.
        DiskError: it cannot be written.
    """
    if _agency(context.database) is not None:
        raise UsageError(f"{context.state_dir}: there is a hub already; choose another --state-dir")
    private_folder(context.state_dir)
    now = context.clock.wall()
    database = HubDatabase(context.database, context.disk)
    places = [str(path.absolute()) for path in context.offline_dirs]
    database.set_setting("offline", json.dumps(places))
    database.set_setting("periods", json.dumps(dict(founding.periods.days)))
    database.set_setting("url", founding.url)
    ring = _ring(context, database, passphrases)
    database.set_setting("release", ring.create_release(when=now).hex())
    database.set_setting("alerts", ring.create_alerts(when=now).hex())
    database.set_setting("acks", ring.create_acks(when=now).hex())
    _repository(context, database, ring).create(founding.sizes, now)
    database.set_setting("agency", founding.agency)
    return _assemble(context, database, ring)


def open_hub(context: HubContext, passphrases: Passphrases | None = None) -> Hub:
    """Open the hub of the state folder.

    Args:
        context: of the command.
        passphrases: what opens keys; the context's files and questions when None.

    Raises:
        MissingFileError: `init` was not run, or not to its end.
        DataError: its database is damaged.
    """
    if _agency(context.database) is None:
        raise MissingFileError(
            f"{context.state_dir}: no hub here; run `bodycam-hub init`, or choose --state-dir"
        )
    database = HubDatabase(context.database, context.disk)
    given = passphrases or Passphrases(context.passphrase_files, ask=context.ask)
    return _assemble(context, database, _ring(context, database, given))


def save_periods(hub: Hub, periods: Periods) -> None:
    """From now on signatures are good for that long."""
    hub.database.set_setting("periods", json.dumps(dict(periods.days)))
    hub.repository.periods = periods


def root_digest(hub: Hub) -> str:
    """Sha256 of the present trust root, in hexadecimal: what is typed on a camera."""
    folder = hub.repository.folder
    return hashlib.sha256(folder.root_bytes(folder.root_version())).hexdigest()


def _agency(path: Path) -> str | None:
    if not path.exists():
        return None
    database = HubDatabase(path)
    try:
        return database.setting("agency")
    finally:
        database.close()


def _assemble(context: HubContext, database: HubDatabase, ring: KeyRing) -> Hub:
    agency = _need(database, "agency")
    release, alerts, acks = (
        bytes.fromhex(_need(database, use)) for use in ("release", "alerts", "acks")
    )
    devices = Devices(database)
    return Hub(
        agency,
        database.setting("url") or "",
        release,
        alerts,
        acks,
        database,
        ring,
        _repository(context, database, ring),
        devices,
        Admission(database, devices, agency, release),
    )


def _ring(context: HubContext, database: HubDatabase, passphrases: Passphrases) -> KeyRing:
    stored = [Path(one) for one in json.loads(_need(database, "offline"))]
    places = context.offline_dirs or (*stored, context.keys_dir / "offline")
    files = KeyFiles(passphrases, context.cost, context.disk)
    return KeyRing(context.keys_dir, tuple(dict.fromkeys(places)), files)


def _repository(context: HubContext, database: HubDatabase, ring: KeyRing) -> Repository:
    periods = Periods(json.loads(_need(database, "periods")))
    return Repository(PublicFolder(context.public, database, context.disk), ring, periods)


def _need(database: HubDatabase, key: str) -> str:
    value = database.setting(key)
    if value is None:
        raise DataError(f"hub.sqlite: has no {key}; restore a copy")
    return value
