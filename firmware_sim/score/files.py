"""Reads the files that a score is made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from firmware_sim.errors import Exit, SimError
from firmware_sim.render import TRUTH_FORMAT


def read_truth(path: Path) -> list[dict[str, Any]]:
    """A truth file, the head first.

    Raises:
        SimError: there is none (66), or it is not one (65).
    """
    lines = _lines(path)
    if not lines or lines[0].get("format") != TRUTH_FORMAT:
        raise SimError(f"{path}: not a truth file of `bodycam-sim render`", Exit.DATA)
    return lines


def read_received(path: Path) -> list[dict[str, Any]]:
    """The subscriber's file.

    Raises:
        SimError: there is none (66), or it is not one (65).
    """
    lines = _lines(path)
    for number, line in enumerate(lines, 1):
        missing = {"topic", "received_at", "payload"} - set(line)
        if missing:
            raise SimError(f"{path}, line {number}: no {', '.join(sorted(missing))}", Exit.DATA)
    return lines


def read_report(path: Path) -> dict[str, Any]:
    """The agent's run report.

    Raises:
        SimError: there is none (66), or it is not one (65).
    """
    try:
        report = json.loads(_text(path))
        report["alerts"]["raised"], report["tracks"], report["subjects"]
    except (ValueError, KeyError, TypeError):
        raise SimError(f"{path}: not a report of `bodycam-agent run --report`", Exit.DATA) from None
    return dict(report)


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        found = [json.loads(line) for line in _text(path).splitlines() if line.strip()]
    except ValueError:
        raise SimError(f"{path}: not JSON lines", Exit.DATA) from None
    if not all(isinstance(line, dict) for line in found):
        raise SimError(f"{path}: not a JSON object on every line", Exit.DATA)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise SimError(f"{path}: cannot be read ({reason})", Exit.NO_INPUT) from None
