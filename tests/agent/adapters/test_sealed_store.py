"""The sealed store, as incidents. What is on disk is scanned byte by byte."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_files import ShardFiles
from agent.adapters.sealed_store import Change, SealedListStore
from agent.errors import BodycamError, DataError, DiskError, RefusedError, UnavailableError
from agent.values import Wall, WatchlistRef
from agent.watchlist.columns import Columns, StoredList, text
from agent.watchlist.shard import encode_shard
from tests.support.lists import SPACE
from tests.support.sealed import (
    DAY,
    HOUR,
    NOW,
    Published,
    a_store,
    entries,
    nothing,
    publish,
)


@pytest.fixture
def keys() -> DeviceKeys:
    return DeviceKeys.new()


@pytest.fixture
def store(tmp_path: Path, keys: DeviceKeys) -> Iterator[SealedListStore]:
    store = a_store(tmp_path, keys)
    yield store
    store.close()


def two_shards(**changes: Any) -> Published:
    return publish([entries(1, 3, **changes), entries(11, 2)])


def install(store: SealedListStore, published: Published, now: Wall = NOW, **shards: Any) -> None:
    given = shards.get("shards", published.shards)
    store.install(published.manifest, given, now=now, record=nothing)


def names(stored: StoredList) -> list[str]:
    return [text(one) for one in stored.columns.entry]


def files(folder: Path, pattern: str = "*.shard") -> set[str]:
    return {path.name for path in (folder / "lists").glob(pattern)}


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def needles(columns: Columns) -> list[bytes]:
    """What a thief would look for: ids, and vectors as numbers of either width."""
    vectors = [
        columns.vectors.astype(kind)[row].tobytes() for kind in ("<f2", "<f4") for row in (0, -1)
    ]
    return [bytes(columns.entry[0]), bytes(columns.subject[-1]), *vectors]


# --- what is there


def test_what_was_installed_is_loaded(store: SealedListStore) -> None:
    published = two_shards()
    install(store, published)
    stored = store.load(now=NOW)
    assert stored.ref == WatchlistRef("L-1", 1)
    assert names(stored) == ["E-1", "E-2", "E-3", "E-11", "E-12"]
    similar = np.einsum("ij,ij->i", stored.columns.vectors[:3], entries(1, 3).vectors)
    assert similar.min() > 0.9999


def test_it_is_there_after_a_restart(tmp_path: Path, keys: DeviceKeys) -> None:
    first = a_store(tmp_path, keys)
    install(first, two_shards())
    first.close()
    again = a_store(tmp_path, keys)
    assert len(again.load(now=NOW).columns) == 5
    again.close()


def test_an_empty_store_says_so(store: SealedListStore) -> None:
    assert store.installed() is None
    with pytest.raises(RefusedError, match="no list yet"):
        store.load(now=NOW)


def test_a_file_on_disk_serves_as_well_as_bytes(store: SealedListStore, tmp_path: Path) -> None:
    published = two_shards()
    for name, blob in published.shards.items():
        (tmp_path / name).write_bytes(blob)
    install(store, published, shards={name: tmp_path / name for name in published.shards})
    assert store.load(now=NOW).ref.version == 1


def test_the_stamp_tells_another_list_and_not_an_expiry(store: SealedListStore) -> None:
    before = store.stamp()
    published = publish([entries(1, 3, not_after=[NOW + 10, NOW + DAY, NOW + DAY])])
    install(store, published)
    after = store.stamp()
    assert after != before
    assert store.expire(now=Wall(NOW + 10)) == 1
    assert store.stamp() == after


# --- changes


def test_a_change_needs_only_the_new_shards(store: SealedListStore, tmp_path: Path) -> None:
    published = two_shards()
    install(store, published)
    kept = files(tmp_path)
    more = publish([entries(21, 1)])
    following = published.joined(more)
    assert [ref.name for ref in store.missing(following.manifest)] == list(more.shards)
    install(store, following, shards=more.shards)
    assert len(store.load(now=NOW).columns) == 6
    assert kept < files(tmp_path)


def test_a_removal_needs_no_download_and_rewrites_one_shard(
    store: SealedListStore, tmp_path: Path
) -> None:
    published = two_shards()
    install(store, published)
    before = files(tmp_path)
    following = published.without({0: [1]})
    assert store.missing(following.manifest) == ()
    assert store.has_shard(following.manifest.shards[0])
    install(store, following, shards={})
    assert names(store.load(now=NOW)) == ["E-1", "E-3", "E-11", "E-12"]
    assert len(files(tmp_path) - before) == len(before - files(tmp_path)) == 1


def test_a_row_that_comes_back_is_downloaded_again(store: SealedListStore) -> None:
    published = two_shards()
    install(store, published.without({0: [1]}))
    again = published.changed(version=3)
    assert [ref.name for ref in store.missing(again.manifest)] == [again.manifest.shards[0].name]
    install(store, again)
    assert len(store.load(now=NOW).columns) == 5


def test_removals_after_an_expiry_find_the_right_rows(store: SealedListStore) -> None:
    published = publish([entries(1, 4, not_after=[NOW + 10, NOW + DAY, NOW + DAY, NOW + DAY])])
    install(store, published)
    assert store.expire(now=Wall(NOW + 11)) == 1
    install(store, published.without({0: [2]}), Wall(NOW + 12), shards={})
    assert names(store.load(now=Wall(NOW + 12))) == ["E-2", "E-4"]
    install(store, published.without({0: [0, 2]}).changed(version=3), Wall(NOW + 13), shards={})
    assert names(store.load(now=Wall(NOW + 13))) == ["E-2", "E-4"]


def test_a_shard_of_which_nothing_is_left_is_no_file(
    store: SealedListStore, tmp_path: Path
) -> None:
    published = two_shards()
    install(store, published.without({1: [0, 1]}))
    assert names(store.load(now=NOW)) == ["E-1", "E-2", "E-3"]
    assert len(files(tmp_path)) == 1


def test_the_record_comes_before_the_switch(store: SealedListStore) -> None:
    install(store, two_shards())
    heard: list[Change] = []

    def refuse(change: Change) -> None:
        heard.append(change)
        raise DiskError("the audit log is full")

    following = two_shards().without({0: [0]})
    with pytest.raises(DiskError, match="audit"):
        store.install(following.manifest, following.shards, now=NOW, record=refuse)
    assert store.load(now=NOW).ref.version == 1
    assert heard[0].before == WatchlistRef("L-1", 1)
    assert (heard[0].ref.version, heard[0].entries, heard[0].arrived) == (2, 4, 2)


# --- what is refused: nothing changes


def tampered(published: Published) -> dict[str, bytes]:
    name, blob = next(iter(published.shards.items()))
    return {**published.shards, name: blob[:-1] + bytes([blob[-1] ^ 1])}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda p: (p.manifest, tampered(p)), "not the file that was published"),
        (lambda p: (p.manifest, {}), "missing"),
        (lambda p: (p.changed(version=1).manifest, p.shards), "another list under the same"),
        (lambda p: (p.changed(version=2, space="other").manifest, p.shards), "the manifest says"),
        (
            lambda p: (p.changed(version=2, templates=3).manifest, p.shards),
            "than the manifest says",
        ),
        (lambda p: (p.changed(version=2, not_after=NOW - 1).manifest, p.shards), "ended"),
        (lambda p: (p.changed(version=2, created=NOW - 40 * DAY).manifest, p.shards), "allows"),
    ],
)
def test_a_bad_list_is_refused_whole(
    store: SealedListStore, tmp_path: Path, change: Any, problem: str
) -> None:
    install(store, two_shards())
    before = everything_in(tmp_path / "lists")
    manifest, shards = change(publish([entries(31, 2), entries(41, 2)]).changed(version=2))
    with pytest.raises(BodycamError, match=problem):
        store.install(manifest, shards, now=NOW, record=nothing)
    assert len(store.load(now=NOW).columns) == 5
    assert everything_in(tmp_path / "lists") == before


def test_one_bad_entry_refuses_all(store: SealedListStore) -> None:
    install(store, two_shards())
    good, bad = entries(31, 2), entries(41, 2)
    basis = type(bad.basis)(bad.basis.codes, ("curiosity",))
    worse = Columns(
        *[basis if name == "basis" else getattr(bad, name) for name in Columns.__slots__]
    )
    with pytest.raises(RefusedError, match=r"E-41.*curiosity"):
        install(store, publish([good, worse], version=2))
    assert store.load(now=NOW).ref.version == 1


def test_a_rollback_is_refused_even_after_a_detour(store: SealedListStore) -> None:
    first = two_shards()
    install(store, first)
    install(store, first.without({0: [0]}))
    install(store, publish([entries(50, 1)]).changed(list="L-2"))
    with pytest.raises(RefusedError, match="rollback"):
        install(store, first)
    store.destroy("revoked", now=NOW)
    with pytest.raises(RefusedError, match="rollback"):
        install(store, first)


def test_the_same_version_again_mends_a_damaged_store(
    store: SealedListStore, tmp_path: Path
) -> None:
    published = two_shards()
    install(store, published)
    victim = min((tmp_path / "lists").glob("*.shard"))
    victim.write_bytes(bytes(victim.stat().st_size))
    with pytest.raises(DataError, match="sync again"):
        store.load(now=NOW)
    installed = store.installed()
    assert installed is not None
    assert not installed.whole
    assert len(store.missing(published.manifest)) == 1
    install(store, published)
    assert len(store.load(now=NOW).columns) == 5


# --- time


def test_an_expired_entry_goes_with_its_key(
    store: SealedListStore, tmp_path: Path, keys: DeviceKeys
) -> None:
    published = publish([entries(1, 3, not_after=[NOW + 10, NOW + 99, NOW + DAY]), entries(11, 2)])
    install(store, published)
    wrapped = rows_of(tmp_path)
    blob = wrapped[published.manifest.shards[0].name]
    assert blob in everything_in(tmp_path)
    assert store.expire(now=Wall(NOW + 9)) == 0
    assert store.expire(now=Wall(NOW + 10)) == 1
    assert names(store.load(now=Wall(NOW + 10))) == ["E-2", "E-3", "E-11", "E-12"]
    left = everything_in(tmp_path)
    assert blob not in left
    assert wrapped[published.manifest.shards[1].name] in left
    assert (tmp_path / "lists" / "lists.sqlite-wal").stat().st_size == 0


def test_what_was_replaced_goes_with_its_keys(store: SealedListStore, tmp_path: Path) -> None:
    install(store, two_shards())
    wrapped = rows_of(tmp_path)
    install(store, publish([entries(31, 2)], version=2))
    left = everything_in(tmp_path)
    assert not any(blob in left for blob in wrapped.values())


def test_a_list_ends_with_everything_but_a_note(store: SealedListStore, tmp_path: Path) -> None:
    install(store, two_shards())
    wrapped = rows_of(tmp_path)
    assert store.expire(now=Wall(NOW + DAY)) == 5
    assert store.installed() is None
    assert files(tmp_path) == set()
    assert not any(blob in everything_in(tmp_path) for blob in wrapped.values())
    ended = store.ended()
    assert ended is not None
    assert (ended.list, ended.version, ended.at) == ("L-1", 1, NOW + DAY)
    with pytest.raises(RefusedError, match="version 1 of L-1 was destroyed: it ended"):
        store.load(now=Wall(NOW + DAY))


def test_a_list_too_old_for_the_policy_ends(store: SealedListStore) -> None:
    install(store, publish([entries(1, 2)], not_after=NOW + 365 * DAY))
    assert store.expire(now=Wall(NOW + 31 * DAY)) == 2


def test_no_entry_lasts_longer_than_its_list(store: SealedListStore) -> None:
    install(store, publish([entries(1, 2, not_after=NOW + 9 * DAY)]))
    assert store.load(now=NOW).columns.not_after.max() == NOW + DAY


def test_an_entry_that_expired_on_the_way_is_not_kept(
    store: SealedListStore, tmp_path: Path
) -> None:
    install(store, publish([entries(1, 2, not_after=[NOW - 1, NOW + DAY])]))
    assert names(store.load(now=NOW)) == ["E-2"]


def test_a_clock_set_back_ends_the_use_of_the_list(store: SealedListStore) -> None:
    install(store, two_shards())
    store.raise_high_water(Wall(NOW + HOUR))
    store.raise_high_water(Wall(NOW + HOUR - 1.9))
    for use in (
        store.raise_high_water,
        lambda now: store.load(now=now),
        lambda now: store.expire(now=now),
        lambda now: install(store, two_shards().without({0: [0]}), now),
    ):
        with pytest.raises(RefusedError, match="the clock is wrong"):
            use(Wall(NOW + HOUR - 2.1))
    assert len(store.load(now=Wall(NOW + HOUR)).columns) == 5


def test_a_clock_set_back_while_the_power_was_off_is_found(
    tmp_path: Path, keys: DeviceKeys
) -> None:
    before = a_store(tmp_path, keys)
    install(before, two_shards())
    before.raise_high_water(Wall(NOW + HOUR))
    before.close()
    after = a_store(tmp_path, keys)
    assert after.high_water == NOW + HOUR
    with pytest.raises(RefusedError, match="the clock is wrong"):
        after.load(now=NOW)
    after.close()


# --- theft


def test_a_stolen_folder_gives_no_id_and_no_vector(store: SealedListStore, tmp_path: Path) -> None:
    planted = entries(1, 3)
    install(store, publish([planted]))
    store.load(now=NOW)
    control = encode_shard(planted, SPACE) + planted.vectors.astype("<f4").tobytes()
    stolen = everything_in(tmp_path)
    for needle in needles(planted):
        assert needle in control
        assert needle not in stolen


def test_another_device_opens_nothing(store: SealedListStore, tmp_path: Path) -> None:
    install(store, two_shards())
    with pytest.raises(DataError, match="of another device"):
        a_store(tmp_path, DeviceKeys.new()).load(now=NOW)


def test_shards_exchanged_on_disk_are_found(store: SealedListStore, tmp_path: Path) -> None:
    install(store, publish([entries(1, 2), entries(3, 2)]))
    one, other = sorted((tmp_path / "lists").glob("*.shard"))
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    with pytest.raises(DataError, match="sync again"):
        store.load(now=NOW)


# --- the disk


def test_over_the_quota_the_old_list_stays(tmp_path: Path, keys: DeviceKeys) -> None:
    store = a_store(tmp_path, keys, quota_bytes=120_000)
    install(store, two_shards())
    large = publish([entries(100, 500, dim=128)], version=2)
    with pytest.raises(DiskError, match="quota"):
        install(store, large)
    assert store.load(now=NOW).ref.version == 1
    assert len(files(tmp_path)) == 2
    store.close()


FULL = """
import resource, signal, sys
from pathlib import Path
from agent.adapters.device_keys import DeviceKeys
from agent.errors import DiskError
from tests.support.sealed import NOW, a_store, entries, nothing, publish
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = a_store(Path(sys.argv[1]), DeviceKeys.new())
first = publish([entries(1, 3)])
store.install(first.manifest, first.shards, now=NOW, record=nothing)
large = publish([entries(100, 5), entries(200, 500, dim=16)], version=2)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    store.install(large.manifest, large.shards, now=NOW, record=nothing)
except DiskError as error:
    print(type(error).__name__, store.load(now=NOW).ref.version, len(store.load(now=NOW).columns))
