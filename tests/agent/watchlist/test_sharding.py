from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.watchlist.bundle import assemble, live_rows
from agent.watchlist.columns import Columns, concat, no_entries
from agent.watchlist.shard import encode_shard
from agent.watchlist.sharding import (
    MAX_SMALL,
    MUST_REWRITE,
    SMALL,
    Rewrite,
    cut,
    fingerprints,
    place,
    plan,
)
from tests.support.lists import SPACE, a_meta, columns_of, some_columns, units
from tests.support.published import Publisher, sealed_for

LIMIT = 5_000
"""Bytes of a shard: about seven entries of 128 numbers."""
WIDER = 18_000


def an_entry(number: int, *, seed: int = 0, templates: int = 1) -> Columns:
    days = 86_400.0 * (number * 7 % 5)
    meta = a_meta(number, not_after=1.9e9 + days, authorisation=f"A-{number % 3}")
    return columns_of([meta], [templates], units(templates, 128, seed * 1_000 + number))


def a_roll(world: dict[int, int]) -> Columns:
    """The list of these entries; the value is the seed of the entry's vectors."""
    parts = [an_entry(n, seed=seed, templates=1 + n % 3) for n, seed in world.items()]
    return concat(parts) if parts else no_entries(128)


def contents(columns: Columns) -> dict[bytes, int]:
    return dict(zip(columns.entry.tolist(), fingerprints(columns).tolist(), strict=True))


def live(publisher: Publisher) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for ref in publisher.refs:
        here = contents(live_rows(ref, publisher.decoded(ref)))
        assert not found.keys() & here.keys()
        found |= here
    return found


CHANGES = st.lists(
    st.tuples(
        st.lists(st.integers(0, 60), max_size=25),  # added, or changed where they are there
        st.lists(st.integers(0, 60), max_size=25),  # removed
        st.sampled_from([Rewrite(), Rewrite(), Rewrite(), Rewrite(removed=True)]),
    ),
    min_size=1,
    max_size=8,
)


@given(CHANGES)
@settings(max_examples=40, deadline=None)
def test_after_any_changes_the_shards_hold_the_list_and_the_rest_is_untouched(changes):
    publisher, world = Publisher(limit=LIMIT), {}
    for version, (added, removed, rewrite) in enumerate(changes):
        for number in removed:
            world.pop(number, None)
        world |= dict.fromkeys(added, version)
        columns, before = a_roll(world), {ref.name: ref for ref in publisher.refs}
        made = publisher.publish(columns, rewrite)
        assert live(publisher) == contents(columns)
        for ref in made.kept:
            old = before[ref.name]
            assert (ref.key, ref.length, ref.entries) == (old.key, old.length, old.entries)
            assert set(old.removed) <= set(ref.removed)
            assert not (rewrite.removed and ref.removed)
            assert len(ref.removed) <= MUST_REWRITE * ref.entries
        assert before.keys() == {ref.name for ref in made.kept} | set(made.dropped)
        small = [ref for ref in made.kept if ref.length < SMALL * LIMIT]
        assert len(small) <= MAX_SMALL


def test_no_shard_is_over_the_limit_and_all_but_the_last_are_full():
    columns = a_roll(dict.fromkeys(range(200), 0))
    shards = [
        encode_shard(columns.pick(rows), SPACE)
        for rows in cut(columns, every(columns), limit=LIMIT)
    ]
    assert max(map(len, shards)) <= LIMIT
    assert min(map(len, shards[:-1])) > LIMIT * 0.8


def every(columns: Columns) -> np.ndarray:
    return np.arange(len(columns))


def test_what_ends_together_is_together():
    columns = a_roll(dict.fromkeys(range(200), 0))
    rows = np.concatenate(list(cut(columns, every(columns), limit=LIMIT)))
    keys = [
        (float(columns.not_after[row]), columns.authorisation[row], columns.entry[row])
        for row in rows
    ]
    assert keys == sorted(keys)
    assert len(set(rows.tolist())) == 200


def test_an_entry_too_large_for_a_shard_is_alone_in_one():
    columns = concat([an_entry(1, templates=60), an_entry(2)])
    assert [len(rows) for rows in cut(columns, every(columns), limit=LIMIT)] == [1, 1]


def test_an_authorisation_of_its_own_for_every_entry_is_no_obstacle():
    metas = [a_meta(number, authorisation=f"{number:064}") for number in range(4_096)]
    columns = columns_of(metas, [1] * 4_096, units(4_096, 8))
    sizes = [len(encode_shard(columns.pick(rows), SPACE)) for rows in cut(columns, every(columns))]
    assert len(sizes) == 1
    assert sizes[0] > 500_000


@pytest.fixture
def published():
    publisher = Publisher(limit=WIDER)
    columns = a_roll(dict.fromkeys(range(200), 0))
    publisher.publish(columns)
    return publisher, columns


def test_the_same_list_again_changes_nothing(published):
    publisher, columns = published
    before = publisher.refs
    made = publisher.publish(columns)
    assert publisher.refs == before
    assert (made.fresh, made.dropped) == ((), ())


def test_the_order_of_the_list_does_not_matter(published):
    publisher, columns = published
    before = publisher.refs
    publisher.publish(columns.pick(every(columns)[::-1]))
    assert publisher.refs == before


def test_another_expiry_alone_is_a_change(published):
    publisher, columns = published
    later = columns.not_after.copy()
    later[5] += 1.0
    made = publisher.publish(replace(columns, not_after=later))
    assert [rows.tolist() for rows in made.fresh] == [[5]]
    assert sum(len(ref.removed) for ref in publisher.refs) == 1


