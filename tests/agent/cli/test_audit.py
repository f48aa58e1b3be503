from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from agent.audit.checkpoint import event_of
from agent.errors import DataError, MissingFileError, UsageError
from tests.support.auditing import SCRIPT, key_of, sample_log
from tests.support.commands import Commands

TIME = "2027-01-15T08:00:04.000Z"


@pytest.fixture
def agent(tmp_path, capsys):
    commands = Commands(tmp_path / "state", capsys)
    log = commands.context().audit()
    for version in range(3):
        log.append("remove", list="l-1", version=version)
    return commands


def log_file(agent):
    return agent.state_dir / "audit" / "audit.jsonl"


def test_a_whole_log(agent):
    said = agent("audit", "verify", "--json")
    assert said.code == 0
    head = agent.context().audit().verify().head.hash
    assert said.json == {
        "intact": True, "records": 3, "first": 0, "head": head, "protected": None, "signer": None,
        "protected_at": None, "unsigned": 3,
        "signer_known": False, "anchored": None, "torn": False, "problem": "",
    }  # fmt: skip
    told = agent("audit", "verify").out.splitlines()
    assert told[0] == f"3 records, each follows from the one before; head {head}"
    assert told[1].startswith("no checkpoint yet")


def test_a_changed_log_is_65(agent):
    path = log_file(agent)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":8'))
    said = agent("audit", "verify", "--json")
    assert said.code == 65
    assert (said.json["intact"], said.json["records"]) == (False, 1)
    assert "the audit log was changed: record 1: its hash" in said.err
    assert len(said.err.splitlines()) == 1


def test_a_torn_line_is_told_apart(agent):
    path = log_file(agent)
    path.write_bytes(path.read_bytes()[:-9])
    said = agent("audit", "verify")
    assert said.code == 0
    assert "2 records, each follows from the one before; its last line is unfinished" in said.out


@pytest.mark.parametrize("action", ["verify", "show"])
def test_a_log_that_is_not_there_is_not_a_whole_one(tmp_path, capsys, action):
    with pytest.raises(MissingFileError, match="no audit log here; check --state-dir"):
        Commands(tmp_path / "none", capsys)("audit", action)


def test_show(agent):
    shown = agent("audit", "show", "--json").json
    assert [one["fields"]["version"] for one in shown] == [0, 1, 2]
    lines = agent("audit", "show", "--last", "2").out.splitlines()
    assert [line.split()[:3:2] for line in lines] == [["1", "remove"], ["2", "remove"]]
    assert '{"list": "l-1", "version": 2}' in lines[-1]
    with pytest.raises(UsageError):
        agent("audit", "show", "--last", "0")


def test_a_damaged_line_cannot_command_the_terminal(agent):
    path = log_file(agent)
    path.write_bytes(
        path.read_bytes() + b'{"kind":"\\u001b[2J","fields":{"a":"\\u001b[2J"}}\n\xff\n'
    )
    said = agent("audit", "show")
    assert "\x1b" not in said.out
    assert "damaged" in said.out


def anchors_file(log, path, device="CAM-7"):
    records = [json.loads(line) for line in log.lines()]
    events = [event_of(one) for one in records if one["kind"] == "checkpoint"]
    tree = {"format": "bodycam.anchors.v1", "agency": "example-pd", "device": device}
    path.write_text(json.dumps(tree | {"key": key_of().public.hex(), "anchors": events}))
    return path


