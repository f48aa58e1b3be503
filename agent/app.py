"""Composition root: the only place that names concrete classes together.

Everything is built here and passed in. Heavy libraries are imported where they are needed, so
that a command which needs none of them answers at once.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path

from agent.adapters.clock import SystemClock
from agent.adapters.control_socket import socket_path
from agent.adapters.log import StderrLog
from agent.config import Config, Layer, parse
from agent.errors import ConfigError, MissingFileError


class Context:
    """What a command may use; each thing is made when it is first asked for.

    Args:
        state_dir: the agent's own folder.
        config_file: YAML; None for the defaults.
        overrides: `section.key=value`, applied over the file.
        json: the command answers for a program, in JSON on stdout.

    Raises:
        ConfigError, MissingFileError: at the first use of `config`.
    """

    def __init__(
        self,
        state_dir: Path,
        config_file: Path | None = None,
        overrides: tuple[str, ...] = (),
        *,
        json: bool = False,
    ) -> None:
        self.state_dir = state_dir
        self.config_file = config_file
        self.overrides = overrides
        self.json = json
        self.clock = SystemClock()
        self.log = StderrLog(sys.stderr, journal="JOURNAL_STREAM" in os.environ)

    @cached_property
    def config(self) -> Config:
        """The effective configuration, checked as a whole."""
        return parse(_layer(self.config_file), self.overrides)

    @property
    def control_path(self) -> Path:
        """Where the running agent listens."""
        return socket_path(self.state_dir, os.environ.get("RUNTIME_DIRECTORY"))

    def close(self) -> None:
        """Release what was opened."""


def _layer(path: Path | None) -> Layer | None:
    if path is None:
        return None
    try:
        return Layer(str(path), path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(("not UTF-8 text",), str(path)) from None
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise MissingFileError(f"configuration {path}: {why}") from None
