"""Folding block-quantised weights, against the standard's reference evaluator and by hand."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from agent.modelkit.graph import GraphBuilder, fold_dequantised


def dequantising(
    x: np.ndarray, scale: np.ndarray, zero: np.ndarray | None, **given_attributes: Any
) -> onnx.ModelProto:
    """A model that gives a stored tensor, dequantised, plus its input."""
    stored = {"x": x, "scale": scale} | ({} if zero is None else {"zero": zero})
    nodes = [
        helper.make_node("DequantizeLinear", list(stored), ["w"], **given_attributes),
        helper.make_node("Add", ["w", "data"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def folded(model: onnx.ModelProto) -> np.ndarray:
    nodes, values = fold_dequantised(model)
    assert [node.op_type for node in nodes] == ["Add"]
    return values["w"]


def referred(model: onnx.ModelProto) -> np.ndarray:
    return ReferenceEvaluator(model).run(None, {"data": np.zeros((), np.float32)})[0]


def test_per_tensor_by_hand() -> None:
    x = np.array([[-128, 0], [1, 127]], np.int8)
    found = folded(dequantising(x, np.float32(0.5).reshape(()), np.int8(-3).reshape(())))
    np.testing.assert_array_equal(found, [[-62.5, 1.5], [2.0, 65.0]])
    assert found.dtype == np.float32


def test_without_a_zero_point_by_hand() -> None:
    x = np.array([0, 128, 255], np.uint8)
    found = folded(dequantising(x, np.float32(0.25).reshape(()), None))
    np.testing.assert_array_equal(found, [0, 32, 63.75])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_per_axis_by_hand(axis: int) -> None:
    x = np.array([[1, 2], [3, 4]], np.int8)
    scale, zero = np.array([1, 10], np.float32), np.array([0, 1], np.int8)
    found = folded(dequantising(x, scale, zero, axis=axis))
    expected = [[1, 2], [20, 30]] if axis == 0 else [[1, 10], [3, 30]]
    np.testing.assert_array_equal(found, expected)


def test_per_block_by_hand() -> None:
    x = np.array([[1, 2, 3, 4, 5]], np.int8)
    scale = np.array([[1, 10, 100]], np.float32)
    zero = np.array([[0, 1, 5]], np.int8)
    found = folded(dequantising(x, scale, zero, axis=1, block_size=2))
    np.testing.assert_array_equal(found, [[1, 2, 20, 30, 0]])


@given(
    st.integers(0, 2),
    st.booleans(),
    st.tuples(st.integers(1, 4), st.integers(1, 3)),
    st.booleans(),
    st.integers(0, 1000),
)
def test_blocks_are_those_of_the_reference(
    axis: int, from_the_end: bool, sizes: tuple[int, int], with_zero: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    block, blocks = sizes
    shape = [2, 3, 4]
    shape[axis] = block * blocks
    coarse = list(shape)
    coarse[axis] = blocks
    x = rng.integers(-128, 128, shape).astype(np.int8)
    scale = rng.uniform(0.01, 2, coarse).astype(np.float32)
    zero = rng.integers(-128, 128, coarse).astype(np.int8) if with_zero else None
    at = axis - 3 if from_the_end else axis
    model = dequantising(x, scale, zero, axis=at, block_size=block)
    np.testing.assert_allclose(folded(model), referred(model), rtol=1e-6)


@given(st.integers(0, 2), st.integers(0, 1000))
def test_axes_are_those_of_the_reference(axis: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (2, 3, 4)).astype(np.uint8)
    scale = rng.uniform(0.01, 2, x.shape[axis]).astype(np.float32)
    zero = rng.integers(0, 256, x.shape[axis]).astype(np.uint8)
    model = dequantising(x, scale, zero, axis=axis)
    np.testing.assert_allclose(folded(model), referred(model), rtol=1e-6)


def test_what_depends_on_the_input_stays_and_constants_are_reshaped() -> None:
    stored = {
        "x": np.arange(6, dtype=np.int8),
        "scale": np.float32(2).reshape(()),
        "shape": np.array([2, 3], np.int64),
        "row": np.array([-1], np.int64),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "scale"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["w"]),
        helper.make_node("QuantizeLinear", ["data", "scale"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["d"]),
        helper.make_node("Reshape", ["d", "row"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    left, values = fold_dequantised(model)
    assert [node.op_type for node in left] == [
        "QuantizeLinear",
        "DequantizeLinear",
        "Reshape",
        "MatMul",
    ]
    np.testing.assert_array_equal(values["w"], [[0, 2, 4], [6, 8, 10]])


def small_graph(**attributes: Any) -> bytes:
    build = GraphBuilder()
    weight, bias = build.constant(np.ones((2, 3, 3, 3))), build.constant([1.0, 2.0])
    y = build.conv("x", weight, bias, shape=(2, 3, 3, 3), stride=2, groups=1)
    build.op("MaxPool", y, output="y", **attributes)
    return build.model(
        "g", {"x": ["n", 3, "h", "w"]}, {"y": ["n", 2, "a", "b"]}, {"b": "1", "a": "2"}
    )


def test_the_same_calls_give_the_same_bytes_in_any_order_of_attributes() -> None:
    one = small_graph(kernel_shape=[2, 2], strides=[2, 2])
    assert one == small_graph(strides=[2, 2], kernel_shape=[2, 2])
    model = onnx.load_from_string(one)
    assert [(item.key, item.value) for item in model.metadata_props] == [("a", "2"), ("b", "1")]
    names = [name for node in model.graph.node for name in node.output]
    assert len(names) == len(set(names))


def test_a_convolution_keeps_the_size_up_to_its_stride() -> None:
    model = onnx.load_from_string(small_graph(kernel_shape=[1, 1]))
    x = np.ones((1, 3, 8, 6), np.float32)
    y = ReferenceEvaluator(model).run(None, {"x": x})[0]
    assert y.shape == (1, 2, 4, 3)
    np.testing.assert_array_equal(y[0, :, 1, 1], [28, 29])


def test_a_graph_that_makes_no_sense_is_not_written() -> None:
    build = GraphBuilder()
    build.op("Relu", "unheard-of", output="y")
    with pytest.raises(onnx.checker.ValidationError):
        build.model("g", {"x": [1]}, {"y": [1]}, {})
