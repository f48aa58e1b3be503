"""Versions of a list as an agency makes them, read back by a camera."""

from __future__ import annotations

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.desk import open_desk
from agent.hub.present import Present
from agent.hub.version import Order
from agent.messages import iso_utc
from agent.messages.bundle import manifest_target
from tests.support.hub_lists import Reader, Roll, entries, opened_by, publish
from tests.support.hubs import DAY_S, HubWorld


def numbers(count: int, first: int = 1) -> list[int]:
    return list(range(first, first + count))


def names(some: list[int]) -> set[str]:
    return {f"E-{number}" for number in some}


def test_a_camera_reads_what_was_published(world: HubWorld) -> None:
    reader = Reader(world)
    told = publish(world, Roll(numbers(20))).json
    stored = reader.read(told["list"])
    assert entries(stored) == names(numbers(20))
    assert (told["version"], told["added"], told["devices"]) == (1, 20, 1)
    assert stored.space == "sface"
    assert reader.manifest is not None
    assert reader.manifest.not_after == pytest.approx(world.now + 7 * DAY_S)


def test_the_file_server_learns_no_name(world: HubWorld) -> None:
    Reader(world)
    publish(world, Roll(numbers(5)))
    blob = b"".join([name.encode() + data for name, data in world.files().items()])
    assert b"lists/L-" in blob  # the control: what is not encrypted is found
    for planted in (b"wanted", b"E-3", b"S-3", b"A-1", b"CAM-1", b"sface", b"consent"):
        assert planted not in blob


def test_a_change_says_what_changed(world: HubWorld) -> None:
    reader = Reader(world)
    publish(world, Roll(numbers(30)))
    later = Roll([3, *numbers(4, 31)], fields={3: {"authorisation": "A-9"}})
    told = publish(world, later, "--remove", "E-7", "E-8", how="--change-vectors").json
    assert (told["added"], told["removed"], told["replaced"]) == (4, 2, 1)
    assert told["version"] == 2
    stored = reader.read(told["list"])
    assert entries(stored) == names(numbers(34)) - {"E-7", "E-8"}


@pytest.mark.slow
def test_a_change_of_one_percent_is_about_one_percent_of_the_bytes(world: HubWorld) -> None:
    """Of 20,000 entries 100 go and 100 come; what a camera has fetched already it keeps."""
    reader = Reader(world)
    first = publish(world, Roll(numbers(20_000))).json
    reader.read(first["list"])
    before = dict(reader.fetched)
    gone = [f"E-{number}" for number in range(100, 20_000, 199)]
    second = publish(
        world, Roll(numbers(100, 20_001)), "--remove", *gone, how="--change-vectors"
    ).json
    stored = reader.read(second["list"])
    assert len(stored.columns) == 20_000 + 100 - len(gone)
    new = sum(len(data) for path, data in reader.fetched.items() if path not in before)
    assert new < 0.012 * sum(map(len, before.values()))
    assert second["new_bytes"] < 0.015 * first["new_bytes"]


def test_the_whole_list_again_changes_nothing(world: HubWorld) -> None:
    reader = Reader(world)
    roll = Roll(numbers(50))
    listed = publish(world, roll).json["list"]
    reader.read(listed)
    fetched = set(reader.fetched)
    told = publish(world, roll).json
    assert (told["added"], told["removed"], told["replaced"], told["new_shards"]) == (0, 0, 0, 0)
    reader.read(listed)
    assert set(reader.fetched) == fetched


def test_the_whole_list_may_change_its_embedder(world: HubWorld) -> None:
    reader = Reader(world)
    publish(world, Roll(numbers(5)))
    told = publish(world, Roll(numbers(5)), "--space", "other").json
    assert reader.read(told["list"]).space == "other"


def test_the_whole_list_leaves_out_who_is_not_named(world: HubWorld) -> None:
    reader = Reader(world)
    publish(world, Roll(numbers(40)))
    told = publish(world, Roll(numbers(30))).json
    assert told["removed"] == 10
    assert entries(reader.read(told["list"])) == names(numbers(30))


