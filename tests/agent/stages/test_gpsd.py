"""gpsd's lines, good and bad."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.stages.gpsd import MAX_LINE, GpsdParser, NoFix
from agent.values import Monotonic, Wall
from agent.values.place import Fix

NOW = Monotonic(7.0)
TPV = {
    "class": "TPV", "device": "/dev/ttyS0", "mode": 3, "time": "2026-11-27T12:00:00.250Z",
    "lat": 47.6, "lon": -122.33, "eph": 4.2,
}  # fmt: skip


def line(**changes: object) -> bytes:
    tree = {key: value for key, value in {**TPV, **changes}.items() if value is not ...}
    return json.dumps(tree).encode() + b"\r\n"


def test_a_fix_with_its_time_and_accuracy() -> None:
    (fix,) = GpsdParser().feed(line(), now=NOW)
    assert fix == Fix(47.6, -122.33, 4.2, Wall(1795780800.25), NOW)


def test_a_report_may_come_in_pieces_and_among_others() -> None:
    parser, whole = GpsdParser(), b'{"class":"VERSION"}\n' + line() + b'{"class":"SKY"}\n' + line()
    reports = [r for i in range(len(whole)) for r in parser.feed(whole[i : i + 1], now=NOW)]
    assert len(reports) == 2
    assert parser.skipped == 0


@pytest.mark.parametrize("mode", [0, 1, ...])
def test_without_a_fix_the_place_is_not_believed(mode: object) -> None:
    assert GpsdParser().feed(line(mode=mode), now=NOW) == [NoFix(NOW)]


def test_accuracy_of_older_versions_and_none_at_all() -> None:
    parser = GpsdParser()
    (old,) = parser.feed(line(eph=..., epx=3.0, epy=4.0), now=NOW)
    (bare,) = parser.feed(line(eph=..., time=...), now=NOW)
    assert isinstance(old, Fix)
    assert isinstance(bare, Fix)
    assert old.accuracy_m == 5.0
    assert (bare.accuracy_m, bare.time) == (None, None)


@pytest.mark.parametrize(
    "bad",
    [
        line(lat=91.0), line(lon=float("nan")), line(lat="47.6"), line(lat=True), line(lat=...),
        line(mode="3"), line(mode=True), line(eph=-1.0), line(eph=1e9), line(time="yesterday"),
        line(time="2026-13-27T12:00:00Z"), line(time=5),
        line(time="9999-12-31T23:59:59.999999999Z"),
        line(time="0001-01-01T00:00:00Z"),
        b"not json\n", b"[1]\n", b"\xff\xfe\n",
        b"[" * 10_000 + b"\n", b'{"class":"TPV","mode":3,"lat":' + b"9" * 6000 + b"}\n",
        b'{"class":"TPV","mode":3,"lat":' + b"9" * 400 + b"}\n",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_skipped_and_the_next_line_counts(bad: bytes) -> None:
    parser = GpsdParser()
    assert len(parser.feed(bad + line(), now=NOW)) == 1
    assert parser.skipped == 1


def test_an_endless_line_does_not_fill_the_memory() -> None:
    parser = GpsdParser()
    for _ in range(100):
        assert parser.feed(b"x" * MAX_LINE, now=NOW) == []
        assert len(parser._buffer) <= MAX_LINE
    assert len(parser.feed(b"\n" + line(), now=NOW)) == 1
    assert parser.skipped == 1


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_survived(chunks: list[bytes]) -> None:
    parser = GpsdParser()
    for chunk in chunks:
        for report in parser.feed(chunk, now=NOW):
            assert isinstance(report, (Fix, NoFix))
    parser.feed(b"\n", now=NOW)
    assert len(parser.feed(line(), now=NOW)) == 1