@pytest.mark.parametrize("field", ["priority", "kind", "source", "vectors", "basis", "embedder"])
def test_any_other_difference_is_a_change(field):
    columns = some_columns(4)
    value = getattr(columns, field)
    if field in ("basis", "embedder"):
        other = replace(value, values=("0" * 64,))
    else:
        other = value.copy()
        other[2] = other[2] + 1 if field != "vectors" else -other[2]
    differs = fingerprints(columns) != fingerprints(replace(columns, **{field: other}))
    assert differs[2]
    assert differs.all() == (field in ("basis", "embedder"))


def test_a_device_taken_away_means_new_keys_and_names_for_everything(published):
    publisher, columns = published
    old = {(ref.name, ref.key) for ref in publisher.refs}
    made = publisher.publish(columns, Rewrite(everything=True))
    assert made.kept == ()
    assert not {ref.name for ref in publisher.refs} & {name for name, _ in old}
    assert not {ref.key for ref in publisher.refs} & {key for _, key in old}


def test_named_shards_are_written_again_and_no_others(published):
    publisher, columns = published
    first, *others = [ref.name for ref in publisher.refs if ref.length > SMALL * WIDER]
    made = publisher.publish(columns, Rewrite(shards=frozenset({first})))
    assert made.dropped == (first,)
    assert set(others) <= {ref.name for ref in made.kept}


def test_of_a_revoked_entry_nothing_stays_published(published):
    publisher, columns = published
    gone = columns.entry[3]
    publisher.publish(columns.take(columns.entry != gone), Rewrite(removed=True))
    assert all(gone not in publisher.decoded(ref).entry for ref in publisher.refs)


def test_an_entry_that_comes_back_is_added_anew(published):
    publisher, columns = published
    less = columns.take(columns.entry != columns.entry[3])
    publisher.publish(less)
    made = publisher.publish(columns)
    assert [rows.tolist() for rows in made.fresh] == [[3]]
    assert live(publisher) == contents(columns)


def without(published, shares: list[float]):
    """A change that removes these shares of the first full shards; and those shards' names."""
    publisher, columns = published
    full = [ref for ref in publisher.refs if ref.length > SMALL * WIDER][: len(shares)]
    goners = [
        publisher.decoded(ref).entry[: round(share * ref.entries)]
        for ref, share in zip(full, shares, strict=True)
    ]
    made = publisher.publish(columns.take(~np.isin(columns.entry, np.concatenate(goners))))
    return [ref.name for ref in full], made.dropped


def test_a_few_removed_rows_are_only_named(published):
    _, dropped = without(published, [0.15, 0.2])
    assert dropped == ()


def test_one_shard_a_quarter_dead_is_written_again_and_no_more_than_that(published):
    names, dropped = without(published, [0.3, 0.4, 0.3])
    assert dropped == (names[1],)


def test_a_large_change_pays_for_more(published):
    names, dropped = without(published, [0.45, 0.45, 0.45])
    assert set(dropped) < set(names[:3])
    assert len(dropped) == 2


def test_shards_more_dead_than_alive_do_not_stay(published):
    names, dropped = without(published, [0.6, 0.7, 0.6])
    assert set(dropped) == set(names)


def test_an_emptied_list_has_no_shards(published):
    publisher, columns = published
    publisher.publish(columns.take(np.zeros(len(columns), np.bool_)))
    assert publisher.refs == ()
    assert plan([], no_entries(8)).fresh == ()


def test_the_layout_is_known_from_what_was_published(published):
    publisher, columns = published
    [first, *_] = publisher.refs
    placed = place(first, publisher.decoded(first))
    kept = contents(columns)
    assert placed.prints.tolist() == [kept[entry] for entry in placed.entry.tolist()]


def many(count: int, first: int) -> Columns:
    metas = [a_meta(0)]
    one = columns_of(metas, [1], units(1, 16))
    columns = one.pick(np.zeros(count, np.intp))
    ids = np.array([f"{number:016x}".encode() for number in range(first, first + count)])
    rng = np.random.default_rng(first)
    return replace(
        columns,
        entry=ids,
        subject=ids,
        not_after=1.9e9 + 86_400.0 * rng.integers(0, 60, count),
        source=rng.integers(0, 256, (count, 32), dtype=np.uint8),
        vectors=np.eye(16, dtype=np.float32)[rng.integers(0, 16, count)],
    )


@pytest.mark.slow
def test_one_percent_changed_is_about_one_percent_to_download():
    """Removed at random, the worst there is; with the manifest and the envelopes of ten devices."""
    publisher, columns = Publisher(limit=100_000), many(30_000, 0)
    publisher.publish(columns)
    keys = [bytes([at + 1]) * 32 for at in range(10)]
    rng, shares = np.random.default_rng(0), []
    for round_ in range(1, 13):
        old = {ref.name for ref in publisher.refs}
        keep = np.ones(len(columns), np.bool_)
        keep[rng.choice(len(columns), 150, replace=False)] = False
        columns = concat([columns.take(keep), many(150, round_ * 1_000_000)])
        publisher.publish(columns)
        signed = sum(map(len, sealed_for(publisher.manifest(columns), *keys)))
        fetched = signed + sum(ref.length for ref in publisher.refs if ref.name not in old)
        shares.append(fetched / (signed + sum(ref.length for ref in publisher.refs)))
    assert shares[0] < 0.010
    assert np.mean(shares) < 0.015
    assert max(shares) < 0.08
    listed = ((ref, SPACE, publisher.decoded(ref)) for ref in publisher.refs)
    assert contents(assemble(publisher.manifest(columns), listed).columns) == contents(columns)
