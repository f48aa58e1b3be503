"""A log that keeps what it was told."""

from __future__ import annotations


class KeptLog:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, str | float]]] = []

    def info(self, message: str, **fields: str | float) -> None:
        self.lines.append(("info", message, fields))

    def warning(self, message: str, **fields: str | float) -> None:
        self.lines.append(("warning", message, fields))

    def error(self, message: str, **fields: str | float) -> None:
        self.lines.append(("error", message, fields))

    def messages(self, level: str) -> list[str]:
        return [message for kind, message, _ in self.lines if kind == level]
