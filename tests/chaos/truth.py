"""What the device raised, in a file of its own: the truth that everything is held against.

A line `about` is written before an event goes to the outbox, a line with its fate (and fsync) after
the outbox has answered. A kill in between leaves an event that may arrive, and
need not.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Raised:
    """One event.

    Attributes:
        id: of the event.
        subject: who.
        activation: under which arming.
        first: no update of an earlier one.
        at: monotonic seconds of this machine.
        priority: higher goes first.
        fate: `about`: nobody knows; `raised`: the outbox said that it has it; `given_up`: that it
            has no room for it.
    """

    id: str
    subject: str
    activation: str
    first: bool
    at: float
    priority: int
    fate: str


class TruthFile:
    """Written by the device, one life after the other."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def about(self, **fields: Any) -> None:
        os.write(self._handle, line("about", fields))

    def fate(self, event: str, fate: str) -> None:
        os.write(self._handle, line(fate, {"id": event}))
        os.fsync(self._handle)


def line(kind: str, fields: dict[str, Any]) -> bytes:
    return json.dumps({"kind": kind, **fields}, separators=(",", ":")).encode() + b"\n"


def read_truth(path: Path) -> dict[str, Raised]:
    """Everything that was raised or about to be, by id, in order."""
    about: dict[str, dict[str, Any]] = {}
    fates: dict[str, str] = {}
    for text in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        if not text.endswith(b"\n"):
            continue
        tree = json.loads(text)
        kind = tree.pop("kind")
        if kind == "about":
            about[tree["id"]] = tree
        else:
            fates[tree["id"]] = kind
    return {key: Raised(**tree, fate=fates.get(key, "about")) for key, tree in about.items()}
