"""Detector and embedder alone: both precisions of ours and the peers, taking turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np

from agent.values import BgrImage, Crops
from agent.vision.alignment import align_faces
from tests.bench import ours, pictures
from tests.bench.dlib_peer import DlibFaces
from tests.bench.peer import PeerDetector, PeerEmbedder, opencv, peer_files
from tests.bench.results import Comparison
from tests.bench.timing import Spread, alternate, milliseconds

SIZES = {"detector_640": (640, 640), "detector_1080": (1920, 1088)}
BATCHES = {"embedder_b1": 1, "embedder_b8": 8}
PRECISIONS = ("int8", "fp32")

Compared = dict[str, Comparison]


def detector(name: str, threads: int, rounds: int) -> Compared:
    """`detect` of a whole picture, decoding of the outputs and NMS included."""
    cv2.setNumThreads(threads)
    image = pictures.group(*SIZES[name])
    made = {p: ours.networks(p, threads, ours.WHOLE_PICTURE) for p in PRECISIONS}
    config = made["fp32"].config.detection
    peer = PeerDetector(score=config.score, nms_iou=config.nms_iou)
    rivals: dict[str, Callable[[], object]] = {
        p: lambda p=p: made[p].detector.detect(image) for p in PRECISIONS
    }
    rivals["peer"] = lambda: peer.detect(image)
    counts = {p: len(made[p].detector.detect(image)) for p in PRECISIONS}
    how = (
        f"{name}: one picture of {image.shape[1]}x{image.shape[0]} from pixels to boxes, at its "
        "own size (ours: and once more at a third of it, for very large faces); faces "
        f"found: int8 {counts['int8']}, fp32 {counts['fp32']}, "
        f"peer {len(peer.detect(image))}."
    )
    if dlib := _dlib():
        rivals["dlib"] = lambda: dlib.detect(image)
    chosen = ours.networks("auto", threads).detector.identity.precision
    spreads = _spreads(rivals, rounds, each=1)
    comparison = partial(Comparison, unit="ms", threads=threads, how=how)
    return _compare(
        name, spreads, comparison, (opencv("FaceDetectorYN"), peer_files()[0].name), chosen=chosen
    )


def embedder(name: str, threads: int, rounds: int) -> Compared:
    """Templates of aligned faces; the peer has no batch, so it goes through them one by one."""
    cv2.setNumThreads(threads)
    count = BATCHES[name]
    made = {p: ours.networks(p, threads) for p in PRECISIONS}
    crops = _crops(made["fp32"], count)
    peer = PeerEmbedder()
    rivals: dict[str, Callable[[], object]] = {
        p: lambda p=p: made[p].embedder.embed(crops) for p in PRECISIONS
    }
    rivals["peer"] = lambda: [peer.embed(crop) for crop in crops]
    how = f"{name}: {count} aligned 112x112 faces to unit vectors, per face."
    if dlib := _dlib():
        chip = dlib.crop(pictures.group(1000, 667))
        rivals["dlib"] = lambda: [dlib.embed(chip) for _ in range(count)]
    chosen = ours.networks("auto", threads).embedder.identity.precision
    spreads = _spreads(rivals, rounds, each=count)
    comparison = partial(Comparison, unit="ms/face", threads=threads, how=how)
    return _compare(
        name, spreads, comparison, (opencv("FaceRecognizerSF"), peer_files()[1].name), chosen=chosen
    )


def _spreads(
    rivals: Mapping[str, Callable[[], object]], rounds: int, *, each: int
) -> dict[str, Spread]:
    measures = {name: milliseconds(work, each=each) for name, work in rivals.items()}
    return alternate(measures, rounds=rounds, warm_up=3)


def _compare(
    name: str,
    spreads: Mapping[str, Spread],
    comparison: Callable[..., Comparison],
    peer: tuple[str, str],
    *,
    chosen: str,
) -> Compared:
    """The thing at the chosen precision, and at each; `peer` is its name and its file."""

    def against(side: str, precision: str, described: tuple[str, str]) -> Comparison:
        return comparison(
            ours=spreads[precision],
            peer=spreads[side],
            peer_name=described[0],
            peer_model=described[1],
            ours_precision=precision,
        )

    compared = {name: against("peer", chosen, peer)}
    for precision in PRECISIONS:
        compared[f"{name}_{precision}"] = against("peer", precision, peer)
    if "dlib" in spreads:
        compared[f"{name}_dlib"] = against("dlib", chosen, ("dlib", "face_recognition_models"))
    return compared


def _crops(made: ours.Networks, count: int) -> Crops:
    """Aligned faces of the photograph of five people, again from the first when they run out."""
    image: BgrImage = pictures.group(1000, 667)
    crops = align_faces(image, made.detector.detect(image).landmarks)
    return np.ascontiguousarray(np.resize(crops, (count, *crops.shape[1:])))


def _dlib() -> DlibFaces | None:
    try:
        return DlibFaces()
    except ImportError:
        return None
