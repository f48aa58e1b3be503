"""Another passphrase for a key file, on whatever machine it is: no hub is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.hub.context import HubContext
from agent.hub.keyfiles import KeyFiles
from agent.hub.passphrases import Passphrases


def relock(context: HubContext, path: Path, new: Sequence[Path]) -> None:
    """Open a key file and lock it anew, in one step. Copies of before keep the old passphrase.

    Args:
        context: of the command; opens the file.
        path: of the key file.
        new: file with the new passphrase; the person is asked when there is none.

    Raises:
        MissingFileError, RefusedError, DataError: it cannot be opened; it is as it was.
        UsageError: there is no new passphrase, or it is too short; it is as it was.
        DiskError: it cannot be written; it is as it was.
    """
    old = Passphrases(context.passphrase_files, ask=context.ask)
    private = KeyFiles(old, context.cost, context.disk).load(path)
    chosen = Passphrases(new, ask=context.ask)
    chosen.choose(offline=True)
    KeyFiles(chosen, context.cost, context.disk).save(
        path, private, offline=True, when=context.clock.wall()
    )
