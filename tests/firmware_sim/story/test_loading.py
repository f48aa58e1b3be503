from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.errors import SimError
from firmware_sim.story.loading import load_story, read_story, story_names

GOOD = """
title: t
seed: 1
seconds: 5
people:
  - {who: p01, entry: E-1, path: [[0, 0, 5], [5, 0, 2]]}
expect: {found_at_least: 1}
"""


@pytest.mark.parametrize("name", story_names())
def test_every_shipped_story_is_one(name: str) -> None:
    assert load_story(name)[0] == name


def test_a_file_is_a_story_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    name, story = load_story(str(path))
    assert (name, story.people[0].entry) == ("mine", "E-1")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("seed: 1", "seed: -1"), "seed"),
        (("who: p01", "who: p99"), "nobody is called p99"),
        (("who: p01", "who: p05"), "p05 has no photograph"),
        (("[5, 0, 2]]", "[0, 0, 2], [3, 0, 1], [2, 0, 1]]"), "back in time"),
        (("seconds: 5", "seconds: 5\nevents: [{at: 9, do: disarm}]"), "after the end"),
        (("seconds: 5", "seconds: 5\nevents: [{at: 1, do: explode}]"), "events.0.do"),
        (("seconds: 5", "seconds: 5\nevents: [{at: 1, do: cut_link}]"), "cut_link takes seconds"),
        (
            ("seconds: 5", "seconds: 5\nevents: [{at: 1, do: disarm, percent: 3}]"),
            "disarm takes nothing else",
        ),
        (("found_at_least: 1", "found_at_least: 1, recovers_within_s: 2"), "in which something"),
        (("seconds: 5", "seconds: 5\ncamera: {motion: [{at: 1}]}"), "begins at 0"),
        (("title: t", "title: t\nsubtitle: u"), "subtitle"),
        (("expect: {found_at_least: 1}", ""), "expect"),
        (
            ("people:", "people:\n  - {who: p01, path: [[0, 0, 5]]}"),
            "everybody with that face",
        ),
        (("title: t", "title: [t"), "not YAML at line"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change: tuple[str, str], problem: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(SimError, match=problem.replace("(", r"\(")) as caught:
        read_story(GOOD.replace(*change), "mine")
    assert caught.value.code == 65
    assert "\n" not in str(caught.value)


def test_every_problem_at_once() -> None:
    with pytest.raises(SimError, match=r"seed.*seconds"):
        read_story(GOOD.replace("seed: 1", "seed: -1").replace("seconds: 5", "seconds: -5"), "x")


def test_no_such_story_names_those_there_are() -> None:
    with pytest.raises(SimError, match=r"shipped are .*walk-up") as caught:
        load_story("walk-down")
    assert caught.value.code == 66
