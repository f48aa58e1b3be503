"""What people type or read aloud, and what goes into JSON files."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import DataError, UsageError
from agent.hub.files import Disk, read_bounded
from agent.messages.provisioning import MAX_FILE

Model = TypeVar("Model", bound=BaseModel)
_GROUP: Final = 4
_LINE: Final = 8
_DAY_S: Final = 86_400.0


def grouped(digest: str) -> tuple[str, str]:
    """64 hexadecimal digits in groups of four, on two lines."""
    groups = [digest[at : at + _GROUP] for at in range(0, len(digest), _GROUP)]
    return " ".join(groups[:_LINE]), " ".join(groups[_LINE:])


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read_message(path: Path, kind: type[Model]) -> Model:
    """A message from a file.

    Raises:
        MissingFileError: no such file.
        DataError: it is no such message.
    """
    data = read_bounded(path, MAX_FILE)
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise DataError(f"{path}: not a {_words(kind)}: {first_problem(error)}") from None


def checked(kind: type[Model], values: dict[str, object]) -> Model:
    """A message from what was typed.

    Raises:
        UsageError: a value is not what it must be.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise UsageError(first_problem(error)) from None


def write_message(path: Path, message: BaseModel, *, when: float) -> None:
    """Write a message for its owner alone.

    Raises:
        DiskError: it cannot be written.
    """
    Disk().write(path, message.model_dump_json(indent=2).encode() + b"\n", when=when, mode=0o600)


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's findings, in one line."""
    one = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in one["loc"])
    return f"{place}: {one['msg']}" if place else str(one["msg"])


def days_left(expires: float, now: float) -> float:
    """Days until a time, to one place; negative when it is over."""
    return round((expires - now) / _DAY_S, 1)


def _words(kind: type[BaseModel]) -> str:
    return "".join(f" {one.lower()}" if one.isupper() else one for one in kind.__name__).strip()
