from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.list_source import ListSource
from agent.adapters.watchlist_store import WatchlistStore
from agent.config import WatchlistConfig
from agent.errors import DataError
from agent.values import Wall
from tests.support.lists import BEGIN, END, SPACE, a_list


def source_on(folder: Path, space: str = SPACE) -> tuple[ListSource, WatchlistStore]:
    store = WatchlistStore(folder)
    return ListSource(store, WatchlistConfig(), space, threads=1), store


def test_an_empty_folder_is_an_empty_list(tmp_path: Path) -> None:
    source, _ = source_on(tmp_path)
    assert source.build(now=Wall(BEGIN)).templates == 0


def test_a_change_of_the_list_changes_the_fingerprint(tmp_path: Path) -> None:
    source, store = source_on(tmp_path)
    seen = [source.fingerprint()]
    for _ in range(2):
        store.update(lambda _: a_list(), record=lambda _: None)
        seen.append(source.fingerprint())
    assert len(set(seen)) == 3
    assert source.fingerprint() == seen[-1]


def test_only_what_is_valid_is_in_it_and_the_next_change_is_known(tmp_path: Path) -> None:
    source, store = source_on(tmp_path)
    store.update(lambda _: a_list(), record=lambda _: None)
    now = source.build(now=Wall(BEGIN))
    assert (now.templates, now.next_change) == (3, END)
    after = source.build(now=Wall(END))
    assert (after.templates, after.next_change) == (0, None)


def test_a_list_of_another_family_of_embedders_is_refused(tmp_path: Path) -> None:
    source, store = source_on(tmp_path, space="other")
    store.update(lambda _: a_list(), record=lambda _: None)
    with pytest.raises(DataError, match="sface"):
        source.build(now=Wall(BEGIN))


def test_the_gallery_in_service_may_help_and_nothing_is_destroyed(tmp_path: Path) -> None:
    source, store = source_on(tmp_path)
    store.update(lambda _: a_list(), record=lambda _: None)
    before, stamp = source.build(now=Wall(BEGIN)), source.fingerprint()
    source.expire(Wall(END))
    assert source.fingerprint() == stamp
    assert source.build(now=Wall(BEGIN), previous=before).templates == 3
    assert source.nobody(now=Wall(BEGIN)).templates == 0
