"""Expected failures: one line for a person, and an exit code of sysexits.h."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    DISK = 74


class SimError(Exception):
    """What is wrong, in one line."""

    def __init__(self, message: str, code: Exit) -> None:
        self.code = code
        super().__init__(message)
