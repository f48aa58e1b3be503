"""`lists.sqlite` of the hub: lists, their versions, and what was made of each photograph.

Templates, pictures, paths and keys are encrypted (see `vault`).
"""

from __future__ import annotations

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
    if not path.exists():
        return tuple(names)
    with closing(ListsDatabase(path)) as database:
        known = dict(database.read("SELECT name, id FROM list"))
    return tuple(known.get(one, one) for one in names)
