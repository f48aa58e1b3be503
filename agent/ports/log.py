"""Where the agent tells its operator what it does."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """One line an event. Fields are allow-listed by the adapter: nothing about a person."""

    def info(self, message: str, **fields: str | float) -> None: ...

    def warning(self, message: str, **fields: str | float) -> None: ...

    def error(self, message: str, **fields: str | float) -> None: ...
