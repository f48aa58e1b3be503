from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.adapters import sealing
from agent.errors import DataError
from agent.messages.bundle import MAX_MANIFEST, ListManifest
from agent.watchlist.bundle import (
    a_shard,
    an_envelope,
    assemble,
    join,
    live_rows,
    manifest_bytes,
    my_envelope,
    open_bundle,
    parse_envelopes,
    parse_manifest,
)
from agent.watchlist.columns import concat
from tests.support.lists import SPACE, some_columns
from tests.support.published import LIST, Publisher, sealed_for

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


@pytest.fixture
def world():
    """Version 2: three shards, one with removed rows."""
    publisher, columns = Publisher(limit=1_000), some_columns(24)
    publisher.publish(columns)
    columns = columns.take(~np.isin(columns.entry, [b"E-3", b"E-24"]))
    publisher.publish(columns)
    assert any(ref.removed for ref in publisher.refs)
    return publisher, columns


def shards_of(publisher: Publisher):
    return [(ref, SPACE, publisher.decoded(ref)) for ref in publisher.refs]


def opened(envelopes: bytes, encrypted: bytes, private=KEY, list_id=LIST) -> ListManifest:
    return open_bundle(
        envelopes,
        encrypted,
        list_id=list_id,
        key_id=sealing.key_id(public(private)),
        unseal=lambda blob, info: sealing.unseal(private, blob, info),
        decrypt=sealing.decrypt,
    )


def test_a_device_opens_what_was_sealed_for_it_and_assembles_the_list(world):
    publisher, columns = world
    sent = publisher.manifest(columns)
    manifest = opened(*sealed_for(sent, public(OTHER), public(KEY)))
    assert manifest == sent
    stored = assemble(manifest, shards_of(publisher))
    assert (stored.id, stored.version, stored.space) == (LIST, 2, SPACE)
    assert sorted(stored.columns.entry.tolist()) == sorted(columns.entry.tolist())
    by_id = {entry: row for row, entry in enumerate(columns.entry.tolist())}
    rows = [by_id[entry] for entry in stored.columns.entry.tolist()]
    assert [stored.columns.meta(at) for at in range(22)] == [columns.meta(row) for row in rows]
    assert np.abs(stored.columns.vectors - columns.vectors[rows]).max() < 1e-3


def test_a_device_without_an_envelope_is_told_so(world):
    publisher, columns = world
    with pytest.raises(DataError, match="not for this device"):
        opened(*sealed_for(publisher.manifest(columns), public(OTHER)))


def test_the_envelope_of_another_device_does_not_open(world):
    publisher, columns = world
    envelopes, encrypted = sealed_for(publisher.manifest(columns), public(OTHER))
    swapped = json.loads(envelopes)
    swapped["envelopes"][0]["key_id"] = sealing.key_id(public(KEY))
    with pytest.raises(DataError, match="not for this device"):
        opened(json.dumps(swapped).encode(), encrypted)


def test_envelopes_and_manifest_of_different_versions_do_not_mix(world):
    publisher, columns = world
    old = sealed_for(publisher.manifest(columns), public(KEY))
    new = sealed_for(publisher.manifest(columns, version=9), public(KEY))
    for pair in ((old[0], new[1]), (new[0], old[1])):
        with pytest.raises(DataError, match="envelopes of another manifest"):
            opened(*pair)


def test_a_version_written_over_the_envelopes_does_not_open(world):
    publisher, columns = world
    envelopes, encrypted = sealed_for(publisher.manifest(columns), public(KEY))
    lie = json.loads(envelopes) | {"version": 3}
    with pytest.raises(DataError, match="sealed data"):
        opened(json.dumps(lie).encode(), encrypted)


def test_another_list_under_this_name_does_not_open(world):
    publisher, columns = world
    with pytest.raises(DataError, match="sealed data"):
        opened(*sealed_for(publisher.manifest(columns), public(KEY)), list_id="L-2")


