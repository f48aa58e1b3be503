"""What the code itself shows: no face is written down, whatever the options; logs say little."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.adapters.log import FIELDS

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "agent").rglob("*.py"))
LEVELS = {"info", "warning", "error"}
WRITERS = {
    *("imwrite", "imwritemulti", "imshow", "VideoWriter", "FileStorage"),
    *("tofile", "savez", "savez_compressed", "savetxt", "memmap"),
    *("pickle", "shelve", "marshal", "faulthandler"),
}
"""Of OpenCV, numpy and the standard library: what puts pictures, arrays or memory into files."""
REVEALING = {
    *("box", "boxes", "face", "faces", "landmarks", "quality", "similarity", "score", "margin"),
    *("template", "embedding", "vector", "crop", "image", "track", "tracks", "entry", "subject"),
    *("name", "passphrase", "key", "lat", "lon", "location"),
}


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path)))


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    for path in SOURCES:
        for node in nodes(path):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and ast.unparse(node.func.value).endswith("log")
            ):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def names(path: Path) -> set[str]:
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Import):
            found |= {part for one in node.names for part in one.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split("."), *(one.name for one in node.names)}
    return found


def test_every_field_of_every_log_line_is_on_the_list() -> None:
    calls = list(log_calls())
    assert len(calls) > 30
    for where, call in calls:
        fields = {one.arg for one in call.keywords}
        assert None not in fields, f"{where}: fields that nobody can see here"
        assert fields <= FIELDS, f"{where}: {fields - FIELDS} would be withheld"
        assert len(call.args) == 1, f"{where}: one message"


def test_the_list_of_fields_is_no_longer_than_it_must_be_and_reveals_nobody() -> None:
    used = {one.arg for _, call in log_calls() for one in call.keywords}
    assert used == FIELDS
    assert not FIELDS & REVEALING


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_can_write_a_picture_an_array_or_memory(path: Path) -> None:
    assert not names(path) & WRITERS


def test_the_search_for_writers_finds_them(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import cv2\ncv2.imwrite('face.png', crop)\nfrom pickle import dump\n")
    assert names(bad) & WRITERS == {"imwrite", "pickle"}
