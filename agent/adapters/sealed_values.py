"""What the sealed store tells about the list in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.adapters.sealed_rows import Held, Listed
from agent.adapters.sealed_staging import NewShards
from agent.messages.bundle import ListManifest
from agent.values import Wall, WatchlistRef


@dataclass(frozen=True, slots=True)
class Installed:
    """The list in the store.

    Attributes:
        ref: id and version.
        created, not_after: wall seconds.
        space: family of embedders.
        entries, templates: that lie here; fewer than the manifest says once some expired.
        shards: sources of what it is made of, in the manifest's order.
        bytes: of its files.
        ends: earliest not_after of an entry, wall seconds; None when there is none.
        whole: every file is there; False: sync again, the same version too.
    """

    ref: WatchlistRef
    created: Wall
    not_after: Wall
    space: str
    entries: int
    templates: int
    shards: tuple[str, ...]
    bytes: int
    ends: Wall | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What an installation is about to do, for the audit log.

    Attributes:
        ref: id and version of what is coming.
        before: of what is there; None without a list.
        entries, templates: of what is coming.
        arrived: shards downloaded for it.
        bytes: of these.
    """

    ref: WatchlistRef
    before: WatchlistRef | None
    entries: int
    templates: int
    arrived: int
    bytes: int


def describe(listed: Listed, held: Sequence[Held], *, whole: bool) -> Installed:
    """The list as it lies here."""
    ends = [one.ends for one in held if one.ends is not None]
    return Installed(
        ref=WatchlistRef(listed.manifest.list, listed.manifest.version),
        created=Wall(listed.manifest.created),
        not_after=Wall(listed.manifest.not_after),
        space=listed.manifest.space,
        entries=sum(one.entries for one in held),
        templates=sum(one.templates for one in held),
        shards=listed.shards,
        bytes=sum(one.size for one in held),
        ends=Wall(min(ends)) if ends else None,
        whole=whole,
    )


def change_to(
    manifest: ListManifest, before: Listed | None, held: Sequence[Held], new_shards: NewShards
) -> Change:
    """What is about to be installed."""
    arrived = [ref for ref in manifest.shards if ref.name in new_shards]
    was = None if before is None else WatchlistRef(before.manifest.list, before.manifest.version)
    return Change(
        ref=WatchlistRef(manifest.list, manifest.version),
        before=was,
        entries=sum(one.entries for one in held),
        templates=sum(one.templates for one in held),
        arrived=len(arrived),
        bytes=sum(ref.length for ref in arrived),
    )
