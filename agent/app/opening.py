"""What the audit log says at the start of a run: which program, settings, networks and list."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from agent import __version__
from agent.adapters.audit_log import AuditLog
from agent.app.context import Models
from agent.app.storage import Ledger
from agent.audit.usage import wall_of
from agent.config import Config, dump
from agent.delivery import Session
from agent.errors import DataError
from agent.policy.trusted_time import MAX_STEP_S
from agent.ports import Gallery
from agent.values import Wall


def record_start(
    ledger: Ledger,
    audit: AuditLog,
    *,
    config: Config,
    session: Session,
    models: Models,
    gallery: Gallery,
    now: Wall,
) -> None:
    """A change of the configuration since the start before has a record of its own.

    Args:
        ledger: for writing.
        audit: for what it said at the start before.
        config: as effective.
        session: of this run.
        models: in use.
        gallery: the first one; nobody's is not recorded.
        now: wall-clock seconds.

    Raises:
        DiskError: it cannot be written.
    """
    digest = hashlib.sha256(dump(config).encode()).hexdigest()
    earlier = last = None
    with suppress(DataError):  # a damaged log says so itself when it is written to
        earlier, last = audit.latest("start"), audit.latest()
    if last is not None and wall_of(last["time"]) - now > MAX_STEP_S:
        behind_ms = round((wall_of(last["time"]) - now) * 1000)
        ledger.append("time", reason="the clock is behind the last record", step_ms=behind_ms)
    ledger.append("start", version=__version__, session=session.number, config=digest)
    before = "" if earlier is None else str(earlier["fields"].get("config", ""))
    if before not in ("", digest):
        ledger.append("config", config=digest, before=before)
    ledger.append("models", **models.hashes)
    if gallery.templates:
        ledger.append(
            "list",
            list=gallery.ref.id,
            version=gallery.ref.version,
            templates=gallery.templates,
            subjects=gallery.subjects,
            **gallery.ref.cited,
        )
