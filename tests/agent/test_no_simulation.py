"""The agent has no branch on being simulated: nothing in it knows of the simulated camera."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "agent"
KNOWS = re.compile(r"simulat|firmware_sim|bodycam-sim|faketime|pytest", re.IGNORECASE)


def test_no_module_knows_of_the_simulation() -> None:
    modules = {path: path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    assert len(modules) > 100
    assert [str(path) for path, text in modules.items() if KNOWS.search(text)] == []


def test_the_search_would_find_one() -> None:
    assert KNOWS.search("if os.environ.get('BODYCAM_SIMULATED'):")
