"""Small made-up networks of the two published shapes."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from agent.modelkit.graph import GraphBuilder
from agent.modelkit.sface import DIM, INPUT, OUTPUT, Layer, SFace
from agent.modelkit.sface_int8 import ChannelRange
from agent.modelkit.yunet import UNITS, Unit, UnitRange, YuNet

Array = np.ndarray

_SHAPES = (  # out, in / groups, kernel, stride, groups
    (4, 3, 3, 2, 1),
    (4, 1, 3, 2, 4),
    (6, 4, 1, 1, 1),
    (6, 1, 3, 2, 6),
    (5, 6, 1, 1, 1),
)
_POSITIONS = 14 * 14
CHANNELS = 6


def a_sface(slopes: list[float], seed: int = 0) -> SFace:
    """Five layers; their slopes are taken from `slopes` in turn, over and over."""
    rng = np.random.default_rng(seed)
    layers, given = [], cycle(slopes)
    for out, into, kernel, stride, groups in _SHAPES:
        fan = into * kernel * kernel
        weight = rng.normal(0, fan**-0.5, (out, into, kernel, kernel))
        slope = np.array([next(given) for _ in range(out)])
        layers.append(Layer(weight, rng.normal(0, 0.3, out), slope, stride, groups))
    last = _SHAPES[-1][0]
    first = layers[0]
    layers[0] = Layer(first.weight / 64, first.bias, first.slope, first.stride, first.groups)
    head = rng.normal(0, 0.03, (DIM, last, _POSITIONS))
    return SFace(127.5, tuple(layers), head, rng.normal(0, 0.1, DIM))


def with_prelu_itself(net: SFace) -> bytes:
    """The network as it is defined, with the standard's own PRelu."""
    build = GraphBuilder()
    x = build.op("Sub", INPUT, build.constant(net.mean))
    for layer in net.layers:
        names = build.constant(layer.weight), build.constant(layer.bias)
        shape = layer.weight.shape
        y = build.conv(x, *names, shape=shape, stride=layer.stride, groups=layer.groups)
        x = build.op("PRelu", y, build.constant(layer.slope.reshape(-1, 1, 1)))
    weight, bias = build.constant(net.head.reshape(DIM, -1)), build.constant(net.head_bias)
    build.op("Gemm", build.op("Flatten", x), weight, bias, output=OUTPUT, transB=1)
    return build.model("made-up", {INPUT: ["n", 3, 112, 112]}, {OUTPUT: ["n", DIM]}, {})


def sface_ranges(taps: bytes, x: Array, layers: int) -> list[ChannelRange]:
    """Extremes of each channel before each PRelu, from a network with taps."""
    names = [f"y{index}" for index in range(layers)]
    found = run(taps, INPUT, x, names)
    return [
        ChannelRange(y.min((0, 2, 3)).astype(float), y.max((0, 2, 3)).astype(float)) for y in found
    ]


def a_yunet(seed: int = 0) -> YuNet:
    """Every layer has the same few channels."""
    rng = np.random.default_rng(seed)

    def conv(out: int, into: int, kernel: int) -> tuple[Array, Array]:
        fan = into * kernel * kernel
        weight = rng.normal(0, (2 / fan) ** 0.5, (out, into, kernel, kernel))
        return weight, rng.normal(0, 0.2, out)

    stem = conv(CHANNELS, 3, 3)
    units = {name: Unit(conv(CHANNELS, CHANNELS, 1), conv(CHANNELS, 1, 3)) for name in UNITS}
    heads = {stride: Unit(conv(16, CHANNELS, 1), conv(16, 1, 3)) for stride in (8, 16, 32)}
    return YuNet((stem[0] / 128, stem[1]), units, heads)


def yunet_ranges(taps: bytes, x: Array) -> dict[str, UnitRange]:
    names = [f"{kind}_{unit}" for unit in UNITS for kind in ("into", "mid", "out")]
    values = dict(zip(names, run(taps, "image", x, names), strict=True))
    return {
        unit: UnitRange(
            values[f"mid_{unit}"].min((0, 2, 3)).astype(float),
            values[f"mid_{unit}"].max((0, 2, 3)).astype(float),
            float(values[f"out_{unit}"].max()),
            float(values[f"into_{unit}"].max()),
        )
        for unit in UNITS
    }


def check_bias_scales(data: bytes) -> int:
    """The runtime adds the stored bias to the integer products: its scale must be theirs.

    Returns:
        how many convolutions and fully connected layers were checked.
    """
    model = onnx.load_from_string(data)
    stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    scale = {
        node.output[0]: stored[node.input[1]].astype(np.float64)
        for node in model.graph.node
        if node.op_type == "DequantizeLinear"
    }
    layers = [
        node
        for node in model.graph.node
        if node.op_type in {"Conv", "Gemm"} and set(node.input[:2]) <= set(scale)
    ]
    for node in layers:
        x, weight, bias = (scale[name] for name in node.input)
        np.testing.assert_allclose(bias, x * weight, rtol=1e-6)
    return len(layers)


def run(model: bytes, name: str, x: Array, outputs: list[str] | None = None) -> list[Array]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(outputs, {name: x})
    return found
