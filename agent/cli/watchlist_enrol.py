"""`watchlist enrol`: photographs of one person to one entry."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from agent.app import Context
from agent.cli.common import print_json, say
from agent.cli.watchlist_grounds import add_grounds, refuse_over
from agent.errors import DataError, Exit, UsageError
from agent.pipeline.enrol import PhotoResult, enrol_photograph, refuse_strangers
from agent.policy.field_test import FIELD_TEST
from agent.values import Wall
from agent.watchlist.columns import StoredList, from_entries
from agent.watchlist.edit import add, free_entry_id, require_space, similar_others
from agent.watchlist.enrolment import EnrolmentLimits
from agent.watchlist.entries import EntryMeta, Kind, Provenance, entry_meta
from agent.watchlist.listfile import sha256_of

_LIMITS = EnrolmentLimits()


def register(actions: Any) -> None:
    enrol_parser = actions.add_parser(
        "enrol",
        help="make one entry from photographs of one person",
        description="Each photograph that is good enough becomes a template of one new entry. "
        "The others are refused with every reason. Exit code 65 when none is good enough.",
        epilog="example:\n  bodycam-agent watchlist enrol front.jpg side.jpg --subject S-1 "
        "--basis consent \\\n      --purpose test --authorisation TEST-1 --not-after 2026-12-31\n",
    )
    enrol_parser.add_argument("photos", metavar="PHOTO", nargs="+", type=Path)
    enrol_parser.add_argument("--subject", metavar="ID", required=True, help="opaque, no name")
    enrol_parser.add_argument("--entry", metavar="ID", help="default: SUBJECT-1, SUBJECT-2, ...")
    enrol_parser.add_argument("--priority", metavar="N", default=0, help="0 to 1000, higher first")
    add_grounds(enrol_parser, required=True)
    enrol_parser.add_argument("--not-before", default=0.0, help="2026-01-31 or RFC 3339")


def run(args: argparse.Namespace, context: Context) -> int:
    """Photographs to one entry; 65 when none is good enough."""
    from agent.adapters.images import decode_image, read_picture_bytes

    meta = _meta_from(args, context.clock.wall())
    files = [(str(path), read_picture_bytes(path)) for path in args.photos]
    models = context.models()
    results: list[PhotoResult | str] = []
    for name, data in files:
        try:
            image = decode_image(data, name)
        except DataError as error:
            results.append(str(error))
            continue
        results.append(enrol_photograph(image, models.detector, models.embedder, _LIMITS))
    photos = refuse_strangers([one for one in results if isinstance(one, PhotoResult)], _LIMITS)
    judged = iter(photos)
    outcome = [one if isinstance(one, str) else next(judged) for one in results]
    hashes = [hashlib.sha256(data).hexdigest() for _, data in files]
    return _enrol(args, context, meta, outcome, hashes)


def _enrol(
    args: argparse.Namespace,
    context: Context,
    meta: EntryMeta,
    outcome: list[PhotoResult | str],
    hashes: list[str],
) -> int:
    identity = context.models().embedder.identity
    report: dict[str, Any] = {"accepted": [], "rejected": []}
    vectors, origins = [], []
    for path, digest, one in zip(args.photos, hashes, outcome, strict=True):
        if isinstance(one, str) or one.template is None:
            report["rejected"].append({"image": str(path), "reasons": _reasons(one)})
            continue
        vectors.append(one.template.vector)
        origins.append(Provenance(digest, Kind.PHOTOGRAPH, identity.sha256))
        quality = round(one.quality.score, 3) if one.quality else 0.0
        report["accepted"].append({"image": str(path), "sha256": digest, "quality": quality})
    if not vectors:
        _tell(context, {"entry": None, "subject": meta.subject, **report})
        return int(Exit.DATA)
    templates = np.stack(vectors)

    def change(stored: StoredList) -> StoredList:
        require_space(stored, identity.space)
        name = args.entry or free_entry_id(stored, meta.subject)
        named = meta.model_copy(update={"entry": name})
        report["similar"] = [
            {"entry": entry, "similarity": round(similarity, 4)}
            for entry, similarity in similar_others(
                stored.columns, meta.subject, templates, least=_LIMITS.duplicate
            )
        ]
        report["entry"] = name
        return add(stored, from_entries([named], [origins], templates), identity.space)

    after = context.watchlist().update(
        change,
        record=lambda new: context.audit().append(
            "enrol",
            list=new.id,
            version=new.version,
            sha256=sha256_of(new),
            entries=1,
            templates=len(vectors),
            rejected=len(report["rejected"]),
            authorisation=meta.authorisation,
        ),
    )
    listed = {"id": after.id, "version": after.version}
    _tell(
        context, {"entry": report.pop("entry"), "subject": meta.subject, "list": listed, **report}
    )
    return int(Exit.OK)


def _meta_from(args: argparse.Namespace, now: Wall) -> EntryMeta:
    fields = {
        "entry": args.entry or f"{args.subject[:60]}-1",
        "subject": args.subject,
        "basis": args.basis,
        "purpose": args.purpose,
        "authorisation": args.authorisation,
        "priority": args.priority,
        "not_before": args.not_before,
        "not_after": args.not_after,
    }
    try:
        meta = entry_meta(fields)
    except DataError as error:
        raise UsageError(str(error)) from None
    refuse_over(meta.not_after, now)
    FIELD_TEST.check_entry(basis=meta.basis, purpose=meta.purpose)
    return meta


def _reasons(one: PhotoResult | str) -> list[dict[str, Any]]:
    if isinstance(one, str):
        return [{"problem": "unreadable", "text": one}]
    return [
        {
            "problem": reason.problem.value,
            "measured": round(reason.measured, 3),
            "needed": reason.needed,
            "text": str(reason),
        }
        for reason in one.reasons
    ]


def _tell(context: Context, report: dict[str, Any]) -> None:
    if context.json:
        print_json(report)
    for one in report["rejected"]:
        for reason in one["reasons"]:
            say(f"{one['image']}: refused: {reason['text']}")
    for one in report.get("similar", ()):
        say(
            f"warning: resembles entry {one['entry']} of another subject "
            f"({one['similarity']:.2f}); is it the same person?"
        )
    if report["entry"] is None:
        say("nothing was enrolled")
    elif not context.json:
        version = report["list"]["version"]
        sys.stdout.write(
            f"enrolled {report['entry']} with {len(report['accepted'])} templates "
            f"(list version {version})\n"
        )
