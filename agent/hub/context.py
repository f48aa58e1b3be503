"""What a command of the hub works with, built once from its command line."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.adapters.clock import SystemClock
from agent.adapters.sealing import ScryptCost
from agent.hub.files import Disk
from agent.ports import Clock

if TYPE_CHECKING:
    from agent.adapters.mqtt_rules import MqttSettings
    from agent.hub.broker_memory import BrokerMemory


@dataclass
class HubContext:
    """The hub folder and the world around it.

    Attributes:
        state_dir: the hub folder, see `agent.hub`.
        json: answer for a program, JSON alone on stdout.
        passphrase_files: passphrases given as files, tried in order.
        offline_dirs: where offline keys are looked for; where init put them when empty.
        clock: wall time for expiry.
        randomness: `n -> n random bytes`, for ids and tokens.
        ask: puts one question to the person at the terminal without echo; None without a terminal.
        cost: of a guess at the passphrase of a new key file.
        disk: writes key files and the public folder.
    """

    state_dir: Path
    json: bool = False
    passphrase_files: tuple[Path, ...] = ()
    offline_dirs: tuple[Path, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    randomness: Callable[[int], bytes] = os.urandom
    ask: Callable[[str], str] | None = None
    cost: ScryptCost = ScryptCost()  # noqa: RUF009 -- frozen
    disk: Disk = Disk()  # noqa: RUF009 -- stateless

    @property
    def database(self) -> Path:
        return self.state_dir / "hub.sqlite"

    @property
    def public(self) -> Path:
        return self.state_dir / "public"

    def memory_of(self, settings: MqttSettings) -> BrokerMemory:
        """What is known of a broker."""
        from agent.hub.broker_memory import BrokerMemory

        return BrokerMemory(self.state_dir, settings, when=self.clock.wall(), disk=self.disk)

    @property
    def keys_dir(self) -> Path:
        return self.state_dir / "keys"


def build_context(args: argparse.Namespace, environ: Mapping[str, str]) -> HubContext:
    """From a parsed command line."""
    state_dir = getattr(args, "state_dir", None)
    return HubContext(
        state_dir=Path(state_dir) if state_dir else default_hub_dir(environ),
        json=getattr(args, "json", False),
        passphrase_files=tuple(map(Path, getattr(args, "passphrase_file", None) or ())),
        offline_dirs=tuple(map(Path, getattr(args, "offline_dir", None) or ())),
        ask=getpass.getpass if sys.stdin is not None and sys.stdin.isatty() else None,
    )


def default_hub_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/bodycam-hub`, else `~/.local/share/bodycam-hub`."""
    base = environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "bodycam-hub"
