"""Writing small ONNX graphs by hand, always with the same names and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from agent.values import Array

OPSET = 17
IR_VERSION = 8
"""Both pinned: old enough for the onnxruntime of every supported Python, and part of the hash."""


class GraphBuilder:
    """Collects nodes and constants; names follow from the order of the calls alone."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: str = "float32") -> str:
        name = f"c{len(self._constants)}"
        array = np.array(value, dtype=dtype, order="C")
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"t{len(self._nodes)}"
        node = helper.make_node(kind, list(inputs), [name], name=f"n{len(self._nodes)}")
        for key in sorted(attributes):
            node.attribute.append(helper.make_attribute(key, attributes[key]))
        self._nodes.append(node)
        return name

    def conv(
        self, x: str, weight: str, bias: str, *, shape: Sequence[int], stride: int, groups: int
    ) -> str:
        """A convolution with `same` padding for odd kernels; `shape` is that of the weight."""
        kernel = list(shape[2:])
        pads = [k // 2 for k in kernel] * 2
        inputs = (x, weight, bias)
        return self.op(
            "Conv",
            *inputs,
            kernel_shape=kernel,
            strides=[stride, stride],
            pads=pads,
            group=groups,
        )

    def model(
        self,
        name: str,
        inputs: dict[str, list[int | str]],
        outputs: dict[str, list[int | str]],
        metadata: dict[str, str],
    ) -> bytes:
        """The finished, checked model as bytes; all inputs and outputs are float32."""

        def info(shapes: dict[str, list[int | str]]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(key, TensorProto.FLOAT, shape)
                for key, shape in shapes.items()
            ]

        graph = helper.make_graph(self._nodes, name, info(inputs), info(outputs), self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="bodycam-agent",
        )
        for key in sorted(metadata):
            model.metadata_props.add(key=key, value=metadata[key])
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values."""
    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def fold_dequantised(model: onnx.ModelProto) -> tuple[list[onnx.NodeProto], dict[str, Array]]:
    """Undo block quantisation of the weights.

    Every DequantizeLinear (and Reshape) of stored values is worked out here, so that what is left
    is a plain float32 graph.

    Returns:
        (nodes, values): the nodes that compute something from the input, in order, and every
        constant by name.
    """
    values: dict[str, Array] = {
        item.name: numpy_helper.to_array(item) for item in model.graph.initializer
    }
    nodes = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            values[node.output[0]] = _dequantise(node, values)
        elif node.op_type == "Reshape" and all(name in values for name in node.input):
            shape = values[node.input[1]]
            values[node.output[0]] = values[node.input[0]].reshape(shape)
        else:
            nodes.append(node)
    return nodes, values


def _dequantise(node: onnx.NodeProto, values: dict[str, Array]) -> Array:
    """ONNX DequantizeLinear-21 on stored values: per tensor, per axis or per block."""
    x, scale = values[node.input[0]], values[node.input[1]]
    zero = values[node.input[2]] if len(node.input) > 2 else np.zeros_like(scale, dtype=x.dtype)
    given = attributes(node)
    axis, block = given.get("axis", 1), given.get("block_size", 0)
    if block:
        extent = tuple(slice(0, size) for size in x.shape)
        scale = np.repeat(scale, block, axis=axis)[extent]
        zero = np.repeat(zero, block, axis=axis)[extent]
    elif scale.size > 1:
        along = [1] * x.ndim
        along[axis] = -1
        scale, zero = scale.reshape(along), zero.reshape(along)
    return ((x.astype(np.float32) - zero.astype(np.float32)) * scale).astype(np.float32)
