"""Galleries from the agency's list: what the builder thread builds on a provisioned device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from agent.adapters.sealed_store import SealedListStore
from agent.errors import BodycamError, RefusedError
from agent.ports import Clock
from agent.values import Wall
from agent.watchlist.columns import StoredList

_Gallery = TypeVar("_Gallery")
_Made_co = TypeVar("_Made_co", covariant=True)


class GalleryMaker(Protocol[_Made_co]):
    """Builds a gallery of what is valid at `now`; the one before may help."""

    def __call__(self, stored: StoredList, *, now: Wall, previous: Any) -> _Made_co: ...


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """How an index outlives a restart.

    Attributes:
        name: of its form; another one is not read.
        freeze: the index of a gallery as bytes; None when it has none.
        thaw: a gallery without an index, and what was frozen: the gallery with it; None when it is
            not of this list.
    """

    name: str
    freeze: Callable[[Any], bytearray | None]
    thaw: Callable[[Any, bytearray], Any]


class SealedSource(Generic[_Gallery]):
    """Reads the sealed store as soon as it is unlocked, and holds the clock to what it said before.

    Args:
        store: the store; raises RefusedError while it is locked.
        make: builds a gallery.
        ledger: the audit log, told of what expired.
        clock: the device's own: what it says now is held against what it said before.
        index: how an index is kept; None: it is made anew at every start.
        policy: hash of the policy that the store holds lists to.
    """

    def __init__(
        self,
        store: Callable[[], SealedListStore],
        make: GalleryMaker[_Gallery],
        ledger: Ledger,
        clock: Clock,
        *,
        index: KeptIndex | None = None,
        policy: Callable[[], str] = lambda: "",
    ) -> None:
        self._index = index
        self._policy = policy
        self._store = store
        self._make = make
        self._ledger = ledger
        self._clock = clock

    def fingerprint(self) -> object:
        """Differs after every other list, and whenever the list becomes usable or stops being so:
        unlocked, the clock wrong or right again, the disk failing, another policy.
        """
        try:
            store = self._store()
            store.raise_high_water(self._clock.wall())
            return store.stamp(), self._policy()
        except BodycamError as error:
            return type(error).__name__

    def under(self) -> str:
        """Hash of the policy that `build` holds the list to, or to a later one."""
        return self._policy()

    def build(self, *, now: Wall, previous: Any = None) -> _Gallery:
        """A gallery of the entries valid at `now`. What ended while the power was off or the store
        was locked is destroyed first.

        Raises:
            RefusedError: locked, the clock is wrong, there is no list, its time is over, or a rule
                of the policy: nobody may be matched.
            DataError: it is damaged.
            DiskError: it cannot be read.
        """
        store = self._store()
        if store.due(now=now):
            with suppress(BodycamError):  # what cannot be destroyed now is not matched all the same
                self.expire(now)
        stored = store.load(now=self._clock.wall())
        made = self._make(stored, now=now, previous=previous)
        return made if self._index is None else self._revived(store, made, self._index)

    def _revived(self, store: SealedListStore, made: _Gallery, index: KeptIndex) -> _Gallery:
        """With the index of an earlier start, if it is there and of this list."""
        data = store.cache_get(index.name)
        found: _Gallery | None = None if data is None else index.thaw(made, data)
        return made if found is None else found

    def keep(self, gallery: object) -> None:
        """Keep the index of a gallery for the next start: encrypted, under a key that dies with
        the next change of the list.

        Raises:
            RefusedError: locked.
            DataError, DiskError, UnavailableError: it cannot be kept now.
        """
        data = None if self._index is None else self._index.freeze(gallery)
        if data is not None and self._index is not None:
            self._store().cache_put(self._index.name, data)

    def nobody(self, *, now: Wall) -> _Gallery:
        """The gallery of an empty list."""
        return self._make(StoredList.empty(), now=now, previous=None)

    def expire(self, now: Wall) -> None:
        """Destroy what is over by now, with its keys, and record it.

        Raises:
            RefusedError: the clock is wrong: nothing is destroyed on its word.
            DataError, DiskError: it cannot be destroyed now; it is no longer matched all the same.
        """
        try:
            store = self._store()
        except RefusedError:
            return
        store.raise_high_water(self._clock.wall())
        before = store.installed()
        gone = store.expire(now=now)
        if before is None or not (gone or store.installed() is None):
            return
        ended = store.ended()
        self._ledger.append(
            "expire",
            list=before.ref.id,
            version=before.ref.version,
            entries=gone,
            reason="their time was over" if ended is None else ended.reason,
        )
