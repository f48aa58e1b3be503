from __future__ import annotations

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from tests.support.commands import Commands
from tests.support.portraits import save_portrait

GROUNDS = (
    *("--basis", "consent", "--purpose", "test"),
    *("--authorisation", "TEST-1", "--not-after", "2027-12-31"),
)
ALLOWED = ("--authorisation", "TEST-1")


@pytest.fixture
def agent(tmp_path, capsys):
    commands = Commands(tmp_path / "state", capsys)
    photo = save_portrait(tmp_path / "seven.png", 7)
    commands("watchlist", "enrol", photo, "--subject", "S-7", *GROUNDS)
    return commands


def test_every_face_of_every_image_is_answered(agent, tmp_path):
    group = save_portrait(tmp_path / "group.png", 1, 7, 3)
    nobody = save_portrait(tmp_path / "nobody.png")
    said = agent("identify", group, nobody, *ALLOWED, "--json")
    assert said.code == 0
    first, second = said.json
    assert second == []
    assert [face["decision"] for face in first] == ["no_match", "match", "no_match"]
    assert set(first[0]) == {"box", "score", "quality", "candidates", "decision"}
    assert first[0]["candidates"] == []
    assert first[1]["candidates"] == [{"entry": "S-7-1", "similarity": 1.0}]
    assert first[1]["box"] == [128.0, 0.0, 240.0, 112.0]


def test_the_audit_record_holds_counts_only(agent, tmp_path):
    group = save_portrait(tmp_path / "group.png", 1, 7, 3)
    agent("identify", group, group, *ALLOWED)
    kind, fields = agent.audit()[-1]
    assert kind == "identify"
    assert {name: fields[name] for name in fields if name != "list"} == {
        "version": 1,
        "authorisation": "TEST-1",
        "images": 2,
        "faces": 6,
        "searched": 6,
        "matches": 2,
    }


def test_without_an_authorisation_nothing_is_searched(agent, tmp_path):
    with pytest.raises(RefusedError, match="give --authorisation"):
        agent("identify", tmp_path / "seven.png", "--authorisation", "")
    with pytest.raises(UsageError, match="--authorisation"):
        agent("identify", tmp_path / "seven.png", "--authorisation", "my own")
    assert [kind for kind, _ in agent.audit()] == ["enrol"]


def test_one_bad_photograph_does_not_cost_the_others_their_answers(agent, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    photo = tmp_path / "seven.png"
    said = agent("identify", photo, bad, tmp_path / "no.png", photo, *ALLOWED, "--json")
    assert said.code == DataError.exit_code
    assert "bad.png" in said.err
    assert "no.png" in said.err
    first, unreadable, missing, last = said.json
    assert (unreadable, missing) == (None, None)
    assert first == last
    assert first[0]["decision"] == "match"
    assert agent.audit()[-1][1]["images"] == 2


def test_when_no_photograph_can_be_read_nothing_was_searched(agent, tmp_path):
    said = agent("identify", tmp_path / "no.png", *ALLOWED, "--json")
    assert said.code == MissingFileError.exit_code
    assert said.json == [None]
    assert [kind for kind, _ in agent.audit()] == ["enrol"]


def test_the_threshold_follows_from_the_list(agent, tmp_path):
    said = agent("identify", tmp_path / "seven.png", *ALLOWED)
    assert "over the threshold of 0.400" in said.out
    agent(
        *("watchlist", "import", "--distractors", "99", "--seed", "1"),
        *("--authorisation", "TEST-1", "--not-after", "2027-12-31"),
    )
    said = agent("identify", tmp_path / "seven.png", *ALLOWED)
    assert "over the threshold of 0.490" in said.out
    assert "match: entry S-7-1 similarity 1.000, face at 0,0-112,112" in said.out
    assert "not an identification" in said.err


def test_an_expired_entry_is_not_found(agent, tmp_path):
    agent.clock.advance(2 * 365 * 86_400)
    (faces,) = agent("identify", tmp_path / "seven.png", *ALLOWED, "--json").json
    assert [face["decision"] for face in faces] == ["no_match"]


def test_small_faces_are_not_searched(agent, tmp_path):
    limit = ("--set", "recognition.min_face_px=200")
    (faces,) = agent("identify", tmp_path / "seven.png", *ALLOWED, *limit, "--json").json
    assert [face["decision"] for face in faces] == ["not_searched"]
    assert agent.audit()[-1][1]["searched"] == 0


def test_a_list_of_another_embedder_is_not_searched(agent, tmp_path):
    identity = agent.models.embedder.identity
    agent.models.embedder.identity = type(identity)("other", "fp32", "9" * 64, "other")
    with pytest.raises(DataError, match="made by 'portraits'"):
        agent("identify", tmp_path / "seven.png", *ALLOWED)
