"""`bodycam-agent evaluate detection`: boxes in photographs against the truth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from agent.adapters.images import read_image
from agent.app import Context
from agent.cli.common import print_json
from agent.cli.evaluate_common import add_precision, adjusted, print_table, progress
from agent.cli.evaluate_files import Photographs, read_text
from agent.metrics.detection import DetectionFigures, FoundFaces, evaluate_detection
from agent.metrics.wider import parse_wider
from agent.ports import Clock, Detector

LOWEST_SCORE = 0.02
"""Detections are rated from this score up: further down they no longer change the precision."""
SMALLEST_FACE_PX = 8
"""Asks the detector for the smallest faces it can look for, at the picture's own size."""


def register(kinds: Any) -> None:
    parser = kinds.add_parser(
        "detection",
        help="boxes in photographs (WIDER FACE)",
        description="Rates found boxes against the ground-truth text of WIDER FACE: pictures at "
        f"their own size, scores from {LOWEST_SCORE}, an overlap (IoU) of at least 0.5, faces "
        "marked invalid ignored.",
        epilog="examples:\n"
        "  bodycam-agent evaluate detection --images WIDER_val/images \\\n"
        "      --truth wider_face_val_bbx_gt.txt --precision fp32\n",
    )
    parser.add_argument("--images", metavar="DIR", required=True, help="folder of the pictures")
    parser.add_argument("--truth", metavar="FILE", required=True, help="ground truth, WIDER text")
    add_precision(parser)


def run(args: argparse.Namespace, context: Context) -> None:
    """Find the faces and print the figures."""
    truth = parse_wider(read_text(Path(args.truth)), args.truth)
    photographs = Photographs(Path(args.images))
    paths = [photographs.named(picture.path) for picture in truth]
    fine = adjusted(
        args,
        context,
        f"detection.score={LOWEST_SCORE}",
        f"detection.min_face_px={SMALLEST_FACE_PX}",
    )
    found, seconds = _find(paths, fine.models().detector, context.clock)
    figures = evaluate_detection(found, truth)
    _print(figures, 1000 * seconds / len(truth), context)


def _find(paths: list[Path], detector: Detector, clock: Clock) -> tuple[list[FoundFaces], float]:
    """What is in each picture, and the seconds that finding it took, decoding left out."""
    found: list[FoundFaces] = []
    seconds = 0.0
    for path in progress(paths, "pictures"):
        image = read_image(path)
        began = clock.monotonic()
        faces = detector.detect(image)
        seconds += clock.monotonic() - began
        found.append(FoundFaces(faces.boxes, faces.scores))
    return found, seconds


def _print(figures: DetectionFigures, ms_per_image: float, context: Context) -> None:
    if context.json:
        print_json(_json(figures, ms_per_image))
    else:
        print_table("Detection", _rows(figures, ms_per_image))


def _json(figures: DetectionFigures, ms_per_image: float) -> dict[str, Any]:
    return {
        "images": figures.images,
        "faces": figures.faces,
        "ap": figures.ap,
        "ap_by_height": figures.ap_by_height,
        "recall_under_16": figures.recall_under_16,
        "ms_per_image": ms_per_image,
    }


def _rows(figures: DetectionFigures, ms_per_image: float) -> list[tuple[str, str]]:
    return [
        ("pictures", f"{figures.images:,}"),
        ("faces", f"{figures.faces:,}"),
        ("average precision", _share(figures.ap)),
        *((f"  faces {name} px high", _share(ap)) for name, ap in figures.ap_by_height.items()),
        ("found of the faces under 16 px", _share(figures.recall_under_16)),
        ("ms per picture", f"{ms_per_image:.1f}"),
    ]


def _share(value: float | None) -> str:
    return "no such face" if value is None else f"{value:.4f}"
