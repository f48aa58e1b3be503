"""What a check finds, and the machine that it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agent.adapters.control_socket import ask
from agent.app.context import Context
from agent.errors import BodycamError, Exit
from agent.messages.control import ControlRequest

Level = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        check: its name.
        level: WARN works but is not as it should be; FAIL does not work.
        says: what was found, one line.
        mend: what to do; empty when nothing is to be done.
        code: exit code of a FAIL.
    """

    check: str
    level: Level
    says: str
    mend: str = ""
    code: Exit = Exit.OK


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the checks look, so that tests can stand in for it.

    Attributes:
        root: of the file system.
        uid: of this user.
    """

    root: Path = Path("/")
    uid: int = -1

    def text(self, path: str) -> str:
        """Of a file, empty when there is none."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def running(context: Context) -> Mapping[str, Any] | None:
    """What the running agent says of itself; None: none answers."""
    try:
        reply = ask(context.control_path, ControlRequest(command="status"))
    except BodycamError:
        return None
    return reply.data if reply.ok else None


def failed(name: str, says: str, mend: str, code: Exit) -> Finding:
    """It does not work."""
    return Finding(name, "FAIL", says, mend, code)
