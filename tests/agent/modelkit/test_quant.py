"""Eight bits: what is held exactly, how far rounding may go, and what can never overflow."""

import numpy as np
import onnx
import onnxruntime as ort
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from agent.modelkit import quant
from agent.modelkit.graph import GraphBuilder
from agent.modelkit.quant import QParams

ends = st.floats(-1e4, 1e4)


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def held(value: float, params: QParams) -> float:
    """A value after the way through 8 bits."""
    stored = min(max(round(value / params.scale) + params.zero, 0), 255)
    return params.scale * (stored - params.zero)


@given(ends, ends)
def test_a_range_and_its_zero_are_held(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    params = QParams.of_range(low, high)
    assert params.scale > 0
    assert params.scale == float(np.float32(params.scale))
    assert 0 <= params.zero <= 255
    assert held(0.0, params) == 0
    reach = max(high, 0) - min(low, 0)
    for value in (low, high, (low + high) / 2):
        assert abs(held(value, params) - value) <= params.scale * 0.5001 + 1e-12
    assert params.scale <= max(reach, 1e-6) / 255 * (1 + 1e-6), "as fine as eight bits can be"


def test_one_sided_and_empty_ranges() -> None:
    assert QParams.of_range(0, 2.55).zero == 0
    assert QParams.of_range(1, 2.55) == QParams.of_range(0, 2.55), "zero is always in it"
    assert QParams.of_range(-2.55, 0).zero == 255
    assert QParams.of_range(-2.55, -1).zero == 255
    assert QParams.of_range(0, 0).scale > 0


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_weights_are_within_half_a_step_and_seven_bits(seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, size, (4, 3, 3, 3)) * rng.uniform(0.01, 10, (4, 1, 1, 1))
    values[2] = 0
    build = GraphBuilder()
    name, scales = quant.weight(build, values)
    build.op("Add", name, "x", output="y")
    data = build.model("g", {"x": [1]}, {"y": [4, 3, 3, 3]}, {})
    model = onnx.load_from_string(data)
    stored = numpy_helper.to_array(model.graph.initializer[1])
    assert stored.dtype == np.int8
    assert np.abs(stored.astype(int)).max() <= quant.WEIGHT_LIMIT
    back = run(data, np.zeros(1, np.float32))
    error = np.abs(back - values).max(axis=(1, 2, 3))
    assert (error <= scales * 0.5001).all()
    assert not back[2].any()


def test_no_pair_of_products_saturates_sixteen_bits() -> None:
    assert 2 * 255 * quant.WEIGHT_LIMIT <= 2**15 - 1
    assert 2 * 255 * -quant.WEIGHT_LIMIT >= -(2**15)


def test_a_quantised_convolution_is_the_convolution_up_to_rounding() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(0, 0.3, (8, 4, 3, 3)), rng.normal(0, 1, 8)
    x = rng.uniform(-1, 3, (1, 4, 10, 10)).astype(np.float32)
    outputs = []
    for eight_bits in (False, True):
        build = GraphBuilder()
        if eight_bits:
            params = QParams.of_range(-1, 3)
            rounded = quant.through_8_bits(build, "x", params)
            y = quant.conv(build, rounded, params.scale, (weight, bias), stride=2, groups=1)
        else:
            names = build.constant(weight), build.constant(bias)
            y = build.conv("x", *names, shape=weight.shape, stride=2, groups=1)
        build.op("Identity", y, output="y")
        model = build.model("g", {"x": [1, 4, 10, 10]}, {"y": [1, 8, 5, 5]}, {})
        outputs.append(run(model, x))
    exact, rough = outputs
    assert np.abs(exact - rough).max() < 0.15
    assert np.corrcoef(exact.ravel(), rough.ravel())[0, 1] > 0.999


def test_a_bias_beyond_32_bits_is_cut_not_wrapped() -> None:
    build = GraphBuilder()
    quant.bias(build, np.array([1e12, -1e12, 1.0]), np.array([1e-9, 1e-9, 0.5]))
    build.op("Identity", "x", output="y")
    model = onnx.load_from_string(build.model("g", {"x": [1]}, {"y": [1]}, {}))
    stored = numpy_helper.to_array(model.graph.initializer[1])
    np.testing.assert_array_equal(stored, [2**31 - 1, -(2**31) + 1, 2])
