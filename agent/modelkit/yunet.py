"""YuNet (Wu, Peng, Yu: "YuNet: a tiny millisecond-level face detector", 2023) in a leaner graph.

The network is a stem and units of a pointwise and a depthwise convolution. The published graph has
twelve heads with a transpose and a reshape each, for one input size. Here the four heads of a level
are one unit of 16 channels, and any batch and any height and width that are multiples of 32 pass.

Output `level_<stride>` is (n, 16, height / stride, width / stride): class logit, objectness logit,
four of the box, ten of the landmarks. `agent.vision.yunet` decodes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import onnx

from agent.errors import DataError
from agent.modelkit import quant
from agent.modelkit.graph import GraphBuilder, fold_dequantised
from agent.modelkit.quant import QParams

F64 = npt.NDArray[np.float64]
INPUT = "image"
STRIDES = (8, 16, 32)
_BACKBONE = ("m0", "m1a", "m1b", "m2a", "m2b", "m3a", "m3b", "m4a", "m4b", "m5a", "m5b")
UNITS = (*_BACKBONE, "n32", "n16", "n8")
INT8_UNITS = frozenset(_BACKBONE[3:])
"""The stem and the first units hold few channels at high resolution, where 8 bits cost more than
they save. The neck and the heads place landmarks: in 8 bits these move twice as far."""
_CONVOLUTIONS = 53


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Pointwise, then depthwise convolution.

    Attributes:
        point: (out, in, 1, 1), and its bias (out,).
        depth: (out, 1, 3, 3), and its bias (out,).
    """

    point: tuple[F64, F64]
    depth: tuple[F64, F64]


@dataclass(frozen=True, slots=True, eq=False)
class YuNet:
    """The whole detector in float64: stem weight and bias, units by name, a head per stride."""

    stem: tuple[F64, F64]
    units: dict[str, Unit]
    heads: dict[int, Unit]


@dataclass(frozen=True, slots=True, eq=False)
class UnitRange:
    """Activation ranges of a unit.

    Attributes:
        low, high: (channels,) extremes between its two convolutions.
        out: largest value after its Relu.
        into: largest value that it reads.
    """

    low: F64
    high: F64
    out: float
    into: float


def read(model: onnx.ModelProto) -> YuNet:
    """Take the published network apart.

    Raises:
        DataError: it is not the network this was written for.
    """
    nodes, values = fold_dequantised(model)
    convs = [
        (values[node.input[1]].astype(np.float64), values[node.input[2]].astype(np.float64))
        for node in nodes
        if node.op_type == "Conv"
    ]
    if len(convs) != _CONVOLUTIONS:
        raise DataError("this is not YuNet 2023mar: rebuild from the locked assets (make models)")
    units = {
        name: Unit(convs[1 + 2 * index], convs[2 + 2 * index]) for index, name in enumerate(UNITS)
    }
    first = 1 + 2 * len(UNITS)
    heads = {}
    for level, stride in enumerate(STRIDES):
        # published order: cls, bbox, obj, kps, each for the three levels; here cls, obj first
        at = [first + 2 * (3 * kind + level) for kind in (0, 2, 1, 3)]
        heads[stride] = Unit(_joined([convs[i] for i in at]), _joined([convs[i + 1] for i in at]))
    return YuNet(convs[0], units, heads)


def _joined(parts: list[tuple[F64, F64]]) -> tuple[F64, F64]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


