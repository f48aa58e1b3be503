"""Who signs the audit log of this device, and where its checkpoints go."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.adapters.audit_key import local_key
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.app.context import Context
from agent.app.vault import Vault
from agent.audit.checkpoint import Checkpoint, CheckpointKey
from agent.config import Config
from agent.delivery.checkpoints import checkpoint_entry, waiting_checkpoints
from agent.errors import RefusedError
from agent.runtime.anchoring import Anchoring, AnchoringLimits
from agent.runtime.board import Board

_MB = 1_000_000


def anchoring(
    context: Context,
    config: Config,
    vault: Vault | None,
    outbox: SqliteOutbox,
    notify: Callable[[], None],
    *,
    board: Board,
) -> Anchoring:
    """What signs while the agent runs; with an agency it tells the hub.

    Args:
        context: of the run.
        config: with the device's name as provisioned.
        vault: of a provisioned device whose keys can be read.
        outbox: checkpoints wait here, one at most.
        notify: tells delivery of one.
        board: whether the device is armed.
    """
    outbox.purge(waiting_checkpoints())
    limits = AnchoringLimits(
        every_s=config.audit.checkpoint_every_s,
        records=config.audit.checkpoint_records,
        file_bytes=int(config.audit.file_mb * _MB),
        total_bytes=int(config.audit.total_mb * _MB),
    )
    made = Anchoring(
        context.audit(),
        partial(_key, context, config, vault),
        None if vault is None else partial(_publish, outbox, notify),
        limits,
        armed=lambda: board.condition.armed,
        clock=context.clock,
        log=context.log,
    )
    board.listen(lambda condition, _: made.is_armed(condition.armed))
    return made


def device_key(vault: Vault) -> CheckpointKey:
    """The key of a provisioned device.

    Raises:
        RefusedError: it is locked.
    """
    identity, keys = vault.keystore.identity, vault.keystore.keys
    return CheckpointKey(identity.agency, identity.device, keys.sign_key, keys.sign)


def _key(context: Context, config: Config, vault: Vault | None) -> CheckpointKey:
    if vault is not None:
        return device_key(vault)
    if context.provisioned:
        raise RefusedError("this device has an agency, but its keys cannot be read")
    return local_key(context.audit().path.parent, config.device.agency, config.device.id)


def _publish(outbox: SqliteOutbox, notify: Callable[[], None], made: Checkpoint) -> None:
    """In the place of one that still waits: the newer one says all that the older one said."""
    outbox.purge(waiting_checkpoints())
    outbox.put(checkpoint_entry(made))
    notify()
