"""Galleries from the local list: what the builder thread builds."""

from __future__ import annotations

from agent.adapters.hnsw_gallery import HnswGallery, build_gallery
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

    def build(self, *, now: Wall) -> HnswGallery:
        """A gallery of the entries valid at `now`.

        Raises:
            DataError: the list is damaged, or made by another family of embedders.
            DiskError: it cannot be read.
        """
        stored = self._store.load()
        require_space(stored, self._space)
        return self._gallery(stored, now)

    def nobody(self, *, now: Wall) -> HnswGallery:
        """The gallery of an empty list."""
        return self._gallery(StoredList.empty(), now)

    def _gallery(self, stored: StoredList, now: Wall) -> HnswGallery:
        return build_gallery(stored, now=now, config=self._config, threads=self._threads)
