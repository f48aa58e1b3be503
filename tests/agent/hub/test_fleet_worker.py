"""Workers of a fleet: what they are told and what they answer."""

from __future__ import annotations

import io
import json
import sys

import pytest

from agent.hub.fleet_worker import Task, main


@pytest.mark.parametrize(
    "task",
    [
        "", "nonsense", "{}", '{"first":0,"devices":0}', '{"first":0,"devices":1,"speed":9}',
        '{"first":0,"devices":1,"settings":["mqtt.port=none"]}',
    ],
)  # fmt: skip
def test_a_task_that_makes_no_sense_is_one_line_and_65(
    task: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{task}\n"))
    assert main() == 65
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("fleet worker: ")
    assert told.err.count("\n") == 1


def test_without_a_broker_alerts_are_left_and_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = Task(
        first=7, devices=2, settings=("mqtt.host=127.0.0.1", "mqtt.port=1"), ramp_s=0,
        connect_s=0.1, seconds=0.3, every_s=0.05, health_s=0.1, drain_s=0,
    )  # fmt: skip
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{task.model_dump_json()}\n{{}}\n"))
    assert main() == 0
    connected, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert connected == {"connected": 0}
    assert result["left"] == len(result["raised"]) == len(set(result["raised"])) > 2
    assert result["ack_ms"] == []


def test_when_nobody_says_go_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = Task(first=0, devices=1, settings=("mqtt.host=127.0.0.1", "mqtt.port=1"), connect_s=0.1)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{task.model_dump_json()}\n"))
    monkeypatch.setattr("agent.hub.fleet_worker.time.sleep", lambda _s: None)
    assert main() == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
