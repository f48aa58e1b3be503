from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent import __version__
from agent.cli import COMMANDS, main
from agent.config import parse


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["wachlist"], "no such command: wachlist; did you mean watchlist?"),
        (["ctl", "stauts"], "did you mean status?"),
        (["ctl", "arm", "--reason", "x"], "--authorisation"),
        (["check-config", "--jsn"], "did you mean --json?"),
        ([], "COMMAND"),
    ],
)
def test_usage_errors_are_one_line_with_a_hint_and_code_64(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    code, out, err = run(capsys, *argv)
    assert code == 64
    assert out == ""
    assert err.startswith("bodycam-agent: ")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["ctl", "check-config", "print-config", "run"])
def test_every_command_has_help_with_examples(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert "examples:" in out
    assert "--state-dir" in out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(name in out for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version")[:2] == (0, f"bodycam-agent {__version__}\n")


def test_help_answers_at_once() -> None:
    """CPU time, the best of three: the machine may be busy. Nothing heavy may be loaded."""
    script = (
        "import sys, time; from agent.cli import main; code = main(['--help']);"
        "print(time.process_time(), file=sys.stderr);"
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'paho', 'pydantic'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    took = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        took.append(float(done.stderr))
    assert min(took) < 0.3


def test_settings_may_stand_before_and_after_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(
        capsys, "--set", "mqtt.port=2001", "print-config", "--set", "mqtt.host=hub", "--json"
    )
    assert code == 0
    mqtt = json.loads(out)["mqtt"]
    assert (mqtt["host"], mqtt["port"]) == ("hub", 2001)


def test_the_printed_configuration_is_taken_back(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, out, _ = run(capsys, "print-config", "--set", "camera.source=camera:0")
    (tmp_path / "c.yaml").write_text(out)
    code, again, _ = run(capsys, "print-config", "--config", str(tmp_path / "c.yaml"))
    assert code == 0
    assert again == out


def test_every_problem_of_a_configuration_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("mqtt:\n  prt: 1\ncamera:\n  fps: -1\n")
    code, out, err = run(capsys, "check-config", "--config", str(path))
    assert code == 78
    assert out == ""
    assert "mqtt.prt: no such key; did you mean port?" in err
    assert "camera.fps" in err
    code, out, _ = run(capsys, "check-config", "--config", str(path), "--json")
    assert code == 78
    assert len(json.loads(out)["problems"]) == 2


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 66, "no such file"),
        (b"\xff\xfe\x00", 78, "not UTF-8"),
        (b"mqtt: [", 78, "line 1"),
        (b"- a\n", 78, "mapping"),
    ],
)
def test_configurations_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes | None,
    code: int,
    message: str,
) -> None:
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_bytes(content)
    got, out, err = run(capsys, "print-config", "--config", str(path))
    assert got == code
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_nobody_listening_is_69(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "ctl", "status", "--state-dir", str(tmp_path))
    assert code == 69
    assert out == ""
    assert "no agent answers" in err


def test_a_bug_is_one_line_and_code_70(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("agent.cli.print_config.run", broken)
    code, out, err = run(capsys, "print-config")
    assert code == 70
    assert out == ""
    assert "internal error: RuntimeError: two lines" in err
    assert "Traceback" not in err
    code, _, err = run(capsys, "print-config", "--debug")
    assert code == 70
    assert "Traceback" in err


def test_an_interrupt_is_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.cli.print_config.run", interrupted)
    assert run(capsys, "print-config") == (130, "", "")


@pytest.mark.parametrize(
    "words",
    [
        ("agent", "print-config"),  # more than fits into a buffer
        ("agent", "--version"),  # what fits waits for the end
        ("agent.hub", "policy", "preset"),
        ("firmware_sim", "run", "--help"),
    ],
)
def test_a_reader_that_went_away_is_no_error(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        stdout=writing, stderr=subprocess.PIPE, env=buffered, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_state_folder_of_the_service_manager() -> None:
    from agent.cli.common import default_state_dir

    assert default_state_dir({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")
    assert default_state_dir({"XDG_STATE_HOME": "/x"}) == Path("/x/bodycam-agent")
    home = Path.home()
    assert default_state_dir({}) == home / ".local/state/bodycam-agent"


def test_the_example_configuration_is_valid() -> None:
    from agent.config import Layer

    path = Path(__file__).parents[3] / "systemd" / "config.example.yaml"
    assert parse(Layer(str(path), path.read_text())).mqtt.host