def test_a_new_camera_reads_the_list_once_it_is_published_again(world: HubWorld) -> None:
    Reader(world)
    listed = publish(world, Roll(numbers(5))).json["list"]
    newcomer = Reader(world, "CAM-2")
    with pytest.raises(DataError, match="not for this device"):
        newcomer.read(listed)
    publish(world)
    assert entries(newcomer.read(listed)) == names(numbers(5))


def test_a_camera_can_be_given_one_list_by_its_name(world: HubWorld) -> None:
    listed = publish(world, Roll(numbers(3))).json["list"]
    world.camera("CAM-5", lists=("wanted",))
    world.camera("CAM-6", lists=("other",))
    assert publish(world).json["devices"] == 1
    shown = world("devices", "show", "CAM-5", "--json").json
    assert shown["lists"] == [listed]


def test_a_removed_camera_opens_nothing_of_the_next_version(world: HubWorld) -> None:
    """With its keys, every key that it ever saw, and everything it ever fetched."""
    stays, goes = Reader(world), Reader(world, "CAM-2")
    listed = publish(world, Roll(numbers(40))).json["list"]
    goes.read(listed)
    old = world.files()
    assert opened_by(goes.keys, old)  # the control: what it may read, it opens
    world("devices", "remove", "CAM-2")
    told = publish(world).json
    assert told["rekeyed"]
    new = {name: data for name, data in world.files().items() if name not in old}
    assert any(name.endswith(".shard") for name in new)
    assert opened_by(goes.keys, new) == []
    assert stays.manifest is None
    assert entries(stays.read(listed)) == names(numbers(40))
    with pytest.raises(DataError, match="not for this device"):
        goes.read(listed)
    assert not publish(world).json["rekeyed"]  # once is enough


def test_rekey_leaves_no_key_in_use(world: HubWorld) -> None:
    reader = Reader(world)
    listed = publish(world, Roll(numbers(10))).json["list"]
    reader.read(listed)
    before = set(reader.keys)
    publish(world, None, "--rekey")
    reader.keys.clear()
    reader.read(listed)
    assert before.isdisjoint(reader.keys)


def test_compact_drops_removed_rows(world: HubWorld) -> None:
    reader = Reader(world)
    publish(world, Roll(numbers(100)))
    told = publish(world, None, "--remove", "E-1", "E-2").json
    reader.read(told["list"])
    assert reader.manifest is not None
    assert sum(len(ref.removed) for ref in reader.manifest.shards) == 2
    publish(world, None, "--compact")
    reader.read(told["list"])
    assert sum(len(ref.removed) for ref in reader.manifest.shards) == 0


def test_entries_whose_time_is_over_go_by_themselves(world: HubWorld) -> None:
    reader = Reader(world)
    publish(world, Roll(numbers(10), days={3: 0.5}))
    world.clock.advance(0.6 * DAY_S)
    told = publish(world, None).json
    assert (told["removed"], told["expired"]) == (1, 1)
    with open_desk(world.context()) as desk:
        present = desk.present(desk.lists.get("wanted"), world.now)
    assert entries(present.stored) == names(numbers(10)) - {"E-3"}
    assert reader.manifest is None


