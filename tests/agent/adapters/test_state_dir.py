from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from agent.adapters.state_dir import StateLock, open_to_others, prepare, write_json
from agent.errors import DiskError, UnavailableError


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "state"
    prepare(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    prepare(folder)
    assert open_to_others(folder) == ""


def test_a_folder_of_other_making_that_others_may_look_into(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    prepare(folder)
    assert f"chmod 700 {folder}" in open_to_others(folder)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="choose --state-dir"):
        prepare(tmp_path / "file" / "state")


def test_one_agent_at_a_time(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    first.acquire()
    with pytest.raises(UnavailableError, match="another agent already runs"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_files_are_written_whole_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "report.json"
    write_json(path, {"fps": 1})
    write_json(path, {"fps": 2})
    assert json.loads(path.read_text()) == {"fps": 2}
    assert [one.name for one in path.parent.iterdir()] == ["report.json"]


def test_a_write_that_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(DiskError, match=r"report\.json: is a directory"):
        write_json(tmp_path / "report.json", {})
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]
