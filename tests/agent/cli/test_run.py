from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.app.context import Context, Models
from agent.cli import main
from tests.support.agents import CURVE, MAN
from tests.support.portraits import PortraitDetector, PortraitEmbedder, save_portrait, template


@pytest.fixture(autouse=True)
def made_up_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the networks, which are not what is tested here."""
    models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
    monkeypatch.setattr(Context, "models", lambda _: models)
    for name in ("NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def run(capsys: pytest.CaptureFixture[str], folder: Path, *argv: str) -> tuple[int, str, str]:
    code = main(["run", "--state-dir", str(folder / "state"), *argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


ARM = ("--reason", "patrol", "--authorisation", "TEST-1")


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (("--source", "x", "--arm", "--disarmed"), 64, "not allowed with"),
        (("--source", "x", "--disarmed", "--reason", "y"), 64, "go with --source or --arm"),
        (("--reason", "y"), 64, "go with --source or --arm"),
        (("--source", "x", *ARM[:-1], "two words"), 64, "--authorisation up to 64"),
        (("--source", "x", "--camera-timeout", "-1"), 64, "--camera-timeout"),
        (("--source", "x", "--pace", "fast"), 64, "--pace"),
        ((), 64, "no camera source"),
        (("--source", "ftp://camera/"), 64, "ftp://"),
        (("--source", "nowhere.mp4"), 66, "nowhere.mp4: no such file"),
        (("--source", "x", "--config", "/nowhere.yaml"), 66, "no such file"),
        (("--source", "x", "--set", "camera.fps=fast"), 78, "camera.fps"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_its_code(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    argv: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    got, out, err = run(capsys, tmp_path, *argv)
    assert got == code
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("bodycam-agent: ")
    assert message in line


def test_the_report_goes_to_the_file_and_with_json_to_stdout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = save_portrait(tmp_path / "man.png", MAN)
    report = tmp_path / "sub" / "report.json"
    code, out, err = run(
        capsys, tmp_path, "--source", str(picture), *ARM, "--report", str(report), "--json"
    )
    assert code == 0
    assert json.loads(out) == json.loads(report.read_text())
    assert json.loads(out)["frames"] == {"read": 1, "processed": 1, "dropped": 0}
    assert "frames    1 read, 1 processed, 0 dropped" in err


def test_disarmed_all_the_time_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = save_portrait(tmp_path / "man.png", MAN)
    code, _, err = run(capsys, tmp_path, "--source", str(picture), "--disarmed")
    assert code == 0
    assert "disarmed all the time: nobody was looked at" in err


def test_a_source_from_the_configuration_arms_nobody(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A service that comes back after a power cut must not look at anybody by itself."""
    source = ("--set", f"camera.source={save_portrait(tmp_path / 'man.png', MAN)}")
    assert "nobody was looked at" in run(capsys, tmp_path, *source)[2]
    assert "nobody was looked at" not in run(capsys, tmp_path, *source, "--arm")[2]


def test_naming_the_source_arms_and_says_why_in_the_audit_log(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(capsys, tmp_path, "--source", str(save_portrait(tmp_path / "man.png", MAN)))
    records = (tmp_path / "state" / "audit" / "audit.jsonl").read_text()
    assert '"reason":"run from the command line"' in records.replace('": "', '":"')
    assert "field-test" in records


def test_nothing_about_faces_is_ever_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Not a number of a template, not a box: neither on the terminal nor in the state folder."""
    clip = tmp_path / "clip"
    clip.mkdir()
    for number in range(10):
        save_portrait(clip / f"{number}.png", MAN)
    code, out, err = run(capsys, tmp_path, "--source", str(clip), *ARM, "--set", "camera.fps=10")
    assert code == 0
    needle = template(MAN).tobytes()[:16]
    files = [path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert len(files) > 1
    assert not any(needle in data for data in files)
    assert f"{np.round(template(MAN)[0], 3)}" not in out + err
    assert needle in b"".join([*files, needle]), "the search itself works"


def test_a_report_that_cannot_be_written_is_74(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = save_portrait(tmp_path / "man.png", MAN)
    (tmp_path / "report.json").mkdir()
    code, _, err = run(
        capsys, tmp_path, "--source", str(picture), "--report", str(tmp_path / "report.json")
    )
    assert code == 74
    assert "report.json: is a directory" in err
