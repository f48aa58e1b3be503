"""The models as they are built here: the pinned bytes, and what is inside."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from agent.adapters.images import read_image
from agent.app.models import manifest
from agent.errors import DataError, MissingFileError
from agent.modelkit.assets import read_lock
from agent.modelkit.build import PEER_FOLDER, BuildPaths, build, build_peers, emit_all
from agent.modelkit.inspect import int8_share
from agent.modelkit.manifest import Manifest
from agent.modelkit.places import data_dir
from agent.modelkit.quant import WEIGHT_LIMIT
from agent.vision import yunet as decoding
from tests.support.networks import a_yunet, run

Built = dict[tuple[str, str], bytes]
SHAPES = {"detector": (1, 3, 640, 640), "embedder": (1, 3, 112, 112)}
EACH = [(role, precision) for role in SHAPES for precision in ("fp32", "int8")]


@pytest.fixture(scope="module")
def paths(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildPaths:
    """The fetched assets, and a folder of their own for what is built."""
    made = tmp_path_factory.mktemp("build") / "models"
    return BuildPaths(data_dir(), models_dir.parent / "assets", made)


@pytest.fixture(scope="module")
def built(paths: BuildPaths) -> Built:
    return emit_all(paths)


@pytest.mark.slow
def test_every_build_gives_the_pinned_bytes(paths: BuildPaths, built: Built) -> None:
    assert set(built) == set(EACH)
    for key, data in emit_all(paths).items():
        assert data == built[key]
        assert hashlib.sha256(data).hexdigest() == manifest().card(*key).sha256


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(paths: BuildPaths, built: Built) -> None:
    program = (
        "import hashlib, sys; from pathlib import Path\n"
        "from agent.modelkit.build import BuildPaths, emit_all\n"
        "data, assets = map(Path, sys.argv[1:])\n"
        "for made in emit_all(BuildPaths(data, assets, assets)).values():\n"
        "    print(hashlib.sha256(made).hexdigest())\n"
    )
    command = [sys.executable, "-c", program, str(paths.data), str(paths.assets)]
    environment = {**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [hashlib.sha256(data).hexdigest() for data in built.values()]


@pytest.mark.slow
@pytest.mark.parametrize("key", EACH)
def test_the_share_of_int8_is_the_one_on_the_card(built: Built, key: tuple[str, str]) -> None:
    share = int8_share(built[key], SHAPES[key[0]])
    assert share == pytest.approx(manifest().card(*key).int8_share, abs=0.0006)
    assert share >= {"fp32": 0.0, "int8": 0.9 if key[0] == "embedder" else 0.5}[key[1]]


@pytest.mark.slow
def test_the_int8_embedder_is_small(built: Built) -> None:
    assert len(built["embedder", "int8"]) < 12_000_000


@pytest.mark.slow
@pytest.mark.parametrize("role", SHAPES)
def test_no_weight_can_saturate_sixteen_bits(built: Built, role: str) -> None:
    model = onnx.load_from_string(built[role, "int8"])
    stored = [
        numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.INT8
    ]
    weights = [array.astype(int) for array in stored if array.ndim > 1]
    assert len(weights) > 10
    assert max(np.abs(array).max() for array in weights) == WEIGHT_LIMIT
    assert not any(array.any() for array in stored if array.ndim == 1), "zero points are 0"


@pytest.mark.slow
@pytest.mark.parametrize("role", SHAPES)
def test_the_runtime_really_computes_in_int8(built: Built, role: str, tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    data = built[role, "int8"]
    ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    before, after = onnx.load_from_string(data), onnx.load(tmp_path / "optimised.onnx")
    eight_bit = {
        name
        for node in before.graph.node
        if node.op_type == "DequantizeLinear"
        for name in node.output
    }
    convolutions = [node for node in before.graph.node if node.op_type == "Conv"]
    meant = [node for node in convolutions if set(node.input[:2]) <= eight_bit]
    kinds = [node.op_type for node in after.graph.node]
    assert kinds.count("QLinearConv") == len(meant) >= 15
    assert kinds.count("Conv") + kinds.count("FusedConv") == len(convolutions) - len(meant)


@pytest.mark.slow
@pytest.mark.parametrize("key", [key for key in EACH if key[0] == "detector"])
def test_the_detector_takes_any_batch_height_and_width(built: Built, key: tuple[str, str]) -> None:
    rng = np.random.default_rng(0)
    for n, height, width in ((1, 32, 32), (3, 96, 160), (2, 256, 448)):
        x = rng.integers(0, 256, (n, 3, height, width)).astype(np.float32)
        levels = run(built[key], "image", x)
        sizes = [(n, 16, height // stride, width // stride) for stride in decoding.STRIDES]
        assert [level.shape for level in levels] == sizes


@pytest.mark.slow
def test_the_rewrites_say_what_the_published_networks_say(
    paths: BuildPaths, built: Built, footage: Path
) -> None:
    detector, embedder = build_peers(paths)
    assert detector.parent == paths.models / PEER_FOLDER
    image = cv2.resize(read_image(footage / "multi_face.jpg"), (640, 640))
    x = np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)
    session = ort.InferenceSession(str(detector), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    theirs = dict(zip(names, session.run(None, {"input": x}), strict=True))
    for stride, level in zip(
        decoding.STRIDES, run(built["detector", "fp32"], "image", x), strict=True
    ):
        cells = level[0].reshape(16, -1).T
        scores = 1 / (1 + np.exp(-cells[:, :2].astype(np.float64)))
        for kind, ours in (
            ("cls", scores[:, :1]),
            ("obj", scores[:, 1:]),
            ("bbox", cells[:, 2:6]),
            ("kps", cells[:, 6:]),
        ):
            np.testing.assert_allclose(ours, theirs[f"{kind}_{stride}"][0], atol=2e-3, rtol=1e-3)
    crop = cv2.resize(image[200:400, 200:400], (112, 112))[..., ::-1].transpose(2, 0, 1)[None]
    crop = np.ascontiguousarray(crop, np.float32)
    published = run(embedder.read_bytes(), "data", crop)[0]
    np.testing.assert_allclose(
        run(built["embedder", "fp32"], "data", crop)[0], published, atol=2e-3
    )


@pytest.mark.slow
def test_a_build_is_written_whole_and_only_when_it_is_the_pinned_one(paths: BuildPaths) -> None:
    lock = read_lock(paths.data / "assets.lock.yaml")
    said: list[str] = []
    cards = build(manifest(), lock, paths, say=said.append)
    assert said == ["building the models"]
    assert len(cards) == 4
    for card in cards:
        data = (paths.models / card.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == card.sha256
    assert not list(paths.models.rglob("*.part"))

    content = manifest().model_dump(mode="json")
    content["models"][0]["sha256"] = "0" * 64
    other = BuildPaths(paths.data, paths.assets, paths.models.parent / "other")
    with pytest.raises(DataError, match="other bytes than the manifest pins"):
        build(Manifest.model_validate(content), lock, other)
    assert not list(other.models.rglob("*.onnx"))


def test_assets_that_are_missing_or_no_networks(tmp_path: Path) -> None:
    paths = BuildPaths(data_dir(), tmp_path, tmp_path)
    with pytest.raises(MissingFileError, match="no such asset"):
        emit_all(paths)
    (tmp_path / "yunet-2023mar-bq.onnx").write_bytes(b"\xff\xff not a network")
    with pytest.raises(DataError, match="not a network") as caught:
        emit_all(paths)
    assert len(str(caught.value).splitlines()) == 1


def test_a_network_without_eight_bits_has_no_share() -> None:
    from agent.modelkit.yunet import emit_fp32

    assert int8_share(emit_fp32(a_yunet(), {}), (1, 3, 64, 64)) == 0
