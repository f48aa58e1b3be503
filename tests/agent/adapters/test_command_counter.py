from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.command_counter import CommandCounter
from agent.errors import DataError, DiskError, RefusedError

KEY = "c" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "command-counter.json"


def test_it_outlives_the_process(path: Path) -> None:
    assert CommandCounter(path, KEY).read() == 0
    CommandCounter(path, KEY).write(41)
    CommandCounter(path, KEY).write(2**53)
    assert CommandCounter(path, KEY).read() == 2**53
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_device_provisioned_anew_begins_anew(path: Path) -> None:
    CommandCounter(path, KEY).write(41)
    assert CommandCounter(path, "d" * 32).read() == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "{}",
        '{"counter": 1}',
        '{"counter": "1", "device_key": "c"}',
        '{"counter": true, "device_key": "c"}',
        '{"counter": -1, "device_key": "c"}',
    ],
)
def test_a_damaged_one_is_an_error_and_never_zero(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(DataError, match="commands are refused"):
        CommandCounter(path, KEY).read()


def test_one_that_others_can_change_is_not_believed(path: Path) -> None:
    CommandCounter(path, KEY).write(1)
    path.chmod(0o666)
    with pytest.raises(RefusedError):
        CommandCounter(path, KEY).read()


def test_one_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(DiskError):
        CommandCounter(tmp_path / "gone" / "x.json", KEY).write(1)
