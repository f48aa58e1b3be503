from __future__ import annotations

from firmware_sim.story.format import Story
from firmware_sim.story.staging import entries, stage

PLAIN = {"title": "t", "seed": 4, "seconds": 5.0, "expect": {"found_at_least": 0}}
LISTED = {"who": "p01", "entry": "E-1", "path": [[0, 0, 5]]}


def story(**fields: object) -> Story:
    return Story.model_validate({**PLAIN, **fields})


def test_a_person_with_one_point_stands_there_to_the_end() -> None:
    (extra,) = stage(story(people=[LISTED])).extras
    assert extra.path == ((0, 0, 5), (5.0, 0, 5))


def test_appearances_of_one_person_have_names_of_their_own() -> None:
    twice = [LISTED, {**LISTED, "path": [[4, 1, 5]]}]
    made = story(people=twice)
    assert [extra.name for extra in stage(made).extras] == ["p01", "p01-2"]
    assert entries(made) == {"E-1": "p01"}


def test_nobody_in_the_crowd_has_a_listed_face() -> None:
    made = stage(story(people=[LISTED], crowd={"count": 60}))
    crowd = [extra for extra in made.extras if extra.name.startswith("crowd-")]
    assert len(crowd) == 60
    assert "p01" not in {extra.who for extra in crowd}
    assert all(extra.entry == "" for extra in crowd)


def test_the_crowd_is_drawn_by_the_seed() -> None:
    made = story(crowd={"count": 10})
    assert stage(made) == stage(made)
    assert stage(made).extras != stage(made, seed=5).extras


def test_a_crowd_in_rows_stands_higher_behind() -> None:
    made = stage(story(crowd={"count": 12, "rows": 3, "z": [4, 8], "speed_m_s": [0, 0]}))
    rows = {(extra.path[0][2], extra.stand_m) for extra in made.extras}
    assert sorted(rows) == [(4.0, 0.0), (6.0, 0.4), (8.0, 0.8)]
    assert all(extra.path[0][1:] == extra.path[-1][1:] for extra in made.extras)


def test_another_size_changes_nothing_else() -> None:
    made = story(people=[LISTED])
    large = stage(made, size=(1920, 1080))
    assert (large.width, large.height) == (1920, 1080)
    assert large.extras == stage(made).extras