def test_a_whole_list_may_name_ended_entries_and_a_change_may_not(world: HubWorld) -> None:
    said = publish(world, Roll(numbers(4), days={2: -1.0}))
    assert said.json["entries"] == 3
    assert "left out: 1 entries whose time is over" in said.err
    with pytest.raises(RefusedError, match="entry 'E-9': its time"):
        publish(world, Roll([9], days={9: -1.0}), how="--change-vectors")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"basis": "curiosity"}, r"entry 'E-2': basis 'curiosity' is not allowed by the policy"),
        ({"purpose": "crowds"}, r"entry 'E-2': purpose 'crowds' is not allowed by the policy"),
    ],
)
def test_the_policy_refuses_an_entry_by_name(
    world: HubWorld, fields: dict[str, str], says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        publish(world, Roll(numbers(3), fields={2: fields}))
    assert not [name for name in world.files() if name.endswith(".shard")]


def test_nobody_is_published_under_what_was_revoked(world: HubWorld) -> None:
    publish(world, Roll(numbers(3), fields={2: {"authorisation": "W-9"}}))
    world("authorise", "revoke", "W-9", "--reason", "quashed")
    with pytest.raises(RefusedError, match=r"'E-2': authorisation W-9 was revoked; .* takes it"):
        publish(world, Roll(numbers(3), fields={2: {"authorisation": "W-9"}}))
    world("revoke", "wanted", "--entry", "E-1")  # what takes back is never in the way
    world("revoke", "wanted", "--authorisation", "W-9")
    publish(world, Roll(numbers(4)[3:]))


def test_a_list_must_end_within_the_policy(world: HubWorld) -> None:
    with pytest.raises(RefusedError, match="31 days at most"):
        publish(world, Roll(numbers(3)), "--valid-days", "32")
    with pytest.raises(RefusedError, match="--valid-days or --list-not-after"):
        world("publish", "wanted", "--photos", world.folder / "not read", "--valid-days", "32")
    with pytest.raises(RefusedError, match="must end in the future"):
        publish(world, Roll(numbers(3)), "--list-not-after", "2020-01-01")
    with pytest.raises(UsageError, match="--valid-days: a number of days"):
        publish(world, Roll(numbers(3)), "--valid-days", "nan")


def test_without_a_word_a_list_lasts_as_long_as_the_policy_allows(world: HubWorld) -> None:
    path = world.folder / "policy.yaml"
    world("policy", "preset", "strict", "--out", path)
    path.write_text(
        path.read_text()
        .replace("bases: [", "bases: [consent, ")
        .replace("purposes: [", "purposes: [test, ")
    )
    world("policy", "publish", path)
    told = publish(world, Roll(numbers(3)))
    assert told.json["not_after"] == iso_utc(world.now + DAY_S)
    assert "ends after 24 hours, the most that the policy strict allows" in told.err
    assert "the most that" not in publish(world, Roll(numbers(3)), "--valid-days", "0.5").err


def test_mistakes_are_said_in_one_line(world: HubWorld) -> None:
    with pytest.raises(UsageError, match="the list is new"):
        publish(world)
    publish(world, Roll(numbers(3)))
    with pytest.raises(DataError, match="entry 'E-99': not on the list; nothing was changed"):
        publish(world, None, "--remove", "E-99")
    with pytest.raises(DataError, match="holds templates of 'sface', these are of 'other'"):
        publish(world, Roll([9]), "--space", "other", how="--change-vectors")
    with pytest.raises(UsageError, match="say what the whole list is"):
        publish(world, Roll(numbers(3)), "--remove", "E-1")
    with pytest.raises(UsageError, match="not a name for a new list"):
        world("publish", "L-0123456789abcdef")
    with pytest.raises(MissingFileError, match="no list 'other' on this hub; there are: wanted"):
        world("revoke", "other", "--all")


def test_a_shard_that_was_changed_on_the_server_is_not_built_upon(world: HubWorld) -> None:
    publish(world, Roll(numbers(10)))
    (shard,) = (world.public / "targets/lists").glob("*.shard")
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError):
        publish(world, None, "--remove", "E-1")


def test_an_older_public_folder_put_back_is_noticed(world: HubWorld) -> None:
    publish(world, Roll(numbers(10)))
    listed = manifest_target(publish(world).json["list"])
    with open_desk(world.context()) as desk:
        record = desk.lists.get("wanted")
        with pytest.raises(DataError, match="another version than this hub made last"):
            desk.lists.settle(record.id, "0" * 64, world.now)
        assert listed in desk.hub.repository.targets("lists")


def test_another_command_that_comes_between_is_not_undone(world: HubWorld) -> None:
    """A revocation while a long publication is composed stays revoked."""
    publish(world, Roll(numbers(10)))
    with open_desk(world.context()) as desk:
        record = desk.lists.get("wanted")
        composed: list[int] = []

        def compose(present: Present) -> Order:
            if not composed:
                world("revoke", "wanted", "--entry", "E-4")
            composed.append(present.stored.version)
            stored = present.stored
            return Order(stored.columns, stored.space, world.now + DAY_S)

        facts = desk.issue(record, compose, world.now)
        assert composed == [1, 2]
        assert (facts.version, facts.entries) == (3, 9)
