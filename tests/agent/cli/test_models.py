"""`bodycam-agent models`, with its exit codes and its one line for every failure."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.app.models import CHOICE_FILE, manifest
from agent.cli import main
from agent.modelkit.assets import read_lock
from agent.modelkit.places import data_dir
from tests.support.commands import Said

NAMES = [card.name for card in manifest().models]


class Models:
    """The command, on a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder / "models"
        self.assets = folder / "assets"
        self._state, self._capsys = folder / "state", capsys

    def __call__(self, *words: str | Path, folder: Path | None = None) -> Said:
        given = ["models", *map(str, words), "--state-dir", str(self._state)]
        code = main([*given, "--set", f"models.dir={folder or self.folder}"])
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)


@pytest.fixture
def models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Models:
    return Models(tmp_path, capsys)


@pytest.fixture
def with_assets(models: Models, models_dir: Path) -> Models:
    """The fetched assets are there; nothing is built."""
    models.assets.mkdir()
    for source in (models_dir.parent / "assets").iterdir():
        (models.assets / source.name).symlink_to(source)
    return models


def complaint(said: Said, code: int) -> str:
    """The last line of stderr, and the only complaint there."""
    assert said.code == code
    lines = [line for line in said.err.splitlines() if line.startswith("bodycam-agent:")]
    assert len(lines) == 1
    assert said.err.splitlines()[-1] == lines[0]
    assert "internal error" not in lines[0]
    return lines[0]


def test_nothing_built_yet(models: Models) -> None:
    listed = models("list", "--json")
    assert listed.code == 0
    assert [(row["name"], row["state"]) for row in listed.json] == [(n, "missing") for n in NAMES]
    assert models("list").out.count("missing") == len(NAMES)
    verified = models("verify", "--json")
    assert "models build" in complaint(verified, 66)
    assert verified.json == {"ok": False, "models": dict.fromkeys(NAMES, "missing")}
    assert "models build" in complaint(models("bench"), 66)


def test_a_model_with_other_bytes(models: Models) -> None:
    models.folder.mkdir()
    card = manifest().models[0]
    (models.folder / card.file).write_bytes(b"something else")
    verified = models("verify", "--json")
    assert "models build --force" in complaint(verified, 65)
    assert verified.json["ok"] is False
    assert verified.json["models"][card.name] == "wrong hash"
    assert "wrong hash" in models("list").out
    complaint(models("bench"), 65)


def test_a_folder_without_the_packages(models: Models, tmp_path: Path) -> None:
    assert "no such file" in complaint(models("build", "--packages", tmp_path), 66)


def test_a_package_with_another_hash(models: Models, tmp_path: Path) -> None:
    lock = read_lock(data_dir() / "assets.lock.yaml")
    for package in lock.packages:
        (tmp_path / package.file).write_bytes(b"PK not the pinned one")
    assert "refused" in complaint(models("build", "--packages", tmp_path), 65)


def test_an_asset_with_another_hash(models: Models) -> None:
    models.assets.mkdir()
    (models.assets / "yunet-2023mar-bq.onnx").write_bytes(b"something else")
    assert "delete it and try again" in complaint(models("build"), 65)


def test_a_folder_that_cannot_be_written(models: Models, tmp_path: Path) -> None:
    said = models("build", "--packages", tmp_path, folder=Path("/proc/self/models"))
    assert "cannot be written" in complaint(said, 74)


def test_an_action_is_needed(models: Models) -> None:
    assert "ACTION" in complaint(models(), 64)


@pytest.mark.slow
def test_no_network(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert "--packages DIR" in complaint(models("build"), 69)
    assert not models.folder.exists()


@pytest.mark.slow
def test_build_verify_damage_and_build_again(with_assets: Models) -> None:
    models = with_assets
    built = models("build", "--json", "--with-footage")
    assert built.code == 0, built.err
    assert built.json == {"dir": str(models.folder), "models": NAMES}
    files = sorted([card.file for card in manifest().models] + [CHOICE_FILE])
    assert sorted(path.name for path in models.folder.iterdir()) == files
    assert models("verify", "--json").json == {"ok": True, "models": dict.fromkeys(NAMES, "ok")}
    again = models("build")
    assert again.code == 0
    assert "building" not in again.err
    assert "measuring" not in again.err

    victim = models.folder / manifest().models[0].file
    victim.write_bytes(victim.read_bytes()[:-1])
    assert models("verify").code == 65
    assert models("build").code == 0
    assert models("verify").code == 0


@pytest.mark.slow
def test_bench_records_what_is_then_in_use(models: Models, models_dir: Path) -> None:
    models.folder.mkdir()
    for card in manifest().models:
        (models.folder / card.file).symlink_to(models_dir / card.file)
    said = models("bench", "--json")
    assert said.code == 0, said.err
    result: dict[str, Any] = said.json
    assert json.loads((models.folder / CHOICE_FILE).read_text()) == result
    for times in result["milliseconds"].values():
        assert set(times) == {"fp32", "int8"}
        assert min(times.values()) > 0
    in_use = {
        row["role"]: row["precision"] for row in models("list", "--json").json if row["chosen"]
    }
    assert in_use == result["precision"]
    assert models("list").out.count("*") == 3
