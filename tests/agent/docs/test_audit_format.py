"""The format for third parties is described as it is."""

from __future__ import annotations

import re
from pathlib import Path

import agent.docs
from agent.audit.chain import KINDS

TEXT = (Path(agent.docs.__path__[0]) / "audit-format.md").read_text()


def test_every_kind_of_record_is_described_and_no_other() -> None:
    rows = TEXT.split("| kind | when | fields |")[1]
    cells = [line.split("|")[1] for line in rows.splitlines() if line.startswith("| `")]
    described = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)}
    assert described == set(KINDS)


def test_what_it_links_to_is_there() -> None:
    for name in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (Path(agent.docs.__path__[0]) / name).exists(), name
