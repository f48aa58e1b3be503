from __future__ import annotations

import hashlib

import numpy as np
import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from tests.support.commands import Commands
from tests.support.portraits import DIM, SHA256, save_portrait, template

GROUNDS = (
    *("--basis", "consent", "--purpose", "test"),
    *("--authorisation", "TEST-1", "--not-after", "2027-12-31"),
)


@pytest.fixture
def agent(tmp_path, capsys):
    return Commands(tmp_path / "state", capsys)


def enrol(agent, tmp_path, person=7, subject="S-7", *more):
    photo = save_portrait(tmp_path / f"{person}.png", person)
    return agent("watchlist", "enrol", photo, "--subject", subject, *GROUNDS, *more)


def entries(agent):
    return [one["entry"] for one in agent("watchlist", "list", "--json").json["entries"]]


def test_enrol_and_show(agent, tmp_path):
    said = enrol(agent, tmp_path, 7, "S-7", "--priority", "5", "--json")
    assert said.code == 0
    report = said.json
    photo = hashlib.sha256((tmp_path / "7.png").read_bytes()).hexdigest()
    assert (report["entry"], report["rejected"], report["similar"]) == ("S-7-1", [], [])
    assert [one["sha256"] for one in report["accepted"]] == [photo]
    shown = agent("watchlist", "show", "S-7-1", "--json").json
    assert shown == {
        "entry": "S-7-1",
        "subject": "S-7",
        "basis": "consent",
        "purpose": "test",
        "authorisation": "TEST-1",
        "priority": 5,
        "not_before": "1970-01-01T00:00:00.000Z",
        "not_after": "2028-01-01T00:00:00.000Z",
        "state": "valid",
        "provenance": [{"sha256": photo, "kind": "photograph", "embedder": SHA256}],
    }
    stored = agent.context().watchlist().load()
    assert np.array_equal(stored.columns.vectors[0], template(7))


def test_several_photographs_are_templates_of_one_entry(agent, tmp_path):
    photos = [save_portrait(tmp_path / f"{n}.png", 7, light=1 - n / 10) for n in range(3)]
    said = agent("watchlist", "enrol", *photos, "--subject", "S-7", *GROUNDS)
    assert said.out == "enrolled S-7-1 with 3 templates (list version 1)\n"
    stats = agent("watchlist", "stats", "--json").json
    assert (stats["entries"], stats["subjects"], stats["templates"]) == (1, 1, 3)


def on_disk(agent):
    """What an auditor finds with sha256sum."""
    path = agent.state_dir / "watchlist" / "watchlist.bcw"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_bad_photographs_are_told_one_by_one(agent, tmp_path):
    good = save_portrait(tmp_path / "good.png", 7)
    nobody = save_portrait(tmp_path / "nobody.png")
    two = save_portrait(tmp_path / "two.png", 7, 8)
    noise = tmp_path / "noise.png"
    noise.write_bytes(b"not a picture")
    said = agent(
        "watchlist", "enrol", good, nobody, two, noise, "--subject", "S", *GROUNDS, "--json"
    )
    assert said.code == 0
    reasons = {one["image"]: one["reasons"] for one in said.json["rejected"]}
    assert [r["problem"] for r in reasons[str(nobody)]] == ["no_face"]
    assert [(r["problem"], r["measured"]) for r in reasons[str(two)]] == [("several_faces", 2)]
    assert [r["problem"] for r in reasons[str(noise)]] == ["unreadable"]
    assert len(said.err.splitlines()) == 3
    assert agent.audit()[-1] == (
        "enrol",
        {
            "list": said.json["list"]["id"],
            "version": 1,
            "sha256": on_disk(agent),
            "entries": 1,
            "templates": 1,
            "rejected": 3,
            "authorisation": "TEST-1",
        },
    )


