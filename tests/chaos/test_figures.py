from __future__ import annotations

import json
import random
from itertools import islice
from pathlib import Path

import pytest

from tests.chaos.figures import share, write
from tests.chaos.latency import stalls


def test_a_share_is_a_value_that_was_measured() -> None:
    assert share([]) == {}
    assert share([3.0]) == {"p50": 3.0, "p95": 3.0, "max": 3.0}
    assert share([float(n) for n in range(100, 0, -1)]) == {"p50": 50.0, "p95": 95.0, "max": 100.0}


@pytest.mark.parametrize(("broken", "code"), [((), 0), (("it is",), 1)])
def test_figures_are_kept_and_what_is_broken_fails(tmp_path: Path, broken, code) -> None:
    path = tmp_path / "new" / "figures.json"
    assert write(path, {"raised": 3}, broken) == code
    assert json.loads(path.read_text()) == {"raised": 3, "broken": list(broken)}


def test_stalls_are_time_outs_that_double() -> None:
    drawn = list(islice(stalls(random.Random(1)), 2000))
    assert {long for _, long in drawn} == {0.5, 1.0, 2.0}
    assert sum(wait for wait, _ in drawn) / 2000 == pytest.approx(8.0, rel=0.1)
