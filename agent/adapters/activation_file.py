"""The activation in force, kept in a file so that a crash does not end it.

It matters within one boot only, so it is not flushed to the medium: what the kernel holds
outlives the process.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from agent.errors import DiskError
from agent.values import Monotonic, Wall
from agent.values.activation import KeptActivation

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ActivationFile:
    """Implements `agent.ports.activations.Activations`.

    Args:
        path: of the file, 0600.
        boot_id: where the kernel says which boot this is.
    """

    def __init__(self, path: Path, boot_id: Path = BOOT_ID) -> None:
        self._path = path
        try:
            self.boot = boot_id.read_text().strip()
        except OSError:
            self.boot = ""

    def save(self, kept: KeptActivation) -> None:
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.unlink(missing_ok=True)  # a link in its place is not followed
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as stream:
                json.dump(asdict(kept), stream)
            new.replace(self._path)
        except OSError as error:
            raise DiskError(f"{self._path}: {(error.strerror or str(error)).lower()}") from None

    def load(self) -> KeptActivation | None:
        """A file that is not ours, or not whole, counts as none: the device stays disarmed."""
        try:
            tree = json.loads(self._path.read_text())
            return KeptActivation(
                id=str(tree["id"]),
                reason=str(tree["reason"]),
                authorisation=str(tree["authorisation"]),
                uid=int(tree["uid"]),
                boot=str(tree["boot"]),
                alive_at=Monotonic(float(tree["alive_at"])),
                alive_wall=Wall(float(tree["alive_wall"])),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise DiskError(f"{self._path}: {(error.strerror or str(error)).lower()}") from None
