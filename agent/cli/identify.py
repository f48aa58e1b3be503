"""`bodycam-agent identify`: search still photographs, every face in them."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.app import Context
from agent.app.serving import permit_now, rules_in_force, stored_list
from agent.cli.common import print_json, say, take_passphrase
from agent.errors import (
    BodycamError,
    DataError,
    Exit,
    MissingFileError,
    RefusedError,
    UsageError,
)
from agent.pipeline.identify import Answer, FaceAnswer, IdentifyRule, RankedGallery, identify
from agent.policy import Policy, Rulebook
from agent.policy.field_test import FIELD_TEST_AUTHORISATION
from agent.policy.limits import combine
from agent.policy.rulebook import entry_counts
from agent.stages.threshold import threshold_for
from agent.watchlist.columns import StoredList
from agent.watchlist.edit import require_space

_MIN_FACE_PX = 10
"""A still photograph is looked at once, so it may take longer than a frame."""
_OPAQUE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_EXAMPLES = """examples:
  bodycam-agent identify group.jpg
  bodycam-agent identify *.jpg --authorisation TEST-1 --json

With --json: for each image, in the order given, the list of its faces, or null for one that
cannot be read: the others are answered all the same, and the exit code says that one was not.
Only candidates over the threshold are shown, and one image at a time is in memory. What is shown
is an investigative lead, not an identification: a trained person must compare the images before
any action. Each use, and each refusal, leaves an audit record with counts only.

