"""Who may command this device, and who may authorise: the keys of a role, as the agency's root
says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tuf.api.metadata import Targets

from agent.adapters.sealing import KEY_BYTES, key_id
from agent.adapters.tuf_verify import verified_targets
from agent.delivery.inbound import CommandKeys
from agent.errors import BodycamError

COMMANDS: Final = "commands"
AUTHORISATIONS: Final = "authorisations"
_FILES: Final = ("targets.json", "snapshot.json", "timestamp.json", "root.json", "root_history")
_NOBODY: Final = CommandKeys({}, 0.0)


class DelegatedCommandKeys:
    """Read from the verified metadata of the latest sync, and verified again when it changed.

    Args:
        folder: where the metadata lies.
        trust_root: gives TUF root metadata as provisioned, bytes.
        role: whose keys.
    """

    def __init__(self, folder: Path, trust_root: Callable[[], bytes], role: str = COMMANDS) -> None:
        self._role = role
        self._folder = folder
        self._trust_root = trust_root
        self._seen: object = None
        self._keys = _NOBODY
        self.trouble = ""

    def __call__(self) -> CommandKeys:
        """The keys; nobody's when there was no sync yet. When the metadata cannot be verified, as
        in the middle of a sync, those verified last.
        """
        seen = [_mark(self._folder / name) for name in _FILES]
        if seen != self._seen:
            try:
                self._keys = _keys_of(
                    verified_targets(self._folder, self._trust_root()), self._role
                )
            except (BodycamError, ValueError) as error:
                self.trouble = str(error)
            else:
                self._seen, self.trouble = seen, ""
        return self._keys


def _keys_of(targets: Targets, name: str) -> CommandKeys:
    """A role that needs several signatures has no keys here: a command carries one."""
    role = targets.get_delegated_role(name)
    publics = [targets.get_key(one).keyval.get("public") for one in role.keyids]
    found = [bytes.fromhex(one) for one in publics if isinstance(one, str)]
    keys = {key_id(one): one for one in found if len(one) == KEY_BYTES}
    return CommandKeys(keys if role.threshold == 1 else {}, targets.expires.timestamp())


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Changes with every file that is put in this place."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
