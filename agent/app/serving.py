"""The list and the rules that hold on this device, for commands that look into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import RefusedError

if TYPE_CHECKING:
    from agent.app.context import Context
    from agent.policy import Permit, Rulebook
    from agent.watchlist.columns import StoredList


def stored_list(context: Context) -> StoredList:
    """The agency's list on a provisioned device, else the local one.

    Raises:
        RefusedError: the store is locked (its keys are in the running agent's memory alone), the
            list's time is over, or `sync.url` is set on a device without an identity.
        DataError, DiskError: there is no list, or it cannot be read.
    """
    if not context.provisioned:
        if context.config.sync.url:
            raise RefusedError("sync.url is set, but this device has no identity: provision it")
        return context.watchlist().load()
    from agent.app.following import open_vault

    vault = open_vault(context, context.models().embedder.identity.space)
    try:
        return vault.store().load(now=context.clock.wall())
    finally:
        vault.close()


def rules_in_force(context: Context) -> Rulebook:
    """The agency's rules on a provisioned device, else the built-in ones.

    Raises:
        RefusedError: the store is locked, or the rules are missing or were changed.
        BodycamError: something of the device is damaged.
    """
    from agent.policy import Rulebook

    if not context.provisioned:
        return Rulebook()
    from agent.app.following import open_vault
    from agent.app.rules import rules_desk

    vault = open_vault(context, context.models().embedder.identity.space)
    try:
        return rules_desk(context, vault, context.audit()).book
    finally:
        vault.close()


def permit_now(context: Context, book: Rulebook, authorisation: str, list_id: str) -> Permit:
    """What a one-shot command rests on. It has no receiver of positions: where areas are set it is
    refused.

    Raises:
        RefusedError: the rules do not permit it.
    """
    from agent.adapters.time_signs import time_signs
    from agent.policy import Circumstances
    from agent.policy.rulebook import permit

    clock = context.clock
    here = Circumstances(clock.wall(), clock.monotonic(), time_signs(), None, list_id)
    return permit(book, authorisation, here)
