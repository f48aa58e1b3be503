from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters import sealing
from agent.errors import DataError
from agent.messages.bundle import MAX_SHARD
from agent.watchlist.columns import Coded, no_entries
from agent.watchlist.shard import MAX_PLAIN, PREFIX, decode_shard, encode_shard
from tests.bench.vectors import new_pictures, templates
from tests.support.lists import a_meta, columns_of, some_columns, units

IDS = st.text("abcXYZ019_.:-", min_size=1, max_size=64)
SMALL = encode_shard(some_columns(2, dim=8), "sface")


@st.composite
def shards(draw):
    names = draw(st.lists(IDS, unique=True, min_size=1, max_size=6))
    metas = [
        a_meta(
            at,
            entry=name,
            subject=draw(IDS),
            basis=draw(IDS),
            purpose=draw(IDS),
            authorisation=draw(IDS),
            priority=draw(st.integers(0, 1000)),
            not_before=draw(st.floats(0, 1e9)),
            not_after=draw(st.floats(1.1e9, 3e10)),
        )
        for at, name in enumerate(names)
    ]
    counts = [draw(st.integers(1, 4)) for _ in metas]
    return columns_of(metas, counts, units(sum(counts), draw(st.sampled_from([8, 16, 128]))))


@given(shards(), IDS)
@settings(max_examples=60, deadline=None)
def test_a_round_trip_keeps_everything_but_the_last_digits_of_the_vectors(columns, space):
    data = encode_shard(columns, space)
    named, back = decode_shard(data)
    rows = range(len(columns))
    assert named == space
    assert len(back) == len(columns)
    assert [back.meta(row) for row in rows] == [columns.meta(row) for row in rows]
    assert [back.provenance(row) for row in rows] == [columns.provenance(row) for row in rows]
    assert np.abs(back.vectors - columns.vectors).max() < 1e-3
    assert np.abs(np.linalg.norm(back.vectors, axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("dim", [128, 512])
def test_what_was_decoded_encodes_to_the_same_bytes(dim):
    metas = [a_meta(number) for number in range(900)]
    data = encode_shard(columns_of(metas, [1] * 900, units(900, dim)), "s")
    assert encode_shard(decode_shard(data)[1], "s") == data


def test_half_precision_moves_no_similarity_by_more_than_a_ten_thousandth_or_so():
    listed = templates(2_000, seed=1)
    asked = new_pictures(listed, 200, seed=2)
    metas = [a_meta(number) for number in range(2_000)]
    shard = encode_shard(columns_of(metas, [1] * 2_000, listed), "sface")
    kept = decode_shard(shard)[1].vectors
    moved = np.abs(asked @ listed.T - asked @ kept.T)
    assert moved.max() < 1.5e-4
    assert (np.argmax(asked @ listed.T, axis=1) == np.argmax(asked @ kept.T, axis=1)).all()


def test_300_000_entries_take_about_100_mb():
    metas = [
        a_meta(n, entry=f"{n:016x}", subject=f"{n + 7:016x}", not_after=1.9e9 + 86_400 * (n % 60))
        for n in range(2_500)
    ]
    data = encode_shard(columns_of(metas, [1] * 2_500, units(2_500, 128)), "sface")
    assert len(data) / 2_500 < 335


def test_what_fits_still_fits_when_encrypted():
    assert MAX_PLAIN + sealing.OVERHEAD == MAX_SHARD


def test_a_shard_that_would_be_too_large_is_not_made():
    metas = [a_meta(number) for number in range(3_600)]
    with pytest.raises(DataError, match="cut it smaller"):
        encode_shard(columns_of(metas, [1] * 3_600, units(3_600, 128)), "sface")


def test_a_shard_has_entries_and_a_family():
    with pytest.raises(DataError, match="are needed"):
        encode_shard(no_entries(8), "sface")
    with pytest.raises(DataError, match="are needed"):
        encode_shard(some_columns(), "")


def test_only_what_these_entries_use_is_told():
    columns = some_columns(3)
    columns = replace(
        columns, basis=Coded(columns.basis.codes, (*columns.basis.values, "another-list"))
    )
    data = encode_shard(columns.take(np.array([True, False, False])), "sface")
    assert b"another-list" not in data
    assert decode_shard(data)[1].entry.dtype == "S3"


@given(st.integers(0, len(SMALL) - 1))
def test_every_cut_is_found(length):
    with pytest.raises(DataError):
        decode_shard(SMALL[:length])


def test_more_than_a_shard_can_be_is_not_looked_at():
    with pytest.raises(DataError, match="at most"):
        decode_shard(SMALL + bytes(MAX_SHARD))
    with pytest.raises(DataError, match="longer than its header says"):
        decode_shard(SMALL + b"\0")


@given(st.binary(max_size=300))
def test_noise_is_refused_in_one_line(noise):
    for data in (noise, SMALL[: PREFIX.size] + noise):
        with pytest.raises(DataError) as caught:
            decode_shard(data)
        assert "\n" not in str(caught.value)


def with_header(**changes):
    """A shard whose header lies."""
    magic, form, zero, length = PREFIX.unpack_from(SMALL)
    header = json.loads(SMALL[PREFIX.size : PREFIX.size + length])
    text = json.dumps({**header, **changes}, separators=(",", ":")).encode()
    at = PREFIX.size + length
    body = SMALL[at + -at % 8 :]
    start = PREFIX.size + len(text)
    return PREFIX.pack(magic, form, zero, len(text)) + text + bytes(-start % 8) + body


def test_the_header_of_the_next_test_is_read():
    assert decode_shard(with_header(space="other"))[0] == "other"


@pytest.mark.parametrize(
    "changes",
    [
        {"space": ""},
        {"space": "two words"},
        {"dim": 16},
        {"dim": 7},
        {"dim": 10**9},
        {"entries": 0},
        {"entries": 1},
        {"entries": 3},
        {"entries": 65_536},
        {"entries": 2**70},
        {"templates": 1},
        {"templates": 3},
        {"templates": 65_537},
        {"entry_width": 0},
        {"entry_width": 65},
        {"times": 0},
        {"times": 3},
        {"times": 10**6},
        {"basis": []},
        {"basis": ["two words"]},
        {"basis": ["x"] * 4097},
        {"embedder": ["x"]},
        {"colour": "red"},
        {"entries": "2"},
        {"entries": 2.0},
        {"entries": True},
    ],
)
def test_a_header_that_lies_is_refused(changes):
    with pytest.raises(DataError):
        decode_shard(with_header(**changes))


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"X"), (8, b"\2"), (10, b"\1"), (15, b"\xff")],
    ids=["magic", "format", "zero", "length"],
)
def test_a_prefix_that_lies_is_refused(at, value):
    with pytest.raises(DataError):
        decode_shard(SMALL[:at] + value + SMALL[at + 1 :])


