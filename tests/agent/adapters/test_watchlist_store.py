from __future__ import annotations

import fcntl
import stat

import pytest

from agent.adapters.watchlist_store import WatchlistStore
from agent.errors import DataError, DiskError, UnavailableError
from agent.values import WatchlistRef
from agent.watchlist.edit import add, remove
from agent.watchlist.listfile import as_bytes
from tests.support.lists import SPACE, a_list, some_columns


@pytest.fixture
def store(tmp_path):
    return WatchlistStore(tmp_path / "watchlist", lock_wait_s=0.0)


def put(store, first=1, count=2):
    return store.update(
        lambda stored: add(stored, some_columns(count, first=first, seed=first), SPACE),
        record=lambda _: None,
    )


def names(stored):
    return [stored.columns.meta(row).entry for row in range(len(stored.columns))]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_before_the_first_change_the_list_is_empty(store):
    assert (store.load().version, names(store.load())) == (0, [])
    assert store.stamp() is None
    assert not store.path.parent.exists()


def test_every_change_is_a_new_version_of_one_list(store):
    first, second = put(store, 1), put(store, 5)
    third = store.update(lambda s: remove(s, entries=["E-1"]), record=lambda _: None)
    assert [one.version for one in (first, second, third)] == [1, 2, 3]
    assert first.id == second.id == third.id
    assert names(store.load()) == ["E-2", "E-5", "E-6"]


def test_only_the_owner_may_read(store):
    put(store)
    assert mode(store.path) == 0o600
    assert mode(store.path.parent) == 0o700
    assert {mode(path) for path in store.path.parent.iterdir()} == {0o600}


def test_a_failed_change_leaves_the_list(store):
    put(store)
    before = store.path.read_bytes()
    with pytest.raises(DataError):
        put(store)
    assert store.path.read_bytes() == before


def test_nothing_is_written_without_a_record(store):
    def refuse(_):
        raise DiskError("audit log full")

    told = []
    put(store)
    with pytest.raises(DiskError, match="audit log full"):
        store.update(lambda s: remove(s, entries=["E-1"]), record=refuse)
    assert names(store.load()) == ["E-1", "E-2"]
    store.update(lambda s: remove(s, entries=["E-1"]), record=told.append)
    assert [(one.ref, names(one)) for one in told] == [(store.load().ref, ["E-2"])]


def test_a_leftover_of_a_crash_is_ignored_and_replaced(store):
    put(store)
    leftover = store.path.parent / ".watchlist.bcw.new"
    leftover.write_bytes(b"half a fi")
    assert names(store.load()) == ["E-1", "E-2"]
    put(store, 5)
    assert names(store.load()) == ["E-1", "E-2", "E-5", "E-6"]
    assert not leftover.exists()


def test_a_second_writer_waits_and_then_says_so(store):
    put(store)
    with (store.path.parent / ".watchlist.lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match="another command is changing"):
            put(store, 5)
        assert names(store.load()) == ["E-1", "E-2"]
    assert put(store, 5).version == 2


def test_a_reader_notices_a_change(store, tmp_path):
    put(store)
    reader = WatchlistStore(tmp_path / "watchlist")
    ref = reader.load().ref
    assert not reader.changed_since(ref)
    after = put(store, 5)
    assert reader.changed_since(ref)
    assert not reader.changed_since(after.ref)
    store.path.unlink()
    assert reader.changed_since(after.ref)


def test_a_fresh_reader_knows_without_loading(store, tmp_path):
    ref = put(store).ref
    reader = WatchlistStore(tmp_path / "watchlist")
    assert not reader.changed_since(ref)
    assert reader.changed_since(WatchlistRef(ref.id, ref.version + 1))
    assert reader.changed_since(WatchlistRef("other", ref.version))


def test_the_same_bytes_put_back_are_no_change(store):
    ref = put(store).ref
    data = store.path.read_bytes()
    stamp = store.stamp()
    copy = store.path.with_name("copy")
    copy.write_bytes(data)
    copy.replace(store.path)
    assert store.stamp() != stamp
    assert not store.changed_since(ref)


def test_old_columns_stay_readable_while_the_file_is_replaced(store):
    put(store)
    old = store.load()
    kept = old.columns.vectors.copy()
    store.update(lambda s: remove(s, subjects=["S-1", "S-2"]), record=lambda _: None)
    assert (old.columns.vectors == kept).all()
    assert names(old) == ["E-1", "E-2"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text"])
def test_a_damaged_file_is_never_lost(store, damage):
    put(store)
    good = store.path.read_bytes()
    bad = {
        "flip": good[:-1] + bytes([good[-1] ^ 1]),
        "cut": good[:-100],
        "empty": b"",
        "text": b"not a list\n" * 50,
    }[damage]
    store.path.write_bytes(bad)
    for _ in range(2):  # readers only tell
        with pytest.raises(DataError, match="restore a copy, or enrol again"):
            store.load()
    assert store.changed_since(WatchlistRef("local-x", 1))
    with pytest.raises(DataError, match="kept as watchlist") as caught:
        put(store, 5)
    assert "\n" not in str(caught.value)
    assert (store.path.parent / "watchlist.damaged-1").read_bytes() == bad
    assert names(put(store, 5)) == ["E-5", "E-6"]


def test_two_damaged_files_are_both_kept(store):
    for number in (1, 2):
        put(store)
        store.path.write_bytes(b"damage %d" % number)
        with pytest.raises(DataError, match=f"damaged-{number},"):
            put(store)
    kept = sorted(path.read_bytes() for path in store.path.parent.glob("watchlist.damaged-*"))
    assert kept == [b"damage 1", b"damage 2"]


def test_the_list_of_a_newer_program_stays_where_it_is(store):
    put(store)
    newer = bytearray(as_bytes(a_list()))
    newer[8] = 2
    store.path.write_bytes(newer)
    with pytest.raises(DataError, match="format 2"):
        put(store, 5)
    assert store.path.read_bytes() == newer


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    store = WatchlistStore(tmp_path / "file" / "watchlist")
    with pytest.raises(DiskError):
        put(store)
    with pytest.raises(DiskError):
        store.load()
