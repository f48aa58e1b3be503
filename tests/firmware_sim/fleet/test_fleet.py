"""The fleet: workers of the program on a real broker, and workers that lie, fail or are late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.cli import main
from firmware_sim.cli_fleet import table
from firmware_sim.errors import Exit, SimError
from firmware_sim.fleet import PER_WORKER, FleetOptions, _shares, percentiles, run_fleet
from tests.support.broker import MOSQUITTO, Broker

needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None, reason="mosquitto is not installed (Debian: apt-get install mosquitto)"
)
LIAR = """
import json, sys
sys.stdin.readline()
print(json.dumps({"connected": %d}), flush=True)
sys.stdin.readline()
print(json.dumps({"raised": ["01K3GD4Z8AAAAAAAAAAAAAAAAA"], "left": 1, "connected": 1,
                  "ack_ms": []}), flush=True)
"""

AT_A_TERMINAL = """
import signal, sys
from firmware_sim.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
sys.exit(main())
"""


def quiet(_line: str) -> None:
    """Nobody looks."""


@pytest.mark.slow
@needs_mosquitto
def test_every_alert_of_a_small_fleet_arrives_and_is_accounted_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "build" / "fleet.json"
    code = main([
        "fleet", "--devices", "6", "--seconds", "3", "--every", "0.5", "--ramp", "0.2",
        "--evidence", "5000", "--health", "1", "--json", "--out", str(out),
    ])  # fmt: skip
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert code == 0
    assert json.loads(out.read_text()) == report
    alerts = report["alerts"]
    assert alerts["raised"] == alerts["received_distinct"] > 10
    assert (alerts["lost"], alerts["left"], alerts["received_again"]) == (0, 0, 0)
    latency = report["latency_ms"]
    assert 0 < latency["alert_to_receiver"]["p50"] <= latency["alert_to_receiver"]["p99"] < 5000
    assert 0 < latency["alert_to_ack"]["p99"] < 5000
    assert report["rates"]["kb_s"] * report["seconds"] > alerts["raised"] * 5
    assert report["broker"]["rss_mb"] > 1


@pytest.mark.slow
@needs_mosquitto
def test_ctrl_c_ends_a_fleet_in_one_line() -> None:
    command = [sys.executable, "-c", AT_A_TERMINAL, "fleet", "--devices", "2", "--ramp", "0.1"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it has begun
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
    assert (process.returncode, rest.splitlines()[-1:]) == (130, ["bodycam-sim: stopped"])
    assert "Traceback" not in rest


@pytest.mark.slow
@needs_mosquitto
def test_an_alert_that_never_came_is_lost_and_ends_with_75(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Broker("mosquitto", tmp_path)
    broker.start()
    worker = (sys.executable, "-c", LIAR % 1)
    options = FleetOptions(devices=1, broker=(broker.host, broker.port), drain_s=0.2, ramp_s=0)
    monkeypatch.setattr(
        "firmware_sim.cli_fleet.run_fleet",
        lambda given, say: run_fleet(_with(options, given, worker), say),
    )
    code = main(["fleet", "--devices", "1", "--broker", f"{broker.host}:{broker.port}"])
    broker.stop()
    assert code == 75
    assert "1 raised, 0 received, 1 lost" in capsys.readouterr().out


def _with(options: FleetOptions, given: FleetOptions, worker: tuple[str, ...]) -> FleetOptions:
    assert given.broker == options.broker
    return FleetOptions(
        devices=1, broker=given.broker, drain_s=options.drain_s, ramp_s=0, worker=worker
    )


@pytest.mark.slow
@needs_mosquitto
@pytest.mark.parametrize(
    ("code", "words"),
    [(LIAR % 0, "1 devices did not reach"), ("raise SystemExit(65)", "worker of the fleet failed")],
)
def test_workers_that_fail_are_said(tmp_path: Path, code: str, words: str) -> None:
    broker = Broker("mosquitto", tmp_path)
    broker.start()
    worker = (sys.executable, "-c", code)
    options = FleetOptions(devices=1, broker=(broker.host, broker.port), ramp_s=0, worker=worker)
    with pytest.raises(SimError, match=words):
        run_fleet(options, quiet)
    broker.stop()


def test_no_broker_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fleet", "--devices", "1", "--broker", "127.0.0.1:1"]) == Exit.UNAVAILABLE
    assert "127.0.0.1:1 cannot be reached" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong", [["--devices", "0"], ["--broker", "nowhere"], ["--seconds", "0"], ["--evidence", "-1"]]
)
def test_a_command_that_makes_no_sense(wrong: list[str]) -> None:
    assert main(["fleet", *wrong]) == Exit.USAGE


@pytest.mark.parametrize("devices", [1, PER_WORKER, PER_WORKER + 1, 300, 1000])
def test_every_device_belongs_to_one_worker(devices: int) -> None:
    shares = _shares(FleetOptions(devices=devices))
    numbers = [n for first, count in shares for n in range(first, first + count)]
    assert numbers == list(range(devices))
    assert max(count for _, count in shares) <= PER_WORKER


def test_percentiles() -> None:
    assert percentiles([]) is None
    assert percentiles([float(n) for n in range(1, 101)]) == {
        "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0,
    }  # fmt: skip
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0}


def test_the_table_of_a_broker_that_is_not_ours() -> None:
    report = {
        "devices": 2, "workers": 1, "seconds": 3.0,
        "alerts": {
            "raised": 0, "received_distinct": 0, "received_again": 0, "lost": 0, "left": 0,
        },
        "rates": {"alerts_s": 0.0, "messages_s": 0.0, "kb_s": 0.0},
        "latency_ms": {"alert_to_receiver": None, "alert_to_ack": None},
        "broker": {"cpu_share": None, "rss_mb": None, "kb_per_device": None},
    }  # fmt: skip
    assert len(table(report)) == 3
