"""What a command may use. Heavy libraries are imported where they are needed, so that a command
which needs none of them answers at once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.clock import SystemClock
from agent.adapters.log import StderrLog
from agent.config import Config, Layer, parse
from agent.errors import ConfigError, MissingFileError

if TYPE_CHECKING:
    from agent.adapters.audit_log import AuditLog
    from agent.adapters.keystore import Keystore
    from agent.adapters.watchlist_store import WatchlistStore
    from agent.ports import Detector, Embedder
    from agent.stages.threshold import Curve


@dataclass(frozen=True, slots=True)
class Models:
    """The two networks, and how their similarities are to be read.

    Attributes:
        detector, embedder: verified against the manifest.
        curve: (similarity, false match rate) points measured on this embedder.
    """

    detector: Detector
    embedder: Embedder
    curve: Curve

    @property
    def hashes(self) -> dict[str, str]:
        """sha256 of both, as audit records cite them."""
        return {
            "detector": self.detector.identity.sha256,
            "embedder": self.embedder.identity.sha256,
        }


class Context:
    """What a command may use; each thing is made when it is first asked for.

    Args:
        state_dir: the agent's own folder.
        config_file: YAML; None for the defaults.
        overrides: `section.key=value`, applied over the file.
        json: the command answers for a program, in JSON on stdout.
        models: in place of those on disk.
        passphrase_file: opens a locked store for a command that reads it.

    Raises:
        ConfigError, MissingFileError: at the first use of `config`.
    """

    def __init__(
        self,
        state_dir: Path,
        config_file: Path | None = None,
        overrides: tuple[str, ...] = (),
        *,
        json: bool = False,
        models: Models | None = None,
        passphrase_file: Path | None = None,
    ) -> None:
        self.passphrase_file = passphrase_file
        self.state_dir = state_dir
        self.config_file = config_file
        self.overrides = overrides
        self.json = json
        self.clock = SystemClock()
        self._given = self._models = models
        self.log = StderrLog(sys.stderr, journal="JOURNAL_STREAM" in os.environ)

    def adjusted(self, *overrides: str) -> Context:
        """The same with other settings over these; its networks are opened anew."""
        other = type(self)(
            self.state_dir,
            self.config_file,
            (*self.overrides, *overrides),
            json=self.json,
            models=self._given,
            passphrase_file=self.passphrase_file,
        )
        other.clock = self.clock
        return other

    @cached_property
    def config(self) -> Config:
        """The effective configuration, checked as a whole."""
        return parse(_layer(self.config_file), self.overrides)

    @property
    def control_path(self) -> Path:
        """Where the running agent listens."""
        from agent.adapters.control_socket import socket_path

        return socket_path(self.state_dir, os.environ.get("RUNTIME_DIRECTORY"))

    def models(self) -> Models:
        """The networks, verified and opened at the first call.

        Raises:
            MissingFileError, DataError: they are not built, or not what the manifest says.
        """
        if self._models is None:
            from agent.app.models import open_models

            self._models = open_models(self.config, self.state_dir)
        return self._models

    def watchlist(self) -> WatchlistStore:
        """The local list, in `watchlist/` of the state folder."""
        from agent.adapters.watchlist_store import WatchlistStore

        return WatchlistStore(self.state_dir / "watchlist")

    @property
    def keys_dir(self) -> Path:
        """Where the identity of a provisioned device lies."""
        return self.state_dir / "keys"

    @property
    def provisioned(self) -> bool:
        """Whether this device has an identity: then the agency's list is the only one."""
        return os.path.lexists(self.keys_dir)

    def keystore(self) -> Keystore:
        """The identity of this device, and its keys once they are unlocked.

        Raises:
            BodycamError: there is none, or it cannot be read.
        """
        from agent.adapters.keystore import Keystore

        return Keystore(self.keys_dir, self.clock.monotonic)

    def audit(self) -> AuditLog:
        """The audit log, in `audit/` of the state folder."""
        from agent.adapters.audit_log import AuditLog

        return AuditLog(self.state_dir / "audit", self.clock)

    def close(self) -> None:
        """Release what was opened."""


def _layer(path: Path | None) -> Layer | None:
    if path is None:
        return None
    try:
        return Layer(str(path), path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(("not UTF-8 text",), str(path)) from None
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise MissingFileError(f"configuration {path}: {why}") from None
