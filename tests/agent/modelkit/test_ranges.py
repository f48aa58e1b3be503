"""Range files: written, read back, refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import DataError, MissingFileError
from agent.modelkit import ranges
from agent.modelkit.places import data_dir
from agent.modelkit.yunet import UNITS

LAYER = {"low": [-1.0, -2.0], "high": [3.0, 4.0]}
UNIT = {**LAYER, "out": 5.0, "into": 6.0}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(ranges.dump("two pictures", layers=[LAYER], units=dict.fromkeys(UNITS, UNIT)))
    assert json.loads(path.read_text())["made_from"] == "two pictures"
    (layer,) = ranges.read_sface(path)
    np.testing.assert_array_equal(layer.low, [-1, -2])
    np.testing.assert_array_equal(layer.high, [3, 4])
    units = ranges.read_yunet(path)
    assert list(units) == list(UNITS)
    assert (units["m0"].out, units["m0"].into) == (5.0, 6.0)


def test_four_digits_are_kept() -> None:
    assert ranges.rounded(np.array([1.23456, -0.000123456, 0.0])) == [1.235, -0.0001235, 0.0]


def test_the_committed_ranges_are_sound_and_say_where_they_come_from() -> None:
    layers = ranges.read_sface(data_dir() / ranges.SFACE_FILE)
    assert len(layers) == 27
    units = ranges.read_yunet(data_dir() / ranges.YUNET_FILE)
    for one in (*layers, *units.values()):
        assert one.low.shape == one.high.shape
        assert (one.low <= one.high).all()
        assert np.isfinite(one.low).all()
        assert np.isfinite(one.high).all()
    for name in (ranges.SFACE_FILE, ranges.YUNET_FILE):
        about = json.loads((data_dir() / name).read_text("utf-8"))["made_from"]
        assert "512 photographs" in about


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "7",
        '{"layers": 3, "units": 3}',
        '{"layers": [{}], "units": {}}',
        '{"layers": [{"low": ["x"], "high": [1]}], "units": {"m0": {"low": 1}}}',
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(content)
    for read in (ranges.read_sface, ranges.read_yunet):
        with pytest.raises(DataError, match="not a file of activation ranges") as caught:
            read(path)
        assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(MissingFileError):
            ranges.read_sface(path)
