"""Whether the synced list on disk is what the agency signed, all of it, and finds itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from agent.adapters.device_identity import read_root
from agent.adapters.gallery import build_gallery
from agent.adapters.sealed_values import Installed
from agent.adapters.tuf_verify import verify_metadata
from agent.app.context import Context
from agent.app.following import open_vault
from agent.app.sync import last_good_look
from agent.app.vault import Vault
from agent.errors import DataError, RefusedError
from agent.messages import iso_utc
from agent.ports import Gallery
from agent.watchlist.columns import StoredList, text

SAMPLE: Final = 200
"""Templates that are searched for."""
_ITSELF: Final = 0.999
"""Similarity of a template with itself, rounding allowed."""


def check_list(context: Context) -> dict[str, Any]:
    """Everything about the synced list that can be checked without the network.

    Raises:
        RefusedError: no identity, or a locked store.
        DataError: what is wrong.
    """
    vault = open_vault(context, context.models().embedder.identity.space)
    try:
        stored, installed = _load(vault, context)
        root = read_root(context.keys_dir, vault.keystore.identity)
        metadata = verify_metadata(context.state_dir / "tuf", root)
    finally:
        vault.close()
    now = context.clock.wall()
    gallery = build_gallery(stored, now=now, config=context.config.watchlist, threads=1)
    searched = _find_themselves(stored, gallery, now=now)
    late = sorted(role for role, end in metadata.expires.items() if end <= now)
    return {
        "list": {"id": stored.id, "version": stored.version},
        "entries": len(stored.columns),
        "templates": len(stored.columns.owner),
        "shards": len(installed.shards),
        "searched": searched,
        "metadata": metadata.versions,
        "expired_metadata": late,
    }


def figures(context: Context) -> dict[str, Any]:
    """The synced list in numbers.

    Raises:
        RefusedError: no identity, a locked store, or a list that may not be used any more.
        DataError, DiskError: there is no list, or it cannot be read.
    """
    vault = open_vault(context, context.models().embedder.identity.space)
    try:
        stored, installed = _load(vault, context)
    finally:
        vault.close()
    columns, good = stored.columns, last_good_look(context.state_dir / "tuf")
    files = (context.state_dir / "lists").glob("*.shard")
    return {
        "list": {"id": stored.id, "version": stored.version},
        "created": iso_utc(installed.created),
        "not_after": iso_utc(installed.not_after),
        "space": stored.space,
        "dim": columns.dim,
        "entries": len(columns),
        "subjects": len(np.unique(columns.subject)),
        "templates": len(columns.owner),
        "basis": _count(columns.basis[row] for row in range(len(columns))),
        "purpose": _count(columns.purpose[row] for row in range(len(columns))),
        "next_expiry": None if installed.ends is None else iso_utc(installed.ends),
        "shards": len(installed.shards),
        "bytes": sum(path.stat().st_size for path in files),
        "last_sync": None if good is None else iso_utc(good),
    }


def _load(vault: Vault, context: Context) -> tuple[StoredList, Installed]:
    store = vault.store()
    try:
        stored, installed = store.load(now=context.clock.wall()), store.installed()
    except RefusedError as error:
        raise DataError(str(error)) from None
    if installed is None or not installed.whole:
        raise DataError("a file of the list is missing or damaged: bodycam-agent watchlist sync")
    return stored, installed


def _find_themselves(stored: StoredList, gallery: Gallery, *, now: float) -> int:
    """Search for some of the templates that are valid now; how many."""
    columns = stored.columns
    valid = (columns.not_before <= now) & (now < columns.not_after)
    rows = np.flatnonzero(valid[columns.owner])
    some = np.random.default_rng(0).permutation(rows)[:SAMPLE]
    for row, found in zip(some, gallery.search(columns.vectors[some]), strict=True):
        if found.best is None or found.best.similarity < _ITSELF:
            entry = text(columns.entry[columns.owner[row]])
            raise DataError(f"entry {entry!r}: a search for its own template does not find it")
    return len(some)


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