def by_script(*words):
    done = subprocess.run(
        [sys.executable, SCRIPT, *words], check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def test_a_copy_verifies_anywhere_by_command_and_by_script(tmp_path, capsys):
    log = sample_log(tmp_path / "audit")
    copy = tmp_path / "elsewhere" / "x"
    shutil.copytree(log.path.parent, copy)
    key = key_of().public.hex()
    commands = Commands(tmp_path / "none", capsys)
    said = commands("audit", "verify", "--folder", copy, "--json").json
    assert (said["intact"], said["protected"], said["signer_known"]) == (True, 4, False)
    said = commands("audit", "verify", "--folder", copy, "--key", key, "--json").json
    assert said["signer_known"]
    assert "compare that key" in commands("audit", "verify", "--folder", copy).out
    signed = f"signed for up to record 4 of {TIME} with key {key}"
    assert by_script(copy, key) == (0, f"whole up to record 6; {signed}; 1 records after\n")
    told = commands("audit", "verify", "--folder", copy).out
    assert f"signed for up to record 4 at {TIME} with key {key}: nothing up to there was" in told
    assert "1 records after that are linked only" in told


def test_an_emptied_log_is_not_whole(tmp_path, capsys):
    log = sample_log(tmp_path / "audit")
    log.path.write_bytes(b"")
    said = Commands(tmp_path / "none", capsys)("audit", "verify", "--folder", log.path.parent)
    assert (said.code, said.out) == (65, "")
    assert "no record in it: it was emptied" in said.err
    assert by_script(log.path.parent) == (1, "NOT WHOLE: there is no record in it\n")


def test_the_script_says_what_it_cannot_check(tmp_path):
    log = sample_log(tmp_path / "audit")
    folder, text = log.path.parent, tmp_path / "text"
    text.write_text("[]")
    (tmp_path / "noise").write_bytes(b"\xff")
    for words in ((), (tmp_path,), (folder, tmp_path / "none.json"), (folder, text),
                  (folder, tmp_path / "noise")):  # fmt: skip
        code, said = by_script(*words)
        assert (code, "CANNOT CHECK: " in said) == (2, True)
        assert "Traceback" not in said


def test_the_script_takes_anchors_by_any_name_and_tells_of_a_damaged_line(tmp_path):
    log = sample_log(tmp_path / "audit")
    anchors = anchors_file(log, tmp_path / "anchors")
    assert by_script(log.path.parent, anchors)[0] == 0
    with log.path.open("ab") as stream:
        stream.write(b"garbage\n")
    code, said = by_script(log.path.parent)
    assert code == 1
    assert said.startswith("NOT WHOLE: record 7 is damaged")
    assert "Traceback" not in said


def test_a_cut_end_is_found_with_the_hubs_file(tmp_path, capsys):
    log = sample_log(tmp_path / "audit")
    anchors = anchors_file(log, tmp_path / "anchors.json")
    commands = Commands(tmp_path / "none", capsys)
    words = ("audit", "verify", "--folder", log.path.parent, "--anchors", anchors)
    said = commands(*words, "--json")
    assert (said.code, said.json["anchored"], said.json["signer_known"]) == (0, 4, True)
    assert by_script(log.path.parent, anchors)[0] == 0
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:3]))
    said = commands(*words)
    assert said.code == 65
    assert "the hub knows it up to record 4, but it ends with 2" in said.err
    assert "3 records, each follows from the one before" in said.out
    assert "broken" not in said.out
    assert by_script(log.path.parent, anchors) == (
        1, "NOT WHOLE: the end is missing: the hub knows more of it\n"
    )  # fmt: skip
    assert commands("audit", "verify", "--folder", log.path.parent).code == 0


def test_another_key_is_refused(tmp_path, capsys):
    log = sample_log(tmp_path / "audit")
    commands = Commands(tmp_path / "none", capsys)
    words = ("audit", "verify", "--folder", log.path.parent)
    other = key_of(2).public.hex()
    said = commands(*words, "--key", other)
    assert said.code == 65
    assert "not signed with the key of this device" in said.err
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        commands(*words, "--key", "CAM-7")
    anchors = anchors_file(log, tmp_path / "anchors.json")
    with pytest.raises(DataError, match="anchors of another key"):
        commands(*words, "--key", other, "--anchors", anchors)
    with pytest.raises(MissingFileError):
        commands(*words, "--anchors", tmp_path / "none.json")


def test_show_only_some(agent):
    agent.clock.advance(86_400.0)
    agent.context().audit().append("disarm", reason="end of shift")
    assert [one["kind"] for one in agent("audit", "show", "--kind", "disarm", "--json").json] == [
        "disarm"
    ]
    both = agent("audit", "show", "--kind", "disarm", "--kind", "remove", "--json").json
    assert len(both) == 4
    assert len(agent("audit", "show", "--since", "2027-01-16", "--json").json) == 1
    assert len(agent("audit", "show", "--since", "2027-01-15T08:00:00Z", "--json").json) == 4
    assert len(agent("audit", "show", "--kind", "remove", "--last", "2", "--json").json) == 2
    with pytest.raises(UsageError, match="no such kind: 'gossip'"):
        agent("audit", "show", "--kind", "gossip")
    with pytest.raises(UsageError, match="not a date"):
        agent("audit", "show", "--since", "yesterday")
