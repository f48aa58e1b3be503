"""The detector's graph on a made-up network: any size, any batch, INT8 close to float32."""

import numpy as np
import onnx
import pytest

from agent.errors import DataError
from agent.modelkit import yunet
from tests.support.networks import a_yunet, check_bias_scales, run, yunet_ranges

LEVELS = [f"level_{stride}" for stride in yunet.STRIDES]


def pictures(n: int = 2, height: int = 96, width: int = 64) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (n, 3, height, width)).astype(np.float32)


def convolve(x: np.ndarray, conv: tuple[np.ndarray, np.ndarray], stride: int = 1) -> np.ndarray:
    """One picture, (channels, rows, columns), by the definition."""
    weight, bias = conv
    k = weight.shape[2]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    out = np.zeros((len(weight), rows, columns))
    for r in range(k):
        for c in range(k):
            seen = padded[:, r : r + rows * stride : stride, c : c + columns * stride : stride]
            if weight.shape[1] == 1 < len(seen):
                out += weight[:, 0, r, c][:, None, None] * seen
            else:
                out += np.tensordot(weight[:, :, r, c], seen, axes=1)
    return out + bias[:, None, None]


def literal(net: yunet.YuNet, image: np.ndarray) -> list[np.ndarray]:
    """The network by the paper's figure, in float64."""

    def relu(x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)

    def both(unit: yunet.Unit, x: np.ndarray) -> np.ndarray:
        return convolve(convolve(x, unit.point), unit.depth)

    def unit(x: np.ndarray, *names: str) -> np.ndarray:
        for name in names:
            x = relu(both(net.units[name], x))
        return x

    def pool(x: np.ndarray) -> np.ndarray:
        c, h, w = x.shape
        return x.reshape(c, h // 2, 2, w // 2, 2).max(axis=(2, 4))

    def grown(x: np.ndarray) -> np.ndarray:
        return x.repeat(2, axis=1).repeat(2, axis=2)

    x = pool(unit(relu(convolve(image, net.stem, stride=2)), "m0"))
    p8 = unit(pool(unit(x, "m1a", "m1b", "m2a", "m2b")), "m3a", "m3b")
    p16 = unit(pool(p8), "m4a", "m4b")
    p32 = unit(pool(p16), "m5a", "m5b")
    n32 = unit(p32, "n32")
    n16 = unit(p16 + grown(n32), "n16")
    n8 = unit(p8 + grown(n16), "n8")
    return [both(net.heads[s], level) for s, level in zip((8, 16, 32), (n8, n16, n32), strict=True)]


def test_the_graph_is_the_network_of_the_paper() -> None:
    net, x = a_yunet(), pictures(1)
    found = run(yunet.emit_fp32(net, {}), "image", x, LEVELS)
    for ours, theirs in zip(found, literal(net, x[0].astype(float)), strict=True):
        assert np.abs(theirs).max() > 0.1
        np.testing.assert_allclose(ours[0], theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 320), (160, 96)])
def test_any_batch_height_and_width(height: int, width: int) -> None:
    net = a_yunet()
    taps = yunet.emit_fp32(net, {}, taps=True)
    rough = yunet.emit_int8(net, yunet_ranges(taps, pictures()), {})
    x = pictures(3, height, width)
    for model in (yunet.emit_fp32(net, {}), rough):
        together = run(model, "image", x, LEVELS)
        alone = [run(model, "image", one[None], LEVELS) for one in x]
        for index, (stride, level) in enumerate(zip(yunet.STRIDES, together, strict=True)):
            assert level.shape == (3, 16, height // stride, width // stride)
            parts = np.concatenate([one[index] for one in alone])
            np.testing.assert_allclose(level, parts, rtol=1e-4, atol=1e-4)


def test_int8_is_close_to_fp32() -> None:
    net, x = a_yunet(), pictures()
    ranges = yunet_ranges(yunet.emit_fp32(net, {}, taps=True), x)
    exact = run(yunet.emit_fp32(net, {}), "image", x, LEVELS)
    rough = run(yunet.emit_int8(net, ranges, {}), "image", x, LEVELS)
    for one, other in zip(exact, rough, strict=True):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99


def test_biases_are_in_the_units_of_the_products_they_are_added_to() -> None:
    net, x = a_yunet(), pictures()
    ranges = yunet_ranges(yunet.emit_fp32(net, {}, taps=True), x)
    assert check_bias_scales(yunet.emit_int8(net, ranges, {})) == 2 * len(yunet.INT8_UNITS)


def test_taps_change_nothing_and_show_what_goes_in_and_out() -> None:
    net, x = a_yunet(), pictures()
    plain = run(yunet.emit_fp32(net, {}), "image", x, LEVELS)
    tapped = run(yunet.emit_fp32(net, {}, taps=True), "image", x, LEVELS)
    for one, other in zip(plain, tapped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    ranges = yunet_ranges(yunet.emit_fp32(net, {}, taps=True), x)
    assert ranges["m1a"].out == ranges["m1b"].into


def test_equalising_a_unit_changes_no_value() -> None:
    net, x = a_yunet(), pictures()
    ranges = yunet_ranges(yunet.emit_fp32(net, {}, taps=True), x)
    units = {name: yunet._equalise(unit, ranges[name])[0] for name, unit in net.units.items()}
    even = yunet.YuNet(net.stem, units, net.heads)
    for one, other in zip(
        run(yunet.emit_fp32(net, {}), "image", x, LEVELS),
        run(yunet.emit_fp32(even, {}), "image", x, LEVELS),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    for name, unit in net.units.items():
        _, found = yunet._equalise(unit, ranges[name])
        assert np.maximum(found.high, -found.low).max() == pytest.approx(1)


def test_another_network_is_refused() -> None:
    model = onnx.load_from_string(yunet.emit_fp32(a_yunet(), {}))
    del model.graph.node[-10:]
    with pytest.raises(DataError, match="this is not YuNet 2023mar"):
        yunet.read(model)