class _Writer:
    """Emits the network once; what differs between precisions is how a unit is written."""

    def __init__(self, net: YuNet, ranges: dict[str, UnitRange] | None, taps: bool) -> None:
        self.net, self.ranges, self.taps = net, ranges, taps
        self.build = GraphBuilder()
        self.scales: dict[str, QParams] = {}
        self.outputs: dict[str, list[int | str]] = {}

    def run(self, metadata: dict[str, str]) -> bytes:
        build = self.build
        weight, bias = self.net.stem
        names = build.constant(weight), build.constant(bias)
        x = build.conv(INPUT, *names, shape=weight.shape, stride=2, groups=1)
        x = self._pool(self._unit("m0", build.op("Relu", x)))
        x = self._chain(x, "m1a", "m1b", "m2a", "m2b")
        p8 = self._chain(self._pool(x), "m3a", "m3b")
        p16 = self._chain(self._pool(p8), "m4a", "m4b")
        p32 = self._chain(self._pool(p16), "m5a", "m5b")
        n32 = self._unit("n32", p32)
        n16 = self._unit("n16", self._merge(p16, n32))
        n8 = self._unit("n8", self._merge(p8, n16))
        for stride, level in zip(STRIDES, (n8, n16, n32), strict=True):
            head = self._float_unit(self.net.heads[stride], level)
            name = build.op("Identity", head, output=f"level_{stride}")
            self.outputs[name] = ["n", 16, f"h{stride}", f"w{stride}"]
        shape: list[int | str] = ["n", 3, "h", "w"]
        return build.model("yunet", {INPUT: shape}, self.outputs, metadata)

    def _chain(self, x: str, *names: str) -> str:
        for name in names:
            x = self._unit(name, x)
        return x

    def _pool(self, x: str) -> str:
        y = self.build.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        return self._round(y, self.scales[x]) if x in self.scales else y

    def _merge(self, fine: str, coarse: str) -> str:
        factors = self.build.constant([1, 1, 2, 2])
        up = self.build.op(
            "Resize",
            coarse,
            "",
            factors,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return self.build.op("Add", fine, up)

    def _round(self, x: str, params: QParams) -> str:
        y = quant.through_8_bits(self.build, x, params)
        self.scales[y] = params
        return y

    def _unit(self, name: str, x: str) -> str:
        unit = self.net.units[name]
        if self.ranges is not None and name in INT8_UNITS:
            return self._int8_unit(unit, self.ranges[name], x)
        middle: list[str] = []
        y = self.build.op("Relu", self._float_unit(unit, x, middle))
        if self.taps:
            for kind, tensor in (("into", x), ("mid", middle[0]), ("out", y)):
                tap = self.build.op("Identity", tensor, output=f"{kind}_{name}")
                self.outputs[tap] = ["n", f"c_{tap}", f"h_{tap}", f"w_{tap}"]
        return y

    def _float_unit(self, unit: Unit, x: str, middle: list[str] | None = None) -> str:
        for weight, bias in (unit.point, unit.depth):
            names = self.build.constant(weight), self.build.constant(bias)
            groups = len(weight) if weight.shape[2] == 3 else 1
            x = self.build.conv(x, *names, shape=weight.shape, stride=1, groups=groups)
            if middle is not None:
                middle.append(x)
        return x

    def _int8_unit(self, unit: Unit, found: UnitRange, x: str) -> str:
        if x not in self.scales:
            x = self._round(x, QParams.of_range(0, found.into))
        unit, found = _equalise(unit, found)
        y = quant.conv(self.build, x, self.scales[x].scale, unit.point, stride=1, groups=1)
        y = self._round(y, QParams.of_range(float(found.low.min()), float(found.high.max())))
        channels = len(unit.depth[0])
        z = quant.conv(self.build, y, self.scales[y].scale, unit.depth, stride=1, groups=channels)
        # the Relu is the saturation of an unsigned tensor whose zero point is 0
        return self._round(z, QParams.of_range(0, found.out))


def _equalise(unit: Unit, found: UnitRange) -> tuple[Unit, UnitRange]:
    """Give every channel between the convolutions the full 8 bits: the depthwise weights have a
    scale per channel, so undoing it there costs nothing.
    """
    size = np.maximum(found.high, -found.low)
    factor = np.maximum(size, 1e-3 * size.max())
    weight, bias = unit.point
    point = weight / factor[:, None, None, None], bias / factor
    depth = unit.depth[0] * factor[:, None, None, None], unit.depth[1]
    return Unit(point, depth), replace(found, low=found.low / factor, high=found.high / factor)


def emit_fp32(net: YuNet, metadata: dict[str, str], *, taps: bool = False) -> bytes:
    """The float32 model: input (n, 3, h, w) BGR 0..255.

    Args:
        net: from `read`.
        metadata: written into the file.
        taps: also output what each unit reads, holds between its convolutions and gives
            (`into_`, `mid_`, `out_` and its name), for measuring activation ranges.
    """
    return _Writer(net, None, taps).run(metadata)


def emit_int8(net: YuNet, ranges: dict[str, UnitRange], metadata: dict[str, str]) -> bytes:
    """The INT8 model, with the inputs and outputs of `emit_fp32`."""
    return _Writer(net, ranges, taps=False).run(metadata)
