"""The list that is in service on this device, for commands that look into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import RefusedError

if TYPE_CHECKING:
    from agent.app.context import Context
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
