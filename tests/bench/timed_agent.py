"""`python -m tests.bench.timed_agent FILE RUN-ARGUMENTS`: the agent as it is, with a note of how
long each frame took: `[monotonic end, seconds]` for every frame, written at the end.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agent.cli import main
from agent.runtime.tally import Tally


def run() -> int:
    out, arguments = Path(sys.argv[1]), sys.argv[2:]
    frames: list[tuple[float, float]] = []
    count = Tally.step

    def step(self: Tally, result: Any, *, began: Any, ended: Any) -> None:
        frames.append((ended, ended - began))
        count(self, result, began=began, ended=ended)

    Tally.step = step  # type: ignore[method-assign]
    code = main(arguments)
    out.write_text(json.dumps(frames), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(run())
