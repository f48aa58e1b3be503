from __future__ import annotations

import base64

import pytest
from pydantic import ValidationError

from agent.messages.bundle import (
    MAX_DEVICES,
    MAX_MANIFEST,
    MAX_SHARD,
    MAX_SHARDS,
    Envelope,
    EnvelopeFile,
    ListManifest,
    ShardRef,
    envelope_info,
    envelopes_target,
    manifest_about,
    manifest_target,
    shard_target,
)

KEY = base64.b64encode(bytes(range(32))).decode()
SHARD = {"name": "a" * 64, "length": 1000, "key": KEY, "entries": 5, "removed": (1, 4)}
MANIFEST = {
    "list": "L-1",
    "version": 3,
    "created": 1.8e9,
    "not_after": 1.9e9,
    "space": "sface",
    "dim": 128,
    "entries": 3,
    "templates": 3,
    "shards": (SHARD,),
}
ENVELOPE = {"key_id": "b" * 32, "sealed": base64.b64encode(bytes(80)).decode()}
FILE = {"list": "L-1", "version": 3, "manifest": "c" * 64, "envelopes": (ENVELOPE,)}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [(ShardRef, SHARD), (ListManifest, MANIFEST), (Envelope, ENVELOPE), (EnvelopeFile, FILE)],
)
def test_a_message_is_read_back_as_it_was_written(kind, fields):
    message = kind.model_validate(fields)
    assert kind.model_validate_json(message.model_dump_json(), strict=True) == message
    with pytest.raises(ValidationError, match="frozen"):
        setattr(message, next(iter(fields)), None)


def test_keys_are_raw_bytes_inside_and_base64_outside():
    assert ShardRef.model_validate(SHARD).key == bytes(range(32))
    assert f'"key":"{KEY}"' in ShardRef.model_validate(SHARD).model_dump_json()


def test_no_key_shows_in_a_repr():
    shown = repr(ListManifest.model_validate(MANIFEST))
    assert "L-1" in shown
    assert "key=" not in shown
    assert "\\x01\\x02" not in shown


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "A" * 64},
        {"name": "a" * 63},
        {"length": 0},
        {"length": MAX_SHARD + 1},
        {"key": KEY[:-4]},
        {"key": base64.b64encode(bytes(33)).decode()},
        {"entries": 0},
        {"entries": 1_000_001},
        {"removed": (4, 1)},
        {"removed": (1, 1)},
        {"removed": (5,)},
        {"removed": (-1,)},
        {"extra": 1},
    ],
)
def test_a_shard_that_cannot_be_is_refused(changes):
    with pytest.raises(ValidationError):
        ShardRef.model_validate(SHARD | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "bodycam.list.v2"},
        {"list": "with space"},
        {"list": "../up"},
        {"list": "L-1\n"},
        {"list": ""},
        {"version": 0},
        {"version": 2**53 + 1},
        {"created": -1},
        {"created": float("nan")},
        {"not_after": float("inf")},
        {"not_after": 1.8e9},
        {"space": ""},
        {"dim": 7},
        {"dim": 2049},
        {"entries": -1},
        {"templates": 1_000_001},
        {"shards": (SHARD,) * (MAX_SHARDS + 1)},
        {"extra": 1},
    ],
)
def test_a_manifest_that_cannot_be_is_refused(changes):
    with pytest.raises(ValidationError):
        ListManifest.model_validate(MANIFEST | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"manifest": "c" * 63},
        {"list": "with space"},
        {"version": 0},
        {"envelopes": (ENVELOPE | {"key_id": "B" * 32},)},
        {"envelopes": (ENVELOPE | {"sealed": base64.b64encode(bytes(257)).decode()},)},
        {"envelopes": (ENVELOPE | {"sealed": base64.b64encode(bytes(31)).decode()},)},
        {"extra": 1},
    ],
)
def test_an_envelope_file_that_cannot_be_is_refused(changes):
    with pytest.raises(ValidationError):
        EnvelopeFile.model_validate(FILE | changes)


def test_the_largest_list_fits_its_manifest():
    """4,096 shards, and every tenth of a million rows removed."""
    shard = len(ShardRef.model_validate(SHARD | {"removed": ()}).model_dump_json()) + 1
    assert MAX_SHARDS * (shard + 20) + 100_000 * 8 < MAX_MANIFEST


def test_as_many_devices_as_there_may_be_fit_the_file():
    envelope = len(Envelope.model_validate(ENVELOPE).model_dump_json()) + 1
    assert envelope * MAX_DEVICES < 32 << 20


def test_targets_lie_below_lists():
    assert manifest_target("L-1") == "lists/L-1.manifest"
    assert envelopes_target("L-1") == "lists/L-1.envelopes"
    assert shard_target("a" * 64) == f"lists/{'a' * 64}.shard"


def test_what_a_secret_is_bound_to_tells_lists_versions_and_devices_apart():
    bound = {
        manifest_about("L-1", 1),
        manifest_about("L-1", 2),
        manifest_about("L-2", 1),
        envelope_info("L-1", 1, "a" * 32),
        envelope_info("L-1", 1, "b" * 32),
        envelope_info("L-1", 2, "a" * 32),
        envelope_info("L-2", 1, "a" * 32),
    }
    assert len(bound) == 7
