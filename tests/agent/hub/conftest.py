from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.hubs import HubWorld


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hub that was just made."""
    folder = tmp_path_factory.mktemp("hub")
    HubWorld(folder).init()
    return folder


@pytest.fixture
def world(made_once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> HubWorld:
    """A hub that was just made, for this test alone."""
    shutil.copytree(made_once / "hub", tmp_path / "hub")
    return HubWorld(tmp_path, capsys)