Where the agency's rules set areas, gpsd is asked where this device is (gps.enabled, gps.host):
without a position in one of them nothing is searched. Nor is it after too many false alerts,
outside schedule or authorisation, or without trusted time: exit code 77, and one line says why.
"""


@dataclass(frozen=True, slots=True)
class _Searched:
    """One image: its faces and the milliseconds it took, or why it cannot be read."""

    image: str
    faces: list[FaceAnswer] = field(default_factory=list)
    ms: float = 0.0
    problem: BodycamError | None = None


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "identify",
        help="search a still photograph",
        description="Searches every face of still photographs in the list in service.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument(
        "--authorisation",
        metavar="ID",
        default=FIELD_TEST_AUTHORISATION,
        help=f"what permits it (default: {FIELD_TEST_AUTHORISATION}, the built-in consent)",
    )
    take_passphrase(parser)
    parser.add_argument(
        "--min-face-px",
        type=int,
        default=_MIN_FACE_PX,
        metavar="N",
        help=f"find faces from this width on (default {_MIN_FACE_PX}: every face there is; those "
        "under recognition.min_face_px are found but not searched)",
    )


def run(args: argparse.Namespace, context: Context) -> int:
    """Search the images; nothing is shown before the audit record is on disk.

    Returns:
        the exit code of the first image that cannot be read; 0 when all can.

    Raises:
        RefusedError: the rules permit no search under this authorisation now, or the list is too
            long for policy or evidence.
    """
    authorisation = _authorised(args.authorisation)
    context = context.adjusted(f"detection.min_face_px={args.min_face_px}")
    try:
        stored, book = stored_list(context), rules_in_force(context)
        permit_now(context, book, authorisation, stored.id)
        gallery, rule = _prepare(context, _counting(stored, book, context), book.policy)
    except RefusedError as error:
        _record_refusal(context, authorisation, str(error))
        raise
    found: list[_Searched] = []
    try:
        for path in args.images:
            found.append(_search(path, context, gallery, rule))  # noqa: PERF401 - kept on failure
    finally:
        answered = [one for one in found if one.problem is None]
        if answered:
            context.audit().append(
                "identify",
                list=stored.id,
                version=stored.version,
                **stored.ref.cited,
                **context.models().hashes,
                policy=book.policy.sha256(),
                authorisation=authorisation,
                uid=os.getuid(),
                **_counts([face for one in answered for face in one.faces], len(answered)),
            )
    _show(found, rule, context)
    return next((int(one.problem.exit_code) for one in found if one.problem), int(Exit.OK))


def _record_refusal(context: Context, authorisation: str, why: str) -> None:
    context.audit().append(
        "refusal", what="identify", reason=why, authorisation=authorisation, uid=os.getuid()
    )


def _authorised(given: str) -> str:
    if not given:
        raise RefusedError("identify needs an authorisation: give --authorisation ID")
    if not _OPAQUE.fullmatch(given):
        raise UsageError("--authorisation: up to 64 of A-Z a-z 0-9 _ . : -")
    return given


def _counting(stored: StoredList, book: Rulebook, context: Context) -> StoredList:
    """Without the entries whose own authorisation is revoked or not in force."""
    import numpy as np

    column, now = stored.columns.authorisation, context.clock.wall()
    fine = np.array([entry_counts(book, name, now=now) for name in column.values], np.bool_)
    if fine.all():
        return stored
    return replace(stored, columns=stored.columns.take(fine[column.codes]))


def _prepare(
    context: Context, stored: StoredList, policy: Policy
) -> tuple[RankedGallery, IdentifyRule]:
    from agent.adapters.gallery import build_gallery

    config, models = context.config, context.models()
    require_space(stored, models.embedder.identity.space)
    gallery = build_gallery(
        stored, now=context.clock.wall(), config=config.watchlist, threads=config.models.threads
    )
    limits = combine(policy, config.decision)
    limits.check_list(gallery.templates)
    threshold = threshold_for(
        models.curve,
        target_fpir=limits.target_fpir,
        templates=gallery.templates,
        floor=limits.floor,
        extrapolate=limits.extrapolate,
    )
    rule = IdentifyRule(
        threshold=threshold.similarity,
        margin=limits.margin,
        min_quality=config.recognition.min_quality,
        min_face_px=max(limits.min_face_px, config.recognition.min_face_px),
    )
    return gallery, rule


def _search(path: Path, context: Context, gallery: RankedGallery, rule: IdentifyRule) -> _Searched:
    from agent.adapters.images import read_image

    models, begin = context.models(), context.clock.monotonic()
    try:
        image = read_image(path)
    except (DataError, MissingFileError) as error:
        say(f"bodycam-agent: {error}")
        return _Searched(str(path), problem=error)
    faces = identify(image, models.detector, models.embedder, gallery, rule)
    return _Searched(str(path), faces, 1000.0 * (context.clock.monotonic() - begin))


def _counts(faces: Sequence[FaceAnswer], images: int) -> dict[str, int]:
    return {
        "images": images,
        "faces": len(faces),
        "searched": sum(face.answer is not Answer.NOT_SEARCHED for face in faces),
        "matches": sum(face.answer is Answer.MATCH for face in faces),
    }


def _show(found: Sequence[_Searched], rule: IdentifyRule, context: Context) -> None:
    if context.json:
        print_json([None if one.problem else [_face(face) for face in one.faces] for one in found])
        return
    for one in found:
        if one.problem is not None:
            continue
        counts = _counts(one.faces, 1)
        sys.stdout.write(
            f"{one.image}: {counts['faces']} faces, {counts['searched']} searched, "
            f"{counts['matches']} over the threshold of {rule.threshold:.3f} ({one.ms:.0f} ms)\n"
        )
        for face in one.faces:
            for candidate in face.candidates:
                left, top, right, bottom = (round(value) for value in face.box)
                sys.stdout.write(
                    f"  {face.answer.value}: entry {candidate.ref.entry} similarity "
                    f"{candidate.similarity:.3f}, face at {left},{top}-{right},{bottom}\n"
                )
    say("A lead, not an identification: a trained person must compare the images.")


def _face(face: FaceAnswer) -> dict[str, Any]:
    return {
        "box": [round(value, 1) for value in face.box],
        "score": round(face.score, 4),
        "quality": round(face.quality.score, 4),
        "candidates": [
            {"entry": one.ref.entry, "similarity": round(one.similarity, 4)}
            for one in face.candidates
        ],
        "decision": face.answer.value,
    }
