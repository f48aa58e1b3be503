"""Two timelines against the whole agent; the rest of `make faults` is its own run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.faults import __main__ as command
from tests.faults.batch import play_all
from tests.faults.judge import Verdict
from tests.faults.timelines import FAULTS, Timeline, pairs

FIGURES = {
    "recovery_s": 1.0, "recovers_within_s": 4.0, "named_afterwards": 2, "walked_by_afterwards": 2,
}  # fmt: skip


def pair(*names: str) -> Timeline:
    return pairs([fault for fault in FAULTS if fault.name in names], 1, 1)[0]


@pytest.mark.slow
@pytest.mark.usefixtures("models_dir")
def test_faults_that_overlap_lose_nothing_and_are_recovered_from(
    tmp_path: Path, footage: Path
) -> None:
    plan = [pair("battery_empty", "cut_link"), pair("drop_camera", "disarm")]
    verdicts = list(play_all(plan, tmp_path, footage, workers=2))
    busy = [one for one in verdicts if one.void]
    assert [one.broken for one in verdicts if one not in busy and not one.passed] == []
    for verdict in verdicts:
        assert verdict.figures["raised"] == verdict.figures["received"] > 0
    assert sum(one.figures["disarmed_s"] for one in verdicts) > 1.0
    if busy:
        pytest.skip(f"the machine is too busy to show a recovery: {busy[0].void}")


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, verdicts: Any, *words: str) -> int:
    monkeypatch.setattr(command, "ROOT", folder)
    monkeypatch.setattr(command, "play_all", lambda plan, *_: map(verdicts, plan))
    monkeypatch.setattr("sys.argv", ["faults", *words])
    (folder / "build").mkdir()
    return command.main()


def good(timeline: Timeline) -> Verdict:
    return Verdict(timeline.name, (), FIGURES)


def test_what_this_machine_lacks_is_skipped_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "shift_clock: libfaketime is not installed"
    monkeypatch.setattr(command, "lacking", lambda events: why if "shift_clock" in events else "")
    assert run(monkeypatch, tmp_path, good, "--timelines", "300") == 0
    told = capsys.readouterr().out
    assert f"skipped {why}" in told
    assert "322 of 322 timelines as they must be, 1 faults skipped" in told
    results = json.loads((tmp_path / "build" / "faults.json").read_text())
    assert results["skipped"] == {"shift_clock": why}
    assert not any("shift_clock" in one["name"] for one in results["timelines"])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"broken": ("an alert was lost",)}, "3 of 4 timelines as they must be;"),
        (
            {"broken": ("it was slow",), "void": "9 processes wanted each core"},
            "3 of 4 timelines as they must be, 1 void on a busy machine;",
        ),
    ],
)
def test_a_broken_timeline_fails_the_run_and_so_does_a_void_one(
    bad: dict[str, Any],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def verdicts(timeline: Timeline) -> Verdict:
        changes = bad if timeline.name.startswith("03") else {"broken": ()}
        return Verdict(timeline.name, figures=FIGURES, **changes)

    words = ("--timelines", "4", "--pairs-only")
    assert run(monkeypatch, tmp_path, verdicts, *words) == 1
    assert told in capsys.readouterr().out
