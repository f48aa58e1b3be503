"""SFace as a list of layers, and the exact rewrites that make it fast.

The network is 27 times convolution, batch norm, PRelu, and one fully connected layer. Batch norms
are folded into what is linear beside them. onnxruntime's PRelu is the bottleneck of the network as
published (most of the time of a face), and is rewritten:

    PRelu(y) = a*y + Relu((1 - a)*y)            exact where a <= 1

A channel with slope a > 1 is first replaced by one with slope 1/a, since
PRelu_a(y) = -a * PRelu_{1/a}(-y), the signs and factors going into the weights before and after it.
Both steps are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import onnx

from agent.errors import DataError
from agent.modelkit.graph import GraphBuilder, attributes, fold_dequantised
from agent.values import Array

F64 = npt.NDArray[np.float64]
INPUT = "data"
OUTPUT = "embedding"
DIM = 128


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Convolution with its activation.

    Attributes:
        weight: (out, in / groups, k, k).
        bias: (out,).
        slope: (out,) of the PRelu.
        stride: of both axes.
        groups: 1, or the number of channels.
    """

    weight: F64
    bias: F64
    slope: F64
    stride: int
    groups: int

    @property
    def depthwise(self) -> bool:
        return self.groups > 1


@dataclass(frozen=True, slots=True, eq=False)
class SFace:
    """The whole embedder in float64.

    Attributes:
        mean: subtracted from the raw 0..255 input.
        layers: in order.
        head: (128, channels, positions) of the fully connected layer.
        head_bias: (128,).
    """

    mean: float
    layers: tuple[Layer, ...]
    head: F64
    head_bias: F64


def read(model: onnx.ModelProto) -> SFace:
    """Take the published network apart.

    Raises:
        DataError: it is not the network this was written for.
    """
    try:
        return _read(model)
    except (IndexError, KeyError, ValueError):
        raise DataError(
            "this is not SFace 2021dec: rebuild from the locked assets (make models)"
        ) from None


def _read(model: onnx.ModelProto) -> SFace:
    nodes, values = fold_dequantised(model)
    layers: list[Layer] = []
    scalars: list[float] = []
    norm: tuple[F64, F64] | None = None
    head: F64 = np.zeros(0)
    head_bias: F64 = np.zeros(0)
    for node in nodes:
        stored = [values[name].astype(np.float64) for name in node.input if name in values]
        if node.op_type in {"Sub", "Mul"}:
            scalars.append(float(stored[0][0]))
        elif node.op_type == "Conv":
            given = attributes(node)
            empty = np.zeros(len(stored[0]))
            layers.append(Layer(stored[0], empty, empty, given["strides"][0], given["group"]))
        elif node.op_type == "BatchNormalization":
            factor, shift = _affine(stored, attributes(node)["epsilon"])
            if head.size:
                head, head_bias = head * factor[:, None, None], head_bias * factor + shift
            elif layers[-1].slope.any():
                norm = factor, shift
            else:
                weight = layers[-1].weight * factor[:, None, None, None]
                layers[-1] = replace(layers[-1], weight=weight, bias=shift)
        elif node.op_type == "PRelu":
            layers[-1] = replace(layers[-1], slope=stored[0].reshape(-1))
        elif node.op_type == "Gemm" and norm is not None:
            head = stored[0].reshape(DIM, len(norm[0]), -1)
            shifted = (head * norm[1][None, :, None]).reshape(DIM, -1)
            # exact sums: the order of additions differs between processors, the hash must not
            head_bias = stored[1] + np.array([math.fsum(row) for row in shifted])
            head = head * norm[0][None, :, None]
    if len(layers) != 27 or len(scalars) != 2 or not head.size:
        raise ValueError("other layers")
    first = replace(layers[0], weight=layers[0].weight * scalars[1])
    return SFace(scalars[0], (first, *layers[1:]), head, head_bias)


def _affine(stored: list[F64], epsilon: float) -> tuple[F64, F64]:
    """Batch norm as factor and shift."""
    gamma, beta, mean, variance = stored
    factor = gamma / np.sqrt(variance + epsilon)
    return factor, beta - mean * factor


def rescale(net: SFace, index: int, before: F64, after: F64) -> SFace:
    """Multiply the channels of layer `index` by `before`, and divide again by giving the next
    layer's inputs the factor `after`. The caller answers for the two cancelling out.
    """
    layers = list(net.layers)
    layer = layers[index]
    layers[index] = replace(
        layer, weight=layer.weight * before[:, None, None, None], bias=layer.bias * before
    )
    if index + 1 == len(layers):
        head = net.head * after[None, :, None]
        return replace(net, layers=tuple(layers), head=head)
    follower = layers[index + 1]
    along = after[:, None, None, None] if follower.depthwise else after[None, :, None, None]
    layers[index + 1] = replace(follower, weight=follower.weight * along)
    return replace(net, layers=tuple(layers))


def with_slopes_below_one(net: SFace) -> SFace:
    """The same function with every slope at most 1."""
    for index, layer in enumerate(net.layers):
        steep = layer.slope > 1
        if not steep.any():
            continue
        slopes = np.where(steep, 1 / np.where(steep, layer.slope, 1), layer.slope)
        net = rescale(net, index, np.where(steep, -1.0, 1.0), np.where(steep, -layer.slope, 1.0))
        layers = list(net.layers)
        layers[index] = replace(layers[index], slope=slopes)
        net = replace(net, layers=tuple(layers))
    return net


def emit_fp32(net: SFace, metadata: dict[str, str], *, taps: bool = False) -> bytes:
    """The float32 model: input (n, 3, 112, 112) RGB 0..255, output (n, 128), not normalised.

    Args:
        net: with slopes below one.
        metadata: written into the file.
        taps: also output every layer's values before its PRelu (`y<i>`), for measuring ranges.
    """
    build = GraphBuilder()
    outputs: dict[str, list[int | str]] = {}
    x = build.op("Sub", INPUT, build.constant(net.mean))
    for index, layer in enumerate(net.layers):
        weight, bias = build.constant(layer.weight), build.constant(layer.bias)
        y = build.conv(
            x,
            weight,
            bias,
            shape=layer.weight.shape,
            stride=layer.stride,
            groups=layer.groups,
        )
        x = prelu(build, y, layer.slope)
        if taps:
            tap = build.op("Identity", y, output=f"y{index}")
            outputs[tap] = ["n", len(layer.bias), f"h{index}", f"w{index}"]
    flat = build.op("Flatten", x)
    weight, bias = build.constant(net.head.reshape(DIM, -1)), build.constant(net.head_bias)
    build.op("Gemm", flat, weight, bias, output=OUTPUT, transB=1)
    outputs = {OUTPUT: ["n", DIM], **outputs}
    return build.model("sface", {INPUT: ["n", 3, 112, 112]}, outputs, metadata)


def prelu(build: GraphBuilder, y: str, slope: F64) -> str:
    """The rewrite of the module docstring on a float tensor; slopes at most 1."""

    def along(values: Array) -> str:
        return build.constant(values.reshape(-1, 1, 1))

    linear = build.op("Mul", y, along(slope))
    bend = build.op("Relu", build.op("Mul", y, along(1 - slope)))
    return build.op("Add", linear, bend)
