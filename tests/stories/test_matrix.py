"""The plan of the matrix, and its table; the measuring itself is a story like others."""

from __future__ import annotations

from tests.stories.matrix import LISTED, SECONDS, SIZES, as_markdown, cells, trial


def test_every_distance_is_there_at_every_size() -> None:
    plan = [(cell.size, cell.metres[0]) for cell in cells() if cell.group == "distance"]
    assert plan == [(size, metres) for size in SIZES for metres in range(1, 11)]


def test_a_trial_is_one_person_for_its_time_and_both_are_listed() -> None:
    cell = next(cell for cell in cells() if cell.name == "person comes nearer, 4 to 1.5 m")
    first, again, other = (trial(cell, who, n) for who, n in (("p01", 1), ("p01", 1), ("p02", 2)))
    assert first == again
    assert [point[2] for point in first.people[0].path] == [4.0, 1.5]
    assert first.people[0].path[-1][0] == SECONDS
    for story in (first, other):
        entries = {story.people[0].entry: story.people[0].who} | story.list.absent
        assert entries == LISTED
    assert first.seed != other.seed


def test_strangers_are_on_no_list() -> None:
    assert trial(cells()[0], "p05", 0).people[0].entry == ""
    assert trial(cells()[0], "p05", 0).list.absent == LISTED


def test_the_table_has_a_row_for_each_size_and_condition() -> None:
    def row(cell, found):
        return {
            "group": cell.group, "small_faces": False, "name": cell.name,
            "size": f"{cell.size[0]}x{cell.size[1]}",
            "trials": 6, "found": found, "face_px": 30.4,
            "time_to_alert_s": 1.25 if found else None,
        }  # fmt: skip

    table = as_markdown({"cells": [row(cell, index % 3) for index, cell in enumerate(cells())]})
    assert "| found, 1280x720 | 0/6 | 1/6 | 2/6 |" in table
    assert "| found, 1920x1080 |" in table
    assert "| heavy rain | " in table
    assert sum("–" in line for line in table.splitlines()) > 3
