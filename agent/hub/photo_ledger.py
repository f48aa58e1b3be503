"""What was made of each photograph: it is never embedded twice, and a killed run goes on."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.hub.lists_database import ListsDatabase
from agent.hub.photo_judge import Judged, Why
from agent.hub.vault import Vault

UNUSED_S = 7 * 86400.0
"""Seconds for which a template that is on no list is kept, for a run that was interrupted."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Judgements by the hash of the photograph and the recipe that judged it.

    Attributes:
        database: keeps them.
        vault: encrypts templates and pictures.
    """

    database: ListsDatabase
    vault: Vault

    def known(self, hashes: Collection[str], recipe: str) -> dict[str, Judged]:
        """Judgements of these photographs, without their pictures."""
        rows = self.database.each(
            "SELECT sha256, why, quality, template FROM photograph WHERE recipe = ?", recipe
        )
        wanted = set(hashes)
        return {
            digest: Judged(digest, _whys(why), quality, self._template(digest, template))
            for digest, why, quality, template in rows
            if digest in wanted
        }

    def keep(self, judged: Sequence[Judged], recipe: str, now: float) -> None:
        """Remember judgements; those of files that could not be read are not."""
        rows = [self._row(one, recipe, now) for one in judged if one.sha256]
        with self.database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO photograph VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def picture(self, digest: str) -> bytes | None:
        """JPEG of the face on an enrolled photograph; None when there is none."""
        rows = self.database.read(
            "SELECT crop FROM photograph WHERE sha256 = ? AND crop IS NOT NULL "
            "ORDER BY judged DESC LIMIT 1",
            digest,
        )
        return self.vault.unlock(rows[0][0], _about("crop", digest)) if rows else None

    def _row(self, one: Judged, recipe: str, now: float) -> tuple[object, ...]:
        secrets: tuple[bytes | None, ...] = (None, None)
        if one.template:
            secrets = (
                self.vault.lock(one.template, _about("template", one.sha256)),
                self.vault.lock(one.crop, _about("crop", one.sha256)),
            )
        return (one.sha256, recipe, now, _dumps(one.why), one.quality, *secrets)

    def _template(self, digest: str, locked: bytes | None) -> bytes:
        return b"" if locked is None else self.vault.unlock(locked, _about("template", digest))


def forget_unused(database: ListsDatabase, now: float, *, gone: Sequence[str] = ()) -> None:
    """Overwrite templates and pictures that are on no list. Why others were refused stays known.

    Args:
        database: of the lists.
        now: wall seconds.
        gone: hashes of photographs whose entries were removed: not kept for a week as others.
    """
    unused = "NOT EXISTS (SELECT 1 FROM enrolled WHERE enrolled.sha256 = photograph.sha256)"
    with database.transaction() as db:
        db.executemany(
            f"DELETE FROM photograph WHERE sha256 = ? AND {unused}",  # noqa: S608 -- a constant
            [(one,) for one in gone],
        )
        db.execute(
            f"DELETE FROM photograph WHERE judged < ? AND template IS NOT NULL AND {unused}",  # noqa: S608
            (now - UNUSED_S,),
        )
    database.empty_log()


def _whys(text: str) -> tuple[Why, ...]:
    return tuple(Why(problem, words) for problem, words in json.loads(text))


def _dumps(why: Sequence[Why]) -> str:
    return json.dumps([[one.problem, one.text] for one in why])


def _about(what: str, digest: str) -> str:
    return f"{what}/{digest}"
