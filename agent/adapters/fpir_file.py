"""The counts of the running monitor of false alerts, in a file: they outlive every restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.adapters.private_files import read_private, write_private
from agent.errors import DataError, MissingFileError
from agent.messages.match import Ulid
from agent.policy.fpir_monitor import FpirCounts

_LIMIT: Final = 1 << 20
_Count = Field(ge=0, le=2**53, strict=True)


class _Kept(BaseModel):
    """As in the file; see `FpirCounts`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracks: int = _Count
    raised: dict[Ulid, int]
    confirmed: tuple[Ulid, ...]
    rejected: tuple[int, ...]
    crossed: str = Field(max_length=500)


class FpirFile:
    """Implements `agent.runtime.fpir_watch.CountsKeeper`: written whole, for the owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[FpirCounts, str]:
        """The counts, and why matching was stopped (empty: it was not); zeros without a file.

        Raises:
            DataError: damaged.
            RefusedError: a link, or others could read or change it.
            DiskError: it cannot be read.
        """
        try:
            kept = _Kept.model_validate_json(read_private(self._path, _LIMIT))
        except MissingFileError:
            return FpirCounts(), ""
        except ValidationError:
            raise DataError(f"{self._path}: damaged") from None
        counts = FpirCounts(kept.tracks, tuple(kept.raised.items()), kept.confirmed, kept.rejected)
        return counts, kept.crossed

    def save(self, counts: FpirCounts, crossed: str) -> None:
        """On the medium when this returns.

        Raises:
            DiskError: it cannot be written.
        """
        tree = {
            "tracks": counts.tracks,
            "raised": dict(counts.raised),
            "confirmed": counts.confirmed,
            "rejected": counts.rejected,
            "crossed": crossed,
        }
        write_private(self._path, json.dumps(tree).encode())
