"""How much of a network really computes in 8 bits."""

from __future__ import annotations

import math

import onnx
from onnx import shape_inference


def int8_share(data: bytes, shape: tuple[int, ...]) -> float:
    """Share of the multiply-adds whose two inputs are both dequantised 8-bit values.

    Args:
        data: the model.
        shape: of its only input.
    """
    model = onnx.load_from_string(data)
    for size, dimension in zip(shape, model.graph.input[0].type.tensor_type.shape.dim, strict=True):
        dimension.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model, strict_mode=True)
    shapes = {
        value.name: [item.dim_value for item in value.type.tensor_type.shape.dim]
        for value in (*inferred.graph.value_info, *inferred.graph.output)
    }
    shapes |= {item.name: list(item.dims) for item in model.graph.initializer}
    eight_bit = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    total = quantised = 0
    for node in model.graph.node:
        if node.op_type not in {"Conv", "Gemm"}:
            continue
        work = _multiply_adds(node, shapes)
        total += work
        quantised += work if set(node.input[:2]) <= eight_bit else 0
    return quantised / total


def _multiply_adds(node: onnx.NodeProto, shapes: dict[str, list[int]]) -> int:
    weight = shapes[node.input[1]]
    if node.op_type == "Gemm":
        return math.prod(weight)
    return math.prod(weight) * math.prod(shapes[node.output[0]][2:])