print(*(path.name for path in Path(sys.argv[1]).glob("lists/*.shard")))
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1000, 20_000])
def test_on_a_full_disk_the_old_list_stays(tmp_path: Path, limit: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), str(limit)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "DiskError 1 3", done.stderr
    assert len(done.stdout.splitlines()[1].split()) == 1


def test_a_damaged_catalogue_is_begun_anew_not_in_the_way(tmp_path: Path, keys: DeviceKeys) -> None:
    before = a_store(tmp_path, keys)
    install(before, two_shards())
    before.close()
    (tmp_path / "lists" / "lists.sqlite").write_bytes(b"not a database, not at all" * 100)
    store = a_store(tmp_path, keys)
    assert store.begun_anew
    with pytest.raises(RefusedError, match="damaged and is begun anew"):
        store.load(now=NOW)
    assert files(tmp_path) == set()
    install(store, two_shards())
    assert len(store.load(now=NOW).columns) == 5
    store.close()


def test_strays_of_a_kill_are_swept_at_opening(tmp_path: Path, keys: DeviceKeys) -> None:
    before = a_store(tmp_path, keys)
    install(before, two_shards())
    before.close()
    known = files(tmp_path)
    (tmp_path / "lists" / "00.shard").write_bytes(b"half a sh")
    a_store(tmp_path, keys).close()
    assert files(tmp_path) == known


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path, keys: DeviceKeys) -> None:
    (tmp_path / "lists").mkdir(mode=0o755)
    (tmp_path / "lists").chmod(0o755)
    with pytest.raises(RefusedError, match="chmod 700"):
        a_store(tmp_path, keys)


