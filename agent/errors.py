"""What can go wrong, named by whose fault it is, each with its exit code (sysexits.h).

Every error carries one line for the person in front of the device: what is wrong and how to
mend it. `BodycamError` subclasses are the only exceptions that a command turns into an exit
code; anything else is a bug and exits with 70.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    USAGE = 64
    DATA = 65
    NO_INPUT = 66
    UNAVAILABLE = 69
    INTERNAL = 70
    DISK = 74
    PENDING = 75
    REFUSED = 77
    CONFIG = 78


class BodycamError(Exception):
    """Base of all expected failures. `str(error)` is one line, fit for an operator."""

    exit_code: Exit = Exit.INTERNAL


class UsageError(BodycamError):
    """The command line does not make sense."""

    exit_code = Exit.USAGE


class DataError(BodycamError):
    """An image, list, bundle or model is not what it should be."""

    exit_code = Exit.DATA


class MissingFileError(BodycamError):
    """A named file or folder does not exist or cannot be read."""

    exit_code = Exit.NO_INPUT


class UnavailableError(BodycamError):
    """A camera, or a network where one is needed, cannot be reached now."""

    exit_code = Exit.UNAVAILABLE


class CameraError(UnavailableError):
    """The camera cannot be opened, or went away."""


class DiskError(BodycamError):
    """Storage failed: full, read-only or unreadable."""

    exit_code = Exit.DISK


class RefusedError(BodycamError):
    """Policy or authorisation forbids it."""

    exit_code = Exit.REFUSED


class ConfigError(BodycamError):
    """The configuration cannot be used; lists every problem, one to a line.

    Args:
        problems: one line each, `path: what is wrong and how to mend it`.
        origin: where the configuration came from, for the first line.
    """

    exit_code = Exit.CONFIG

    def __init__(self, problems: tuple[str, ...], origin: str = "configuration") -> None:
        self.problems = problems
        self.origin = origin
        super().__init__("\n".join(f"{origin}: {problem}" for problem in problems))
