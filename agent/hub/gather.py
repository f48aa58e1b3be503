"""What a list is made of: photographs or vectors, with the networks of this program."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.adapters.vector_file import columns_of, read_vectors
from agent.app.context import Models
from agent.app.models import manifest, open_models
from agent.config import parse
from agent.errors import RefusedError, UsageError
from agent.hub.changes import check_policy, over, unit
from agent.hub.list_values import PhotoRow
from agent.hub.photo_judge import OpenModels, recipe
from agent.hub.photo_ledger import Ledger
from agent.hub.photo_sources import Photograph, listed, read_photographs, skipped
from agent.hub.photo_workers import Studio
from agent.hub.photographs import Enroller, Enrolment, Maker
from agent.hub.progress import Progress
from agent.policy import Policy
from agent.ports import ModelIdentity
from agent.stages.threshold import Curve
from agent.watchlist.columns import Columns
from agent.watchlist.enrolment import EnrolmentLimits


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks that make templates here, as the manifest pins them.

    Attributes:
        detector, embedder: which they are.
        curve: (similarity, false match rate) points of the embedder.
        opened: opens them, verified.
    """

    detector: ModelIdentity
    embedder: ModelIdentity
    curve: Curve
    opened: OpenModels


@dataclass(frozen=True, slots=True)
class _Shipped:
    """Opens the shipped networks with one thread each; crosses to other processes."""

    folder: str
    state_dir: Path
    precision: str

    def __call__(self) -> Models:
        config = parse(None, ())
        chosen = {"dir": self.folder, "precision": self.precision, "threads": 1}
        models = config.models.model_copy(update=chosen)
        return open_models(config.model_copy(update={"models": models}), self.state_dir)


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Entries for a list.

    Attributes:
        columns: with vectors of unit length; None when no photograph was good enough.
        space: family of embedders that made the vectors.
        enrolment: of photographs; None for vectors.
        photos: behind the entries.
        over: how many entries were left out because their time is over.
        skipped: what of a folder was not looked at.
    """

    columns: Columns | None
    space: str
    enrolment: Enrolment | None = None
    photos: tuple[PhotoRow, ...] = ()
    over: int = 0
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What entries are held to before any work is done.

    Attributes:
        policy: allowed codes.
        now: wall seconds.
        may_be_over: an entry whose time is over is left out; else it is refused. A list that is
            exported from elsewhere every day may still name it, a change by hand should not.
    """

    policy: Policy
    now: float
    may_be_over: bool


def shipped_networks(folder: str, state_dir: Path, precision: str) -> Networks:
    """Those of the manifest.

    Args:
        folder: of the built models; empty for the usual place.
        state_dir: the hub folder.
        precision: `fp32` or `int8`.
    """
    known = manifest()
    cards = known.card("detector", precision), known.card("embedder", precision)
    detector, embedder = (
        ModelIdentity(card.name, card.precision, card.sha256, card.space) for card in cards
    )
    curve = tuple((point.similarity, point.fmr) for point in cards[1].curve)
    return Networks(detector, embedder, curve, _Shipped(folder, state_dir, precision))


def processes(wanted: int | None) -> int:
    """How many workers: one for each processor that this program may use, unless said."""
    if wanted is None:
        return len(os.sched_getaffinity(0))
    if not 0 <= wanted <= 256:  # noqa: PLR2004
        raise UsageError("--workers: 0 to 256")
    return wanted


def from_photographs(
    source: Path,
    defaults: Mapping[str, str],
    networks: Networks,
    ledger: Ledger,
    *,
    rules: Rules,
    workers: int,
    progress: Progress,
) -> Gathered:
    """Entries of a CSV or a folder of photographs.

    Raises:
        MissingFileError, DataError: of the source, or the networks are not built.
        RefusedError: an entry that the policy or the time forbids.
    """
    photos, ended = _allowed(read_photographs(source, defaults), rules)
    limits = EnrolmentLimits()
    named = recipe(networks.detector, networks.embedder, limits)
    maker = Maker(networks.embedder.sha256, named)
    studio = Studio(networks.opened, limits, workers)
    done = Enroller(studio, ledger, maker, rules.now, progress).enrol(photos)
    rows = tuple(
        PhotoRow(one.entry, one.sha256, done.recipe, os.path.abspath(one.image))  # noqa: PTH100
        for one in done.accepted
    )
    columns = None if done.columns is None else unit(done.columns)
    return Gathered(columns, networks.embedder.space, done, rows, ended, skipped(source))


def from_vectors(
    file: Path,
    metadata: Path | None,
    *,
    space: str,
    embedder: str,
    rules: Rules,
    progress: Callable[[int, int], None],
) -> Gathered:
    """Entries of templates made already.

    Raises:
        MissingFileError, DataError: of the files.
        RefusedError: an entry that the policy or the time forbids.
    """
    columns = columns_of(read_vectors(file, metadata), embedder, progress)
    ended = over(columns, rules.now)
    if rules.may_be_over:
        columns = columns.take(~ended)
    check_policy(columns, rules.policy, rules.now)
    return Gathered(unit(columns), space, over=int(ended.sum()))


def _allowed(photos: Sequence[Photograph], rules: Rules) -> tuple[list[Photograph], int]:
    """Those whose time is not over, and how many entries were left out."""
    first = {photo.meta.entry: photo for photo in reversed(photos)}
    ended = {name for name, one in first.items() if one.meta.not_after <= rules.now}
    problems = [_forbidden(one, rules.policy) for one in reversed(first.values())]
    if not rules.may_be_over:
        over_already = "its time (not_after) is over already"
        problems += [f"{first[name].where}: {over_already}" for name in sorted(ended)]
    if found := [one for one in problems if one]:
        raise RefusedError(listed(found))
    return [photo for photo in photos if photo.meta.entry not in ended], len(ended)


def _forbidden(photo: Photograph, policy: Policy) -> str:
    """Why its entry may not be on a list; empty when it may."""
    try:
        policy.check_entry(basis=photo.meta.basis, purpose=photo.meta.purpose)
    except RefusedError as error:
        return f"{photo.where}: {error}"
    return ""
