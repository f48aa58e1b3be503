"""`bodycam-sim render`: the same story is the same film, and its truth."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import pytest

from firmware_sim.cli import main

SHORT = """
title: t
seed: 3
seconds: 0.4
camera: {width: 320, height: 180, fps: 10}
light: {kind: night}
people:
  - {who: p01, entry: E-1, path: [[0, 0.1, 2]]}
crowd: {count: 3}
expect: {found_at_least: 1}
"""


@pytest.fixture
def story(tmp_path: Path) -> str:
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return str(path)


def rendered(story: str, footage: Path, out: Path, *options: str) -> tuple[list[str], str]:
    truth = out.with_suffix(".jsonl")
    where = ["--out", str(out), "--truth", str(truth), "--footage", str(footage)]
    assert main(["render", story, *where, *options]) == 0
    pictures = [hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.glob("*.jpg"))]
    return pictures, truth.read_text()


def test_pictures_and_truth_replay_bit_for_bit(story: str, footage: Path, tmp_path: Path) -> None:
    first = rendered(story, footage, tmp_path / "a")
    assert len(first[0]) == len(set(first[0])) == 4
    assert rendered(story, footage, tmp_path / "b") == first
    assert rendered(story, footage, tmp_path / "c", "--seed", "4")[0] != first[0]


def test_the_truth_has_a_head_and_a_line_for_each_frame(
    story: str, footage: Path, tmp_path: Path
) -> None:
    lines = [json.loads(x) for x in rendered(story, footage, tmp_path / "a")[1].splitlines()]
    assert lines[0]["format"] == "bodycam.truth.v1"
    assert lines[0]["entries"] == {"E-1": "p01"}
    assert [line["at_us"] for line in lines[1:]] == [0, 100_000, 200_000, 300_000]
    assert {"box", "landmarks", "visible", "distance_m", "width_px"} <= set(lines[1]["people"][-1])


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_film_has_every_frame_at_its_time(
    story: str, footage: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"film{suffix}"
    where = ["--out", str(out), "--footage", str(footage), "--size", "640x360"]
    assert main(["render", story, *where]) == 0
    film = cv2.VideoCapture(str(out))
    times = []
    while True:
        ok, image = film.read()
        if not ok:
            break
        times.append(film.get(cv2.CAP_PROP_POS_MSEC))
        assert image.shape == (360, 640, 3)
    film.release()
    assert times == pytest.approx([0, 100, 200, 300], abs=1)


@pytest.fixture
def workplace(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the footage where it is looked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "assets").symlink_to(footage)
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["render"], 64),
        (["render", "walk-up"], 64),
        (["render", "walk-up", "--truth", "t", "--size", "9x9"], 64),
        (["render", "walk-up", "--out", "film.mov"], 64),
        (["render", "no-such", "--truth", "t"], 66),
        (["render", "walk-up", "--truth", "t", "--footage", "nowhere"], 66),
        (["render", "walk-up", "--out", "/proc/nowhere/film.avi"], 74),
        (["render", "walk-up", "--truth", "nowhere/t.jsonl"], 74),
        (["run", "walk-up", "--truth", "nowhere/t.jsonl"], 74),
        (["run", "walk-up", "--footage", "nowhere"], 66),
    ],
)
def test_mistakes_are_one_line(argv: list[str], code: int, workplace: Path, capsys) -> None:
    assert main(argv) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bodycam-sim: ")
    assert err.count("\n") == 1


def test_the_shipped_stories_are_listed(capsys) -> None:
    assert main(["render", "--list", "--json"]) == 0
    assert "walk-up" in json.loads(capsys.readouterr().out)


def test_photographs_of_the_list_are_written(story: str, workplace: Path) -> None:
    assert main(["render", story, "--photos", "photos"]) == 0
    assert [one.name for one in Path("photos").iterdir()] == ["E-1.png"]
    assert cv2.imread("photos/E-1.png").shape[2] == 3
    Path("file").touch()
    assert main(["render", story, "--photos", "file"]) == 74


@pytest.mark.parametrize("out", ["film.mp4", "film.avi", "pictures"])
def test_half_a_film_is_not_left_behind(
    story: str, workplace: Path, out: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, _all: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("firmware_sim.cli_stories._progress", lambda: interrupt)
    assert main(["render", story, "--out", out, "--truth", "t.jsonl"]) == 130
    assert capsys.readouterr().err == "bodycam-sim: stopped\n"
    left = list(Path(out).glob("*")) if Path(out).is_dir() else [Path(out)]
    assert not any(one.exists() for one in left)
    assert not Path("t.jsonl").exists()