def test_when_no_photograph_is_good_nothing_changes(agent, tmp_path):
    two = save_portrait(tmp_path / "two.png", 7, 8)
    said = agent("watchlist", "enrol", two, "--subject", "S", *GROUNDS)
    assert said.code == 65
    assert said.err.splitlines() == [
        f"{two}: refused: several faces (2, needed 1): crop the photograph to the one person",
        "nothing was enrolled",
    ]
    assert entries(agent) == []
    assert agent.audit() == []


def test_a_photograph_of_somebody_else_is_refused(agent, tmp_path):
    photos = [
        save_portrait(tmp_path / "a.png", 7),
        save_portrait(tmp_path / "b.png", 7, light=0.9),
        save_portrait(tmp_path / "c.png", 9),
    ]
    report = agent("watchlist", "enrol", *photos, "--subject", "S", *GROUNDS, "--json").json
    assert len(report["accepted"]) == 2
    assert report["rejected"][0]["reasons"][0]["problem"] == "unlike_the_others"


def test_a_double_of_another_subject_is_reported(agent, tmp_path):
    enrol(agent, tmp_path, 7, "S-7")
    said = enrol(agent, tmp_path, 7, "S-8", "--json")
    assert said.code == 0
    assert said.json["similar"] == [{"entry": "S-7-1", "similarity": 1.0}]
    assert "resembles entry S-7-1 of another subject" in said.err
    assert enrol(agent, tmp_path, 7, "S-7", "--json").json["similar"] == [
        {"entry": "S-8-1", "similarity": 1.0}
    ]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        (("--not-after", "2020-01-01"), UsageError, "is over already"),
        (("--not-after", "soon"), UsageError, "'soon' is not a time"),
        (("--subject", "Erika M"), UsageError, "never a name"),
        (("--authorisation", ""), UsageError, "authorisation: missing"),
        (("--priority", "high"), UsageError, "priority"),
        (("--basis", "curiosity"), RefusedError, "'curiosity' is not allowed"),
        (("--purpose", "gossip"), RefusedError, "'gossip' is not allowed"),
        (("--entry", "S-7-1"), DataError, "'S-7-1': is on the list already"),
    ],
)
def test_what_may_not_be_enrolled(agent, tmp_path, changes, error, says):
    enrol(agent, tmp_path)
    with pytest.raises(error, match=says):
        enrol(agent, tmp_path, 9, "S-9", *changes)
    assert entries(agent) == ["S-7-1"]
    assert len(agent.audit()) == 1


def test_a_photograph_that_is_not_there(agent, tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        agent("watchlist", "enrol", tmp_path / "no.png", "--subject", "S", *GROUNDS)


def test_a_list_of_another_embedder_is_not_grown(agent, tmp_path):
    enrol(agent, tmp_path)
    identity = agent.models.embedder.identity
    agent.models.embedder.identity = type(identity)("other", "fp32", "9" * 64, "other")
    with pytest.raises(DataError, match="made by 'portraits', this device runs 'other'"):
        enrol(agent, tmp_path, 9, "S-9")


def test_remove_by_entry_and_by_subject(agent, tmp_path):
    for person, subject in ((1, "S-1"), (1, "S-1"), (2, "S-2"), (3, "S-3")):
        enrol(agent, tmp_path, person, subject)
    said = agent("watchlist", "remove", "S-2-1", "--subject", "S-1", "--json")
    assert said.json["removed"] == {"entries": 3, "templates": 3}
    assert entries(agent) == ["S-3-1"]
    assert agent.audit()[-1] == (
        "remove",
        {
            "list": said.json["list"]["id"],
            "version": 5,
            "sha256": on_disk(agent),
            "entries": 3,
            "templates": 3,
        },
    )
    with pytest.raises(DataError, match="not on the list"):
        agent("watchlist", "remove", "S-1-1")
    with pytest.raises(UsageError, match="name entries, or --subject"):
        agent("watchlist", "remove")


def test_distractors_are_said_to_be_so(agent, tmp_path):
    enrol(agent, tmp_path)
    for count in (30, 20):
        agent(
            *("watchlist", "import", "--distractors", str(count), "--seed", "1"),
            *("--authorisation", "TEST-1", "--not-after", "2027-12-31"),
        )
    stats = agent("watchlist", "stats", "--json").json
    assert stats["kind"] == {"distractor": 50, "photograph": 1}
    assert stats["expiry"] == {"2028-01-01": 51}
    assert stats["embedder"] == {SHA256: 51}
    assert stats["next_change"] == "2028-01-01T00:00:00.000Z"
    assert entries(agent)[:2] == ["S-7-1", "distractor-000001"]
    assert entries(agent)[-1] == "distractor-000050"
    kind, fields = agent.audit()[-1]
    assert (kind, fields["distractors"], fields["version"]) == ("import", 20, 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give a FILE, or --distractors"),
        (("v.npy", "--distractors", "5"), "give a FILE, or --distractors"),
        (("v.npy",), "needs --metadata"),
        (("--distractors", "0"), "1 to 1000000"),
        (("--distractors", "5", "--seed", "-1"), "--seed"),
        (("--distractors", "5"), "--authorisation and --not-after"),
        (
            ("--distractors", "5", "--authorisation", "T 1", "--not-after", "2027-12-31"),
            "authorisation: use letters",
        ),
        (
            ("--distractors", "5", "--authorisation", "T", "--not-after", "2020-12-31"),
            "is over already",
        ),
    ],
)
def test_an_import_that_makes_no_sense(agent, words, says):
    with pytest.raises(UsageError, match=says):
        agent("watchlist", "import", *words)
    assert entries(agent) == []


