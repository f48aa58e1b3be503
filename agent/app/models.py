"""The networks this device runs: which precision, verified, opened."""

from __future__ import annotations

import json
from pathlib import Path

from agent.adapters.onnx_models import ModelFile, SFaceEmbedder, YuNetDetector
from agent.app.context import Models
from agent.config import Config
from agent.modelkit.manifest import Manifest, ModelCard, read_manifest, verified
from agent.modelkit.measure import processor
from agent.modelkit.places import data_dir, models_dir
from agent.ports import ModelIdentity

CHOICE_FILE = "choice.json"
UNMEASURED = {"detector": "fp32", "embedder": "int8"}
"""What `auto` means before `models bench` was run: right on most processors."""


def manifest() -> Manifest:
    """The committed manifest."""
    return read_manifest(data_dir() / "manifest.yaml")


def open_models(config: Config, state_dir: Path) -> Models:
    """Both networks in the precision that the configuration asks for.

    Raises:
        MissingFileError, DataError: they are not built, or not what the manifest pins.
    """
    folder = models_dir(config.models.dir, state_dir)
    known = manifest()
    chosen = choice(config, folder)
    detector = known.card("detector", chosen["detector"])
    embedder = known.card("embedder", chosen["embedder"])
    threads = config.models.threads
    return Models(
        YuNetDetector(model_file(detector, folder), config.detection, threads=threads),
        SFaceEmbedder(model_file(embedder, folder), threads=threads),
        tuple((point.similarity, point.fmr) for point in embedder.curve),
    )


def model_file(card: ModelCard, folder: Path) -> ModelFile:
    """A model whose bytes were checked."""
    path = verified(card, folder)
    return ModelFile(path, ModelIdentity(card.name, card.precision, card.sha256, card.space))


def choice(config: Config, folder: Path) -> dict[str, str]:
    """The precision of each role: as configured, else as measured on this device."""
    if config.models.precision != "auto":
        return dict.fromkeys(UNMEASURED, config.models.precision)
    return measured(folder) or dict(UNMEASURED)


def measured(folder: Path) -> dict[str, str] | None:
    """What `models bench` recorded; None if that was never done, or on another processor."""
    try:
        recorded = json.loads((folder / CHOICE_FILE).read_text("utf-8"))
        if recorded["processor"] != processor():
            return None
        return {
            role: "int8" if recorded["precision"][role] == "int8" else "fp32" for role in UNMEASURED
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
