"""Which photographs belong to which entry: a CSV, or a folder with one folder per subject.

CSV: UTF-8 with a header, one line for each photograph; several lines with one `entry` give one
entry with several templates and must agree on everything but the photograph. Columns: `image`
(relative to the CSV), `entry`, `subject`, `basis`, `purpose`, `authorisation`, `priority`,
`not_before`, `not_after`. A column that is missing is filled from the command line; `entry` may
be left out and is then SUBJECT-1.

Folder: `DIR/SUBJECT/*.jpg`; the name of each folder is the subject's opaque id. What holds for the
entries comes from the command line, or from `DIR/grounds.csv` with the columns of above but
`image`, one line for each subject.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.adapters.images import SUFFIXES
from agent.errors import DataError, MissingFileError
from agent.watchlist.columns import MAX_TEMPLATES
from agent.watchlist.entries import EntryMeta, entry_meta

GROUNDS: Final = ("basis", "purpose", "authorisation", "priority", "not_before", "not_after")
FIELDS: Final = ("entry", "subject", *GROUNDS)
GROUNDS_FILE: Final = "grounds.csv"
LAYOUT: Final = "a folder holds one folder per subject, with photographs as " + " ".join(
    sorted(SUFFIXES)
)
_SHOWN: Final = 20
_OPTIONAL: Final = ("priority", "not_before")


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph and the entry that it is for.

    Attributes:
        path: of the file.
        meta: of the entry.
        line: where it is named, such as `list.csv: line 3`; empty in a folder.
    """

    path: Path
    meta: EntryMeta
    line: str = ""

    @property
    def where(self) -> str:
        """Of its entry, for a message."""
        entry = f"entry {self.meta.entry!r}"
        return f"{self.line}: {entry}" if self.line else entry


def read_photographs(source: Path, defaults: Mapping[str, str]) -> list[Photograph]:
    """The photographs that a CSV or folder names, each entry's together.

    Args:
        source: the file or folder.
        defaults: fields from the command line, for columns that the source lacks.

    Raises:
        MissingFileError: there is no such file or folder.
        DataError: a line that breaks a rule, named by its number; a folder without photographs.
    """
    if source.is_dir():
        found = list(_from_folder(source, defaults))
    else:
        found = list(_from_csv(source, defaults))
    if not found:
        raise DataError(f"{source}: names no photograph")
    groups: dict[str, list[Photograph]] = {}
    for photo in found:
        groups.setdefault(photo.meta.entry, []).append(photo)
    return [photo for group in groups.values() for photo in group]


def _from_csv(path: Path, defaults: Mapping[str, str]) -> Iterator[Photograph]:
    seen: dict[str, tuple[int, EntryMeta]] = {}
    problems: list[str] = []
    for line, row in _lines(path, ("image", *FIELDS), defaults):
        with _collected(problems):
            yield _photograph(path, line, row, defaults, seen)
    if problems:
        raise DataError(listed(problems))


