"""Lamp and vibrator in a folder that looks like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.leds import SysfsIndicator
from tests.support.logs import KeptLog


def led(root: Path, name: str, *files: str) -> Path:
    folder = root / "class" / "leds" / name
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text("")
    (folder / "max_brightness").write_text("31\n")
    return folder


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    return led(tmp_path, "red:status", "brightness", "trigger", "delay_on", "delay_off")


@pytest.fixture
def vibrator(tmp_path: Path) -> Path:
    return led(tmp_path, "vibrator", "trigger", "duration", "state", "activate")


def test_steady_blinking_and_dark(tmp_path: Path, lamp: Path) -> None:
    indicator = SysfsIndicator(tmp_path, "red:status", "", KeptLog())
    indicator.show("armed")
    assert [(lamp / f).read_text() for f in ("trigger", "brightness")] == ["none", "31"]
    indicator.show("degraded")
    assert [(lamp / f).read_text() for f in ("trigger", "delay_on", "delay_off")] == [
        "timer", "100", "100",
    ]  # fmt: skip
    indicator.show("off")
    assert [(lamp / f).read_text() for f in ("trigger", "brightness")] == ["none", "0"]


def test_a_lamp_that_cannot_blink_is_lit(tmp_path: Path) -> None:
    plain = led(tmp_path, "plain", "brightness")
    SysfsIndicator(tmp_path, "plain", "", KeptLog()).show("degraded")
    assert (plain / "brightness").read_text() == "31"
    assert not (plain / "trigger").exists()  # nothing is made in a tree that is the kernel's


def test_the_vibrator_tells_changes_only(tmp_path: Path, vibrator: Path) -> None:
    indicator = SysfsIndicator(tmp_path, "", "vibrator", KeptLog())
    indicator.show("disarmed")
    assert (vibrator / "activate").read_text() == ""  # the first state is no change
    indicator.show("armed")
    assert [(vibrator / f).read_text() for f in ("trigger", "duration", "state", "activate")] == [
        "transient", "150", "1", "1",
    ]  # fmt: skip
    (vibrator / "activate").write_text("")
    indicator.show("armed")
    assert (vibrator / "activate").read_text() == ""


def test_without_any_and_with_a_missing_one_the_device_goes_on(tmp_path: Path) -> None:
    log = KeptLog()
    SysfsIndicator(tmp_path, "", "", log).show("armed")
    assert log.messages("warning") == []
    lost = SysfsIndicator(tmp_path, "not-there", "", log)
    for state in ("armed", "disarmed", "armed"):
        lost.show(state)
    assert len(log.messages("warning")) == 1


def test_a_lamp_that_went_away_is_told_once_and_lit_when_it_is_back(
    tmp_path: Path, lamp: Path, vibrator: Path
) -> None:
    log = KeptLog()
    indicator = SysfsIndicator(tmp_path, "red:status", "vibrator", log)
    indicator.show("disarmed")
    indicator.show("armed")
    (vibrator / "activate").write_text("")
    tree, away = tmp_path / "class", tmp_path / "away"
    tree.rename(away)
    for _ in range(5):
        indicator.refresh()
    [(_, _, said)] = log.lines
    assert said["reason"] == f"{lamp}/trigger: No such file or directory"
    away.rename(tree)
    (lamp / "brightness").write_text("0\n")
    indicator.refresh()
    assert (lamp / "brightness").read_text() == "31"
    assert (vibrator / "activate").read_text() == "", "nothing has changed that he must feel"
    assert log.messages("info") == ["the state is shown again"]


def test_what_changes_while_the_lamp_is_away_is_shown_when_it_is_back(
    tmp_path: Path, lamp: Path
) -> None:
    log = KeptLog()
    indicator = SysfsIndicator(tmp_path, "red:status", "", log)
    indicator.show("disarmed")
    tree, away = tmp_path / "class", tmp_path / "away"
    tree.rename(away)
    indicator.show("armed")
    away.rename(tree)
    indicator.refresh()
    assert [(lamp / f).read_text() for f in ("trigger", "brightness")] == ["none", "31"]
    assert len(log.lines) == 2


def test_a_lamp_that_somebody_put_out_while_it_must_be_lit_is_lit_again(
    tmp_path: Path, lamp: Path
) -> None:
    indicator = SysfsIndicator(tmp_path, "red:status", "", KeptLog())
    indicator.refresh()
    assert (lamp / "brightness").read_text() == "", "nothing to show yet"
    indicator.show("armed")
    (lamp / "brightness").write_text("0")
    indicator.refresh()
    assert (lamp / "brightness").read_text() == "31"
    indicator.show("off")
    (lamp / "trigger").write_text("")
    indicator.refresh()
    assert (lamp / "trigger").read_text() == "", "what is as it should be is not written again"


def test_a_missing_vibrator_is_told_once_and_keeps_no_lamp_from_being_lit(
    tmp_path: Path, lamp: Path
) -> None:
    log = KeptLog()
    indicator = SysfsIndicator(tmp_path, "red:status", "not-there", log)
    for state in ("disarmed", "armed", "disarmed", "armed"):
        indicator.show(state)
        indicator.refresh()
    assert (lamp / "brightness").read_text() == "31"
    assert len(log.lines) == 1
