"""`bodycam-agent evaluate verification`: pairs of photographs, one person or two."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from agent.adapters.images import read_image
from agent.app import Context
from agent.cli.common import print_json, say
from agent.cli.evaluate_common import add_precision, adjusted, print_table, progress
from agent.cli.evaluate_files import Photographs, check_writable, read_text, write_scores
from agent.errors import UsageError
from agent.metrics.acquisition import templates
from agent.metrics.intervals import wilson
from agent.metrics.pairs import ImageRef, PairList, parse_pairs
from agent.metrics.verification import (
    FAILED,
    Trials,
    Verification,
    best_threshold,
    refold,
    verify,
)
from agent.values import F32


def register(kinds: Any) -> None:
    parser = kinds.add_parser(
        "verification",
        help="pairs of photographs: one person or two (LFW)",
        description="Compares pairs of photographs in the layout and pair lists of LFW. The face "
        "is the one over the middle of the picture, else the nearest to it. A picture without a "
        "face fails its pairs: they score -1 and count in every figure.",
        epilog="examples:\n"
        "  bodycam-agent evaluate verification --images lfw --pairs pairs.txt --folds 10\n"
        "  bodycam-agent evaluate verification --images lfw --pairs pairsDevTest.txt \\\n"
        "      --threshold-from pairsDevTrain.txt --precision int8 --json\n",
    )
    parser.add_argument("--images", metavar="DIR", required=True, help="DIR/NAME/NAME_0001.jpg")
    parser.add_argument("--pairs", metavar="FILE", required=True, help="pairs.txt, pairsDev*.txt")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--folds", metavar="N", type=int, help="a threshold for each fold, chosen on all others"
    )
    how.add_argument("--threshold", metavar="T", type=float, help="one threshold, fixed beforehand")
    how.add_argument(
        "--threshold-from", metavar="FILE", help="the best threshold on another pair list"
    )
    parser.add_argument("--scores", metavar="FILE", help="write the raw scores as CSV")
    add_precision(parser)


def run(args: argparse.Namespace, context: Context) -> None:
    """Compare the pairs and print the figures."""
    _check_threshold(args.threshold)
    listed = _pairs(args.pairs)
    _check_folds(args.folds, listed, args.pairs)
    chosen_on = _pairs(args.threshold_from) if args.threshold_from else None
    scores_file = check_writable(args.scores)
    vectors = _vectors(args, context, listed, chosen_on)
    trials = _trials(listed, vectors)
    if args.folds and args.folds != listed.folds:
        trials = refold(trials, args.folds)
    threshold = args.threshold if chosen_on is None else _best(_trials(chosen_on, vectors))
    result = verify(trials, threshold=threshold)
    if scores_file:
        write_scores(scores_file, listed, trials)
    if trials.folds.max() == 0 and threshold is None:
        say(f"note: the threshold was chosen on {args.pairs} itself, which flatters it")
    _print(result, context)


def _check_threshold(threshold: float | None) -> None:
    if threshold is not None and not FAILED < threshold <= 1:
        raise UsageError(f"--threshold {threshold}: must be over -1 and at most 1")


def _pairs(name: str) -> PairList:
    return parse_pairs(read_text(Path(name)), name)


def _check_folds(folds: int | None, listed: PairList, name: str) -> None:
    if folds is None:
        return
    if listed.folds not in (1, folds):
        raise UsageError(f"--folds {folds}: {name} has {listed.folds} folds of its own; use those")
    most = sum(pair.same for pair in listed.pairs)
    if not 2 <= folds <= most:  # noqa: PLR2004 - one fold has no others to choose on
        raise UsageError(f"--folds {folds}: must be from 2 to the {most} pairs of one person")


def _vectors(
    args: argparse.Namespace, context: Context, listed: PairList, other: PairList | None
) -> dict[ImageRef, F32 | None]:
    """The template of every picture in both lists, each worked on once."""
    refs = sorted({*listed.images, *(other.images if other else ())})
    paths = Photographs(Path(args.images)).find_all(refs)
    models = adjusted(args, context).models()
    images = (read_image(path) for path in progress(paths, "photographs"))
    return dict(zip(refs, templates(images, models.detector, models.embedder), strict=True))


def _best(trials: Trials) -> float:
    return best_threshold(trials.scores, trials.same)


def _trials(listed: PairList, vectors: dict[ImageRef, F32 | None]) -> Trials:
    scores = [_similarity(vectors[pair.left], vectors[pair.right]) for pair in listed.pairs]
    same = [pair.same for pair in listed.pairs]
    folds = [pair.fold for pair in listed.pairs]
    return Trials(np.array(scores), np.array(same), np.array(folds))


def _similarity(left: F32 | None, right: F32 | None) -> float:
    """Cosine, kept just over `FAILED`, which is for pairs without two faces."""
    if left is None or right is None:
        return FAILED
    cosine = float(left.astype(np.float64) @ right.astype(np.float64))
    return min(max(cosine, FAILED + 1e-6), 1.0)


def _print(result: Verification, context: Context) -> None:
    if context.json:
        print_json(_json(result))
    else:
        print_table("Verification", _rows(result))


def _json(result: Verification) -> dict[str, Any]:
    return {
        "pairs": result.pairs,
        "failed_to_acquire": result.failed_to_acquire,
        "accuracy_mean": result.accuracy_mean,
        "accuracy_std": result.accuracy_std,
        "threshold": result.threshold,
        "eer": result.eer,
        "tar_at_far": {f"{far:g}": tar for far, tar in result.tar_at_far.items()},
    }


def _rows(result: Verification) -> list[tuple[str, str]]:
    low, high = wilson(round(result.accuracy_mean * result.pairs), result.pairs)
    return [
        ("pairs", f"{result.pairs:,}"),
        ("failed to acquire", f"{result.failed_to_acquire:,}"),
        ("accuracy", f"{result.accuracy_mean:.4f}"),
        ("  95 % interval", f"{low:.4f} to {high:.4f}"),
        ("  standard deviation over folds", f"{result.accuracy_std:.4f}"),
        ("threshold", f"{result.threshold:.4f}"),
        ("equal error rate", f"{result.eer:.4f}"),
        *(
            (f"true accept rate at false accept rate {far:g}", f"{tar:.4f}")
            for far, tar in result.tar_at_far.items()
        ),
    ]
