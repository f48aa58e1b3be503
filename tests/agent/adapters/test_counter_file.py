from __future__ import annotations

import pytest

from agent.adapters.counter_file import overwrite_counter, read_counter, write_counter
from agent.errors import DiskError


def test_counters_are_kept_apart(tmp_path):
    path = tmp_path / "counters"
    write_counter(path, "session", 4)
    write_counter(path, "other", 9)
    write_counter(path, "session", 5)

    assert (read_counter(path, "session"), read_counter(path, "other")) == (5, 9)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [part.name for part in tmp_path.iterdir()] == ["counters"]


@pytest.mark.parametrize("content", [None, b"", b"{torn", b"[1]", b'{"session":"5"}', b"\xff" * 9])
def test_what_cannot_be_read_counts_as_nothing(tmp_path, content):
    path = tmp_path / "counters"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    assert read_counter(path, "session") == 0
    write_counter(path, "session", 1)
    assert read_counter(path, "session") == 1


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(DiskError, match="no such file"):
        write_counter(tmp_path / "nowhere" / "counters", "session", 1)


def test_in_place_it_takes_no_block_more_and_makes_no_file(tmp_path):
    path = tmp_path / "counters"
    assert not overwrite_counter(path, "session", 10)
    assert not path.exists()
    for before, after in ((9, 10), (10, 9)):
        write_counter(path, "session", before)
        inode = path.stat().st_ino
        assert overwrite_counter(path, "session", after)
        assert (read_counter(path, "session"), path.stat().st_ino) == (after, inode)