def test_a_manifest_that_says_another_version_inside_is_refused(world):
    """The agency's own mistake: sealed and encrypted as version 3, but it says 2."""
    publisher, columns = world
    text, key = manifest_bytes(publisher.manifest(columns)), sealing.new_key()
    encrypted = sealing.encrypt(key, text, f"bodycam.list.v1/{LIST}/3".encode())
    mine = sealing.key_id(public(KEY))
    sealed = sealing.seal(public(KEY), key, f"bodycam.envelopes.v1/{LIST}/3/{mine}".encode())
    file = {
        "list": LIST,
        "version": 3,
        "manifest": hashlib.sha256(encrypted).hexdigest(),
        "envelopes": [{"key_id": mine, "sealed": base64.b64encode(sealed).decode()}],
    }
    with pytest.raises(DataError, match="envelopes of version 3, manifest of version 2"):
        opened(json.dumps(file).encode(), encrypted)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_an_envelope_that_holds_no_key_is_refused(world, length):
    """Found by fuzzing: the cipher would raise what nobody catches."""
    publisher, columns = world
    encrypted = sealing.encrypt(bytes(32), manifest_bytes(publisher.manifest(columns)), b"")
    mine = sealing.key_id(public(KEY))
    info = f"bodycam.envelopes.v1/{LIST}/2/{mine}".encode()
    sealed = sealing.seal(public(KEY), bytes(length), info)
    file = {
        "list": LIST,
        "version": 2,
        "manifest": hashlib.sha256(encrypted).hexdigest(),
        "envelopes": [{"key_id": mine, "sealed": base64.b64encode(sealed).decode()}],
    }
    with pytest.raises(DataError, match="holds no key"):
        opened(json.dumps(file).encode(), encrypted)


def lying(world, **changes) -> bytes:
    publisher, columns = world
    fields = json.loads(manifest_bytes(publisher.manifest(columns)))
    return json.dumps({**fields, **changes}).encode()


def test_a_manifest_written_by_hand_is_read(world):
    assert parse_manifest(lying(world, version=7)).version == 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"entries": 23}, "its shards hold 22"),
        ({"templates": 21}, "fewer templates than entries"),
        ({"templates": 1_000_000}, "more templates than its shards can hold"),
        ({"dim": 7}, "dim"),
        ({"dim": "16"}, "dim"),
        ({"version": 0}, "version"),
        ({"list": "a name"}, "list"),
        ({"created": float("nan")}, "created"),
        ({"created": 2e9}, "not_after must be later"),
        ({"format": "bodycam.list.v2"}, "format"),
        ({"shards": {}}, "shards"),
        ({"colour": "red"}, "colour"),
        ({"line\nbreak" * 20: 1}, r"line\?break"),
    ],
)
def test_a_manifest_that_lies_is_refused_in_one_line(world, changes, said):
    with pytest.raises(DataError, match=said) as caught:
        parse_manifest(lying(world, **changes))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def test_the_same_shard_twice_is_refused(world):
    publisher, columns = world
    shards = json.loads(manifest_bytes(publisher.manifest(columns)))["shards"]
    with pytest.raises(DataError, match="the same shard twice"):
        parse_manifest(lying(world, shards=[*shards, shards[0]]))


@pytest.mark.parametrize("removed", [[5, 4], [4, 4], [10_000], [-1], ["1"], [True]])
def test_removed_rows_that_are_none_are_refused(world, removed):
    publisher, columns = world
    shards = json.loads(manifest_bytes(publisher.manifest(columns)))["shards"]
    shards[0]["removed"] = removed
    with pytest.raises(DataError, match="removed"):
        parse_manifest(lying(world, shards=shards))


def test_no_key_is_ever_in_a_message(world):
    publisher, columns = world
    shards = json.loads(manifest_bytes(publisher.manifest(columns)))["shards"]
    key = shards[0]["key"]
    for broken in ({"key": key[:-4]}, {"removed": key}, {"name": key}, {key: 1}):
        with pytest.raises(DataError) as caught:
            parse_manifest(lying(world, shards=[shards[0] | broken]))
        assert key[:20] not in str(caught.value) or key in broken


