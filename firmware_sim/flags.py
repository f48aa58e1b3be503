"""What flags of several commands are made of; each raises what argparse tells in one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

_Parsed = TypeVar("_Parsed")


def parsed(parse: Callable[[str], _Parsed]) -> Callable[[str], _Parsed]:
    """A flag's type; what `parse` has to say in a ValueError is told."""

    def flag(text: str) -> _Parsed:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return flag


def address(text: str) -> tuple[str, int]:
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host, int(port)
