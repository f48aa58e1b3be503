"""What a check finds, and the machine that it looks at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.errors import Exit

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


def failed(name: str, says: str, mend: str, code: Exit) -> Finding:
    """It does not work."""
    return Finding(name, "FAIL", says, mend, code)
