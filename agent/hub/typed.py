"""What people type or read aloud, and what goes into JSON files."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from agent.errors import DataError, UsageError
from agent.hub.files import Disk, read_bounded
from agent.messages.provisioning import MAX_FILE, Url

Model = TypeVar("Model", bound=BaseModel)
_GROUP: Final = 4
_LINE: Final = 8
_DAY_S: Final = 86_400.0
_SHOWN: Final = 5
_ID: Final = "letters, digits, `.`, `-` and `_`, at most 64, and a letter or digit first"
_PATTERNS: Final = {
    "device": _ID,
    "agency": _ID,
    "url": "write https://HOST/PATH (or http://), without spaces",
    "role": "--role is an office, never a name: 2 to 40 lower case letters, digits and hyphens, a "
    "letter first, such as duty-inspector",
    "reference": "--reference is letters, digits and `_.:/-`, at most 64, without spaces",
}
_URL: Final = TypeAdapter(Url)


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
        raise DataError(f"{path}: no {_words(kind)}: {first_problem(error)}") from None


def checked(kind: type[Model], values: Mapping[str, object]) -> Model:
    """A message from what was typed.

    Raises:
        UsageError: values are not what they must be, one a line.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise UsageError("\n".join(map(_problem, found[:_SHOWN]))) from None


def write_message(path: Path, message: BaseModel, *, when: float) -> None:
    """Write a message for its owner alone.

    Raises:
        DiskError: it cannot be written.
    """
    Disk().write(path, message.model_dump_json(indent=2).encode() + b"\n", when=when, mode=0o600)


def first_problem(error: ValidationError) -> str:
    """The first of pydantic's findings, in one line."""
    return _problem(error.errors(include_url=False)[0])


def _problem(one: Any) -> str:
    place = ".".join(str(part) for part in one["loc"])
    said = str(one["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    if one["type"] == "json_invalid":
        said = "not JSON, or cut off"
    elif one["type"] == "missing":
        said = "is missing"
    elif one["type"] == "too_short":
        said = f"needs at least {one['ctx']['min_length']}"
    elif one["type"] == "extra_forbidden":
        said = "is not known here"
    elif one["type"] == "string_pattern_mismatch":
        said = _PATTERNS.get(place, "has characters that it may not have")
    return f"{place}: {said}" if place else said


def check_url(url: str) -> None:
    """Whether cameras could fetch from there.

    Raises:
        UsageError: they could not.
    """
    try:
        _URL.validate_python(url)
    except ValidationError:
        raise UsageError(f"--url {url}: {_PATTERNS['url']}") from None


def days_left(expires: float, now: float) -> float:
    """Days until a time, to one place; negative when it is over."""
    return round((expires - now) / _DAY_S, 1)


def _words(kind: type[BaseModel]) -> str:
    return "".join(f" {one.lower()}" if one.isupper() else one for one in kind.__name__).strip()
