"""What tests of the real networks and the real footage need, from `make models`."""

from __future__ import annotations

from pathlib import Path

import pytest

BUILD = Path(__file__).resolve().parent.parent / "build"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of the built models."""
    folder = BUILD / "models"
    if not list(folder.glob("sface-*.onnx")):
        pytest.skip("the models are not built: run `make models`")
    return folder


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of the pinned films and photographs."""
    folder = BUILD / "assets"
    if not (folder / "single_face.mp4").is_file():
        pytest.skip("the footage was not fetched: run `make models`")
    return folder
