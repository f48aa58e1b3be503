"""A story that cannot be played here is skipped with a reason: it neither fails nor passes."""

from __future__ import annotations

import json

import pytest

from firmware_sim.story.loading import load_story, story_names
from tests.stories import __main__ as command
from tests.stories import needs
from tests.support.small_disk import CannotMountError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without libfaketime, where nobody may mount."""

    def forbidden(*_: object) -> None:
        raise CannotMountError("a small file system needs the right to mount (root): no")

    monkeypatch.setattr(needs, "faketime", lambda: "")
    monkeypatch.setattr(needs, "mounted", forbidden)
    needs._no_disk.cache_clear()
    yield
    needs._no_disk.cache_clear()


@pytest.mark.usefixtures("bare")
def test_what_is_missing_is_said_in_one_line() -> None:
    clock = needs.missing(load_story("clock-jump")[1])
    assert clock == ("shift_clock: libfaketime is not installed (Debian: apt-get install faketime)")
    assert needs.lacking({"fill_disk"}).startswith("fill_disk: a small file system needs")
    others = [name for name in story_names() if name != "clock-jump"]
    assert {needs.missing(load_story(name)[1]) for name in others} == {""}


def test_with_libfaketime_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "faketime", lambda: "/usr/lib/libfaketimeMT.so.1")
    assert needs.missing(load_story("clock-jump")[1]) == ""


@pytest.mark.usefixtures("bare")
def test_a_skipped_story_has_not_passed_and_fails_nothing(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["stories", "--only", "clock-jump"])
    assert command.main() == 0
    told = capsys.readouterr().out
    assert "skipped clock-jump: shift_clock: libfaketime is not installed" in told
    assert "0 of 0 stories as expected, 1 skipped" in told
    result = json.loads((tmp_path / "build" / "stories.json").read_text())["clock-jump"]
    assert result["passed"] is None
    assert "libfaketime" in result["score"]["skipped"]
