"""Commands of the agent, run in this process against made-up networks."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.app import Context
from agent.cli import COMMANDS
from agent.cli.common import read_globals
from agent.cli.parser import Parser, Shared
from tests.support.clocks import FakeClock
from tests.support.portraits import PortraitModels


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """A state folder with a clock that stands still, and what is said about it.

    Expected failures are raised as they are: turning them into exit codes is `main`'s work.
    """

    def __init__(self, state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state_dir = state_dir
        self.clock = FakeClock()
        self.models = PortraitModels()
        self._capsys = capsys

    def __call__(self, command: str, *words: str | Path) -> Said:
        shared = Shared()
        parser = Parser(prog="bodycam-agent", shared=shared)
        module = importlib.import_module(COMMANDS[command][0])
        module.register(parser.add_subparsers())
        given = [command, *map(str, words), "--state-dir", str(self.state_dir)]
        args = parser.parse_args(given)
        options = read_globals(args, shared.overrides, {})
        context = self.context(json=options.json, overrides=options.overrides)
        context.passphrase_file = getattr(args, "store_passphrase", None)
        code = module.run(args, context)
        captured = self._capsys.readouterr()
        return Said(code, captured.out, captured.err)

    def context(self, *, json: bool = False, overrides: tuple[str, ...] = ()) -> Context:
        context = Context(self.state_dir, None, overrides, json=json, models=self.models)
        context.clock = self.clock
        return context

    def audit(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and fields of every record that is no checkpoint."""
        records = [json.loads(line) for line in self.context().audit().lines()]
        return [(one["kind"], one["fields"]) for one in records if one["kind"] != "checkpoint"]
