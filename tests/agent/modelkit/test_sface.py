"""The embedder's rewrites are exact, and its INT8 form close, on a made-up network."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from agent.errors import DataError
from agent.modelkit import sface, sface_int8
from agent.modelkit.graph import GraphBuilder
from agent.modelkit.sface import INPUT, OUTPUT, SFace
from agent.modelkit.sface_int8 import ChannelRange
from tests.support.networks import a_sface, check_bias_scales, run, sface_ranges, with_prelu_itself

SLOPES = [0.25, -0.81, 1.12, 0.0, 1.0, -1.5, 2.5, 0.5, 40.0]


def pictures(n: int = 2) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (n, 3, 112, 112)).astype(np.float32)


def embed(model: bytes, x: np.ndarray | None = None) -> np.ndarray:
    return run(model, INPUT, pictures() if x is None else x, [OUTPUT])[0]


def ranges_of(net: SFace) -> list[ChannelRange]:
    return sface_ranges(sface.emit_fp32(net, {}, taps=True), pictures(), len(net.layers))


@settings(max_examples=30)
@given(st.lists(st.floats(-3, 1), min_size=3, max_size=3), st.integers(0, 1000))
def test_the_rewritten_prelu_is_the_prelu_of_the_standard(slopes: list[float], seed: int) -> None:
    y = np.random.default_rng(seed).normal(0, 3, (2, 3, 4, 5)).astype(np.float32)
    slope = np.array(slopes)
    build = GraphBuilder()
    build.op("Identity", sface.prelu(build, "y", slope), output="z")
    ours = build.model("g", {"y": [2, 3, 4, 5]}, {"z": [2, 3, 4, 5]}, {})
    found = ReferenceEvaluator(onnx.load_from_string(ours)).run(None, {"y": y})[0]
    node = helper.make_node("PRelu", ["y", "slope"], ["z"])
    stored = slope.reshape(-1, 1, 1).astype(np.float32)
    expected = ReferenceEvaluator(node).run(None, {"y": y, "slope": stored})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_slopes_above_one_and_below_zero_are_rewritten_exactly(seed: int) -> None:
    net = a_sface(SLOPES, seed)
    flat = sface.with_slopes_below_one(net)
    assert max(layer.slope.max() for layer in net.layers) == 40
    assert max(layer.slope.max() for layer in flat.layers) <= 1
    expected = embed(with_prelu_itself(net))
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(embed(with_prelu_itself(flat)), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(embed(sface.emit_fp32(flat, {})), expected, rtol=1e-3, atol=1e-3)


def test_the_made_up_network_itself_agrees_with_the_reference_evaluator() -> None:
    model = with_prelu_itself(a_sface(SLOPES))
    x = pictures(1)
    reference = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {INPUT: x})[0]
    np.testing.assert_allclose(embed(model, x), reference, rtol=1e-3, atol=1e-3)


def test_no_steep_slope_no_change() -> None:
    net = a_sface([0.2, -0.4])
    flat = sface.with_slopes_below_one(net)
    for before, after in zip(net.layers, flat.layers, strict=True):
        np.testing.assert_array_equal(before.weight, after.weight)
        np.testing.assert_array_equal(before.slope, after.slope)


@pytest.mark.parametrize("seed", range(3))
def test_equalising_changes_no_value(seed: int) -> None:
    net = sface.with_slopes_below_one(a_sface(SLOPES, seed))
    found = ranges_of(net)
    even, scaled = sface_int8.equalise(net, found)
    np.testing.assert_allclose(
        embed(sface.emit_fp32(even, {})), embed(sface.emit_fp32(net, {})), rtol=1e-3, atol=1e-3
    )
    changed = [
        not np.array_equal(a.weight, b.weight) for a, b in zip(net.layers, even.layers, strict=True)
    ]
    assert all(changed)
    for said, measured in zip(scaled, ranges_of(even), strict=True):
        np.testing.assert_allclose(said.low, measured.low, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(said.high, measured.high, rtol=1e-3, atol=1e-4)


def test_before_a_depthwise_layer_every_channel_gets_the_full_eight_bits() -> None:
    net = sface.with_slopes_below_one(a_sface(SLOPES))
    _, scaled = sface_int8.equalise(net, ranges_of(net))
    for index, found in enumerate(scaled[:-1]):
        if net.layers[index + 1].depthwise:
            sizes = np.maximum(found.high, -found.low)
            np.testing.assert_allclose(sizes, 1, rtol=1e-6)


def test_a_range_after_the_prelu_holds_every_value_and_zero() -> None:
    rng = np.random.default_rng(0)
    slope = np.array([-0.5, 0.0, 0.3, 1.0, -0.5])
    y = rng.uniform(-4, 2, (5, 1000))
    y[4] += 5
    z = np.where(y > 0, y, slope[:, None] * y)
    found = ChannelRange(y.min(axis=1), y.max(axis=1)).after_prelu(slope)
    np.testing.assert_allclose(found.low, np.minimum(z.min(axis=1), 0), atol=1e-12)
    np.testing.assert_allclose(found.high, z.max(axis=1))


def test_int8_is_close_to_fp32() -> None:
    net = sface.with_slopes_below_one(a_sface(SLOPES[:4]))
    exact = embed(sface.emit_fp32(net, {}))
    rough = embed(sface_int8.emit_int8(net, ranges_of(net), {}))
    cosine = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert cosine.min() > 0.98


def test_biases_are_in_the_units_of_the_products_they_are_added_to() -> None:
    net = sface.with_slopes_below_one(a_sface(SLOPES[:4]))
    model = sface_int8.emit_int8(net, ranges_of(net), {})
    assert check_bias_scales(model) == len(net.layers) - sface_int8.FLOAT_LAYERS + 1


def test_any_number_of_faces_at_once() -> None:
    net = sface.with_slopes_below_one(a_sface(SLOPES[:4]))
    x = pictures(5)
    for model in (sface.emit_fp32(net, {}), sface_int8.emit_int8(net, ranges_of(net), {})):
        together = embed(model, x)
        alone = np.concatenate([embed(model, one[None]) for one in x])
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def test_another_network_is_refused() -> None:
    net = a_sface([0.5])
    for other in (with_prelu_itself(net), sface.emit_fp32(net, {})):
        with pytest.raises(DataError, match="this is not SFace 2021dec"):
            sface.read(onnx.load_from_string(other))
