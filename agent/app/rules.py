"""The rules of a device: the agency's where there is one, else the built-in ones."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from agent.adapters.audit_log import AuditLog
from agent.adapters.command_keys import AUTHORISATIONS, DelegatedCommandKeys
from agent.adapters.device_identity import read_root
from agent.adapters.signing import verify
from agent.app.context import Context
from agent.app.vault import Ledger, Vault
from agent.errors import BodycamError, RefusedError
from agent.policy import Rulebook
from agent.policy.loaded import Whose
from agent.runtime.rules_desk import Means, RulesDesk


def rules_desk(
    context: Context,
    vault: Vault | None,
    ledger: Ledger,
    *,
    keep_going: Callable[[Callable[[], None]], None] = lambda write: write(),
) -> RulesDesk:
    """The desk; lists are held to the policy from now on.

    Args:
        context: of the run or command.
        vault: of a provisioned device.
        ledger: the audit log.
        keep_going: carries out a write though the disk be full.
    """
    if vault is None:
        return RulesDesk(None)
    identity = vault.keystore.identity
    root = partial(read_root, context.keys_dir, identity)
    means = Means(
        kept=vault.rules,
        whose=Whose(identity.agency, identity.device, identity.key_id),
        keys=DelegatedCommandKeys(context.state_dir / "tuf", root, AUTHORISATIONS),
        verify=verify,
        ledger=ledger,
        log=context.log,
        recorded=lambda: _recorded(context.audit(), identity.key_id),
        hold_to=vault.hold_to,
        keep_going=keep_going,
    )
    return RulesDesk(means)


def _recorded(audit: AuditLog, key: str) -> int:
    """What the log knows of the rules under this key; a log that is damaged says so elsewhere."""
    with suppress(BodycamError):
        latest = audit.latest("rules")
        if latest is not None and latest["fields"].get("key") == key:
            return int(latest["fields"].get("generation", 0))
    return 0


def require_rules(book: Rulebook) -> Rulebook:
    """The same, for a command that must not go on without rules.

    Raises:
        RefusedError: they cannot be read.
    """
    if book.trouble:
        raise RefusedError(book.trouble)
    return book