def broken(find: bytes, put: bytes) -> bytes:
    assert SMALL.count(find) >= 1
    return SMALL.replace(find, put, 1)


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (np.full(16, np.nan, "<f2"), "unit length"),
        (np.full(16, np.inf, "<f2"), "unit length"),
        (np.zeros(16, "<f2"), "unit length"),
        (np.full(16, 1.0, "<f2"), "unit length"),
    ],
)
def test_a_vector_that_is_none_names_its_entry(tail, said):
    with pytest.raises(DataError, match=rf"entry 'E-1'.*{said}"):
        decode_shard(SMALL[:-32] + tail.tobytes())


def test_a_bad_byte_in_a_column_is_refused():
    with pytest.raises(DataError, match="is on the list twice"):
        decode_shard(broken(b"E-1E-2", b"E-1E-1"))
    with pytest.raises(DataError, match="entry id"):
        decode_shard(broken(b"E-1E-2", b"E-1E 2"))
    time = np.array([1_900_000_000.0]).tobytes()
    with pytest.raises(DataError, match="expiry"):
        decode_shard(broken(time, np.array([np.nan]).tobytes()))


def test_no_byte_is_without_meaning_to_somebody():
    """Every byte of the columns either changes the entries or is refused."""
    same = []
    _, whole = decode_shard(SMALL)
    length = PREFIX.unpack_from(SMALL)[3]
    for at in range(PREFIX.size + length, len(SMALL)):
        changed = bytearray(SMALL)
        changed[at] ^= 0x21
        try:
            _, back = decode_shard(bytes(changed))
        except DataError:
            continue
        same += [at] if encode_shard(back, "sface") == encode_shard(whole, "sface") else []
    assert not same


def test_the_format_has_not_changed():
    """Shards on file servers must stay readable; a new format needs a new number."""
    metas = [a_meta(number) for number in range(5)]
    columns = columns_of(metas, [1, 2, 1, 3, 1], np.eye(8, dtype=np.float32))
    digest = hashlib.sha256(encode_shard(columns, "sface")).hexdigest()
    assert digest == "f5549eb6a57f0d1d4a9f32a5e86905abed100b0891b37f851d9d6c951cfe74ef"
