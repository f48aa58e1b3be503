"""`bodycam-sim score` on files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_sim.cli import main

HEAD = {
    "format": "bodycam.truth.v1", "story": "s", "width": 9, "height": 9, "fps": 10, "frames": 2,
    "identities": 0, "entries": {},
}  # fmt: skip
FRAME = {"frame": 0, "at_us": 0, "passing": [], "people": []}
STATE = {"topic": "bodycam/a/c/state", "received_at": 1.0, "payload": {"state": "armed"}}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "truth": [HEAD, FRAME],
        "received": [STATE],
        "report": [{"alerts": {"raised": 0}, "tracks": 0, "subjects": 0}],
        "nonsense": ["x"],
    }
    found = {}
    for name, lines in contents.items():
        found[name] = tmp_path / name
        found[name].write_text("".join(json.dumps(line) + "\n" for line in lines))
    return found


def argv(files: dict[str, Path], *more: str, **other: str) -> list[str]:
    chosen = {name: files[other.get(name, name)] for name in ("truth", "received")}
    named = [part for name, path in chosen.items() for part in (f"--{name}", str(path))]
    return ["score", *named, "--start-at", "0", *more]


def test_json_page_and_bounds(files: dict[str, Path], tmp_path: Path, capsys) -> None:
    page = tmp_path / "page.html"
    more = ["--json", "--html", str(page), "--report", str(files["report"])]
    assert main([*argv(files, *more), "--story", "empty-street"]) == 0
    assert json.loads(capsys.readouterr().out)["states"] == ["armed"]
    assert page.read_text().startswith("<!doctype html>")


def test_worse_than_expected_is_exit_code_1(files: dict[str, Path], capsys) -> None:
    assert main(argv(files, "--story", "walk-up")) == 1
    assert "0 appearances found, at least 1 expected" in capsys.readouterr().err


def test_bounds_of_another_story_are_noted(files: dict[str, Path], capsys) -> None:
    main(argv(files, "--story", "empty-street"))
    assert "truth is of the story s, not of empty-street" in capsys.readouterr().err
    files["truth"].write_text(files["truth"].read_text().replace('"s"', '"empty-street"'))
    main(argv(files, "--story", "empty-street"))
    assert "note" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "code"),
    [({"truth": "received"}, 65), ({"received": "truth"}, 65), ({"truth": "nonsense"}, 65)],
)
def test_the_wrong_file_is_told(files: dict[str, Path], other, code: int, capsys) -> None:
    assert main(argv(files, **other)) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_file_is_66_and_a_wrong_report_65(files: dict[str, Path]) -> None:
    files["gone"] = files["truth"].with_name("gone")
    assert main(argv(files, truth="gone")) == 66
    assert main(argv(files, "--report", str(files["truth"]))) == 65
