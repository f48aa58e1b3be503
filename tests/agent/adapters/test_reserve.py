"""The reserve on a real small file system."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.reserve import Reserve
from agent.errors import DiskError
from tests.support.small_disk import StorageEars, fill, free, small_disk

SIZE = 256 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, 1024) as place:
        yield place


@pytest.fixture
def ears() -> StorageEars:
    return StorageEars()


def test_it_has_real_blocks_that_only_the_owner_may_read(tmp_path, ears):
    reserve = Reserve(tmp_path / "reserve", SIZE, ears)
    assert reserve.take() is True

    status = (tmp_path / "reserve").stat()
    assert status.st_size == SIZE <= status.st_blocks * 512
    assert status.st_mode & 0o777 == 0o600
    assert ears.told == []


def test_on_a_full_disk_work_goes_on_in_its_place(disk, ears):
    reserve = Reserve(disk / "reserve", SIZE, ears)
    reserve.take()
    fill(disk)
    note = disk / "note"

    def work() -> int:
        note.write_bytes(b"x" * 10_000)
        return note.stat().st_size

    assert reserve.keep_going(work) == 10_000
    assert (reserve.spent, reserve.exhausted) == (True, False)
    assert ears.told == ["spending"]
    assert f"the disk of {disk} is full" in ears.problems[0]


def test_half_used_up_it_is_scarce(disk, ears):
    reserve = Reserve(disk / "reserve", SIZE, ears)
    reserve.take()
    fill(disk)
    reserve.release()
    assert not reserve.scarce
    (disk / "more").write_bytes(b"x" * (SIZE // 2 + 8192))
    assert reserve.scarce


def test_used_up_the_error_comes_through(disk, ears):
    reserve = Reserve(disk / "reserve", SIZE, ears)
    reserve.take()
    fill(disk)
    with pytest.raises(OSError, match="No space") as caught:
        reserve.keep_going(lambda: (disk / "large").write_bytes(b"x" * 2 * SIZE))

    assert reserve.is_full(caught.value)
    reserve.use_up()
    reserve.use_up()
    assert reserve.exhausted
    assert ears.told == ["spending", "exhausted"]


def test_it_is_taken_again_only_when_there_is_more_than_enough_space(disk, ears):
    reserve = Reserve(disk / "reserve", SIZE, ears)
    reserve.take()
    ballast = fill(disk)
    reserve.release()
    reserve.use_up()
    (disk / "more").write_bytes(b"x" * (SIZE - 8192))
    assert reserve.take() is False
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - SIZE)
    assert reserve.take() is False  # just enough would flutter
    ballast.unlink()
    assert reserve.take() is True

    assert ears.told == ["spending", "exhausted", "restored"]
    assert (reserve.spent, reserve.exhausted, reserve.scarce) == (False, False, False)


def test_one_that_an_earlier_run_left_is_its_own(disk, ears):
    Reserve(disk / "reserve", SIZE, ears).take()
    fill(disk)
    assert Reserve(disk / "reserve", SIZE, ears).release() is True
    assert free(disk) >= SIZE


def test_without_one_a_full_disk_is_the_end_at_once_and_space_is_told(disk, ears):
    reserve = Reserve(disk / "reserve", 0, ears)
    ballast = fill(disk)
    with pytest.raises(OSError, match="No space"):
        reserve.keep_going(lambda: (disk / "note").write_bytes(b"x" * 10_000))
    reserve.use_up()
    assert reserve.take() is False
    ballast.unlink()
    assert reserve.take() is False
    assert ears.told == ["spending", "exhausted", "restored"]


def made_from(cause: Exception) -> DiskError:
    try:
        try:
            raise cause
        except type(cause):
            raise DiskError("one line") from None
    except DiskError as error:
        return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (OSError(errno.EIO, "Input/output error"), False),
        (sqlite3.OperationalError("database or disk is full"), True),
        (sqlite3.OperationalError("disk I/O error"), False),
        (sqlite3.OperationalError("database is locked"), False),
        (ValueError("full"), False),
    ],
)
def test_what_counts_as_full(tmp_path, ears, error, full):
    reserve = Reserve(tmp_path / "reserve", SIZE, ears)
    assert reserve.is_full(error) is full
    assert reserve.is_full(made_from(error)) is full


def test_an_io_error_of_sqlite_on_a_full_disk_is_for_want_of_space(disk, ears):
    reserve = Reserve(disk / "reserve", SIZE, ears)
    fill(disk)
    assert free(disk) < 4096
    assert reserve.is_full(sqlite3.OperationalError("disk I/O error"))
