"""Which networks a device opens."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.app.models import CHOICE_FILE, UNMEASURED, choice, manifest, open_models
from agent.config import Config, parse
from agent.errors import DataError, MissingFileError
from agent.modelkit.measure import processor


def config(*overrides: str) -> Config:
    return parse(None, overrides)


def record(folder: Path, content: Any) -> None:
    (folder / CHOICE_FILE).write_text(content if isinstance(content, str) else json.dumps(content))


def test_the_configured_precision_wins_over_the_measured_one(tmp_path: Path) -> None:
    precision = {"detector": "int8", "embedder": "int8"}
    record(tmp_path, {"processor": processor(), "precision": precision})
    assert choice(config(), tmp_path) == precision
    for name in ("fp32", "int8"):
        chosen = choice(config(f"models.precision={name}"), tmp_path)
        assert chosen == {"detector": name, "embedder": name}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "7",
        "{}",
        '{"precision": 3}',
        {"processor": processor(), "precision": {"detector": "int8"}},
        {"processor": "another board", "precision": {"detector": "int8", "embedder": "fp32"}},
        {"precision": {"detector": "int8", "embedder": "fp32"}},
    ],
)
def test_without_a_measurement_on_this_device_the_usual_is_taken(
    tmp_path: Path, content: Any
) -> None:
    assert choice(config(), tmp_path) == UNMEASURED
    record(tmp_path, content)
    assert choice(config(), tmp_path) == UNMEASURED


def test_models_that_are_not_built(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="run `bodycam-agent models build`"):
        open_models(config(f"models.dir={tmp_path}"), tmp_path)


def test_a_model_with_other_bytes_is_never_opened(tmp_path: Path) -> None:
    for card in manifest().models:
        (tmp_path / card.file).write_bytes(b"anything")
    with pytest.raises(DataError, match="is not the model that the manifest pins"):
        open_models(config(f"models.dir={tmp_path}"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_real_ones_with_their_curve(models_dir: Path, tmp_path: Path, precision: str) -> None:
    given = config(f"models.dir={models_dir}", f"models.precision={precision}")
    models = open_models(given, tmp_path)
    assert models.detector.identity.precision == models.embedder.identity.precision == precision
    card = manifest().card("embedder", precision)
    assert models.embedder.identity.sha256 == card.sha256
    assert models.embedder.identity.space == card.space
    assert len(models.curve) == len(card.curve) > 0
