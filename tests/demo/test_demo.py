"""The demo fails when it should, and leaves nobody running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.__main__ import judge
from tests.demo.stage import Stage, StageError

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)")


def event(kind: str = "match", **data: object) -> dict[str, object]:
    fields = {"entry": "E-1", "similarity": 0.6, **data}
    return {"type": f"bodycam.{kind}.v1", "id": "A", "data": fields}


UPDATE = event("match.update", match="A")


@pytest.mark.parametrize("events", [[event()], [event(), UPDATE]])
def test_the_expected_alert_is_success(events: list[dict[str, object]]) -> None:
    assert judge(0, events) == []


@pytest.mark.parametrize(
    ("code", "events", "problem"),
    [
        (0, [], "0 match events"),
        (0, [event(), event()], "2 match events"),
        (0, [event(entry="D-7")], "names D-7"),
        (0, [event(similarity=0.49)], "0.49 < 0.5"),
        (75, [event()], "exit code 75"),
        (0, [event(), event("match.update", match="B")], "something else"),
        (0, [event(), {"undecodable": "AA=="}], "something else"),
    ],
)
def test_anything_else_is_failure(code: int, events: list[dict[str, object]], problem: str) -> None:
    assert problem in "; ".join(judge(code, events))


def test_everybody_is_ended_also_on_failure(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def fail() -> None:
        with Stage(tmp_path) as stage:
            started.append(stage.start("sleeper", SLEEPER))
            stage.once("bad", (sys.executable, "-c", "raise SystemExit('no light')"))

    with pytest.raises(StageError, match="bad ended with 1: no light"):
        fail()
    assert started[0].poll() is not None
