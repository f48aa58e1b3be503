"""Another process reads the memory of the running agent, and finds nobody of a crowd in it.

What is looked for never enters the agent but through its camera: it is worked out here, from the
same pictures and the same networks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.demo.stage import AGENT, ROOT, Stage, end, enrol_commands
from tests.support.memory_scan import Found, Scanner, float_windows
from tests.support.receiver import wait_until
from tests.support.strangers import CROWD, Looker, film_as_sent, needles_of, planes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("models_dir"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may read another process's memory"),
]
KEPT_S = 10.0
HELD = {"unit", "crop u8", "frame u8", "control"}
"""While they are in sight."""
LISTED = "single_face.jpg"
EMPTY = "no_face.mp4"


@pytest.fixture(scope="module")
def scanner(models_dir: Path, footage: Path) -> Scanner:
    """For the crowd; and, as a control, for the man on the list, whom the agent must hold."""
    looker = Looker(models_dir)
    needles = needles_of(looker, [footage / name for name in CROWD])
    import cv2  # the photograph as it is, not as a camera sends it

    _, unit = looker.templates(looker.crops(cv2.imread(str(footage / LISTED))))
    return Scanner(needles | {"control": float_windows(unit)})


def strangers(found: Found) -> dict[str, int]:
    return {kind: hits for kind, hits in found.hits.items() if kind != "control"}


def scan(scanner: Scanner, process: subprocess.Popen[bytes]) -> Found:
    """While it runs: a scan takes seconds, in which the scene must not change."""
    found = scanner.scan(process.pid)
    assert found.scanned > 50e6
    return found


def ctl(stage: Stage, *words: str) -> None:
    command = [*AGENT, "ctl", *words, "--state-dir", str(stage.folder / "state")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


class Camera:
    """Shows one thing after another at one address."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._port = "0"
        self._now: subprocess.Popen[bytes] | None = None

    def show(self, *files: Path) -> str:
        self.end()
        options = ("--fps", "10", "--loop", "0", "--port", self._port)
        url = self._stage.start_camera(files, *options)
        self._now = self._stage._processes[-1]
        self._port = url.rpartition(":")[2].partition("/")[0]
        return url

    def end(self) -> None:
        if self._now is not None:
            end(self._now)


def test_a_process_that_keeps_everything_is_found_out(
    scanner: Scanner, models_dir: Path, footage: Path
) -> None:
    """Every kind of needle is the right one, and found where it is."""
    pictures = [str(footage / name) for name in CROWD]
    hoarder = subprocess.Popen(
        [sys.executable, "-m", "tests.support.strangers", str(models_dir), *pictures],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert hoarder.stdout is not None
        assert hoarder.stdout.readline() == b"ready\n"
        found = scanner.scan(hoarder.pid)
    finally:
        hoarder.kill()
        hoarder.communicate()
    assert found.distinct.keys() == scanner.count.keys() - {"control"}
    whole = ("crop u8", "crop planes", "crop f32", "frame u8", "frame f32", "jpeg")
    assert {kind: found.distinct[kind] for kind in whole} == {k: scanner.count[k] for k in whole}


def test_an_empty_street_holds_nothing_that_is_looked_for(scanner: Scanner, footage: Path) -> None:
    """What is found afterwards is of the crowd, and not a piece of sky that looks the same."""
    found = Found()
    for picture in film_as_sent(footage / EMPTY):
        scanner.search(picture.tobytes(), found)
        scanner.search(planes(picture[None]).tobytes(), found)
    assert found.hits == {}, found.where


def test_nobody_of_a_crowd_is_in_memory_after_it(
    scanner: Scanner, tmp_path: Path, models_dir: Path, footage: Path
) -> None:
    crowd = [footage / name for name in CROWD for _ in range(20)]
    with Stage(tmp_path) as stage:
        models = ("--set", f"models.dir={models_dir}")
        for command in enrol_commands(tmp_path / "state", footage / LISTED, 50, "2999-12-31"):
            stage.once("enrol", [*command, *models])
        camera = Camera(stage)
        command = [*AGENT, "run", "--source", camera.show(*crowd), *models]
        command += ["--state-dir", str(tmp_path / "state"), "--reason", "x"]
        agent = stage.start("agent", command)
        log = tmp_path / "agent.log"
        wait_until(lambda: "armed" in log.read_text(), "armed", 30.0)
        seen: set[str] = set()
        wait_until(lambda: seen.update(scan(scanner, agent).hits) or seen >= HELD, "a crowd", 120)

        camera.show(footage / EMPTY)
        time.sleep(KEPT_S + 2.0)
        empty = scan(scanner, agent)
        assert strangers(empty) == {}, empty.where
        assert empty.hits["control"] > 0

        camera.show(*crowd)
        time.sleep(4.0)
        camera.end()
        time.sleep(KEPT_S + 1.0)
        silent = scan(scanner, agent)
        assert strangers(silent) == {}, silent.where

        camera.show(*crowd)
        wait_until(lambda: strangers(scan(scanner, agent)) != {}, "the crowd again", 120)
        ctl(stage, "disarm", "--reason", "enough")
        time.sleep(0.5)
        disarmed = scan(scanner, agent)
        assert strangers(disarmed) == {}, disarmed.where
