"""What a device may run is what the manifest pins, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.errors import DataError, MissingFileError
from agent.modelkit.assets import read_lock
from agent.modelkit.manifest import Manifest, ModelCard, read_manifest, verified
from agent.modelkit.places import assets_dir, data_dir, models_dir
from tests.support.wheels import sha256


def card(**changes: Any) -> dict[str, Any]:
    return {
        "name": "made-up-int8",
        "file": "made-up-int8.onnx",
        "role": "embedder",
        "precision": "int8",
        "sha256": sha256(b"the network"),
        "asset": "made-up.onnx",
        "licence": "MIT",
        "input": "x",
        "output": "y",
        "quantisation": "static",
        "int8_share": 0.9,
        **changes,
    }


def save(path: Path, *cards: dict[str, Any], version: int = 1) -> Path:
    path.write_text(yaml.safe_dump({"version": version, "models": list(cards)}))
    return path


def test_a_file_with_the_pinned_hash_is_verified(tmp_path: Path) -> None:
    one = ModelCard.model_validate(card())
    (tmp_path / one.file).write_bytes(b"the network")
    assert verified(one, tmp_path) == tmp_path / one.file


def test_another_file_is_refused(tmp_path: Path) -> None:
    one = ModelCard.model_validate(card())
    for content in (b"", b"the network!", b"the netwoRk"):
        (tmp_path / one.file).write_bytes(content)
        with pytest.raises(DataError, match="is not the model that the manifest pins; refused"):
            verified(one, tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    one = ModelCard.model_validate(card())
    with pytest.raises(MissingFileError, match="models build"):
        verified(one, tmp_path)
    (tmp_path / one.file).mkdir()
    with pytest.raises(MissingFileError):
        verified(one, tmp_path)


def test_the_committed_manifest_is_sound() -> None:
    manifest = read_manifest(data_dir() / "manifest.yaml")
    lock = read_lock(data_dir() / "assets.lock.yaml")
    assets = {asset.file: asset for asset in lock.assets}
    for role in ("detector", "embedder"):
        exact, rounded = manifest.card(role, "fp32"), manifest.card(role, "int8")
        assert exact.space == rounded.space
        for one in (exact, rounded):
            assert one.licence == assets[one.asset].licence
            assert bool(one.space) == bool(one.curve) == (role == "embedder")
            falling = sorted(one.curve, key=lambda point: point.similarity)
            assert [p.fmr for p in falling] == sorted((p.fmr for p in falling), reverse=True)
        assert exact.int8_share == 0
    assert manifest.card("embedder", "int8").int8_share >= 0.90
    assert manifest.card("detector", "int8").int8_share >= 0.50


def test_a_role_that_is_not_there(tmp_path: Path) -> None:
    manifest = read_manifest(save(tmp_path / "manifest.yaml", card()))
    assert isinstance(manifest, Manifest)
    with pytest.raises(DataError, match="the manifest has no fp32 detector"):
        manifest.card("detector", "fp32")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"file": "../evil.onnx"}, r"models\.0\.file"),
        ({"file": "/etc/passwd"}, r"models\.0\.file"),
        ({"sha256": "1234"}, r"models\.0\.sha256"),
        ({"precision": "int4"}, r"models\.0\.precision"),
        ({"int8_share": 1.5}, r"models\.0\.int8_share"),
        ({"curve": [{"similarity": 0.4, "fmr": 0}]}, r"models\.0\.curve\.0\.fmr"),
        ({"surprise": 1}, r"models\.0\.surprise"),
    ],
)
def test_a_wrong_card_is_told_by_its_first_mistake(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(DataError, match=why) as caught:
        read_manifest(save(tmp_path / "manifest.yaml", card(**changes)))
    assert len(str(caught.value).splitlines()) == 1


def test_two_models_of_one_name_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="made-up-int8 is there twice"):
        read_manifest(save(tmp_path / "manifest.yaml", card(), card(file="other.onnx")))
    with pytest.raises(DataError, match="models"):
        read_manifest(save(tmp_path / "manifest.yaml"))
    with pytest.raises(DataError, match="version"):
        read_manifest(save(tmp_path / "manifest.yaml", card(), version=2))
    with pytest.raises(MissingFileError):
        read_manifest(tmp_path / "none.yaml")


def test_places(tmp_path: Path) -> None:
    assert (data_dir() / "manifest.yaml").is_file()
    assert models_dir("/srv/models", tmp_path) == Path("/srv/models")
    assert models_dir("", tmp_path).name == "models"
    assert assets_dir(Path("/srv/models")) == Path("/srv/assets")
