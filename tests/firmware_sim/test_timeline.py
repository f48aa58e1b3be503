"""What is typed, and what it becomes."""

from __future__ import annotations

import pytest

from firmware_sim import device as d
from firmware_sim.gps import Move, Sky, Spoof
from firmware_sim.timeline import Event, HangUp, Rate, Resize, forms, parse


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("30:battery=5", Event(30.0, d.Charge(5.0))),
        ("0.5:hang", Event(0.5, d.Hang())),
        ("1:press=arm", Event(1.0, d.Press("arm"))),
        ("1:place=47.6,-122.3,1.5,0", Event(1.0, Move(47.6, -122.3, 1.5, 0.0))),
        ("1:sky=3", Event(1.0, Sky(3, 4.0))),
        ("1:spoof=5000,0", Event(1.0, Spoof(5000.0, 0.0))),
        ("1:size=640x360", Event(1.0, Resize(640, 360))),
        ("1:fps=5", Event(1.0, Rate(5.0))),
        ("1:hang-up", Event(1.0, HangUp())),
    ],
)
def test_what_is_understood(text: str, event: Event) -> None:
    assert parse(text) == event


@pytest.mark.parametrize(
    "text",
    [
        "", "battery=5", "x:battery=5", "1:battery", "1:battery=full", "1:battery=1,2", "1:hang=1",
        "1:press=self-destruct", "1:size=640", "1:size=0x0", "1:fps=0", "-1:hang", "nan:hang",
        "1:explode", "1:battery=500", "1:heat=nan", "1:stall=-1", "1:place=91,0", "1:place=0,inf",
        "1:sky=1000", "1:cpu=2", "1:spoof=nan,0",
    ],
)  # fmt: skip
def test_what_is_not_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="SECONDS"):
        parse(text)


def test_every_name_is_in_the_help() -> None:
    assert "press=record|arm|mark|privacy" in forms()
