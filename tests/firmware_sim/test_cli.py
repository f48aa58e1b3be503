import json
import signal
import socket
import subprocess
import sys

import pytest

from agent.adapters.cameras import open_camera
from agent.config import CameraConfig
from firmware_sim.cli import main
from tests.support.clocks import FakeClock
from tests.support.footage import video


@pytest.fixture(autouse=True)
def _signals():
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def one_line(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("bodycam-sim: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["walk"],
        ["run"],
        ["run", "--play"],
        ["run", "walk-up", "--play", "x"],
        ["run", "--play", "x", "--pace", "fast"],
        ["run", "--play", "x", "--port", "70000"],
        ["run", "--play", "x", "--port", "http"],
        ["run", "--play", "x", "--quality", "0"],
        ["run", "--play", "x", "--fps", "0"],
        ["run", "--play", "x", "--fps", "nan"],
        ["run", "--play", "x", "--loop", "-1"],
        ["run", "--play", "x", "--start-at", "yesterday"],
        ["run", "--play", "x", "--start-at", "inf"],
        ["run", "--play", "x", "--unknown"],
        ["link", "--to", "localhost:1883", "--latency", "150ms"],
    ],
)
def test_usage(argv, capsys):
    assert main(argv) == 64
    assert "--help" in one_line(capsys)


def test_what_would_do_nothing_is_said(tmp_path, capsys):
    clip = video(tmp_path / "v.mp4", 3, 100)
    assert main(["run", "--play", str(clip), "--truth", str(tmp_path / "t")]) == 64
    assert "--truth is for a STORY" in one_line(capsys)
    events = ["battery=3", "sky=0", "press=arm", "press=mark", "stall=0"]
    at = [word for number, what in enumerate(events) for word in ("--at", f"9{number}:{what}")]
    assert main(["run", "--play", str(clip), *at]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "note" in line]
    assert notes == [
        f"bodycam-sim: note: what happens at {at_s} s is seen by nobody without {flag}"
        for at_s, flag in ((90, "--sysfs DIR"), (91, "--gps"), (92, "--control SOCKET"))
    ]
    assert main(["run", "--play", str(clip), *at, "--sysfs", str(tmp_path / "sys")]) == 0
    assert "at 90 s" not in capsys.readouterr().err


def test_ctrl_c_ends_a_command_in_one_line(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("firmware_sim.cli_fleet.run_fleet", interrupt)
    assert main(["fleet"]) == 130
    assert one_line(capsys) == "bodycam-sim: stopped\n"


def test_missing_and_bad_footage(tmp_path, capsys):
    assert main(["run", "--play", str(tmp_path / "none.mp4")]) == 66
    assert "no such file" in one_line(capsys)
    bad = tmp_path / "bad.mp4"
    bad.write_text("text")
    assert main(["run", "--play", str(bad)]) == 65
    assert "not a video" in one_line(capsys)


def test_port_in_use(tmp_path, capsys):
    clip = video(tmp_path / "v.mp4", 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["run", "--play", str(clip), "--port", port]) == 69
    assert "already in use" in one_line(capsys)


def test_help_and_version(capsys):
    assert main(["run", "--help"]) == 0
    assert "examples:" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bodycam-sim ")


def test_playing_to_nobody_ends_by_itself(tmp_path, capsys):
    clip = video(tmp_path / "v.mp4", 3, 100)
    assert main(["run", "--play", str(clip), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["url"].startswith("http://127.0.0.1:")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, None])
def test_as_a_program(tmp_path, number):
    clip = video(tmp_path / "v.mp4", 5, 100)
    command = [sys.executable, "-m", "firmware_sim", "run", "--play", str(clip), "--json"]
    command += ["--pace", "max", "--wait-client"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        url = json.loads(process.stdout.readline())["url"]
        if number is None:
            camera = open_camera(url, CameraConfig(), FakeClock(), pace="max")
            camera.open()
            assert sum(1 for _ in iter(camera.read, None)) == 5
        else:
            process.send_signal(number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert err == b""
