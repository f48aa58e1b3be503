"""The handbook explains every clause of a policy, and what it shows is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from agent.messages.policy import PolicyDocument
from firmware_sim.story.format import Expect
from tests.support.policies import a_policy

DOCS = Path(__file__).parents[3] / "agent" / "docs"


def clauses() -> list[str]:
    """`section.clause`, and clauses of no section."""
    found = []
    for name, field in PolicyDocument.model_fields.items():
        kind = field.annotation
        inner = isinstance(kind, type) and issubclass(kind, BaseModel)
        found += [f"{name}.{one}" for one in kind.model_fields] if inner else [name]
    return [one for one in found if one != "format"]


def told(document: str) -> set[str]:
    """Names in the first column of its tables; one after a `section.name` is of that section."""
    found = set()
    for row in re.findall(r"^\| (`.*?) \|", (DOCS / document).read_text(), re.MULTILINE):
        section = ""
        for name in re.findall(r"`([a-z_.]+)`", row):
            section = name.partition(".")[0] if "." in name else section
            found.add(name if "." in name or not section else f"{section}.{name}")
    return found


def test_every_clause_is_explained() -> None:
    assert len(clauses()) > 30
    assert set(clauses()) - told("agency.md") == set()


def test_the_bounds_that_it_shows_are_taken() -> None:
    (text,) = re.findall(r"```yaml\n(bounds:.*?)```", (DOCS / "agency.md").read_text(), re.DOTALL)
    policy = a_policy(bounds=yaml.safe_load(text)["bounds"])
    assert (len(policy.schedule), len(policy.areas)) == (4, 1)


@pytest.mark.parametrize("key", Expect.model_fields)
def test_every_expectation_of_a_story_is_explained(key: str) -> None:
    assert key in told("stories.md")
