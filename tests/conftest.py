"""What tests of the real networks and the real footage need, from `make models`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when the library is loaded, by any test
BUILD = Path(__file__).resolve().parent.parent / "build"

# A deadline measures the machine, not the code; and a run that decides about a change repeats.
settings.register_profile("person", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "person")


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
