"""Static quantisation as QuantizeLinear/DequantizeLinear pairs around float operators.

Activations are unsigned 8 bit with a zero point. Weights are signed with one scale per output
channel and *seven* bits: x86 processors without VNNI add two u8*s8 products in 16 saturating bits
(VPMADDUBSW), and 2 * 255 * 64 is the most that fits. So every processor computes the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent.modelkit.graph import GraphBuilder
from agent.values import Array

F64 = npt.NDArray[np.float64]
WEIGHT_LIMIT = 63


@dataclass(frozen=True, slots=True)
class QParams:
    """How a tensor of reals is held in 8 bits: real = scale * (q - zero)."""

    scale: float
    zero: int

    @staticmethod
    def of_range(low: float, high: float) -> QParams:
        """The finest that holds [low, high] and zero exactly."""
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32(max(high - low, 1e-6) / 255))
        return QParams(scale, int(np.clip(round(-low / scale), 0, 255)))


def quantise(build: GraphBuilder, x: str, params: QParams) -> str:
    scale, zero = build.constant(params.scale), build.constant(params.zero, "uint8")
    return build.op("QuantizeLinear", x, scale, zero)


def dequantise(build: GraphBuilder, x: str, params: QParams) -> str:
    scale, zero = build.constant(params.scale), build.constant(params.zero, "uint8")
    return build.op("DequantizeLinear", x, scale, zero)


def through_8_bits(build: GraphBuilder, x: str, params: QParams) -> str:
    """Round a tensor to 8 bits; the runtime fuses the pair with its neighbours."""
    return dequantise(build, quantise(build, x, params), params)


def weight(build: GraphBuilder, values: F64) -> tuple[str, F64]:
    """A weight with its output channels on axis 0, stored in seven bits.

    Returns:
        (name, scales): the dequantised tensor and its scale per output channel.
    """
    rows = np.abs(values).reshape(len(values), -1).max(axis=1)
    scales = np.maximum(rows / WEIGHT_LIMIT, 1e-12).astype(np.float32).astype(np.float64)
    along = scales.reshape((-1,) + (1,) * (values.ndim - 1))
    stored = np.clip(np.round(values / along), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    return _per_channel(build, stored, "int8", scales), scales


def bias(build: GraphBuilder, values: F64, scales: F64) -> str:
    """A bias in 32 bits; `scales` is the weight's times the input's, per channel."""
    limit = 2.0**31 - 1
    stored = np.clip(np.round(values / scales), -limit, limit)
    return _per_channel(build, stored, "int32", scales)


def _per_channel(build: GraphBuilder, stored: Array, dtype: str, scales: F64) -> str:
    zero = build.constant(np.zeros(len(scales)), dtype)
    return build.op(
        "DequantizeLinear",
        build.constant(stored, dtype),
        build.constant(scales),
        zero,
        axis=0,
    )


def conv(
    build: GraphBuilder,
    x: str,
    x_scale: float,
    values: tuple[F64, F64],
    *,
    stride: int,
    groups: int,
) -> str:
    """A convolution of a tensor that went through 8 bits; `values` is (weight, bias)."""
    name, scales = weight(build, values[0])
    offset = bias(build, values[1], scales * x_scale)
    return build.conv(x, name, offset, shape=values[0].shape, stride=stride, groups=groups)
