"""Which list the agent serves: the agency's on a provisioned device, else the local one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from agent import __version__
from agent.adapters import sketch_file
from agent.adapters.gallery import ListGallery, renewed
from agent.adapters.list_source import ListSource
from agent.adapters.sealed_source import KeptIndex, SealedSource
from agent.app.context import Context
from agent.app.rules import rules_desk
from agent.app.vault import Ledger, Vault, vault_of
from agent.config import Config, DeviceConfig
from agent.errors import BodycamError, DataError, DiskError, RefusedError
from agent.policy import Rulebook
from agent.ports import Gallery
from agent.ports.log import Log
from agent.runtime.board import Condition
from agent.runtime.builder_loop import DatedGallery, GallerySource
from agent.runtime.rules_desk import RulesDesk
from agent.values import Wall
from agent.watchlist.columns import StoredList

_BUILD_THREADS = os.cpu_count() or 1
"""An index is built beside the pipeline, by threads that give way to it."""


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """The list of a run.

    Attributes:
        source: of galleries, for the builder.
        gallery: the first one; nobody's when the list cannot be used.
        fingerprint: that it was built from.
        trouble: why the list cannot be used; empty when it can.
        vault: of a provisioned device; None on others, or when its keys cannot be read.
    """

    source: GallerySource
    gallery: DatedGallery
    fingerprint: object
    trouble: str
    vault: Vault | None

    @property
    def locked(self) -> str:
        """How to unlock the store; empty when there is nothing to unlock."""
        return "" if self.vault is None else self.vault.locked

    def condition(self, book: Rulebook) -> Condition:
        """What the board begins with."""
        ref, policy = self.gallery.ref, book.policy
        return Condition(
            list_id=ref.id,
            list_version=ref.version,
            templates=self.gallery.templates,
            watchlist="" if self.locked else self.trouble,
            rules="" if self.locked else book.trouble,
            locked=self.locked,
            policy=f"{policy.name} v{policy.version}",
            test=policy.test,
        )


_KEPT = KeptIndex(
    f"sketch/{sketch_file.FORMAT}/{__version__}", ListGallery.frozen, ListGallery.thawed
)
"""An index is measured again after every update of the program."""


class _Unusable:
    """The source of a device that may serve no list, and why."""

    def __init__(self, reason: str, make: Callable[..., ListGallery]) -> None:
        self._reason = reason
        self._make = make

    def fingerprint(self) -> object:
        return self._reason

    def under(self) -> str:
        return ""

    def build(self, *, now: Wall, previous: Any = None) -> ListGallery:
        del now, previous
        raise RefusedError(self._reason)

    def nobody(self, *, now: Wall) -> ListGallery:
        return self._make(StoredList.empty(), now=now, previous=None)

    def expire(self, now: Wall) -> None:
        """Nothing is served, so nothing expires."""

    def keep(self, gallery: object) -> None:
        """Nothing is served, so nothing is kept."""


def open_lists(
    context: Context,
    space: str,
    ledger: Ledger,
    undo: ExitStack,
    *,
    keep_going: Callable[[Callable[[], None]], None] = lambda write: write(),
) -> tuple[Lists, RulesDesk]:
    """The list of this device, the first gallery of it, and the rules that it was held to.

    A service must stay up to say what is wrong and to take the mended list: so whatever is wrong
    with it is `trouble`, not an error.

    Args:
        context: of the run.
        space: family of the embedder in use.
        ledger: the audit log.
        undo: closes the vault at the end.
        keep_going: carries out a write though the disk be full.
    """
    config, vault = context.config, None
    make = partial(_gallery, config)
    source: GallerySource
    rules = RulesDesk(None)
    if not context.provisioned:
        source = _local(context, space, make)
    else:
        try:
            vault = vault_of(context, space)
            undo.callback(vault.close)
            rules = rules_desk(context, vault, ledger, keep_going=keep_going)
            source = SealedSource(
                vault.store, make, ledger, context.clock, index=_KEPT, policy=vault.digest
            )
        except BodycamError as error:
            source, rules = _Unusable(str(error), make), RulesDesk(None, str(error))
    fingerprint = source.fingerprint()
    gallery, trouble = _first_gallery(source, make, context)
    return Lists(source, gallery, fingerprint, trouble, vault), rules


def as_provisioned(config: Config, lists: Lists) -> Config:
    """A provisioned device is who its agency says it is, whatever the configuration says."""
    if lists.vault is None:
        return config
    identity = lists.vault.keystore.identity
    device = DeviceConfig(agency=identity.agency, id=identity.device)
    return config.model_copy(update={"device": device})


def warn_of_silence(config: Config, gallery: Gallery, trouble: str, log: Log) -> None:
    """What makes a run look like an empty street."""
    if not gallery.templates and not trouble:
        log.warning("the watchlist is empty: no alert is possible; enrol, or check --state-dir")
    if not config.mqtt.host:
        log.warning("no broker configured: alerts wait on disk; set mqtt.host")


def _local(context: Context, space: str, make: Callable[..., ListGallery]) -> GallerySource:
    if context.config.sync.url:
        reason = "sync.url is set, but this device has no identity yet: bodycam-agent provision"
        return _Unusable(reason, make)
    return ListSource(context.watchlist(), context.config.watchlist, space, _BUILD_THREADS)


def _gallery(config: Config, stored: StoredList, *, now: Wall, previous: Any) -> ListGallery:
    return renewed(
        stored, now=now, previous=previous, config=config.watchlist, threads=_BUILD_THREADS
    )


def _first_gallery(
    source: GallerySource, make: Callable[..., ListGallery], context: Context
) -> tuple[DatedGallery, str]:
    now = context.clock.wall()
    try:
        return source.build(now=now), ""
    except (DataError, DiskError, RefusedError) as error:
        context.log.warning("the watchlist cannot be used: disarmed", reason=str(error))
        return make(StoredList.empty(), now=now, previous=None), str(error)