def test_a_link_in_the_place_of_the_catalogue_is_refused(tmp_path: Path, keys: DeviceKeys) -> None:
    (tmp_path / "lists").mkdir(mode=0o700)
    (tmp_path / "lists" / "lists.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskError):
        a_store(tmp_path, keys)
    assert not (tmp_path / "elsewhere").exists()


# --- two processes


def test_a_reader_goes_on_while_another_process_installs(tmp_path: Path, keys: DeviceKeys) -> None:
    writer, reader = a_store(tmp_path, keys), a_store(tmp_path, keys)
    published = two_shards()
    install(writer, published)
    assert reader.load(now=NOW).ref.version == 1
    install(writer, published.without({0: [0]}))
    assert reader.stamp() == writer.stamp()
    assert len(reader.load(now=NOW).columns) == 4
    writer.close()
    reader.close()


def test_one_writer_at_a_time_and_no_sweeping_meanwhile(tmp_path: Path, keys: DeviceKeys) -> None:
    store = a_store(tmp_path, keys, wait_s=0.0)
    published = two_shards()

    def meanwhile(change: Change) -> None:
        other = a_store(tmp_path, keys, wait_s=0.0)
        with pytest.raises(UnavailableError, match="another command"):
            install(other, published)
        other.close()

    store.install(published.manifest, published.shards, now=NOW, record=meanwhile)
    assert len(store.load(now=NOW).columns) == 5
    store.close()


# --- the cache


def test_a_blob_is_kept_until_the_list_changes(store: SealedListStore, tmp_path: Path) -> None:
    blob = np.random.default_rng(1).bytes(5 << 20)
    published = publish([entries(1, 3, not_after=[NOW + 10, NOW + DAY, NOW + DAY])])
    install(store, published)
    store.load(now=NOW)
    assert store.cache_put("index", blob)
    assert store.cache_get("index") == blob
    assert store.cache_get("other") is None
    assert blob[:64] not in everything_in(tmp_path)
    store.expire(now=Wall(NOW + 10))
    assert store.cache_get("index") is None
    assert files(tmp_path, "*.cache") == set()


def test_a_blob_of_an_older_list_is_not_kept(store: SealedListStore, tmp_path: Path) -> None:
    published = two_shards()
    install(store, published)
    store.load(now=NOW)
    install(store, published.without({0: [0]}))
    assert not store.cache_put("index", b"holds E-1")
    assert files(tmp_path, "*.cache") == set()


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-1], lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:]]
)
def test_a_corrupt_blob_is_none(store: SealedListStore, tmp_path: Path, harm: Any) -> None:
    install(store, two_shards())
    store.load(now=NOW)
    store.cache_put("index", bytes(1000))
    path = next((tmp_path / "lists").glob("*.cache"))
    path.write_bytes(harm(path.read_bytes()))
    assert store.cache_get("index") is None


