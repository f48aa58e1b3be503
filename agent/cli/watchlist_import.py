"""`watchlist import`: templates made elsewhere, or distractors."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from agent.app import Context
from agent.cli.common import print_json
from agent.cli.watchlist_grounds import add_grounds, refuse_over
from agent.errors import DataError, Exit, UsageError
from agent.policy.field_test import FIELD_TEST
from agent.watchlist.columns import MAX_ENTRIES, Columns, StoredList
from agent.watchlist.distractors import PREFIX, distractors, next_number
from agent.watchlist.edit import add
from agent.watchlist.entries import EntryMeta, entry_meta
from agent.watchlist.listfile import sha256_of


def register(actions: Any) -> None:
    import_parser = actions.add_parser(
        "import",
        help="templates made elsewhere, or distractors",
        description="Vectors with their metadata (columns entry, subject, basis, purpose, "
        "authorisation,\nnot_after, and if you like not_before, priority, sha256, embedder), or "
        "random templates of\nnobody, said to be distractors in their ids and provenance.",
        epilog="examples:\n  bodycam-agent watchlist import vectors.npy --metadata entries.csv\n"
        "  bodycam-agent watchlist import list.npz --space sface --embedder SHA256\n"
        "  bodycam-agent watchlist import --distractors 1000 --seed 1 --authorisation TEST-1 "
        "\\\n      --not-after 2026-12-31\n",
    )
    import_parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help=".npy or .npz")
    import_parser.add_argument("--metadata", metavar="FILE.csv", type=Path)
    import_parser.add_argument("--space", metavar="NAME", help="embedder family of the vectors")
    import_parser.add_argument("--embedder", metavar="SHA256", help="network that made them")
    import_parser.add_argument("--distractors", metavar="N", type=int)
    import_parser.add_argument("--seed", metavar="S", type=int, default=0)
    add_grounds(import_parser, required=False)


def run(args: argparse.Namespace, context: Context) -> int:
    """Vectors from a file, or distractors."""
    if (args.file is None) == (args.distractors is None):
        raise UsageError("watchlist import: give a FILE, or --distractors N")
    new, space, source = (
        _from_file(args, context) if args.distractors is None else _distractors(args, context)
    )
    sizes: dict[str, int] = {}

    def change(stored: StoredList) -> StoredList:
        columns = new(stored)
        sizes.update(entries=len(columns), templates=len(columns.owner))
        return add(stored, columns, space)

    after = context.watchlist().update(
        change,
        record=lambda done: context.audit().append(
            "import",
            list=done.id,
            version=done.version,
            sha256=sha256_of(done),
            source=source,
            distractors=args.distractors or 0,
            **sizes,
        ),
    )
    listed = {"id": after.id, "version": after.version}
    if context.json:
        print_json({"list": listed, "imported": sizes, "distractors": args.distractors or 0})
    else:
        what = "distractors (templates of nobody)" if args.distractors else "entries"
        sys.stdout.write(f"imported {sizes['entries']} {what} (list version {after.version})\n")
    return int(Exit.OK)


NewColumns = Callable[[StoredList], Columns]


def _from_file(args: argparse.Namespace, context: Context) -> tuple[NewColumns, str, str]:
    from agent.adapters.vector_file import columns_of, read_vectors

    if args.file.suffix == ".npy" and args.metadata is None:
        raise UsageError("watchlist import: a .npy needs --metadata FILE.csv")
    file = read_vectors(args.file, args.metadata)
    space, embedder = args.space, args.embedder
    if not (space and embedder):
        identity = context.models().embedder.identity
        space, embedder = space or identity.space, embedder or identity.sha256
    with _progress("checking entries") as progress:
        columns = columns_of(file, embedder, progress)
    pairs = product(columns.basis.values, columns.purpose.values)
    for basis, purpose in pairs:
        FIELD_TEST.check_entry(basis=basis, purpose=purpose)
    return lambda _: columns, space, file.sha256


def _distractors(args: argparse.Namespace, context: Context) -> tuple[NewColumns, str, str]:
    if not 1 <= args.distractors <= MAX_ENTRIES:
        raise UsageError(f"--distractors: 1 to {MAX_ENTRIES}")
    if args.seed < 0:
        raise UsageError("--seed: a number from 0 up")
    grounds = _distractor_grounds(args)
    refuse_over(grounds.not_after, context.clock.wall())
    embedder = context.models().embedder
    source = hashlib.sha256(f"distractors {args.distractors} {args.seed}".encode()).hexdigest()

    def new(stored: StoredList) -> Columns:
        return distractors(
            args.distractors,
            args.seed,
            first=next_number(stored),
            dim=embedder.dim,
            embedder=embedder.identity.sha256,
            grounds=grounds,
        )

    return new, embedder.identity.space, source


def _distractor_grounds(args: argparse.Namespace) -> EntryMeta:
    """Nobody is concerned, yet no entry goes without grounds: those of a test, with consent."""
    if not args.authorisation or not args.not_after:
        raise UsageError("--distractors needs --authorisation and --not-after, like every entry")
    fields = {
        "entry": PREFIX,
        "subject": PREFIX,
        "basis": args.basis or FIELD_TEST.bases[0],
        "purpose": args.purpose or FIELD_TEST.purposes[0],
        "authorisation": args.authorisation,
        "not_after": args.not_after,
    }
    try:
        grounds = entry_meta(fields)
    except DataError as error:
        raise UsageError(str(error)) from None
    FIELD_TEST.check_entry(basis=grounds.basis, purpose=grounds.purpose)
    return grounds


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for people; nothing when it is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)