@contextlib.contextmanager
def _collected(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        problems.append(str(error))


def _photograph(
    path: Path,
    line: int,
    row: Mapping[str, str],
    defaults: Mapping[str, str],
    seen: dict[str, tuple[int, EntryMeta]],
) -> Photograph:
    if not row.get("image"):
        raise DataError(f"{path}: line {line}: names no image")
    meta = _meta(path, line, row, defaults)
    first, same = seen.setdefault(meta.entry, (line, meta))
    if same != meta:
        raise DataError(
            f"{path}: line {line}: entry {meta.entry!r} is not what line {first} says of it "
            f"({', '.join(_differ(same, meta))})"
        )
    return Photograph(path.parent / row["image"], meta, f"{path}: line {line}")


def listed(problems: Sequence[str]) -> str:
    """One problem a line, the first of them."""
    more = len(problems) - _SHOWN
    return "\n".join([*problems[:_SHOWN], *([f"and {more} more like these"] if more > 0 else [])])


def skipped(source: Path) -> tuple[str, ...]:
    """What of a folder gives no photograph, relative to it; hidden files are nobody's."""
    if not source.is_dir():
        return ()
    loose, empty = [], []
    for one in sorted(source.iterdir()):
        if one.is_dir():
            inside = [path for path in one.iterdir() if not path.name.startswith(".")]
            good = [path for path in inside if path.suffix.lower() in SUFFIXES]
            loose += sorted(f"{one.name}/{path.name}" for path in inside if path not in good)
            empty += [] if good else [f"{one.name}/ (no photograph)"]
        elif one.name != GROUNDS_FILE and not one.name.startswith("."):
            loose.append(one.name)
    return (*empty, *loose)


def _from_folder(folder: Path, defaults: Mapping[str, str]) -> Iterator[Photograph]:
    grounds = folder / GROUNDS_FILE
    said = dict(_grounds(grounds, defaults)) if grounds.exists() else {}
    subjects = sorted(one for one in folder.iterdir() if one.is_dir())
    unknown = sorted(set(said) - {one.name for one in subjects})
    if unknown:
        raise DataError(f"{grounds}: there is no folder {unknown[0]!r}")
    for subject in subjects:
        meta = said.get(subject.name) or _folder_meta(folder, subject.name, defaults)
        for path in sorted(subject.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                yield Photograph(path, meta)


def _grounds(path: Path, defaults: Mapping[str, str]) -> Iterator[tuple[str, EntryMeta]]:
    seen: set[str] = set()
    for line, row in _lines(path, FIELDS, defaults):
        meta = _meta(path, line, row, defaults)
        if meta.subject in seen:
            raise DataError(f"{path}: line {line}: subject {meta.subject!r} is there twice")
        seen.add(meta.subject)
        yield meta.subject, meta


def _folder_meta(folder: Path, subject: str, defaults: Mapping[str, str]) -> EntryMeta:
    missing = [one for one in GROUNDS if one not in defaults and one not in _OPTIONAL]
    if missing:
        options = ", ".join("--" + one.replace("_", "-") for one in missing)
        raise DataError(
            f"{folder / subject}: nothing says why this subject is listed: give {options}, "
            f"or a line in {GROUNDS_FILE}"
        )
    return entry_meta(_fields({"subject": subject}, defaults))


def _meta(path: Path, line: int, row: Mapping[str, str], defaults: Mapping[str, str]) -> EntryMeta:
    try:
        return entry_meta(_fields(row, defaults))
    except DataError as error:
        raise DataError(f"{path}: line {line}: {error}") from None


def _fields(row: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """What was left empty and may be, is left out; the rest is for `entry_meta` to judge."""
    fields = {**{name: defaults[name] for name in GROUNDS if name in defaults}}
    fields |= {name: value for name, value in row.items() if name in FIELDS and value}
    fields.setdefault("entry", f"{fields.get('subject', '')[:60]}-1")
    return fields


def _lines(
    path: Path, known: Sequence[str], defaults: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_header(path, list(reader.fieldnames or ()), known, defaults)
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        f"{path}: line {reader.line_num}: not as many fields as the header has"
                    )
                if reader.line_num > 2 * MAX_TEMPLATES:
                    raise DataError(f"{path}: more than {MAX_TEMPLATES} photographs")
                yield reader.line_num, {name: value.strip() for name, value in row.items()}
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from None
    except OSError as error:
        raise MissingFileError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def _check_header(
    path: Path, names: list[str], known: Sequence[str], defaults: Mapping[str, str]
) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"{path}: unknown columns {', '.join(map(repr, unknown))[:200]}; known are "
            f"{', '.join(known)}"
        )
    optional = {"entry", *_OPTIONAL, *defaults}
    missing = [name for name in known if name not in names and name not in optional]
    if missing:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}")


def _differ(one: EntryMeta, other: EntryMeta) -> list[str]:
    return [name for name in FIELDS if getattr(one, name) != getattr(other, name)]
