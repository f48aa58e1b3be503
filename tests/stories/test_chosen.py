"""What `make stories ONLY=…` makes of what is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.errors import SimError
from firmware_sim.story.loading import story_names
from tests.stories.__main__ import main
from tests.stories.chosen import chosen

MINE = """
title: t
seed: 1
seconds: 5
settings: {SETTINGS}
expect: {found_at_least: 0}
"""


def mine(folder: Path, name: str = "mine", settings: str = "") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(MINE.replace("SETTINGS", settings))
    return str(path)


def test_all_or_those_named_in_their_order(tmp_path: Path) -> None:
    assert list(chosen([])) == story_names()
    assert list(chosen(["walk-up,", "rain"])) == ["walk-up", "rain"]
    assert list(chosen(["rain,walk-up night"])) == ["rain", "walk-up", "night"]


def test_a_file_has_a_name_of_its_own_and_no_other_folder(tmp_path: Path) -> None:
    assert list(chosen([mine(tmp_path), "rain"])) == ["mine", "rain"]
    with pytest.raises(SimError, match="another story is called rain; rename it"):
        chosen([mine(tmp_path, "rain")])
    (tmp_path / "more").mkdir()
    with pytest.raises(SimError, match="another story is called mine"):
        chosen([mine(tmp_path), mine(tmp_path / "more")])


def test_every_problem_is_told_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = mine(tmp_path, settings="decision.cooldown: 4")
    assert main(["--only", "walk-upp", wrong]) == 66
    first, second = capsys.readouterr().err.splitlines()
    assert "walk-upp: no such story or file; did you mean walk-up?" in first
    assert "settings: decision.cooldown: no such key; did you mean cooldown_s?" in second
