import json

import pytest
from pydantic import ValidationError

from agent.messages import MatchEvent, StateMessage
from agent.messages.catalogue import examples


@pytest.fixture
def tree() -> dict:
    return json.loads(examples()["match.json"])


def path_of(error: ValidationError) -> list[str]:
    return [".".join(str(part) for part in item["loc"]) for item in error.errors()]


@pytest.mark.parametrize("place", ["", "data", "data.face", "data.watchlist", "data.models"])
def test_unknown_fields_are_refused_at_every_level(tree, place):
    node = tree
    for key in place.split(".") if place else ():
        node = node[key]
    node["name"] = "John"
    with pytest.raises(ValidationError) as caught:
        MatchEvent.model_validate(tree)
    assert path_of(caught.value) == [f"{place}.name".lstrip(".")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "not-a-ulid"),
        ("source", "field-test/camera-1"),
        ("type", "bodycam.match.v2"),
        ("time", "2026-03-01 12:34:56"),
        ("subject", "John Smith"),
        ("specversion", "0.3"),
    ],
)
def test_the_envelope_is_checked(tree, field, value):
    with pytest.raises(ValidationError) as caught:
        MatchEvent.model_validate(tree | {field: value})
    assert path_of(caught.value) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("similarity", 1.01),
        ("margin", -0.1),
        ("shots", 0),
        ("policy", "abc"),
        ("evidence", "anything"),
        ("notice", "This is him."),
        ("match", "first"),
        ("entry", ""),
    ],
)
def test_the_data_is_checked(tree, field, value):
    tree["data"][field] = value
    with pytest.raises(ValidationError) as caught:
        MatchEvent.model_validate(tree)
    assert path_of(caught.value) == [f"data.{field}"]


def test_the_notice_is_the_fixed_one_when_left_out(tree):
    del tree["data"]["notice"]
    notice = MatchEvent.model_validate(tree).data.notice
    assert notice.startswith("Investigative lead, not an identification.")


def test_a_state_with_an_unknown_field_or_word_is_refused():
    state = json.loads(examples()["state.json"])
    for change in ({"where": "here"}, {"state": "asleep"}, {"session": -1}):
        with pytest.raises(ValidationError):
            StateMessage.model_validate(state | change)
