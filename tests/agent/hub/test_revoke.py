from __future__ import annotations

import pytest

from agent.errors import DataError, UsageError
from agent.messages import iso_utc
from agent.messages.bundle import shard_target
from tests.support.hub_lists import Reader, Roll, entries, opened_by, publish
from tests.support.hubs import DAY_S, HubWorld


def shards(world: HubWorld) -> dict[str, bytes]:
    return {name: data for name, data in world.files().items() if name.endswith(".shard")}


@pytest.mark.slow
def test_nothing_of_a_revoked_entry_stays_published(world: HubWorld) -> None:
    reader = Reader(world)
    listed = publish(world, Roll(list(range(1, 3501)))).json["list"]
    reader.read(listed)
    old, held = shards(world), dict(reader.fetched)
    assert len(old) == 2
    told = world("revoke", "wanted", "--entry", "E-17", "--json").json
    assert (told["removed"], told["new_shards"]) == (1, 1)
    gone = set(old) - set(shards(world))
    assert len(gone) == 1  # the others stay as they were
    stored = reader.read(listed)
    assert "E-17" not in entries(stored)
    assert len(stored.columns) == 3499
    assert reader.manifest is not None
    named = {shard_target(ref.name) for ref in reader.manifest.shards}
    (destroyed,) = set(held) - named
    fresh = {name: data for name, data in shards(world).items() if name not in old}
    assert opened_by([ref.key for ref in reader.manifest.shards], {"x": held[destroyed]}) == []
    assert len(fresh) == 1


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--subject", "S-2", "S-3"), {"E-1", "E-4", "E-5", "E-6"}),
        (("--authorisation", "A-1"), {"E-2", "E-3", "E-5", "E-6"}),
        (("--entry", "E-1", "--subject", "S-2"), {"E-3", "E-4", "E-5", "E-6"}),
    ],
)
def test_by_subject_and_by_authorisation(
    world: HubWorld, words: tuple[str, ...], left: set[str]
) -> None:
    reader = Reader(world)
    listed = publish(world, Roll(list(range(1, 7)))).json["list"]
    world("revoke", "wanted", *words)
    assert entries(reader.read(listed)) == left


def test_all_publishes_an_empty_list(world: HubWorld) -> None:
    reader = Reader(world)
    listed = publish(world, Roll([1, 2, 3])).json["list"]
    told = world("revoke", "wanted", "--all", "--json").json
    assert (told["version"], told["entries"], told["shards"]) == (2, 0, 0)
    assert shards(world) == {}
    assert entries(reader.read(listed)) == set()
    assert publish(world, Roll([4]), how="--change-vectors").json["version"] == 3
    assert entries(reader.read(listed)) == {"E-4"}


def test_the_end_of_the_list_stays(world: HubWorld) -> None:
    reader = Reader(world)
    listed = publish(world, Roll([1, 2]), "--valid-days", "2").json["list"]
    reader.read(listed)
    assert reader.manifest is not None
    end = reader.manifest.not_after
    world.clock.advance(0.1 * DAY_S)
    world("revoke", "wanted", "--entry", "E-1")
    reader.read(listed)
    assert reader.manifest.not_after == end


def test_a_list_that_has_ended_is_not_brought_back(world: HubWorld) -> None:
    publish(world, Roll([1, 2]), "--valid-days", "0.5")
    world.clock.advance(0.7 * DAY_S)
    told = world("revoke", "wanted", "--all", "--json").json
    assert (told["version"], told["entries"]) == (2, 0)
    assert told["not_after"] == iso_utc(world.now + 1.0)


def test_mistakes(world: HubWorld) -> None:
    publish(world, Roll([1, 2]))
    with pytest.raises(UsageError, match="name --entry"):
        world("revoke", "wanted")
    with pytest.raises(DataError, match="authorisation 'A-7': not on the list"):
        world("revoke", "wanted", "--authorisation", "A-7")
    assert publish(world).json["entries"] == 2