def vectors_file(tmp_path, basis="consent"):
    np.save(tmp_path / "v.npy", np.stack([template(1), template(2)]))
    head = "entry,subject,basis,purpose,authorisation,not_after\n"
    lines = [f"E-{n},S-{n},{basis},test,T-1,2027-06-30\n" for n in (1, 2)]
    (tmp_path / "m.csv").write_text(head + "".join(lines), encoding="utf-8")
    return tmp_path / "v.npy", "--metadata", tmp_path / "m.csv"


def test_vectors_are_imported(agent, tmp_path):
    said = agent("watchlist", "import", *vectors_file(tmp_path), "--json")
    assert said.json["imported"] == {"entries": 2, "templates": 2}
    stored = agent.context().watchlist().load()
    assert (stored.space, stored.columns.dim) == ("portraits", DIM)
    assert entries(agent) == ["E-1", "E-2"]


def test_vectors_that_say_who_made_them_need_no_models(agent, tmp_path):
    agent.models = None
    origin = ("--space", "elsewhere", "--embedder", "c" * 64)
    agent("watchlist", "import", *vectors_file(tmp_path), *origin)
    stats = agent("watchlist", "stats", "--json").json
    assert (stats["space"], stats["embedder"]) == ("elsewhere", {"c" * 64: 2})


def test_vectors_without_an_allowed_basis_are_refused(agent, tmp_path):
    with pytest.raises(RefusedError, match="'warrant' is not allowed"):
        agent("watchlist", "import", *vectors_file(tmp_path, "warrant"))
    assert entries(agent) == []


def test_tables_for_people(agent, tmp_path):
    assert agent("watchlist", "list").out.count("\n") == 1
    enrol(agent, tmp_path)
    line = agent("watchlist", "list").out.splitlines()[1].split()
    assert line == ["S-7-1", "S-7", "valid", "2028-01-01T00:00:00.000Z", "1", "consent/test/TEST-1"]
    assert "photograph sha256" in agent("watchlist", "show", "S-7-1").out
    assert "basis  consent: 1" in agent("watchlist", "stats").out


def test_an_entry_that_is_over_says_so(agent, tmp_path):
    enrol(agent, tmp_path)
    agent.clock.advance(2 * 365 * 86_400)
    assert agent("watchlist", "show", "S-7-1", "--json").json["state"] == "expired"
    assert agent("watchlist", "stats", "--json").json["next_change"] is None
