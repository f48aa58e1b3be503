"""Passphrases of key files: from files for machines, asked for otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from agent.errors import DataError, RefusedError, UsageError
from agent.hub.files import read_bounded, read_secret

MIN_LENGTH: Final = 8
_MAX_BYTES: Final = 4096
_TRIES: Final = 3

Ask = Callable[[str], str]


class Passphrases:
    """What opens key files, and what new ones are locked with.

    Args:
        files: one passphrase each, tried in order.
        offline_file: locks new offline keys; else the first of `files` when a hub is made.
        ask: asks the person at the terminal, without echo; None without a terminal.

    Raises:
        MissingFileError: no such file.
        RefusedError: others may read one of the files.
        UsageError: a file is empty.
        DataError: a file holds something else.
    """

    def __init__(
        self, files: Sequence[Path] = (), *, offline_file: Path | None = None, ask: Ask | None
    ) -> None:
        self._given = [_read(path) for path in files]
        self._offline = _read(offline_file) if offline_file else None
        self._ask = ask
        self._typed: list[str] = []
        self._chosen: dict[bool, str] = {}
        self._opened: dict[str, str] = {}

    def attempts(self, what: str) -> Iterator[str]:
        """Passphrases to try on a key file, the likely ones first, then what the person says.

        Raises:
            RefusedError: none of them was right (the caller asked for one more).
            UsageError: there is none, and nobody to ask.
        """
        known = [*self._given, *self._typed, *([self._offline] if self._offline else [])]
        yield from known
        if self._ask is None or self._given:
            raise self._wrong(what)
        for number in range(_TRIES):
            wrong = "That passphrase is wrong. " if number else ""
            typed = self._ask(f"{wrong}Passphrase of {what}: ")
            self._typed.append(typed)
            yield typed
        raise RefusedError(f"{what}: wrong passphrase")

    def note(self, what: str, passphrase: str) -> None:
        """Remember what opens a key file."""
        self._opened[what] = passphrase

    def of(self, what: str) -> str | None:
        """What opens a key file, once that is known."""
        return self._opened.get(what)

    def replace(self, likes: Sequence[str], *, offline: bool) -> str:
        """The passphrase of a key that takes the place of others.

        Args:
            likes: key files whose passphrase it may have; the first that was opened counts.
            offline: of which kind it is.

        Raises:
            UsageError: none was opened, and there is nobody to ask; as `choose`.
        """
        if offline and self._offline:
            return long_enough(self._offline, "new offline keys")
        found = next((self._opened[one] for one in likes if one in self._opened), None)
        if found is not None:
            return found
        if self._ask is None or self._given:
            option = "--offline-passphrase-file" if offline else "--passphrase-file"
            raise UsageError(
                f"no key that is replaced was opened, so the new one needs a passphrase: {option}"
            )
        return self.choose(offline=offline)

    def choose(self, *, offline: bool) -> str:
        """The passphrase of a new hub's keys: asked for twice, once for all keys of a kind.

        Raises:
            UsageError: there is nobody to ask; or it is too short, or typed differently.
        """
        if offline not in self._chosen:
            given = (self._offline if offline else None) or next(iter(self._given), None)
            kind = "new offline keys" if offline else "new keys of the hub"
            self._chosen[offline] = long_enough(given or self._new(kind), kind)
        return self._chosen[offline]

    def _new(self, kind: str) -> str:
        if self._ask is None:
            raise UsageError(
                f"{kind}: no terminal to ask for a passphrase; give --passphrase-file FILE"
            )
        first = self._ask(f"Passphrase for {kind}: ")
        if first != self._ask("Once more: "):
            raise UsageError(f"{kind}: the two passphrases differ; run the command again")
        return first

    def _wrong(self, what: str) -> RefusedError | UsageError:
        if self._given:
            return RefusedError(
                f"{what}: none of the passphrases given opens it; give its own as well, with "
                "another --passphrase-file"
            )
        return UsageError(
            f"{what}: no terminal to ask for its passphrase; give --passphrase-file FILE"
        )


def long_enough(passphrase: str, kind: str) -> str:
    """The passphrase itself.

    Raises:
        UsageError: it has fewer than 8 characters.
    """
    if len(passphrase) < MIN_LENGTH:
        raise UsageError(f"{kind}: a passphrase needs at least {MIN_LENGTH} characters")
    return passphrase


def _read(path: Path) -> str:
    read = read_bounded if _from_service_manager(path) else read_secret
    try:
        line = read(path, _MAX_BYTES).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: a passphrase is one line of UTF-8 text") from None
    if not line:
        raise UsageError(f"{path}: holds no passphrase; write one into its first line")
    if "\n" in line:
        raise DataError(f"{path}: expected one line, the passphrase")
    return line


def _from_service_manager(path: Path) -> bool:
    """Systemd's LoadCredential lets the service in by an access list, which shows as mode 0440;
    the folder itself lets in nobody else (systemd.exec(5)).
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return bool(folder) and path.resolve().is_relative_to(Path(folder).resolve())
