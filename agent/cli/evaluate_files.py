"""Files of an evaluation: the lists, the photographs, the scores."""

from __future__ import annotations

import csv
from pathlib import Path

from agent.errors import DataError, DiskError, MissingFileError
from agent.metrics.pairs import ImageRef, PairList
from agent.metrics.verification import Trials

ENDINGS = (".jpg", ".png")


class Photographs:
    """A folder of pictures.

    Raises:
        MissingFileError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise MissingFileError(f"{folder}: no such folder of pictures")
        self._folder = folder

    def named(self, path: str) -> Path:
        """The picture at a relative path.

        Raises:
            MissingFileError: it is not there.
        """
        full = self._folder / path
        if not full.is_file():
            raise MissingFileError(f"{full}: no such picture")
        return full

    def find_all(self, refs: list[ImageRef]) -> list[Path]:
        """The pictures of an LFW-like folder, `.jpg` before `.png`.

        Raises:
            MissingFileError: naming the first that is not there, and how many are not.
        """
        found = [self._find(ref) for ref in refs]
        missing = [ref for ref, path in zip(refs, found, strict=True) if path is None]
        if missing:
            others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            first = self._folder / missing[0].stem
            raise MissingFileError(f"{first}{ENDINGS[0]}: no such picture{others}")
        return [path for path in found if path is not None]

    def _find(self, ref: ImageRef) -> Path | None:
        paths = (self._folder / f"{ref.stem}{ending}" for ending in ENDINGS)
        return next((path for path in paths if path.is_file()), None)


def read_text(path: Path) -> str:
    """A list as text.

    Raises:
        MissingFileError: it is not there or may not be read.
        DataError: it is a folder, or not UTF-8.
    """
    if path.is_dir():
        raise DataError(f"{path}: is a folder, a list is needed")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; is it the right file?") from None
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        raise MissingFileError(f"{path}: {why}") from None


def check_writable(name: str | None) -> Path | None:
    """The file for the scores, tried before the long work begins.

    Raises:
        DiskError: it cannot be written.
    """
    if name is None:
        return None
    path = Path(name)
    try:
        path.touch()
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def write_scores(path: Path, listed: PairList, trials: Trials) -> None:
    """A line to a pair: `left,right,same,fold,score`, -1 for a failed acquisition.

    Raises:
        DiskError: it cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("left", "right", "same", "fold", "score"))
            for pair, fold, score in zip(listed.pairs, trials.folds, trials.scores, strict=True):
                left, right = pair.left.stem, pair.right.stem
                writer.writerow((left, right, int(pair.same), int(fold), f"{score:.6f}"))
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> DiskError:
    return DiskError(f"{path}: cannot be written ({(error.strerror or 'unknown').lower()})")
