"""The agent cannot tell a simulated camera from a real one: there is nothing in it to ask with."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

AGENT = Path(__file__).resolve().parents[2] / "agent"
_WORDS = re.compile(
    r"simulat|firmware_?sim|bodycam.?sim|\bfake|\bmock|\bis_sim|faketime", re.IGNORECASE
)


def code_words(path: Path) -> list[str]:
    """Names and strings of a module, without comments and docstrings: what it could branch on."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            found.append(node.value)
        elif isinstance(node, ast.Name):
            found.append(node.id)
        elif isinstance(node, ast.Attribute):
            found.append(node.attr)
        elif isinstance(node, ast.alias):
            found.append(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(getattr(node, "module", None) or "")
    return found


def test_no_module_of_the_agent_names_the_simulator() -> None:
    modules = sorted(AGENT.rglob("*.py"))
    assert len(modules) > 200
    named = {
        f"{path.relative_to(AGENT)}: {word}"
        for path in modules
        for word in code_words(path)
        if _WORDS.search(word)
    }
    assert named == set()


@pytest.mark.parametrize(
    "code",
    ["import firmware_sim", "if config.simulated: pass", "x = 'bodycam-sim'", "is_sim = True"],
)
def test_the_search_finds_one(tmp_path: Path, code: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""A simulated thing."""\n{code}\n')
    assert any(_WORDS.search(word) for word in code_words(path))
    path.write_text('"""A simulated thing."""\n')
    assert not any(_WORDS.search(word) for word in code_words(path))
