"""One writer at a time, over threads and processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent.adapters.file_lock import locked
from agent.errors import DiskError, UnavailableError

_HOLDER = """
import sys
from pathlib import Path
from agent.adapters.file_lock import locked
with locked(Path(sys.argv[1]), 0.0, "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_told_what_goes_on(tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".lock", 0.0, "somebody writes"),
        pytest.raises(UnavailableError, match="somebody writes"),
        locked(tmp_path / ".lock", 0.0, "somebody writes"),
    ):
        pass


def test_it_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UnavailableError), locked(tmp_path / ".lock", 0.0, "busy"):
            pass
        holder.kill()
        with locked(tmp_path / ".lock", 5.0, "busy"):
            pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskError), locked(tmp_path / ".lock", 0.0, "busy"):
        pass
    assert not (tmp_path / "elsewhere").exists()
