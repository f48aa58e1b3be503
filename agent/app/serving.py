"""The list and the rules that hold on this device, for commands that look into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from agent.app.context import Context
    from agent.policy import Permit, Rulebook
    from agent.values.place import Fix
    from agent.watchlist.columns import StoredList

_PATIENCE_S: Final = 10.0
"""A receiver reports once a second when it has a position."""


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
    """What a one-shot command rests on. Where areas are set, gpsd is asked for a position.

    Raises:
        RefusedError: the rules do not permit it, or what they ask for cannot be told.
    """
    from agent.adapters.fpir_file import FpirFile
    from agent.adapters.time_signs import time_signs
    from agent.policy import Circumstances
    from agent.policy.rulebook import permit

    clock, signs = context.clock, time_signs()
    grant = book.grants.get(authorisation)
    areas = book.policy.areas or (() if grant is None else grant.areas)
    asked = bool(areas) or ("gps" in book.policy.time_sources and not signs.kernel)
    fix = _position(context, needed=bool(areas)) if asked else None
    stopped = FpirFile(context.state_dir / "fpir.json").load()[1]
    here = Circumstances(clock.wall(), clock.monotonic(), signs, fix, list_id, stopped or "")
    return permit(book, authorisation, here)


def _position(context: Context, *, needed: bool) -> Fix | None:
    from agent.adapters.gpsd import GpsdClient

    gps, clock = context.config.gps, context.clock
    if not gps.enabled:
        if not needed:
            return None
        raise RefusedError(
            "the rules set areas, and no position is known: have gpsd running with a receiver, "
            "and set gps.enabled=true (and gps.host, where it runs elsewhere)"
        )
    client = GpsdClient(gps.host, gps.port, silence_s=gps.silence_s, clock=clock)
    until = clock.monotonic() + _PATIENCE_S
    try:
        client.connect()
        while client.latest() is None and clock.monotonic() < until:
            client.receive()
    except UnavailableError as error:
        if needed:
            raise RefusedError(f"the rules set areas, and there is no position: {error}") from None
    finally:
        client.close()
    return client.latest()
