from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import DataError
from agent.watchlist.blocks import Block, end_of, read, write

DTYPES = st.sampled_from(["u1", "<u2", "<f2", "<i4", "<f8", "S5"])


@st.composite
def columns(draw):
    dtypes = [np.dtype(name) for name in draw(st.lists(DTYPES, max_size=5))]
    shapes = [(draw(st.integers(0, 6)), draw(st.integers(1, 3))) for _ in dtypes]
    blocks = [
        Block(str(at), dtype, shape)
        for at, (dtype, shape) in enumerate(zip(dtypes, shapes, strict=True))
    ]
    arrays = [
        np.frombuffer(draw(st.binary(min_size=size, max_size=size)), block.dtype).reshape(
            block.shape
        )
        if (size := block.count * block.dtype.itemsize)
        else np.zeros(block.shape, block.dtype)
        for block in blocks
    ]
    return blocks, arrays


def laid(blocks, arrays, at=3, align=8):
    pairs = [(array, block.dtype) for array, block in zip(arrays, blocks, strict=True)]
    return b"\xff" * at + b"".join(write(pairs, at, align))


@given(columns(), st.sampled_from([1, 8, 64]), st.integers(0, 70))
def test_blocks_come_back_and_end_where_they_are_said_to(made, align, at):
    blocks, arrays = made
    data = laid(blocks, arrays, at, align)
    assert len(data) == end_of(blocks, at, align)
    back = read(data, blocks, at, len(data), align=align, what="test")
    for block, array in zip(blocks, arrays, strict=True):
        assert back[block.name].shape == block.shape
        assert back[block.name].tobytes() == array.tobytes()


def test_each_block_starts_at_a_multiple_of_the_alignment():
    data = laid([Block("a", np.dtype("<u2"), (1,)), Block("b", np.dtype("u1"), (2,))], ARRAYS)
    assert data == b"\xff\xff\xff" + bytes(5) + b"\7\0" + bytes(6) + b"\1\2"


ARRAYS = [np.array([7]), np.array([1, 2])]
BLOCKS = [Block("a", np.dtype("<u2"), (1,)), Block("b", np.dtype("u1"), (2,))]


def test_what_does_not_fit_exactly_is_refused():
    data = laid(BLOCKS, ARRAYS)
    for wrong, said in (
        (data[:-1], "test: cut short"),
        (data + b"\0", "test: longer than its header says"),
        (data[:4] + b"\1" + data[5:], "test: damaged between its columns"),
    ):
        with pytest.raises(DataError, match=said):
            read(wrong, BLOCKS, 3, len(wrong), align=8, what="test")


def test_a_size_beyond_all_memory_is_refused_before_it_is_asked_for():
    huge = [Block("a", np.dtype("<f8"), (1 << 40, 1 << 40))]
    with pytest.raises(DataError, match="cut short"):
        read(bytes(100), huge, 0, 100, align=8, what="test")
