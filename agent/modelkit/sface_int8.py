"""SFace in 8 bits.

Three things keep it close to float32:

1. *Equalisation.* A PRelu lets a positive factor through, so every channel may be scaled if the
   next layer undoes it. Before a depthwise layer, whose weights have one scale per channel anyway,
   each channel is given the full 8 bits for nothing. Before a pointwise layer the difficulty is
   shared between activation and weight (SmoothQuant, arXiv 2211.10438, alpha 0.5: a square root
   is the same on every processor, which the pinned hash needs).
2. *Ranges* are the 97th percentile over faces of each channel's extremes, not the one extreme face.
3. The first two layers, 3 % of the work but the widest tensors, stay in float32: their depthwise
   convolution is faster there.

PRelu becomes two 8-bit operations. With slopes below one, PRelu(y) = y + Relu((a - 1)*y), and the
Relu is the saturation of an unsigned tensor whose zero point is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agent.modelkit import quant
from agent.modelkit.graph import GraphBuilder
from agent.modelkit.quant import F64, QParams
from agent.modelkit.sface import DIM, INPUT, OUTPUT, Layer, SFace, prelu, rescale

FLOAT_LAYERS = 2


@dataclass(frozen=True, slots=True, eq=False)
class ChannelRange:
    """Lowest and highest value of each channel before the PRelu of a layer, both (channels,)."""

    low: F64
    high: F64

    def scaled(self, factor: F64) -> ChannelRange:
        return ChannelRange(self.low * factor, self.high * factor)

    def after_prelu(self, slope: F64) -> ChannelRange:
        bent = slope * np.minimum(self.low, 0)
        return ChannelRange(np.minimum(bent, 0), np.maximum(np.maximum(self.high, bent), 0))

    def largest(self) -> F64:
        """The largest magnitude of each channel, never below a thousandth of the overall one."""
        size: F64 = np.maximum(self.high, -self.low)
        floored: F64 = np.maximum(size, 1e-3 * size.max())
        return floored

    def params(self) -> QParams:
        return QParams.of_range(float(self.low.min()), float(self.high.max()))


def equalise(net: SFace, ranges: list[ChannelRange]) -> tuple[SFace, list[ChannelRange]]:
    """Scale channels so that 8 bits per tensor lose least; the function stays the same."""
    scaled = []
    for index, found in enumerate(ranges):
        layer = net.layers[index]
        last = index + 1 == len(net.layers)
        if not last and net.layers[index + 1].depthwise:
            factor = found.largest()
        else:
            reader = net.head if last else net.layers[index + 1].weight
            axes = tuple(axis for axis in range(reader.ndim) if axis != 1)
            weights = np.abs(reader).max(axis=axes)
            weights = np.maximum(weights, 1e-3 * weights.max())
            values = found.after_prelu(layer.slope).largest()
            factor = np.sqrt(values / weights)
        net = rescale(net, index, 1 / factor, factor)
        scaled.append(found.scaled(1 / factor))
    return net, scaled


def emit_int8(net: SFace, ranges: list[ChannelRange], metadata: dict[str, str]) -> bytes:
    """The INT8 model, with the inputs and outputs of `sface.emit_fp32`.

    Args:
        net: with slopes below one.
        ranges: before the PRelu of each layer, on real faces.
        metadata: written into the file.
    """
    net, ranges = equalise(net, ranges)
    build = GraphBuilder()
    x = build.op("Sub", INPUT, build.constant(net.mean))
    params = QParams(1.0, 0)
    width = 112
    for index, (layer, found) in enumerate(zip(net.layers, ranges, strict=True)):
        width = (width + layer.stride - 1) // layer.stride
        out = found.after_prelu(layer.slope).params()
        if index < FLOAT_LAYERS:
            x = _float_layer(build, x, layer)
        else:
            x = _int8_layer(build, x, params.scale, layer, found=found, width=width)
        if index + 1 >= FLOAT_LAYERS:
            x = quant.quantise(build, x, out)
            if index + 1 < len(net.layers):
                x = quant.dequantise(build, x, out)
        params = out
    flat = quant.dequantise(build, build.op("Flatten", x), params)
    weight, scales = quant.weight(build, net.head.reshape(DIM, -1))
    bias = quant.bias(build, net.head_bias, scales * params.scale)
    build.op("Gemm", flat, weight, bias, output=OUTPUT, transB=1)
    return build.model("sface", {INPUT: ["n", 3, 112, 112]}, {OUTPUT: ["n", DIM]}, metadata)


def _float_layer(build: GraphBuilder, x: str, layer: Layer) -> str:
    weight, bias = build.constant(layer.weight), build.constant(layer.bias)
    shape = layer.weight.shape
    y = build.conv(x, weight, bias, shape=shape, stride=layer.stride, groups=layer.groups)
    return prelu(build, y, layer.slope)


def _int8_layer(
    build: GraphBuilder, x: str, x_scale: float, layer: Layer, *, found: ChannelRange, width: int
) -> str:
    """Convolution and PRelu; the sum that ends the PRelu is left for the caller to round."""
    values = (layer.weight, layer.bias)
    y = quant.conv(build, x, x_scale, values, stride=layer.stride, groups=layer.groups)
    y = quant.through_8_bits(build, y, found.params())
    falls = layer.slope - 1
    factor = QParams(float(np.float32(-falls.min() / 255)), 255)
    stored = np.clip(np.round(falls / factor.scale) + 255, 0, 255)
    # Repeated along the width: the runtime multiplies whole rows at once instead of one pixel's
    # channels at a time.
    rows = np.repeat(stored.reshape(-1, 1, 1), width, axis=2)
    slopes = quant.dequantise(build, build.constant(rows, "uint8"), factor)
    bend = float(np.max(found.low * falls))
    bent = quant.through_8_bits(build, build.op("Mul", y, slopes), QParams.of_range(0, bend))
    return build.op("Add", y, bent)
