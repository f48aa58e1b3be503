"""How a provisioned device follows its agency's list: from the configuration to a loop."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

from agent.adapters.device_identity import read_root
from agent.adapters.http_fetch import HttpSettings, exposure
from agent.adapters.private_files import read_passphrase
from agent.app.context import Context
from agent.app.rules import require_rules, rules_desk
from agent.app.sync import ListSync
from agent.app.sync_parts import Ledger, Progress, SyncParts
from agent.app.vault import Unlocking, Vault, vault_of
from agent.config.schema import SyncConfig
from agent.errors import RefusedError
from agent.messages.control import ControlRequest
from agent.ports import Clock
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.rules_desk import RulesDesk
from agent.runtime.sync_loop import SyncLoop, Timetable
from agent.values.sync import SyncReport, Unreachable

_KB, _MB = 1000.0, 1_000_000


class Follower:
    """Looks for a newer list once the store is unlocked. Not for several threads at once.

    Args:
        context: of the run.
        vault: of this device.
        ledger: the audit log.
        rules: takes policy and authorisations.
    """

    def __init__(self, context: Context, vault: Vault, ledger: Ledger, rules: RulesDesk) -> None:
        self._rules = rules
        self._context = context
        self._vault = vault
        self._ledger = ledger
        self._sync: ListSync | None = None

    def look(self, wait: Callable[[float], bool], progress: Progress | None = None) -> SyncReport:
        """See `ListSync.look`."""
        if self._vault.locked:
            return SyncReport(Unreachable(self._vault.locked))
        if self._sync is None:
            self._sync = ListSync(self.parts())
        return self._sync.look(wait, progress)

    def parts(self) -> SyncParts:
        """What a look needs.

        Raises:
            BodycamError: the store is locked, or something of the device is damaged.
        """
        context, keystore = self._context, self._vault.keystore
        config, identity = context.config.sync, keystore.identity
        return SyncParts(
            http=http_settings(config, identity.url),
            root=read_root(context.keys_dir, identity),
            folder=context.state_dir,
            list_id=config.list,
            quota_bytes=int(config.quota_mb * _MB),
            key_id=identity.key_id,
            keys=keystore.keys,
            store=self._vault.store(),
            ledger=self._ledger,
            clock=context.clock,
            rules=self._rules,
        )


def open_vault(context: Context, space: str, *, mend: bool = False) -> Vault:
    """The secrets of this device, for a command. To be closed.

    Args:
        context: of the command; its passphrase opens a locked store, and the audit log says so.
        space: family of the embedder in use.
        mend: the command fetches rules anew, whatever is wrong with those that are here.

    Raises:
        RefusedError: it has no identity, the passphrase is wrong, or it is locked: only the
            running agent has its keys.
        BodycamError: something of it is damaged.
    """
    if not context.provisioned:
        raise RefusedError(
            "this device has no identity yet, so it follows no list: bodycam-agent provision"
        )
    vault = vault_of(context, space)
    if vault.locked and context.passphrase_file is not None:
        words = read_passphrase(context.passphrase_file)
        request = ControlRequest(command="unlock", passphrase=words)
        Unlocking(vault, context.audit(), context.clock, lambda: None)(request, os.getuid())
    if vault.locked:
        how = "--passphrase-file here, or " if vault.keystore.identity.unlock == "operator" else ""
        raise RefusedError(
            f"the store is locked, and a running agent has the keys in its memory alone: {how}"
            f"{vault.keystore.how_to_unlock} and bodycam-agent ctl status"
        )
    if not mend:
        require_rules(rules_desk(context, vault, context.audit()).book)
    return vault


def http_settings(config: SyncConfig, provisioned_url: str) -> HttpSettings:
    """The configuration's own address, or else the one the device was provisioned with."""
    return HttpSettings(
        url=config.url or provisioned_url,
        timeout_s=config.timeout_s,
        bytes_per_s=config.bandwidth_kb_s * _KB,
        ca_file=config.ca_file,
        client_cert=config.client_cert,
        client_key=config.client_key,
    )


def sync_loop(
    context: Context,
    vault: Vault | None,
    ledger: Ledger,
    rules: RulesDesk,
    *,
    clock: Clock,
    board: Board,
    heartbeats: Heartbeats,
    log: Log,
) -> SyncLoop | None:
    """The loop of a provisioned device; None on others."""
    if vault is None:
        return None
    config = context.config.sync
    warning = exposure(config.url or vault.keystore.identity.url)
    if warning:
        log.warning(warning)
    return SyncLoop(
        Follower(context, vault, ledger, rules).look,
        Timetable(config.every_s, config.jitter, random.random, now=clock.monotonic()),
        clock=clock,
        board=board,
        heartbeats=heartbeats,
        log=log,
    )


def unlocking(
    vault: Vault | None,
    ledger: Ledger,
    *,
    clock: Clock,
    board: Board,
    sync: SyncLoop | None,
    rules: RulesDesk,
) -> Callable[[ControlRequest, int], dict[str, Any]]:
    """What answers `ctl unlock`; once the store is open, a look for a newer list is due."""
    if vault is None:
        return _nothing_to_unlock

    def opened() -> None:
        rules.opened()
        board.locked("")
        if sync is not None:
            sync.nudge()

    return Unlocking(vault, ledger, clock, opened)


def _nothing_to_unlock(request: ControlRequest, uid: int) -> dict[str, Any]:
    del request, uid
    raise RefusedError("nothing is locked here: this device has no identity of an agency")
