"""`lists.sqlite` of the hub: lists, their versions, and what was made of each photograph.

Templates, pictures, paths and keys are encrypted (see `vault`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from agent.hub.sqlite_file import SqliteFile

FILE: Final = "lists.sqlite"
_SCHEMA: Final = """
    CREATE TABLE list (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE version (
        list TEXT NOT NULL REFERENCES list, version INTEGER NOT NULL, manifest TEXT NOT NULL,
        published INTEGER NOT NULL, facts TEXT NOT NULL, state BLOB,
        PRIMARY KEY (list, version)
    );
    CREATE TABLE enrolled (
        list TEXT NOT NULL REFERENCES list, entry TEXT NOT NULL, sha256 TEXT NOT NULL,
        recipe TEXT NOT NULL, path BLOB NOT NULL,
        since INTEGER NOT NULL, until INTEGER,
        PRIMARY KEY (list, entry, sha256, since)
    );
    CREATE INDEX enrolled_photograph ON enrolled (sha256);
    CREATE TABLE photograph (
        sha256 TEXT NOT NULL, recipe TEXT NOT NULL, judged REAL NOT NULL,
        why TEXT NOT NULL, quality REAL NOT NULL, template BLOB, crop BLOB,
        PRIMARY KEY (sha256, recipe)
    );
"""


class ListsDatabase(SqliteFile):
    """The file; see `SqliteFile`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, (_SCHEMA,))


def list_ids(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Ids of lists that are named; what is no name of a list stays as it is.

    Args:
        path: of the database, which need not exist.
        names: names or ids.
    """
    known = {name: one for one, name in list_names(path).items()}
    return tuple(known.get(one, one) for one in names)


def list_names(path: Path) -> dict[str, str]:
    """Names of lists, by id; empty without a database."""
    if not path.exists():
        return {}
    with closing(ListsDatabase(path)) as database:
        return dict(database.read("SELECT id, name FROM list ORDER BY name"))


def live_lists(path: Path) -> tuple[str, ...]:
    """Ids of published lists with entries on them."""
    if not path.exists():
        return ()
    with closing(ListsDatabase(path)) as database:
        rows = database.read("SELECT list, facts FROM version WHERE published ORDER BY version")
    entries = {one: json.loads(facts)["entries"] for one, facts in rows}
    return tuple(one for one, count in entries.items() if count)


def manifests(path: Path) -> dict[str, set[str]]:
    """Sha256 of the encrypted manifests of every version that was made, by id of the list."""
    found: dict[str, set[str]] = {}
    if path.exists():
        with closing(ListsDatabase(path)) as database:
            for one, manifest in database.read("SELECT list, manifest FROM version"):
                found.setdefault(one, set()).add(manifest)
    return found
