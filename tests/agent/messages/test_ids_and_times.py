import re
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.messages import iso_utc, new_ulid
from agent.messages.ids import ULID_PATTERN

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MILLISECONDS = st.integers(0, 2**48 - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)


def decode(ulid: str) -> tuple[int, bytes]:
    """(milliseconds, randomness), by the specification."""
    number = 0
    for letter in ulid:
        number = number * 32 + CROCKFORD.index(letter)
    return number >> 80, (number & (2**80 - 1)).to_bytes(10, "big")


@given(milliseconds=st.integers(0, 2**43), randomness=RANDOMNESS)
def test_a_ulid_holds_its_time_and_randomness(milliseconds, randomness):
    ulid = new_ulid(wall_s=milliseconds / 1000 + 1e-5, randomness=randomness)
    assert len(ulid) == 26
    assert re.fullmatch(ULID_PATTERN, ulid)
    assert decode(ulid) == (milliseconds, randomness)


@given(times=st.lists(st.integers(0, 2**43), min_size=2, max_size=2, unique=True), data=st.data())
def test_ulids_sort_by_time(times, data):
    early, late = sorted(times)
    first, second = (
        new_ulid(wall_s=ms / 1000 + 1e-5, randomness=data.draw(RANDOMNESS)) for ms in (early, late)
    )
    assert first < second


def test_the_example_of_the_specification():
    # the README of github.com/ulid/spec encodes this time as 01ARZ3NDEK
    ulid = new_ulid(wall_s=1469922850.2591, randomness=bytes(10))
    assert ulid == "01ARZ3NDEK" + 16 * "0"


@pytest.mark.parametrize("wall_s", [-0.001, 2**48 / 1000])
def test_times_outside_48_bits_are_refused(wall_s):
    with pytest.raises(ValueError, match="outside"):
        new_ulid(wall_s=wall_s, randomness=bytes(10))


@pytest.mark.parametrize("size", [0, 9, 11])
def test_randomness_is_ten_bytes(size):
    with pytest.raises(ValueError, match=f"expected 10 bytes, got {size}"):
        new_ulid(wall_s=1.0, randomness=bytes(size))


@pytest.mark.parametrize(
    ("wall_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1772368496.789, "2026-03-01T12:34:56.789Z"),
        (1709164800.0, "2024-02-29T00:00:00.000Z"),
        (1772368496.9996, "2026-03-01T12:34:56.999Z"),
    ],
)
def test_times_are_utc_with_milliseconds(wall_s, text):
    assert iso_utc(wall_s) == text


@given(st.floats(0, 4e9))
def test_a_time_reads_back_to_the_millisecond(wall_s):
    moment = datetime.strptime(iso_utc(wall_s), "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007
    back = moment.replace(tzinfo=timezone.utc).timestamp()
    assert -2e-6 <= wall_s - back < 0.001 + 2e-6
