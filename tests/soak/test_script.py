"""What befalls the device in a soak."""

from __future__ import annotations

from firmware_sim import link_events, timeline
from tests.soak.script import script


def test_every_hour_brings_everything() -> None:
    whole = script(8.0, seed=1)
    camera = [timeline.parse(text) for text in whole.camera]
    link = [link_events.parse(text) for text in whole.link]
    for hour in range(8):
        span = range(hour * 3600, (hour + 1) * 3600)
        assert {"cut", "stall", "half-open"} <= {e.name for e in link if int(e.at_s) in span}
        kinds = {type(e.what).__name__ for e in camera if int(e.at_s) in span}
        assert {"HangUp", "Reset", "Hang", "Charge", "Plug", "Spoof", "Resize"} <= kinds
        done = [do for at, do in whole.device if int(at) in span]
        assert (done.count("publish"), done.count("arm"), done.count("disarm")) == (4, 3, 3)
    assert [e.at_s for e in camera] == sorted(e.at_s for e in camera)


def test_a_part_of_an_hour_is_its_beginning() -> None:
    short = script(0.25, seed=1)
    assert short.device
    assert all(at < 900 for at, _ in short.device)
    assert short == script(0.25, seed=1)
    assert short != script(0.25, seed=2)
