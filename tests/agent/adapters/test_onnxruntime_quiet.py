"""Nothing but alerts and state leaves the device: not the runtime's telemetry either."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
from pathlib import Path
import sys
from agent.adapters.onnx_models import ModelFile, SFaceEmbedder
from agent.ports import ModelIdentity
SFaceEmbedder(ModelFile(Path(sys.argv[1]), ModelIdentity("x", "int8", "0" * 64)), threads=1)
"""


@pytest.mark.slow
def test_loading_a_network_leaves_no_device_id_behind(tmp_path: Path, models_dir: Path) -> None:
    unset = {"ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    environ["HOME"] = str(tmp_path)
    model = str(models_dir / "sface-2021dec-int8.onnx")
    subprocess.run([sys.executable, "-c", LOAD, model], env=environ, check=True, timeout=60)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
