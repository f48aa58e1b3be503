from __future__ import annotations

import itertools
import json

import pytest

from tests.bench.__main__ import things
from tests.bench.machine import FLAGS, machine
from tests.bench.results import Comparison, load, merge, merge_into
from tests.bench.table import markdown, rows
from tests.bench.timing import Spread, alternate, milliseconds

MACHINE = {
    "cpu": "Board X",
    "flags": ["asimddp"],
    "cores": 4,
    "system": "Linux",
    "python": "3.11",
    "versions": {"numpy": "2.0"},
}


def comparison(ours=10.0, peer=25.0, unit="ms"):
    return Comparison(
        ours=Spread(ours - 1, ours, ours + 1, 3),
        peer=Spread(peer - 1, peer, peer + 1, 3),
        peer_name="OpenCV",
        peer_model="yunet.onnx",
        unit=unit,
        threads=1,
        ours_precision="int8",
        how="from pixels to boxes",
    )


def test_an_entry_has_exactly_the_promised_keys():
    assert comparison().entry() == {
        "ours": 10.0,
        "peer": 25.0,
        "peer_name": "OpenCV",
        "peer_model": "yunet.onnx",
        "unit": "ms",
        "threads": 1,
        "ours_precision": "int8",
        "ratio": 2.5,
    }


@pytest.mark.parametrize(
    ("ours", "peer", "unit", "ratio"),
    [(10, 25, "ms", 2.5), (10, 25, "ms/face", 2.5), (50, 20, "frames/s", 2.5), (20, 50, "ms", 2.5)],
)
def test_a_ratio_over_one_means_that_ours_is_better(ours, peer, unit, ratio):
    assert comparison(ours, peer, unit).ratio == ratio


def test_merging_keeps_what_was_not_measured_again():
    old = {"machine": {"cpu": "a"}, "embedder_b1": {"ours": 1}, "detector_640": {"ours": 2}}
    merged = merge(old, {"detector_640": {"ours": 3}, "crowd_1080p_100": {"ours": 4}})
    assert merged == {
        "machine": {"cpu": "a"},
        "embedder_b1": {"ours": 1},
        "detector_640": {"ours": 3},
        "crowd_1080p_100": {"ours": 4},
    }
    assert next(iter(merged)) == "machine"
    assert old["detector_640"] == {"ours": 2}


def test_figures_of_the_list_merge_one_by_one():
    old = {"watchlist_300k": {"start_s": 2.0, "search_p50_ms": 9.0}}
    merged = merge(old, {"watchlist_300k": {"search_p50_ms": 0.3}})
    assert merged["watchlist_300k"] == {"start_s": 2.0, "search_p50_ms": 0.3}


def test_a_comparison_is_replaced_as_a_whole():
    assert merge({"a": {"x": 1}}, {"a": {"y": 2}}) == {"a": {"y": 2}}


def test_merging_on_disk(tmp_path):
    path = tmp_path / "build" / "bench.json"
    merge_into(path, {"machine": MACHINE, "a": 1})
    merge_into(path, {"machine": MACHINE, "b": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"machine": MACHINE, "a": 1, "b": 2}
    assert [item.name for item in path.parent.iterdir()] == ["bench.json"]


def test_figures_of_another_machine_are_dropped(tmp_path):
    path = tmp_path / "bench.json"
    merge_into(path, {"machine": MACHINE, "a": 1})
    merge_into(path, {"machine": {**MACHINE, "cpu": "Board Y"}, "b": 2})
    assert set(load(path)) == {"machine", "b"}


@pytest.mark.parametrize("content", [None, "", "{", "[1]"])
def test_what_is_no_result_counts_as_none(tmp_path, content):
    path = tmp_path / "bench.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert load(path) == {}


def test_rivals_take_turns_and_the_warm_up_does_not_count():
    asked = []
    figures = itertools.count()

    def rival(name):
        def measure():
            asked.append(name)
            return float(next(figures))

        return measure

    spreads = alternate({"a": rival("a"), "b": rival("b")}, rounds=3, warm_up=1)
    assert asked == ["a", "b"] * 4
    assert spreads["a"] == Spread(2.0, 4.0, 6.0, 3)
    assert spreads["b"] == Spread(3.0, 5.0, 7.0, 3)


def test_time_is_shared_out_over_the_items():
    ticks = iter([1.0, 1.5])
    measure = milliseconds(lambda: None, each=5, clock=lambda: next(ticks))
    assert measure() == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("detector_640", ["detector_640"]),
        ("detector_640_int8", ["detector_640"]),
        ("embedder", ["embedder_b1", "embedder_b8"]),
        ("watchlist_300k", ["watchlist_300k", "watchlist_300k_synced"]),
        ("watchlist_300k_synced", ["watchlist_300k_synced"]),
    ],
)
def test_a_thing_is_found_by_its_name_or_the_beginning_of_it(word, expected):
    assert things(word) == expected


def test_an_unknown_thing_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no such benchmark: x; there are detector_640, "):
        things("x")


def test_the_table_has_a_row_for_each_comparison_and_names_the_machine():
    detail = {
        "machine": MACHINE,
        "detector_640": comparison().detail(),
        "x_rss_peak_mb": {"ours": 1},
    }
    results = {"machine": MACHINE, "watchlist_300k": {"search_p50_ms": 0.25}, "demo_rss_mb": 210.0}
    assert rows(detail) == [
        (
            "detector_640",
            "10.0 (9.0 to 11.0)",
            "25.0 (24.0 to 26.0)",
            "2.5x",
            "ms",
            "1",
            "int8",
            "OpenCV",
        )
    ]
    text = markdown(results, detail, "make bench")
    assert "`make bench` on Board X, 4 cores (asimddp)" in text
    assert "| detector_640 | 10.0 (9.0 to 11.0) |" in text
    assert "| watchlist_300k search_p50_ms | 0.25 |" in text
    assert "| demo_rss_mb | 210 |" in text
    assert "- from pixels to boxes" in text


def test_the_machine_is_named():
    found = machine()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["memory_mb"] > 0
    assert set(found["flags"]) <= set(FLAGS)
    assert "numpy" in found["versions"]
