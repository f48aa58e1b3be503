from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import DataError
from agent.values import WatchlistRef
from agent.watchlist.columns import Columns, StoredList, no_entries
from agent.watchlist.listfile import PREFIX, as_bytes, format_of, parse, peek
from tests.support.lists import a_list, a_meta, columns_of, some_columns, units

IDS = st.text("abcXYZ019_.:-", min_size=1, max_size=64)
SMALL = as_bytes(a_list(some_columns(2, dim=8)))


@st.composite
def lists(draw):
    names = draw(st.lists(IDS, unique=True, max_size=6))
    metas = [
        a_meta(
            at,
            entry=name,
            subject=draw(IDS),
            basis=draw(IDS),
            authorisation=draw(IDS),
            priority=draw(st.integers(0, 1000)),
            not_before=draw(st.floats(0, 1e9)),
            not_after=draw(st.floats(1.1e9, 3e10)),
        )
        for at, name in enumerate(names)
    ]
    counts = [draw(st.integers(1, 4)) for _ in metas]
    dim = draw(st.sampled_from([8, 16, 128]))
    columns = columns_of(metas, counts, units(sum(counts), dim)) if metas else no_entries(dim)
    return StoredList(draw(IDS), draw(st.integers(0, 2**53)), draw(IDS), columns)


def same(a: Columns, b: Columns) -> bool:
    rows = range(len(a))
    return (
        [a.meta(row) for row in rows] == [b.meta(row) for row in range(len(b))]
        and [a.provenance(row) for row in rows] == [b.provenance(row) for row in rows]
        and np.array_equal(a.vectors, b.vectors)
    )


@given(lists())
@settings(max_examples=60, deadline=None)
def test_a_round_trip_keeps_everything(stored):
    back = parse(as_bytes(stored))
    assert (back.id, back.version, back.space) == (stored.id, stored.version, stored.space)
    assert same(stored.columns, back.columns)
    assert as_bytes(back) == as_bytes(stored)


def test_every_flipped_bit_is_found():
    missed = []
    for bit in range(len(SMALL) * 8):
        damaged = bytearray(SMALL)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            parse(bytes(damaged))
        except DataError:
            continue
        missed.append(bit)
    assert not missed


@given(st.integers(0, len(SMALL) - 1))
def test_every_cut_is_found(length):
    with pytest.raises(DataError):
        parse(SMALL[:length])


@given(st.binary(max_size=300))
def test_noise_is_refused_in_one_line(noise):
    for data in (noise, SMALL[: PREFIX.size] + noise):
        with pytest.raises(DataError) as caught:
            parse(data)
        assert "\n" not in str(caught.value)


def signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


def with_header(**changes):
    """A file whose header lies, with a checksum that agrees."""
    length = struct.unpack_from("<I", SMALL, 12)[0]
    header = json.loads(SMALL[PREFIX.size : PREFIX.size + length])
    text = json.dumps({**header, **changes}).encode().ljust(length)
    body = SMALL[PREFIX.size + length : -32]
    prefix = bytearray(SMALL[: PREFIX.size])
    struct.pack_into("<I", prefix, 12, len(text))
    return signed(bytes(prefix) + text + body)


@pytest.mark.parametrize(
    "changes",
    [
        {"entries": 3},
        {"entries": 10**6},
        {"entries": 10**12},
        {"templates": 1},
        {"templates": 10**6},
        {"dim": 2048},
        {"dim": -8},
        {"entry_width": 0},
        {"entry_width": 10**9},
        {"basis": []},
        {"basis": ["x" * 65]},
        {"basis": ["not allowed"]},
        {"embedder": ["x"]},
        {"entries": "2"},
        {"more": 1},
    ],
)
def test_a_header_that_lies_is_refused(changes):
    with pytest.raises(DataError):
        parse(with_header(**changes))


def test_a_bad_entry_behind_a_good_checksum_is_named():
    columns = some_columns(2, dim=8)
    bad = replace(columns, vectors=columns.vectors * np.float32(2))
    with pytest.raises(DataError, match="entry 'E-1'"):
        parse(as_bytes(a_list(bad)))


def test_bytes_after_the_last_column_are_refused():
    with pytest.raises(DataError, match="longer than"):
        parse(signed(SMALL[:-32] + bytes(64)))


def test_a_newer_format_says_so():
    newer = bytearray(SMALL)
    struct.pack_into("<H", newer, 8, 2)
    with pytest.raises(DataError, match="format 2, this program reads format 1"):
        parse(signed(bytes(newer[:-32])))
    assert format_of(bytes(newer)) == 2


def test_peek_reads_the_version_from_the_first_bytes():
    assert peek(SMALL[: PREFIX.size]) == WatchlistRef("local-1", 3)
    assert peek(SMALL[: PREFIX.size - 1]) is None
    assert peek(b"x" * 200) is None


def test_the_columns_are_views_of_the_file():
    parsed = parse(SMALL)
    assert not parsed.columns.vectors.flags.owndata
    assert not parsed.columns.vectors.flags.writeable


def test_the_format_has_not_changed():
    """Lists on devices must stay readable; a new format needs a new number."""
    metas = [a_meta(number) for number in range(5)]
    columns = columns_of(metas, [1, 2, 1, 3, 1], np.eye(8, dtype=np.float32))
    digest = hashlib.sha256(as_bytes(a_list(columns))).hexdigest()
    assert digest == "d1311e9e4f58cdcc58019b67ab98fefffce17908a3482d1dfc7529f693e46487"
