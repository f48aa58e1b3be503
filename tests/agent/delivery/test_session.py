import json

from agent.delivery import Session
from agent.messages import StateMessage
from agent.values import Wall

SESSION = Session(number=12, version="0.1.0", test=True)


def test_birth_says_what_the_device_does():
    birth = json.loads(
        SESSION.online("armed", "operator", since=Wall(1_800_000_000.0), watchlist="field")
    )
    assert birth == {
        "schema": "bodycam.state.v1",
        "session": 12,
        "online": True,
        "state": "armed",
        "reason": "operator",
        "version": "0.1.0",
        "since": "2027-01-15T08:00:00.000Z",
        "watchlist": "field",
        "test": True,
    }


def test_will_and_last_words_are_of_the_same_session_and_offline():
    will, final = (
        StateMessage.model_validate_json(payload)
        for payload in (SESSION.will(), SESSION.final("end of file", since=Wall(5.0)))
    )
    assert (will.session, will.online, will.state, will.reason) == (
        12,
        False,
        "off",
        "connection lost",
    )
    assert will.since is None
    assert (final.session, final.online, final.reason) == (12, False, "end of file")


def test_a_long_reason_is_cut_not_refused():
    state = StateMessage.model_validate_json(SESSION.final("x" * 500, since=Wall(5.0)))
    assert state.reason == "x" * 200
