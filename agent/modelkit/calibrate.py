r"""Measure activation ranges on a folder of face photographs.

Run once by the maintainers; the result is committed, so that a build needs no photographs:

    ORT_DISABLE_TELEMETRY=1 python -m agent.modelkit.calibrate --images DIR --list FILE \
        --about "which pictures" --assets build/assets --out models

The list names one image a line, relative to DIR. Faces are found, aligned and embedded by the
agent's own code. For the detector every picture is read at a quarter, half, full and double size.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from rich.progress import track

from agent.modelkit import ranges, sface, yunet
from agent.modelkit.quant import F64
from agent.values import F32, BgrImage
from agent.vision import yunet as decoding
from agent.vision.alignment import align_faces

SHARE = 0.97
"""Of the faces whose extreme a channel's range must hold; see `sface_int8`."""
_SIZES = (0.25, 0.5, 1.0, 2.0)
_BATCH = 8


def main() -> None:
    """Write both range files."""
    args = _arguments()
    names = [line for line in args.list.read_text().splitlines() if line]
    images = [_read(args.images / name) for name in names]
    assets = {
        "yunet": onnx.load(args.assets / "yunet-2023mar-bq.onnx"),
        "sface": onnx.load(args.assets / "sface-2021dec-bq.onnx"),
    }
    made = f"{len(images)} photographs: {args.about}"
    detector = yunet.read(assets["yunet"])
    found = _measure_yunet(_session(yunet.emit_fp32(detector, {}, taps=True)), images)
    text = ranges.dump(f"{made}; each at {_SIZES} of its size; extremes", units=found)
    (args.out / ranges.YUNET_FILE).write_text(text)
    crops = _crops(_session(yunet.emit_fp32(detector, {})), images)
    network = sface.with_slopes_below_one(sface.read(assets["sface"]))
    layers = _measure_sface(_session(sface.emit_fp32(network, {}, taps=True)), crops)
    text = ranges.dump(f"{made}; {len(crops)} faces; {SHARE:.0%} of their extremes", layers=layers)
    (args.out / ranges.SFACE_FILE).write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="measure activation ranges")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--about", required=True, help="which pictures these are")
    return parser.parse_args()


def _read(path: Path) -> BgrImage:
    image: BgrImage | None = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path}: not a picture")
    return image


def _session(model: bytes) -> ort.InferenceSession:
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(model)
        file.flush()
        return ort.InferenceSession(file.name, providers=["CPUExecutionProvider"])


def _padded(image: BgrImage) -> F32:
    rows, columns = (-(-side // decoding.ALIGN) * decoding.ALIGN for side in image.shape[:2])
    tensor = np.zeros((1, 3, rows, columns), np.float32)
    decoding.to_input(image, tensor[0])
    return tensor


def _measure_yunet(
    session: ort.InferenceSession, images: list[BgrImage]
) -> dict[str, dict[str, object]]:
    names = [item.name for item in session.get_outputs()]
    low: dict[str, F64] = {}
    high: dict[str, F64] = {}
    for image in track(images, description="detector"):
        for size in _SIZES:
            scaled = cv2.resize(image, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
            for name, values in zip(
                names, session.run(None, {"image": _padded(scaled)}), strict=True
            ):
                bottom, top = values.min((0, 2, 3)), values.max((0, 2, 3))
                low[name] = np.minimum(low.get(name, bottom), bottom)
                high[name] = np.maximum(high.get(name, top), top)
    return {
        unit: {
            "low": ranges.rounded(low[f"mid_{unit}"]),
            "high": ranges.rounded(high[f"mid_{unit}"]),
            "out": ranges.rounded(high[f"out_{unit}"].max())[0],
            "into": ranges.rounded(high[f"into_{unit}"].max())[0],
        }
        for unit in yunet.UNITS
    }


def _crops(session: ort.InferenceSession, images: list[BgrImage]) -> list[BgrImage]:
    """The best face of every picture that has one."""
    crops = []
    for image in track(images, description="faces"):
        maps = [level[0] for level in session.run(None, {"image": _padded(image)})]
        faces = decoding.decode(maps, score=0.6, nms_iou=0.45)
        if len(faces):
            crops.append(align_faces(image, faces.landmarks[:1])[0])
    return crops


def _measure_sface(
    session: ort.InferenceSession, crops: list[BgrImage]
) -> list[dict[str, list[float]]]:
    names = [item.name for item in session.get_outputs()][1:]
    lows: dict[str, list[F32]] = {name: [] for name in names}
    highs: dict[str, list[F32]] = {name: [] for name in names}
    for start in track(range(0, len(crops), _BATCH), description="embedder"):
        batch = np.stack(crops[start : start + _BATCH])[..., ::-1].transpose(0, 3, 1, 2)
        outputs = session.run(names, {sface.INPUT: np.ascontiguousarray(batch, np.float32)})
        for name, values in zip(names, outputs, strict=True):
            lows[name].append(values.min((2, 3)))
            highs[name].append(values.max((2, 3)))
    return [
        {
            "low": ranges.rounded(np.quantile(np.concatenate(lows[name]), 1 - SHARE, axis=0)),
            "high": ranges.rounded(np.quantile(np.concatenate(highs[name]), SHARE, axis=0)),
        }
        for name in names
    ]


if __name__ == "__main__":
    main()
