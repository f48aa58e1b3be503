"""Photographs to entries: judged in parallel, remembered as it goes, refused with reasons."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from agent.adapters.images import read_picture_bytes
from agent.errors import BodycamError
from agent.hub.photo_judge import Judged, Why, unreadable
from agent.hub.photo_ledger import Ledger
from agent.hub.photo_sources import Photograph
from agent.hub.photo_workers import Studio
from agent.hub.progress import Progress
from agent.pipeline.enrol import PhotoResult, refuse_strangers
from agent.values import Embedding
from agent.watchlist.columns import MAX_PER_ENTRY, Columns, from_entries
from agent.watchlist.entries import EntryMeta, Kind, Provenance

TOO_MANY: Final = "too_many"
_KEPT_EVERY: Final = 32
"""Judgements between two commits: so many photographs a killed run has to judge again."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A photograph that gave no template, and every reason."""

    image: str
    entry: str
    why: tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A photograph that gave a template of an entry."""

    image: str
    entry: str
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Enrolment:
    """What a run gave.

    Attributes:
        columns: the entries with at least one template; None when there is no such entry.
        recipe: names the networks and limits.
        accepted, rejected: every photograph is in one of them.
        without: entries none of whose photographs was accepted.
        embedded: photographs judged in this run; the others were known.
        seconds: that this took.
    """

    columns: Columns | None
    recipe: str
    accepted: tuple[Accepted, ...]
    rejected: tuple[Rejected, ...]
    without: tuple[str, ...]
    embedded: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Maker:
    """Names the networks that make the templates.

    Attributes:
        embedder: sha256 of the network, hexadecimal.
        recipe: see `photo_judge.recipe`.
    """

    embedder: str
    recipe: str


@dataclass(frozen=True, slots=True)
class Enroller:
    """Makes entries of photographs.

    Attributes:
        studio: judges what the ledger does not know.
        ledger: is told of every judgement soon after it is made.
        maker: of the templates.
        now: wall seconds.
        progress: told how far it is.
    """

    studio: Studio
    ledger: Ledger
    maker: Maker
    now: float
    progress: Progress

    def enrol(self, photos: Sequence[Photograph]) -> Enrolment:
        """Judge photographs, those of one entry together, and gather each entry's templates.

        Raises:
            MissingFileError, DataError, UnavailableError: the networks cannot be run.
            DiskError: the ledger cannot be written.
        """
        begin = time.monotonic()
        hashes = _hashes(photos, self.progress)
        known = {one for one in hashes if isinstance(one, str)}
        judged = self.ledger.known(known, self.maker.recipe)
        todo = {one: photos[at].path for at, one in enumerate(hashes) if isinstance(one, str)}
        fresh = {one: path for one, path in todo.items() if one not in judged}
        for one in self._judge(list(fresh), list(fresh.values())):
            judged[one.sha256] = one
        outcome = [one if isinstance(one, Judged) else judged[one] for one in hashes]
        outcome = _alike(photos, outcome, self.studio)
        return _gathered(photos, outcome, self.maker, len(fresh), time.monotonic() - begin)

    def _judge(self, wanted: Sequence[str], paths: Sequence[Path]) -> Iterator[Judged]:
        """Judgements without their pictures, which go to the ledger."""
        unsaved: list[Judged] = []
        try:
            for done, (number, one) in enumerate(self.studio.judge_all(paths), 1):
                yield _same(one, wanted[number])
                unsaved.append(one)
                if len(unsaved) >= _KEPT_EVERY:
                    self.ledger.keep(unsaved, self.maker.recipe, self.now)
                    unsaved.clear()
                self.progress("making templates", done, len(paths))
        finally:
            self.ledger.keep(unsaved, self.maker.recipe, self.now)


def _hashes(photos: Sequence[Photograph], progress: Progress) -> list[str | Judged]:
    """Hash of each file, or why it cannot be read."""
    found: list[str | Judged] = []
    for number, photo in enumerate(photos, 1):
        try:
            found.append(hashlib.sha256(read_picture_bytes(photo.path)).hexdigest())
        except BodycamError as error:
            found.append(unreadable("", str(error)))
        progress("reading photographs", number, len(photos))
    return found


def _same(one: Judged, expected: str) -> Judged:
    """Without its picture, which the ledger has; refused if the file changed meanwhile."""
    if one.sha256 not in ("", expected):
        return unreadable(expected, "the file changed while it was read; run the command again")
    return Judged(expected, one.why, one.quality, one.template)


def _alike(photos: Sequence[Photograph], outcome: Sequence[Judged], studio: Studio) -> list[Judged]:
    """Photographs that do not look like the others of their subject are refused."""
    subjects: dict[str, list[int]] = {}
    for number, (photo, one) in enumerate(zip(photos, outcome, strict=True)):
        if one.template:
            subjects.setdefault(photo.meta.subject, []).append(number)
    checked = list(outcome)
    for numbers in subjects.values():
        results = [PhotoResult(_embedding(outcome[one]), None, ()) for one in numbers]
        for number, result in zip(numbers, refuse_strangers(results, studio.limits), strict=True):
            if result.template is None:
                why = tuple(Why(one.problem.value, str(one)) for one in result.reasons)
                checked[number] = Judged(outcome[number].sha256, why)
    return checked


def _gathered(
    photos: Sequence[Photograph],
    outcome: Sequence[Judged],
    maker: Maker,
    embedded: int,
    seconds: float,
) -> Enrolment:
    metas: list[EntryMeta] = []
    origins: list[list[Provenance]] = []
    vectors: list[bytes] = []
    accepted: list[Accepted] = []
    rejected: list[Rejected] = []
    without: list[str] = []
    for meta, group in groupby(zip(photos, outcome, strict=True), key=lambda pair: pair[0].meta):
        taken, refused = _divided(list(group))
        rejected += refused
        accepted += (Accepted(str(p.path), meta.entry, one.sha256) for p, one in taken)
        if taken:
            metas.append(meta)
            origins.append(
                [Provenance(one.sha256, Kind.PHOTOGRAPH, maker.embedder) for _, one in taken]
            )
            vectors += (one.template for _, one in taken)
        else:
            without.append(meta.entry)
    columns = None
    if metas:
        flat = np.frombuffer(b"".join(vectors), "<f4").reshape(len(vectors), -1)
        columns = from_entries(metas, origins, flat)
    return Enrolment(
        columns,
        maker.recipe,
        tuple(accepted),
        tuple(rejected),
        tuple(without),
        embedded,
        seconds,
    )


_Pair = tuple[Photograph, Judged]


def _divided(group: Sequence[_Pair]) -> tuple[list[_Pair], list[Rejected]]:
    """Accepted and rejected ones of one entry; the same file twice counts once."""
    taken: dict[str, _Pair] = {}
    refused: list[Rejected] = []
    for photo, one in group:
        why = one.why
        if not why and len(taken) >= MAX_PER_ENTRY and one.sha256 not in taken:
            text = f"an entry takes {MAX_PER_ENTRY} templates; leave the worst photographs out"
            why = (Why(TOO_MANY, text),)
        if why:
            refused.append(Rejected(str(photo.path), photo.meta.entry, why))
        else:
            taken.setdefault(one.sha256, (photo, one))
    return list(taken.values()), refused


def _embedding(one: Judged) -> Embedding:
    return Embedding(np.frombuffer(one.template, "<f4").astype(np.float32))


def by_reason(rejected: Sequence[Rejected]) -> dict[str, int]:
    """Photographs by their first reason."""
    counts: dict[str, int] = {}
    for one in rejected:
        counts[one.why[0].problem] = counts.get(one.why[0].problem, 0) + 1
    return counts


def rejection_rows(rejected: Sequence[Rejected]) -> Iterator[dict[str, str]]:
    """One row for each photograph and reason, for a table."""
    for one in rejected:
        for why in one.why:
            row = {"image": one.image, "entry": one.entry}
            yield row | {"reason": why.problem, "text": why.text}
