from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest

from agent.adapters.fpir_file import FpirFile
from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.policy import FIELD_TEST, Rulebook
from agent.policy.fpir_monitor import FpirCounts
from agent.policy.grants import Grant
from agent.policy.trusted_time import TimeSigns
from agent.values import Wall
from tests.support.commands import Commands
from tests.support.policies import AROUND_ZERO, a_grant, a_policy
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
    rests_on = {"sha256", "policy", "detector", "embedder"}
    assert all(len(fields[name]) == 64 for name in rests_on)
    (_, enrolled), *_ = agent.audit()
    assert fields["sha256"] == enrolled["sha256"]
    assert {name: fields[name] for name in fields.keys() - rests_on - {"list", "uid"}} == {
        "version": 1,
        "authorisation": "TEST-1",
        "images": 2,
        "faces": 6,
        "searched": 6,
        "matches": 2,
    }


TPV = b'{"class":"TPV","mode":3,"time":"2027-01-15T08:00:00Z","lat":%b,"lon":0.0,"eph":3}\n'


class Gpsd:
    """Says one position to whoever asks."""

    def __init__(self, latitude: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = str(self._listener.getsockname()[1])
        self._says = TPV % latitude
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            connection.recv(200)
            connection.sendall(self._says)
            connection.recv(200)


@pytest.mark.parametrize(
    ("latitude", "says"),
    [
        (b"0.0", ""),
        (b"1.0", "outside market"),
        (None, "set gps.enabled=true"),
        ("gone", "gpsd at 127.0.0.1:"),
    ],
)
def test_where_areas_are_set_gpsd_says_whether_it_is_in_one(
    agent, tmp_path, monkeypatch, latitude, says
):
    policy = a_policy(
        "field-test",
        authorisations={"types": ["warrant"]},
        bounds={"areas": [AROUND_ZERO], "time_sources": ["ntp"]},
    )
    stored = agent.context().watchlist().load()
    grant = a_grant(lists=[stored.id])
    book = Rulebook(policy, "CAM-7", {"W-1": grant})
    monkeypatch.setattr("agent.cli.identify.rules_in_force", lambda _: book)
    monkeypatch.setattr("agent.adapters.time_signs.time_signs", lambda: TimeSigns(kernel=True))
    words = ["identify", tmp_path / "seven.png", "--authorisation", "W-1", "--json"]
    if latitude == "gone":
        words += ["--set", "gps.enabled=true", "--set", "gps.port=1"]
    elif latitude is not None:
        words += ["--set", "gps.enabled=true", "--set", f"gps.port={Gpsd(latitude).port}"]
    if not says:
        ((face,),) = agent(*words).json
        assert face["decision"] == "match"
        assert agent.audit()[-1][1]["policy"] == policy.sha256()
        return
    with pytest.raises(RefusedError, match=says):
        agent(*words)
    kind, fields = agent.audit()[-1]
    assert (kind, fields["what"], fields["authorisation"]) == ("refusal", "identify", "W-1")
    assert says in fields["reason"]


@pytest.mark.parametrize("why", ["revoked", "over", "not loaded"])
def test_an_entry_whose_own_authorisation_does_not_hold_is_not_shown(
    agent, tmp_path, monkeypatch, why
):
    book = {
        "revoked": Rulebook(revoked=frozenset({"TEST-1"})),
        "over": Rulebook(grants={"TEST-1": Grant("TEST-1", ends=Wall(1.0))}),
        "not loaded": Rulebook(replace(FIELD_TEST, loaded_authorisations_only=True)),
    }[why]
    monkeypatch.setattr("agent.cli.identify.rules_in_force", lambda _: book)
    photo = tmp_path / "seven.png"
    ((face,),) = agent("identify", photo, "--authorisation", "TEST-2", "--json").json
    assert (face["decision"], face["candidates"]) == ("no_match", [])


def test_after_too_many_false_alerts_nothing_is_searched(agent, tmp_path):
    FpirFile(agent.state_dir / "fpir.json").save(FpirCounts(), "too many false alerts")
    with pytest.raises(RefusedError, match="too many false alerts"):
        agent("identify", tmp_path / "seven.png", *ALLOWED)


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
