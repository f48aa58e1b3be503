from __future__ import annotations

import pytest

from agent.errors import MissingFileError, UsageError
from tests.support.commands import Commands


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
        "intact": True, "records": 3, "head": head, "torn": False, "problem": ""
    }  # fmt: skip
    assert agent("audit", "verify").out == f"3 records, none changed; head {head}\n"


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
    assert "2 records, none changed; its last line is unfinished" in said.out


@pytest.mark.parametrize("action", ["verify", "show"])
def test_a_log_that_is_not_there_is_not_a_whole_one(tmp_path, capsys, action):
    with pytest.raises(MissingFileError, match="no audit log here; check --state-dir"):
        Commands(tmp_path / "none", capsys)("audit", action)


def test_show(agent):
    shown = agent("audit", "show", "--json").json
    assert [one["fields"]["version"] for one in shown] == [0, 1, 2]
    lines = agent("audit", "show", "--last", "2").out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2"]
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