def test_more_bytes_than_a_manifest_can_have_are_not_parsed():
    with pytest.raises(DataError, match="at most"):
        parse_manifest(b" " * (MAX_MANIFEST + 1))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[" * 100_000, b"\xff\xfe", b'{"list":1e999}']
)
def test_what_is_no_json_object_is_refused_in_one_line(data):
    for parse in (parse_manifest, parse_envelopes):
        with pytest.raises(DataError) as caught:
            parse(data)
        assert "\n" not in str(caught.value)


def test_two_envelopes_for_one_device_are_refused(world):
    publisher, columns = world
    with pytest.raises(DataError, match="two envelopes"):
        sealed_for(publisher.manifest(columns), public(KEY), public(KEY))


def test_envelopes_are_found_by_the_key():
    one, other = an_envelope("a" * 32, b"x" * 80), an_envelope("b" * 32, b"y" * 80)
    fields = {"list": LIST, "version": 1, "manifest": "0" * 64}
    both = [envelope.model_dump(mode="json") for envelope in (one, other)]
    file = parse_envelopes(json.dumps({**fields, "envelopes": both}).encode())
    assert my_envelope(file, "b" * 32).sealed == b"y" * 80


def test_a_shard_of_another_length_than_its_manifest_says_is_refused(world):
    publisher, _ = world
    with pytest.raises(DataError, match="the manifest says"):
        live_rows(publisher.refs[0], some_columns(2))


def test_shards_that_do_not_make_the_list_are_refused(world):
    publisher, columns = world
    manifest, shards = publisher.manifest(columns), shards_of(publisher)
    (ref, _, first), *rest = shards
    for wrong, said in (
        (shards[:-1], "missing"),
        ([*shards, shards[0]], "there twice"),
        ([(ref, "other", first), *rest], "'other'"),
        ([(ref, SPACE, some_columns(len(first), dim=8)), *rest], "8 numbers"),
        ([(a_shard("0" * 64, 9, bytes(32), 1, ()), SPACE, first), *rest], "not in the manifest"),
    ):
        with pytest.raises(DataError, match=said):
            assemble(manifest, wrong)


def test_an_entry_in_two_shards_is_refused(world):
    publisher, columns = world
    manifest, shards = publisher.manifest(columns), shards_of(publisher)
    alive = [at for at in range(len(shards)) if not shards[at][0].removed][:2]
    twin, victim = (shards[at] for at in alive)
    shards[alive[1]] = (victim[0], SPACE, twin[2].pick(np.arange(victim[0].entries) % len(twin[2])))
    with pytest.raises(DataError, match="on the list twice"):
        assemble(manifest, shards)


def test_counts_are_held_to_the_manifest(world):
    publisher, columns = world
    with pytest.raises(DataError, match="the manifest says 22 with 23"):
        assemble(publisher.manifest(columns, templates=23), shards_of(publisher))
    with pytest.raises(DataError, match="more in its shards"):
        join(publisher.manifest(columns), [concat([columns, some_columns(9, first=90)])])


def test_what_a_store_still_holds_is_joined_too(world):
    publisher, columns = world
    manifest = publisher.manifest(columns)
    left = join(
        manifest,
        [columns.pick(np.arange(4)), columns.pick(np.arange(0)), columns.pick(np.array([7]))],
    )
    assert left.columns.entry.tolist() == columns.entry[[0, 1, 2, 3, 7]].tolist()
    assert np.array_equal(left.columns.vectors, columns.vectors[[0, 1, 2, 3, 7]])
    assert len(join(manifest, []).columns) == 0


def test_a_list_can_be_empty():
    publisher = Publisher()
    columns = some_columns(1).pick(np.arange(0))
    publisher.publish(columns)
    manifest = opened(*sealed_for(publisher.manifest(columns), public(KEY)))
    stored = assemble(manifest, [])
    assert (len(stored.columns), stored.columns.dim) == (0, 16)
