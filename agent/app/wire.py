"""What leaves and reaches a device: in clear on a field test, sealed and signed with an agency."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from agent.adapters.command_counter import FILE, CommandCounter
from agent.adapters.command_keys import DelegatedCommandKeys
from agent.adapters.device_identity import read_root
from agent.adapters.mqtt import Listener
from agent.adapters.sealing import key_id
from agent.adapters.sealing_writer import SealedEvents
from agent.adapters.signing import verify
from agent.app.context import Context, Models
from agent.app.vault import Ledger, Vault
from agent.config import Config
from agent.delivery import DeliveryLimits, EventContext, EventWriter, NoEvents, OpenEvents, Session
from agent.delivery.inbound import Addressee
from agent.policy import FIELD_TEST, Limits, Policy, combine
from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.inbound import Actions, Inbound, Trust
from agent.runtime.sync_loop import SyncLoop
from agent.values import Gap, OutboxEntry, Wall


def event_writer(
    config: Config, models: Models, vault: Vault | None, *, provisioned: bool
) -> EventWriter:
    """Sealed with an agency, else in clear.

    Args:
        config: with the device's name as provisioned.
        models: in use.
        vault: of a provisioned device.
        provisioned: it is one, even if its keys cannot be read.
    """
    context = EventContext(
        agency=config.device.agency,
        device=config.device.id,
        detector_sha256=models.detector.identity.sha256,
        embedder_sha256=models.embedder.identity.sha256,
        policy_sha256=FIELD_TEST.sha256(),
    )
    if vault is None:
        why = "this device has an agency, but its keys cannot be read"
        return NoEvents(why) if provisioned else OpenEvents(context)
    keystore = vault.keystore
    return SealedEvents(context, keystore.identity.alert_key, lambda: keystore.keys)


def limits_of(config: Config, vault: Vault | None) -> Callable[[Policy], Limits]:
    """Policy and configuration; no picture of anybody is made where events are not sealed."""
    return lambda policy: combine(policy, config.decision, sealed=vault is not None)


def delivery_limits(config: Config, vault: Vault | None, log: Log) -> DeliveryLimits:
    """Bounds of delivery, and whose word counts."""
    if vault is None and config.delivery.confirm == "hub":
        log.warning(
            "delivery.confirm is hub, but this device has no agency yet: the broker's word counts"
        )
    return DeliveryLimits.of(config.delivery, provisioned=vault is not None)


def inbound(
    context: Context,
    vault: Vault | None,
    ledger: Ledger,
    actions: Actions,
    *,
    session: int,
    remote_arm: Callable[[], bool],
) -> Inbound | None:
    """Who acts on acknowledgements and commands; None where there is nobody to give any."""
    if vault is None:
        return None
    identity = vault.keystore.identity
    root = partial(read_root, context.keys_dir, identity)
    trust = Trust(
        Addressee(identity.agency, identity.device, identity.key_id),
        {key_id(identity.ack_key): identity.ack_key},
        DelegatedCommandKeys(context.state_dir / "tuf", root),
        verify,
    )
    return Inbound(
        trust,
        actions,
        CommandCounter(context.state_dir / FILE, identity.key_id),
        session=session,
        remote_arm=remote_arm,
        clock=context.clock,
        log=context.log,
        ledger=ledger,
        uid=os.getuid(),
    )


def listeners(sync: SyncLoop | None, hears: Inbound | None) -> dict[str, Listener]:
    """Who is told what arrives, by the last level of its topic."""
    found: dict[str, Listener] = {}
    if sync is not None:
        found["watchlist"] = sync.heard
    if hears is not None:
        found |= {"ack": hears.heard_ack, "command": hears.heard_command}
    return found


def state_message(session: Session, board: Board) -> bytes:
    """What the device is doing now."""
    return session.online(
        (now := board.condition).state,
        now.reason,
        since=board.since,
        test=now.test,
        watchlist=now.list_id or None,
    )


def gap_of(
    events: EventWriter, clock: Clock, new_id: Callable[[Wall], str], board: Board, gap: Gap
) -> OutboxEntry:
    """The entry that tells of lost events."""
    now = clock.wall()
    return events.gap(gap, event_id=new_id(now), test=board.condition.test, now=now)
