"""From locked assets and committed ranges to the model files, the same bytes everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from agent.errors import DataError, MissingFileError
from agent.modelkit import ranges, sface, sface_int8, yunet
from agent.modelkit.assets import AssetLock, obtain, write_whole
from agent.modelkit.graph import fold_dequantised
from agent.modelkit.manifest import Manifest, ModelCard

PEER_FOLDER = "peer"


@dataclass(frozen=True, slots=True)
class BuildPaths:
    """Folders: the committed model data, the fetched assets, the finished models."""

    data: Path
    assets: Path
    models: Path


def emit_all(paths: BuildPaths) -> dict[tuple[str, str], bytes]:
    """Every model by role and precision, as bytes.

    Raises:
        MissingFileError, DataError: an asset or range file is missing or wrong.
    """
    detector = yunet.read(_load(paths.assets / "yunet-2023mar-bq.onnx"))
    embedder = sface.with_slopes_below_one(
        sface.read(_load(paths.assets / "sface-2021dec-bq.onnx"))
    )
    units = ranges.read_yunet(paths.data / ranges.YUNET_FILE)
    layers = ranges.read_sface(paths.data / ranges.SFACE_FILE)
    about = {"licence": "MIT", "source": "YuNet 2023mar, OpenCV Zoo"}
    about_face = {"licence": "Apache-2.0", "source": "SFace 2021dec, OpenCV Zoo"}
    return {
        ("detector", "fp32"): yunet.emit_fp32(detector, about),
        ("detector", "int8"): yunet.emit_int8(detector, units, about),
        ("embedder", "fp32"): sface.emit_fp32(embedder, about_face),
        ("embedder", "int8"): sface_int8.emit_int8(embedder, layers, about_face),
    }


def build(
    manifest: Manifest,
    lock: AssetLock,
    paths: BuildPaths,
    *,
    packages: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> list[ModelCard]:
    """Fetch what is missing, build every model and check it against the manifest.

    Returns:
        The cards of the models written.

    Raises:
        DataError: something has another hash than it should.
        UnavailableError, MissingFileError, DiskError: see `assets.obtain`.
    """
    obtain(lock, ["model"], paths.assets, packages=packages, say=say)
    say("building the models")
    written = []
    for (role, precision), data in emit_all(paths).items():
        card = manifest.card(role, precision)
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise DataError(
                f"{card.file}: the build gave other bytes than the manifest pins; "
                "this is a bug or a changed file under models/: report it"
            )
        write_whole(paths.models / card.file, data)
        written.append(card)
    return written


def build_peers(paths: BuildPaths) -> list[Path]:
    """The published networks with their weights folded, as OpenCV's own classes can load them;
    what the benchmarks compare with.
    """
    written = []
    for asset, keep in (("yunet-2023mar-bq", "input"), ("sface-2021dec-bq", "data")):
        model = _load(paths.assets / f"{asset}.onnx")
        nodes, values = fold_dequantised(model)
        read = {name for node in nodes for name in node.input}
        inputs = [item for item in model.graph.input if item.name == keep]
        del model.graph.node[:], model.graph.initializer[:], model.graph.input[:]
        model.graph.node.extend(nodes)
        model.graph.input.extend(inputs)
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(value.copy(), name)
            for name, value in sorted(values.items())
            if name in read
        )
        path = paths.models / PEER_FOLDER / f"{asset.removesuffix('-bq')}.onnx"
        write_whole(path, model.SerializeToString(deterministic=True))
        written.append(path)
    return written


def _load(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such asset; run `bodycam-agent models build`") from None
    except Exception as error:  # noqa: BLE001 -- protobuf raises types of its own
        raise DataError(f"{path}: not a network ({type(error).__name__}); delete it") from None
