"""Documents that name the tests behind their claims must name tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = ("agent/docs/watchlist-threats.md", "agent/docs/objections.md")
_TEST = re.compile(r"`(test_\w+)`")
_FILES = re.compile(r"\[((?:tests/[\w/.]+(?:, )?)+)\](?!\()")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_is_named_exists_where_it_is_said_to_be(document: str) -> None:
    named = 0
    for line in (ROOT / document).read_text().splitlines():
        tests = _TEST.findall(line)
        if not tests:
            continue
        files = [name for group in _FILES.findall(line) for name in group.split(", ")]
        code = "\n".join((ROOT / name).read_text() for name in files)
        missing = [test for test in tests if f"def {test}(" not in code]
        assert not missing, f"{document} names tests that are not there: {missing}"
        named += len(tests)
    assert named > 20