def rows_of(folder: Path) -> dict[str, bytes]:
    """The rows with the wrapped keys, as they lie in the catalogue."""
    db = sqlite3.connect(folder / "lists" / "lists.sqlite")
    rows = dict(db.execute("SELECT source, sealed FROM shard"))
    db.close()
    return rows


def test_time_passes_while_a_list_is_installed(store: SealedListStore) -> None:
    """A long list takes seconds, and the builder notes the time meanwhile."""
    published = two_shards()

    class Slow(dict[str, bytes]):
        def get(self, name: str, default: Any = None) -> Any:
            store.raise_high_water(Wall(store.high_water + 10))
            return super().get(name, default)

    install(store, published, shards=Slow(published.shards))
    assert store.high_water == NOW + 20
    assert len(store.load(now=Wall(NOW + 20)).columns) == 5


def test_time_passes_while_a_list_is_loaded(
    store: SealedListStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync thread notes the time while the builder reads."""
    install(store, two_shards())
    read = ShardFiles.read

    def slow(files: ShardFiles, name: str, key: bytes) -> tuple[str, Columns]:
        store.raise_high_water(Wall(store.high_water + 10))
        return read(files, name, key)

    monkeypatch.setattr(ShardFiles, "read", slow)
    assert len(store.load(now=NOW).columns) == 5
    assert store.high_water == NOW + 20
