"""The highest counter of any command so far, on disk before the command is obeyed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from agent.adapters.private_files import read_private, write_private
from agent.errors import DataError, MissingFileError

FILE: Final = "command-counter.json"
_LIMIT: Final = 256
_LARGEST: Final = 2**53


class CommandCounter:
    """A number in a file of its own, bound to the device's key: after a new provisioning the
    hub's numbers begin anew as well.

    Args:
        path: of the file; its folder exists.
        device_key: name of the device's X25519 key.
    """

    def __init__(self, path: Path, device_key: str) -> None:
        self._path = path
        self._device_key = device_key

    def read(self) -> int:
        """The counter; 0 when there never was a command.

        Raises:
            DataError: damaged: no command can be told from its replay.
            RefusedError: others could read or change it.
            DiskError: it cannot be read.
        """
        try:
            tree = json.loads(read_private(self._path, _LIMIT))
        except MissingFileError:
            return 0
        except (ValueError, RecursionError):
            raise self._damaged() from None
        if not isinstance(tree, dict) or tree.keys() != {"counter", "device_key"}:
            raise self._damaged()
        counter = tree["counter"]
        if type(counter) is not int or not 0 <= counter <= _LARGEST:
            raise self._damaged()
        return counter if tree["device_key"] == self._device_key else 0

    def write(self, counter: int) -> None:
        """Keep it; on the medium when this returns.

        Raises:
            DiskError: it cannot be written.
        """
        tree = {"counter": counter, "device_key": self._device_key}
        write_private(self._path, json.dumps(tree).encode())

    def _damaged(self) -> DataError:
        return DataError(
            f"{self._path}: damaged, so commands are refused; wipe and provision again"
        )
