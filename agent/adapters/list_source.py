"""Galleries from the local list: what the builder thread builds."""

from __future__ import annotations

from agent.adapters.gallery import ListGallery, renewed
from agent.adapters.watchlist_store import WatchlistStore
from agent.config import WatchlistConfig
from agent.values import Wall
from agent.watchlist.columns import StoredList
from agent.watchlist.edit import require_space


class ListSource:
    """Reads the list and builds its index.

    Args:
        store: the list on disk.
        config: of the search.
        space: of the embedder in use; a list made by another is refused.
        threads: for the build.
    """

    def __init__(
        self, store: WatchlistStore, config: WatchlistConfig, space: str, threads: int
    ) -> None:
        self._store = store
        self._config = config
        self._space = space
        self._threads = threads

    def fingerprint(self) -> object:
        """Differs after every replacement of the list.

        Raises:
            DiskError: it cannot be told.
        """
        return self._store.stamp()

    def under(self) -> str:
        """A local list is held to the built-in policy when it is made."""
        return ""

    def build(self, *, now: Wall, previous: object = None) -> ListGallery:
        """A gallery of the entries valid at `now`.

        Args:
            now: wall seconds.
            previous: the gallery in service; small changes are applied to a clone of it.

        Raises:
            DataError: the list is damaged, or made by another family of embedders.
            DiskError: it cannot be read.
        """
        stored = self._store.load()
        require_space(stored, self._space)
        return self._gallery(stored, now, previous)

    def nobody(self, *, now: Wall) -> ListGallery:
        """The gallery of an empty list."""
        return self._gallery(StoredList.empty(), now, None)

    def expire(self, now: Wall) -> None:
        """Nothing to destroy: the local list keeps what is over until it is removed."""

    def keep(self, gallery: object) -> None:
        """Nothing is kept: a local list is for field tests, and its index is seconds away."""

    def _gallery(self, stored: StoredList, now: Wall, previous: object) -> ListGallery:
        return renewed(
            stored, now=now, previous=previous, config=self._config, threads=self._threads
        )
