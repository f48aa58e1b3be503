"""A device follows a list: what it takes, what it fetches, and what it keeps."""

from __future__ import annotations

import pytest

from agent.app.choosing import REMOVED
from agent.values.sync import (
    Fault,
    Installed,
    NoChange,
    Refused,
    SyncReport,
    Unreachable,
    Withdrawn,
)
from tests.support import file_server as bad
from tests.support.clocks import FakeClock
from tests.support.file_server import FileServer
from tests.support.list_world import DAY, LIST, World, tuf_reads
from tests.support.lists import some_columns
from tests.support.synced_device import SyncedDevice

A, B, C = (some_columns(3, first=first, seed=first) for first in (1, 11, 21))


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    tuf_reads(monkeypatch, clock)
    return clock


@pytest.fixture
def server():
    with FileServer() as running:
        yield running


@pytest.fixture
def world(server, clock):
    return World(clock, server.files)


@pytest.fixture
def devices(tmp_path, server, world, clock):
    made = []

    def make(name: str = "state", **how) -> SyncedDevice:
        made.append(SyncedDevice(tmp_path / name, server.url, world.root, clock, **how))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def device(devices):
    return devices()


def fetched(server: FileServer, ending: str) -> int:
    return sum(path.endswith(ending) for path in server.requests)


def test_the_first_list_arrives(device, world):
    world.publish([A, B], [device.public])
    report = device.look()
    assert report.result == Installed(LIST, 1, 6, 6, 2, 2)
    assert report.received > 0
    assert device.matched() == (LIST, 1, ("E-1", "E-11", "E-12", "E-13", "E-2", "E-3"))
    ((kind, fields),) = device.audited()
    assert (kind, fields["list"], fields["version"], fields["entries"]) == ("sync", LIST, 1, 6)
    assert device.store.load(now=device.clock.wall()).ref.cited == {"sha256": fields["sha256"]}
    assert not list((device.folder / "incoming").iterdir())


def test_when_nothing_changed_next_to_nothing_is_fetched(device, world, server):
    world.publish([A], [device.public])
    device.look()
    server.requests.clear()
    report = device.look()
    assert report.result == NoChange(LIST, 1)
    assert [path for path in server.requests if "targets" in path] == []
    assert report.received < 2000
    assert len(device.audited()) == 1


def test_only_the_shards_that_changed_are_fetched(device, world, server):
    world.publish([A, B], [device.public])
    device.look()
    world.publish([A, B, C], [device.public], removed={0: (1,)})
    assert device.look().result == Installed(LIST, 2, 8, 8, 3, 1)
    assert fetched(server, ".shard") == 3
    assert device.matched() == (
        LIST, 2, ("E-1", "E-11", "E-12", "E-13", "E-21", "E-22", "E-23", "E-3"),
    )  # fmt: skip


def test_an_interrupted_look_goes_on_where_it_was(device, world, server):
    world.publish([A, B, C], [device.public])
    server.faults.append((world.served(".shard"), bad.cut))
    assert isinstance(device.look().result, Unreachable)
    assert device.matched() is None
    server.faults.clear()
    assert isinstance(device.look().result, Installed)
    assert fetched(server, ".shard") == 4
    assert fetched(server, ".manifest") == fetched(server, ".envelopes") == 1


def test_what_was_kept_is_looked_at_again_before_it_is_used(device, world, server):
    world.publish([A, B], [device.public])
    server.faults.append((world.served(".shard"), bad.cut))
    device.look()
    (kept,) = (device.folder / "incoming").glob("*.shard")
    kept.write_bytes(b"spoilt" + kept.read_bytes()[6:])
    server.faults.clear()
    assert isinstance(device.look().result, Installed)
    assert fetched(server, ".shard") == 4


def test_progress_is_told_of_the_shards(device, world):
    manifest = world.publish([A, B], [device.public])
    told: list[tuple[int, int]] = []
    device.look(lambda done, of: told.append((done, of)))
    total = sum(ref.length for ref in manifest.shards)
    assert told[-1] == (total, total)


def test_a_download_that_takes_hours_is_installed_by_the_clock_of_its_end(device, world, clock):
    """The builder has noted later times meanwhile."""
    world.publish([A, B], [device.public])

    def slowly(done: int, of: int) -> None:
        clock.advance(3600)
        device.store.raise_high_water(clock.wall())

    assert isinstance(device.look(slowly).result, Installed)


def test_offline_is_normal(device, world, server):
    world.publish([A], [device.public])
    device.look()
    server.faults.append(("", bad.status(503)))
    for _ in range(3):
        report = device.look()
        assert isinstance(report.result, Unreachable)
    assert device.matched() is not None
    assert len(device.audited()) == 1


def test_the_list_to_follow_can_be_named(devices, world):
    device = devices(list_id="L-2")
    world.publish([A], [device.public], list_id="L-1")
    assert device.look().result == Refused(
        Fault.NOT_OURS, "the agency publishes no list L-2: check sync.list"
    )
    world.publish([B], [device.public], list_id="L-2")
    assert isinstance(device.look().result, Installed)
    assert device.matched()[0] == "L-2"


def test_of_several_lists_none_is_guessed(device, world):
    world.publish([A], [device.public], list_id="L-1")
    world.publish([B], [device.public], list_id="L-2")
    result = device.look().result
    assert isinstance(result, Refused)
    assert result.fault is Fault.NOT_OURS
    assert "L-1, L-2" in result.reason


