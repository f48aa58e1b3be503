"""The real networks on real footage."""

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.adapters.images import decode_image, read_image
from agent.adapters.onnx_models import EMBED_BATCH, ModelFile, SFaceEmbedder, YuNetDetector
from agent.app.models import manifest, model_file
from agent.config import DetectionConfig
from agent.errors import DataError
from agent.ports import ModelIdentity
from agent.values import FaceDetections
from agent.vision.alignment import CROP, align_faces

PRECISIONS = ("fp32", "int8")
PORTRAITS = ("0-f1-su-ph.jpg", "0-f15-hao-ph.jpg", "15-f13-anc-ph.jpg", "45-m7-di-ph.jpg")

Detectors = dict[str, YuNetDetector]
Embedders = dict[str, SFaceEmbedder]


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x08\x12\x00" * 50])
def test_a_corrupt_network_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    file = ModelFile(path, ModelIdentity("broken", "fp32", "0" * 64))
    with pytest.raises(DataError, match=r"broken\.onnx: onnxruntime cannot load it") as caught:
        SFaceEmbedder(file, threads=1)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(DataError, match="models build"):
        YuNetDetector(file, DetectionConfig(), threads=1)


@pytest.fixture(scope="module")
def detectors(models_dir: Path) -> Detectors:
    return {
        name: YuNetDetector(
            model_file(manifest().card("detector", name), models_dir),
            DetectionConfig(),
            threads=1,
        )
        for name in PRECISIONS
    }


@pytest.fixture(scope="module")
def embedders(models_dir: Path) -> Embedders:
    return {
        name: SFaceEmbedder(model_file(manifest().card("embedder", name), models_dir), threads=1)
        for name in PRECISIONS
    }


@pytest.fixture(scope="module")
def crops(detectors: Detectors, footage: Path) -> np.ndarray:
    """Every face of the photographs, aligned."""
    found = []
    for name in ("multi_face.jpg", "single_face.jpg", *PORTRAITS):
        image = read_image(footage / name)
        found.append(align_faces(image, detectors["fp32"].detect(image).landmarks))
    return np.concatenate(found)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_five_people_are_five_faces(detectors: Detectors, footage: Path, precision: str) -> None:
    image = read_image(footage / "multi_face.jpg")
    faces = detectors[precision].detect(image)
    assert len(faces) == 5
    assert (faces.scores > 0.8).all()
    assert (np.diff(faces.scores) <= 0).all()
    for box, points in zip(faces.boxes, faces.landmarks, strict=True):
        assert (points > box[:2]).all()
        assert (points < box[2:]).all()
        right_eye, left_eye, nose, right_mouth, left_mouth = points
        assert right_eye[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["single_face.jpg", *PORTRAITS])
def test_one_person_is_one_face(
    detectors: Detectors, footage: Path, name: str, precision: str
) -> None:
    assert len(detectors[precision].detect(read_image(footage / name))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_picture_of_nobody_has_no_face(
    detectors: Detectors, footage: Path, precision: str
) -> None:
    picture = read_image(footage / "free-mountain-vector-01.jpg")
    assert len(detectors[precision].detect(picture)) == 0
    noise = np.random.default_rng(0).integers(0, 255, (333, 517, 3), np.uint8)
    assert len(detectors[precision].detect(noise)) == 0
    for shape in ((1, 1, 3), (1, 700, 3), (2500, 2, 3), (360, 640, 3)):
        assert len(detectors[precision].detect(np.zeros(shape, np.uint8))) == 0


@pytest.mark.slow
def test_both_precisions_find_the_same(detectors: Detectors, footage: Path) -> None:
    image = read_image(footage / "multi_face.jpg")
    same_faces(detectors["fp32"].detect(image), detectors["int8"].detect(image), 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "back"),
    [
        (lambda image: pad(image, 57, 101, 33, 77), lambda p: p - (101, 57)),
        (lambda image: image[:661, :993], lambda p: p),
        (lambda image: cv2.resize(image, None, fx=1.37, fy=1.37), lambda p: p / 1.37),
        (lambda image: cv2.resize(image, None, fx=3, fy=3), lambda p: p / 3),
        (lambda image: pad(image, 1500, 2200, 900, 1300), lambda p: p - (2200, 1500)),
    ],
    ids=["padded", "odd size", "larger", "three times as large", "in tiles"],
)
def test_the_same_faces_wherever_they_are_in_a_picture_of_whatever_size(
    detectors: Detectors,
    footage: Path,
    change: Callable[[np.ndarray], np.ndarray],
    back: Callable[[np.ndarray], np.ndarray],
) -> None:
    image = read_image(footage / "multi_face.jpg")
    expected = detectors["fp32"].detect(image)
    found = detectors["fp32"].detect(change(image))
    boxes = np.asarray(back(found.boxes.reshape(-1, 2, 2)), np.float32).reshape(-1, 4)
    points = np.asarray(back(found.landmarks), np.float32)
    same_faces(expected, FaceDetections(boxes, points, found.scores), 13)


