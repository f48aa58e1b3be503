"""Stories against the whole agent: three of those of `make stories`, and what must not differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.render import RenderOptions, render
from firmware_sim.story.format import Story
from firmware_sim.story.loading import load_story
from tests.stories.play import Play
from tests.stories.played import Played

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_dir")]

TWO = Story.model_validate(
    {
        "title": "two listed people and a stranger come nearer",
        "seed": 5,
        "seconds": 4.0,
        "camera": {"motion": [{"at": 0, "gait": "walk"}]},
        "people": [
            {"who": "p01", "entry": "E-1", "path": [[0, -0.4, 3], [4, -0.3, 1.6]]},
            {"who": "p02", "entry": "E-2", "path": [[0, 0.5, 3], [4, 0.4, 1.7]]},
            {"who": "p05", "path": [[0, 1.3, 4], [4, 1.2, 2]], "look": "ahead"},
        ],
        "list": {"distractors": 50},
        "expect": {"found_at_least": 2},
    }
)


@pytest.mark.parametrize("name", ["night", "crowd-30", "revoked"])
def test_the_score_is_as_the_story_expects(name: str, tmp_path: Path, footage: Path) -> None:
    played = Play(name, load_story(name)[1], tmp_path, footage).run()
    assert played.problems == []


def matches(played: Played) -> set[str]:
    return {entry for kind, entry in played.alerts if kind == "bodycam.match.v1"}


def test_lock_step_and_a_plain_film_give_the_same_alerts(tmp_path: Path, footage: Path) -> None:
    def play(name: str, film: Path | None = None) -> Played:
        return Play("two", TWO, tmp_path / name, footage, film=film).run()

    film = tmp_path / "two.avi"
    told: list[int] = []
    options = RenderOptions("two", TWO, footage, film, None)
    render(options, progress=lambda done, _: told.append(done))
    first, again, plain = play("first"), play("again"), play("plain", film)
    assert first.problems == []
    assert set(again.alerts) == set(first.alerts)
    # Updates tell of a similarity that rose, and the film is compressed by another encoder.
    assert matches(plain) == matches(first) == {"E-1", "E-2"}
    assert first.report["frames"]["processed"] == plain.report["frames"]["processed"] == len(told)


def test_an_agent_that_finds_nobody_fails_the_story(tmp_path: Path, footage: Path) -> None:
    deaf = TWO.model_copy(update={"settings": {"decision.threshold": 0.95}})
    played = Play("two", deaf, tmp_path, footage).run()
    assert "0 appearances found, at least 2 expected" in played.problems
    assert played.score["missed"] == 2
    assert played.report["tracks"] >= 3