def test_a_second_list_does_not_keep_changes_of_the_first_away(device, world):
    world.publish([A], [device.public], list_id="L-1")
    assert isinstance(device.look().result, Installed)
    world.publish([B], [device.public], list_id="L-2")
    assert device.look().result == NoChange("L-1", 1)
    world.publish([B], [device.public], list_id="L-1")
    assert device.look().result == Installed("L-1", 2, 3, 3, 1, 1)


def test_lists_for_others_are_passed_over(devices, world):
    device, other = devices("one"), devices("other")
    world.publish([A], [other.public], list_id="L-1")
    assert device.look().result.fault is Fault.NOT_OURS
    world.publish([B], [device.public], list_id="L-2")
    assert device.look().result == Installed("L-2", 1, 3, 3, 1, 1)


def test_a_device_moved_to_another_list_follows_it(devices, world):
    device, other = devices("one"), devices("other")
    world.publish([A], [device.public, other.public], list_id="L-1")
    device.look()
    world.publish([A], [other.public], list_id="L-1")
    world.publish([B], [device.public], list_id="L-2")
    device.look()
    assert device.matched()[:2] == ("L-2", 1)


def test_a_removed_device_says_so_and_keeps_what_it_has_until_its_end(devices, world, clock):
    device, other = devices("one"), devices("other")
    world.publish([A], [device.public, other.public])
    device.look()
    world.publish([A, B], [other.public])
    for _ in range(3):
        result = device.look().result
        assert result.fault is Fault.REMOVED
        assert REMOVED in result.reason
    assert device.matched()[1] == 1
    assert len(device.audited("refusal")) == 1
    clock.advance(DAY)
    assert device.matched() is None


def test_a_removed_device_cannot_read_on(devices, world):
    device, other = devices("one"), devices("other")
    world.publish([A], [device.public, other.public])
    device.look()
    world.publish([A, B], [other.public])
    device.look()
    assert not list((device.folder / "incoming").glob("*.shard"))
    assert not list((device.folder / "incoming").glob("*.manifest"))


def test_a_withdrawn_list_is_destroyed(device, world):
    world.publish([A], [device.public])
    device.look()
    world.withdraw()
    assert device.look().result == Withdrawn(LIST)
    assert device.matched() is None
    ((_, fields),) = device.audited("expire")
    assert fields["reason"] == "withdrawn by the agency"
    assert device.look().result.fault is Fault.NOT_OURS


def test_a_revoked_list_is_an_empty_one(device, world):
    world.publish([A], [device.public])
    device.look()
    world.publish([], [device.public])
    assert device.look().result == Installed(LIST, 2, 0, 0, 0, 0)
    assert device.matched() == (LIST, 2, ())


def test_a_root_rotation_is_followed(device, world):
    world.publish([A], [device.public])
    device.look()
    world.rotate("root", "timestamp", "snapshot", "targets", "lists")
    world.publish([A, B], [device.public])
    assert isinstance(device.look().result, Installed)
    assert device.matched()[1] == 2


def test_many_root_rotations_at_once_are_followed(device, world):
    for _ in range(5):
        world.rotate("root")
    world.publish([A], [device.public])
    assert isinstance(device.look().result, Installed)


def test_a_clock_set_back_stops_the_look_before_it_asks_anybody(device, world, clock, server):
    world.publish([A], [device.public])
    device.look()
    server.requests.clear()
    clock.wall_now -= 60
    result = device.look().result
    assert result.fault is Fault.CLOCK
    assert "the clock is wrong" in result.reason
    assert not server.requests
    clock.wall_now += 60
    assert device.look().result == NoChange(LIST, 1)


def test_a_list_made_under_another_clock_is_refused(device, world, clock):
    world.publish([A], [device.public], created=clock.wall_now + 3600)
    result = device.look().result
    assert result.fault is Fault.CONTENT
    assert "clock" in result.reason


def test_a_list_that_has_ended_is_not_fetched(device, world, clock, server):
    world.publish([A], [device.public])
    world.lives["timestamp"] = 30 * DAY
    world.commit()
    clock.advance(DAY + 1)
    result = device.look().result
    assert result.fault is Fault.CONTENT
    assert "ended" in result.reason
    assert not fetched(server, ".shard")


def test_a_list_larger_than_the_quota_is_not_fetched(devices, world, server):
    device = devices(quota_bytes=500)
    world.publish([A, B], [device.public])
    result = device.look().result
    assert result.fault is Fault.QUOTA
    assert "sync.quota_mb" in result.reason
    assert not fetched(server, ".shard")


def test_a_damaged_store_is_mended_by_the_same_version(device, world):
    world.publish([A, B], [device.public])
    device.look()
    next((device.folder / "lists").glob("*.shard")).unlink()
    assert isinstance(device.look().result, Installed)
    assert device.matched()[1] == 1


def test_being_stopped_is_not_trouble(device, world):
    world.publish([A], [device.public])
    device.stopped = True
    assert device.look() == SyncReport(Unreachable("stopped"))
    assert device.audited() == []


def test_a_setting_that_cannot_work_is_said_not_thrown(device, world):
    world.publish([A], [device.public])
    device.restarted(http=device.parts.http.__class__("https://127.0.0.1:1", ca_file="/none.pem"))
    result = device.look().result
    assert result.fault is Fault.DEVICE
    assert "sync.ca_file" in result.reason
