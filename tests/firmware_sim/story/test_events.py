from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from firmware_sim.device import Profile, Reset
from firmware_sim.gps import Sky
from firmware_sim.story.events import _TAKES, Doing, Event
from firmware_sim.story.format import Story
from firmware_sim.story.playing import StoryFilm
from firmware_sim.timeline import Rate, Resize

PLAIN = {"title": "t", "seed": 4, "seconds": 20.0, "pace": "live"}


def story(*events: dict[str, Any], **expect: Any) -> Story:
    body = {"boot_s": 3, "watchdog_s": 2}
    wanted = {"found_at_least": 0, **expect}
    return Story.model_validate({**PLAIN, "body": body, "events": events, "expect": wanted})


def test_every_kind_says_what_it_takes() -> None:
    assert set(_TAKES) == set(get_args(Doing))
    assert all(name in Event.model_fields for takes in _TAKES.values() for name in takes)


def test_a_field_of_another_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="battery takes percent"):
        Event.model_validate({"at": 1, "do": "battery", "celsius": 90})


@pytest.mark.parametrize(
    ("event", "over"),
    [
        ({"do": "cut_link", "seconds": 4}, 6.0),
        ({"do": "battery", "percent": 3}, 2.0),
        ({"do": "reset_camera"}, 5.0),
        ({"do": "hang_camera"}, 7.0),
    ],
)
def test_a_story_knows_when_its_last_event_is_over(event: dict[str, Any], over: float) -> None:
    assert story({"at": 2, **event}, {"at": 1, "do": "disarm"}).over_s == over
    assert story().over_s is None


def test_a_recovery_that_the_story_does_not_show_is_refused() -> None:
    cut = {"at": 10, "do": "cut_link", "seconds": 4}
    assert story(cut, recovers_within_s=6).expect.recovers_within_s == 6
    with pytest.raises(ValidationError, match="ends 1 s before that"):
        story(cut, recovers_within_s=7)


def test_what_lasts_ends_when_the_camera_plays_the_story_itself(tmp_path) -> None:
    told = story(
        {"at": 1, "do": "resize_camera", "width": 640, "height": 360, "seconds": 2},
        {"at": 2, "do": "slow_camera", "fps": 2, "seconds": 3},
        {"at": 4, "do": "lose_gps", "seconds": 5},
        {"at": 6, "do": "reset_camera"},
        {"at": 7, "do": "cut_link", "seconds": 1},
    )
    film = StoryFilm("t", told, tmp_path, None)
    assert film.profile() == Profile(boot_s=3, watchdog_s=2)
    assert [(event.at_s, event.what) for event in film.events()] == [
        (1, Resize(640, 360)),
        (3, Resize(1280, 720)),
        (2, Rate(2)),
        (5, Rate(15)),
        (4, Sky(0)),
        (9, Sky(9)),
        (6, Reset()),
    ]
