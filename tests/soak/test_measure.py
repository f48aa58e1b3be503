"""Figures of processes and folders."""

from __future__ import annotations

import mmap
import os
import threading
from pathlib import Path

import pytest

from tests.soak.measure import memory_mb, of_process, size_mb

ROLLUP = """\
55d0-7ffe ---p 00000000 00:00 0                          [rollup]
Rss:               97656 kB
Pss:               48828 kB
Anonymous:          9766 kB
"""


def test_what_the_kernel_tells_of_memory() -> None:
    assert memory_mb(ROLLUP) == {
        "rss_mb": pytest.approx(100.0, abs=0.001),
        "pss_mb": pytest.approx(50.0, abs=0.001),
        "anon_mb": pytest.approx(10.0, abs=0.001),
    }


def test_of_this_very_process() -> None:
    before = of_process(os.getpid())
    done, reading, writing = threading.Event(), *os.pipe()
    thread = threading.Thread(target=done.wait)
    thread.start()
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    ballast = mmap.mmap(-1, 8_000_000, private)  # no memory that was freed before
    ballast.write(bytes(8_000_000))
    after = of_process(os.getpid())
    done.set()
    thread.join()
    os.close(reading)
    os.close(writing)
    assert after["fds"] - before["fds"] == 2
    assert after["threads"] - before["threads"] == 1
    assert after["anon_mb"] - before["anon_mb"] > 7
    ballast.close()


def test_of_somebody_who_is_not_there() -> None:
    with pytest.raises(OSError, match="No such"):
        of_process(2**22 + 1)


def test_the_size_of_folders_and_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(bytes(200_000))
    (tmp_path / "d").write_bytes(bytes(100_000))
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    assert size_mb(tmp_path) == pytest.approx(0.3, abs=0.001)
    assert size_mb(tmp_path / "d", tmp_path / "gone") == pytest.approx(0.1, abs=0.001)
