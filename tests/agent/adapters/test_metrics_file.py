from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.adapters.disk_space import free_mb
from agent.adapters.kernel_time import clock_state
from agent.adapters.metrics_file import MetricsFile
from agent.errors import DiskError


def test_written_whole_for_everybody_to_read_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "bodycam.prom"
    before = os.umask(0o077)
    try:
        MetricsFile(path).write("bodycam_armed 1\n")
        MetricsFile(path).write("bodycam_armed 0\n")
    finally:
        os.umask(before)
    assert path.read_text() == "bodycam_armed 0\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in tmp_path.iterdir()] == ["bodycam.prom"]


def test_a_link_in_its_place_is_replaced_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    for name in ("bodycam.prom", ".bodycam.prom.new"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    MetricsFile(tmp_path / "bodycam.prom").write("x 1\n")
    assert (tmp_path / "precious").read_text() == "keep me"
    assert (tmp_path / "bodycam.prom").read_text() == "x 1\n"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "bodycam.prom"
    with pytest.raises(DiskError, match=r"health\.prometheus_file .*no such file"):
        MetricsFile(path).write("x 1\n")
    MetricsFile(path).remove()


def test_gone_at_the_end(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "bodycam.prom")
    file.write("x 1\n")
    file.remove()
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_free_space(tmp_path: Path) -> None:
    status = os.statvfs(tmp_path)
    assert free_mb(tmp_path) == pytest.approx(status.f_bavail * status.f_frsize / 1e6, abs=50)
    assert free_mb(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("answer", "state"),
    [(0, "synchronised"), (1, "synchronised"), (5, "free-running"), (-1, "unknown")],
)
def test_what_the_kernel_says_of_its_clock(answer: int, state: str) -> None:
    asked: list[bytes] = []

    def adjtimex(buffer: object) -> int:
        asked.append(bytes(buffer))
        return answer

    assert clock_state(adjtimex) == state
    assert set(asked[0]) == {0}, "nothing is to be changed"


def test_the_kernel_here_says_something() -> None:
    assert clock_state() in ("synchronised", "free-running", "unknown")
