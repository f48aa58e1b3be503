"""`bodycam-agent evaluate verification|detection`: standard protocols on the shipped pipeline."""

from __future__ import annotations

import argparse
from typing import Any

from agent.app import Context
from agent.cli import evaluate_detection, evaluate_verification
from agent.errors import Exit


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="measure accuracy by standard protocols",
        description="Measures the shipped pipeline by standard protocols: the same models and "
        "code that the agent runs, without its quality gate.",
        epilog="examples:\n"
        "  bodycam-agent evaluate verification --images lfw --pairs pairs.txt --folds 10\n"
        "  bodycam-agent evaluate detection --images WIDER_val/images --truth truth.txt --json\n",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    evaluate_verification.register(kinds)
    evaluate_detection.register(kinds)


def run(args: argparse.Namespace, context: Context) -> int:
    """Evaluate and print.

    Raises:
        UsageError: the options contradict each other or the pair list.
        DataError: a list or a picture is not what it should be.
        MissingFileError: a list, folder or picture is not there.
        DiskError: the scores cannot be written.
    """
    if args.kind == "verification":
        evaluate_verification.run(args, context)
    else:
        evaluate_detection.run(args, context)
    return int(Exit.OK)
