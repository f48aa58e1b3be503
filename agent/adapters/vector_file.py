"""Templates made elsewhere: a NumPy file of vectors with a CSV of what they are."""

from __future__ import annotations

import csv
import hashlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import DataError, MissingFileError
from agent.values import Vectors
from agent.watchlist.check import bad_vectors
from agent.watchlist.columns import MAX_TEMPLATES, Columns, concat, from_entries
from agent.watchlist.entries import Kind, Provenance, entry_meta

META = ("entry", "subject", "basis", "purpose", "authorisation", "not_after")
OPTIONAL = ("not_before", "priority", "sha256", "embedder")
MAX_BYTES = 4 << 30
_BATCH = 10_000

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class VectorFile:
    """What a file holds.

    Attributes:
        vectors: (m, dim) float32.
        rows: what each of them is, by column name.
        sha256: of the file of vectors.
    """

    vectors: Vectors
    rows: list[Row]
    sha256: str


def read_vectors(path: Path, metadata: Path | None) -> VectorFile:
    """Read a `.npy` with its CSV, or an `.npz` that may hold the columns itself.

    Args:
        path: `.npy` (m, dim), or `.npz` with `vectors` and, without `metadata`, one array of text
            for each column.
        metadata: UTF-8 CSV with a header; one line for each vector, in order.

    Raises:
        MissingFileError: no such file.
        DataError: anything else that is wrong, in one line.
    """
    for one in (path, metadata):
        if one is not None and not one.is_file():
            raise MissingFileError(f"{one}: no such file")
    try:
        arrays = _arrays(path)
        rows = _table(arrays) if metadata is None else _csv(metadata)
        with path.open("rb") as stream:
            digest = _digest(stream)
    except OSError as error:
        raise MissingFileError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    vectors = _checked(arrays.get("vectors"), path)
    if len(rows) != len(vectors):
        raise DataError(
            f"{metadata or path}: {len(rows)} lines of metadata for {len(vectors)} vectors"
        )
    return VectorFile(vectors, rows, digest)


def columns_of(
    file: VectorFile, embedder: str, progress: Callable[[int, int], None] = lambda _a, _b: None
) -> Columns:
    """Group the templates by entry and check every entry.

    Args:
        file: as read.
        embedder: sha256 of the network, where the rows do not say.
        progress: told (done, all) entries now and then.

    Raises:
        DataError: names the entry that breaks a rule.
    """
    groups: dict[str, list[int]] = {}
    for at, row in enumerate(file.rows):
        groups.setdefault(row.get("entry", ""), []).append(at)
    order = [at for group in groups.values() for at in group]
    vectors = file.vectors if order == list(range(len(order))) else file.vectors[order]
    _refuse_bad(vectors, [file.rows[at].get("entry", "") for at in order])
    members = list(groups.values())
    parts, done = [], 0
    for first in range(0, len(members), _BATCH):
        batch = members[first : first + _BATCH]
        count = sum(len(group) for group in batch)
        parts.append(_part(file, batch, vectors[done : done + count], embedder))
        done += count
        progress(first + len(batch), len(members))
    return concat(parts)


def _part(file: VectorFile, batch: list[list[int]], vectors: Vectors, embedder: str) -> Columns:
    metas = [entry_meta(_meta_fields([file.rows[at] for at in group])) for group in batch]
    origins = [
        [_provenance(file.rows[at], file.sha256, embedder) for at in group] for group in batch
    ]
    return from_entries(metas, origins, vectors)


def _meta_fields(rows: list[Row]) -> dict[str, str]:
    fields = {name: rows[0].get(name, "") for name in META}
    fields |= {name: rows[0][name] for name in ("not_before", "priority") if rows[0].get(name)}
    for row in rows[1:]:
        differ = [name for name in fields if row.get(name, "") != fields[name]]
        if differ:
            raise DataError(
                f"entry {fields['entry']!r}: its templates disagree on {', '.join(differ)}"
            )
    return fields


def _provenance(row: Row, file_sha256: str, embedder: str) -> Provenance:
    origin = Provenance(
        row.get("sha256") or file_sha256, Kind.VECTORS, row.get("embedder") or embedder
    )
    for name in ("sha256", "embedder"):
        value = getattr(origin, name)
        if len(value) != 64 or set(value) - set("0123456789abcdef"):  # noqa: PLR2004
            raise DataError(
                f"entry {row.get('entry', '')!r}: {name} must be 64 lower-case hexadecimal digits"
            )
    return origin


def _refuse_bad(vectors: Vectors, entries: list[str]) -> None:
    bad = bad_vectors(vectors)
    if len(bad):
        raise DataError(
            f"entry {entries[bad[0]]!r}: its vector is not of unit length (divide each by its norm)"
        )


def _arrays(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".npz":
            _refuse_bomb(path)
            with np.load(path, allow_pickle=False) as archive:
                wanted = ("vectors", *META, *OPTIONAL)
                return {name: archive[name] for name in wanted if name in archive}
        return {"vectors": np.lib.format.open_memmap(path, mode="r")}
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError):
        raise DataError(f"{path}: not a NumPy .npy or .npz file of plain numbers") from None


def _refuse_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if sum(one.file_size for one in archive.infolist()) > MAX_BYTES:
            raise DataError(f"{path}: unpacks to more than {MAX_BYTES >> 30} GB")


def _table(arrays: dict[str, Any]) -> list[Row]:
    names = [name for name in (*META, *OPTIONAL) if name in arrays]
    _require_columns(names, "the .npz (or give --metadata FILE.csv)")
    texts = [[str(value) for value in np.ravel(arrays[name])] for name in names]
    if len({len(column) for column in texts}) != 1:
        raise DataError("the .npz: its columns differ in length")
    return [dict(zip(names, values, strict=True)) for values in zip(*texts, strict=True)]


def _csv(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(_csv_rows(path, stream))
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV file ({error})") from None


def _csv_rows(path: Path, stream: Any) -> Iterator[Row]:
    reader = csv.DictReader(stream, strict=True)
    _require_columns(list(reader.fieldnames or ()), str(path))
    for row in reader:
        if None in row or None in row.values():
            raise DataError(f"{path}: line {reader.line_num} has not as many fields as the header")
        if reader.line_num > 2 * MAX_TEMPLATES:
            raise DataError(f"{path}: more than {MAX_TEMPLATES} lines")
        yield row


def _require_columns(names: list[str], where: str) -> None:
    missing = [name for name in META if name not in names]
    unknown = [name for name in names if name not in (*META, *OPTIONAL)]
    if missing:
        raise DataError(f"{where}: lacks the columns {', '.join(missing)}")
    if unknown:
        known = ", ".join((*META, *OPTIONAL))
        raise DataError(f"{where}: unknown columns {', '.join(unknown)[:200]}; known are {known}")


def _checked(vectors: Any, path: Path) -> Vectors:
    if vectors is None or vectors.ndim != 2 or vectors.dtype.kind != "f":  # noqa: PLR2004
        raise DataError(f"{path}: an array `vectors` of floats, one row for each, is needed")
    if not 1 <= len(vectors) <= MAX_TEMPLATES:
        raise DataError(f"{path}: {len(vectors)} vectors; 1 to {MAX_TEMPLATES} are possible")
    return np.ascontiguousarray(vectors, np.float32)


def _digest(stream: Any) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
