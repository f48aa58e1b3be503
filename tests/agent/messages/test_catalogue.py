"""The committed schemas and examples are the generated ones, and they agree with each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent.messages.catalogue import WIRE_MODELS, examples
from tests.support.gen_schemas import DOCS, documents


@pytest.mark.parametrize(
    ("path", "text"), documents().items(), ids=lambda item: Path(item).name[:40]
)
def test_committed_files_are_those_generated(path, text):
    assert path.read_text(encoding="utf-8") == text, "run `make schemas` and commit the result"


def test_nothing_else_lies_beside_them():
    beside = (*(DOCS / "schemas").iterdir(), *(DOCS / "examples").iterdir())
    assert {path for path in beside if path.is_file()} == set(documents())


@pytest.mark.parametrize("name", sorted(examples()))
def test_examples_are_valid_and_say_nothing_unknown(name):
    model: type[BaseModel] = WIRE_MODELS[name.split(".")[0]]
    tree = json.loads(examples()[name])
    dumped = model.model_validate(tree).model_dump(mode="json", by_alias=True)
    if name in ("match.json", "match.test.json"):  # only updates name a first event
        assert dumped["data"].pop("match") is None
    assert dumped == tree


def objects(node: object) -> list[dict]:
    """Every schema of an object with named fields in a tree."""
    if isinstance(node, list):
        return [found for item in node for found in objects(item)]
    if not isinstance(node, dict):
        return []
    here = [node] if "properties" in node and isinstance(node["properties"], dict) else []
    return here + [found for item in node.values() for found in objects(item)]


@pytest.mark.parametrize("path", sorted((DOCS / "schemas").glob("*.json")), ids=lambda p: p.name)
def test_schemas_refuse_unknown_fields_everywhere(path):
    found = objects(json.loads(path.read_text(encoding="utf-8")))
    assert found
    assert [node["title"] for node in found if node.get("additionalProperties") is not False] == []


def unbounded_strings(node: object, where: str = "") -> list[str]:
    if isinstance(node, list):
        return [bad for item in node for bad in unbounded_strings(item, where)]
    if not isinstance(node, dict):
        return []
    bounds = {"maxLength", "pattern", "const", "enum", "format"}
    here = [where] if node.get("type") == "string" and not bounds & node.keys() else []
    return here + [
        b for key, item in node.items() for b in unbounded_strings(item, f"{where}/{key}")
    ]


@pytest.mark.parametrize("name", ["match", "state", "control-request"])
def test_every_text_on_the_wire_is_bounded(name):
    schema = json.loads((DOCS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert unbounded_strings(schema) == []