@pytest.mark.slow
def test_a_photograph_on_its_side_is_turned_by_its_exif(
    detectors: Detectors, footage: Path
) -> None:
    image = read_image(footage / "multi_face.jpg")
    turned = decode_image(with_orientation(np.rot90(image), 6), "turned.jpg")
    assert turned.shape == image.shape
    same_faces(detectors["fp32"].detect(image), detectors["fp32"].detect(turned), 4)


@pytest.mark.slow
def test_one_detector_forgets_the_last_picture(detectors: Detectors, footage: Path) -> None:
    image = read_image(footage / "multi_face.jpg")
    first = detectors["fp32"].detect(image)
    smaller = image[:300, :400]
    alone = detectors["fp32"].detect(smaller.copy())
    detectors["fp32"].detect(np.full((300, 400, 3), 255, np.uint8))
    again = detectors["fp32"].detect(smaller)
    np.testing.assert_array_equal(alone.boxes, again.boxes)
    np.testing.assert_array_equal(first.boxes, detectors["fp32"].detect(image).boxes)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_embeddings_are_of_unit_length_and_the_same_in_any_batch(
    embedders: Embedders, crops: np.ndarray, precision: str
) -> None:
    embedder = embedders[precision]
    many = np.tile(crops, (2, 1, 1, 1))
    assert len(many) > EMBED_BATCH
    together = embedder.embed(many)
    alone = np.concatenate([embedder.embed(crop[None]) for crop in many])
    assert together.shape == (len(many), embedder.dim) == (len(many), 128)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_face_gives_no_embedding(embedders: Embedders, precision: str) -> None:
    empty = np.zeros((0, CROP, CROP, 3), np.uint8)
    assert embedders[precision].embed(empty).shape == (0, 128)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_crop_still_gives_a_unit_vector(embedders: Embedders, level: int) -> None:
    flat = np.full((1, CROP, CROP, 3), level, np.uint8)
    for embedder in embedders.values():
        assert np.linalg.norm(embedder.embed(flat)) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_int8_says_what_fp32_says(embedders: Embedders, crops: np.ndarray) -> None:
    exact, rounded = (embedders[name].embed(crops) for name in PRECISIONS)
    assert (exact * rounded).sum(axis=1).min() >= 0.98
    np.testing.assert_allclose(exact @ exact.T, rounded @ rounded.T, atol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_same_man_is_alike_and_others_are_not(
    detectors: Detectors, embedders: Embedders, footage: Path, precision: str
) -> None:
    detect, embed = detectors[precision].detect, embedders[precision].embed
    photo = read_image(footage / "single_face.jpg")
    him = embed(align_faces(photo, detect(photo).landmarks[:1]))[0]
    film = [
        float(embed(align_faces(frame, detect(frame).landmarks[:1]))[0] @ him)
        for frame in frames(footage / "single_face.mp4", every=12)
    ]
    assert len(film) == 6
    assert min(film) > 0.5
    for name in ("multi_face.jpg", *PORTRAITS):
        image = read_image(footage / name)
        others = embed(align_faces(image, detect(image).landmarks))
        assert (others @ him).max() < 0.36


def same_faces(expected: FaceDetections, found: FaceDetections, within_px: float) -> None:
    """The same faces up to some pixels, in any order."""
    assert len(found) == len(expected) > 0
    order = [np.argsort(faces.boxes[:, 0]) for faces in (expected, found)]
    for name in ("boxes", "landmarks"):
        ours, theirs = getattr(found, name)[order[1]], getattr(expected, name)[order[0]]
        np.testing.assert_allclose(ours, theirs, atol=within_px)
        assert abs(np.mean(ours - theirs)) < within_px / 5, "no shift of them all"


def pad(image: np.ndarray, top: int, left: int, bottom: int, right: int) -> np.ndarray:
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT)


def frames(path: Path, every: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    found = []
    while True:
        more, frame = capture.read()
        if not more:
            break
        found.append(frame)
    capture.release()
    return found[::every]


def with_orientation(image: np.ndarray, orientation: int) -> bytes:
    """A JPEG whose EXIF says how to turn it; 6 is a quarter turn clockwise."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 97])
    assert done
    tiff = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01"
    tiff += struct.pack(">HHIHHI", 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\x00\x00" + tiff
    jpeg = data.tobytes()
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_forgetting_changes_no_answer(
    detectors: Detectors, embedders: Embedders, crops: np.ndarray, footage: Path, precision: str
) -> None:
    image = read_image(footage / "multi_face.jpg")
    detector, embedder = detectors[precision], embedders[precision]
    before = detector.detect(image).boxes, embedder.embed(crops)
    detector.forget()
    embedder.forget()
    np.testing.assert_array_equal(detector.detect(image).boxes, before[0])
    np.testing.assert_array_equal(embedder.embed(crops), before[1])
