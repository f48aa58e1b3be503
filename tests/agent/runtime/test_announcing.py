"""What was announced once is taken away when it is no longer wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.announced_topics import AnnouncedTopics
from agent.errors import DiskError
from agent.runtime.announcing import Announcing
from tests.support.delivery_world import ScriptedTransport

ONE, TWO, OLD = (f"homeassistant/sensor/{node}/state/config" for node in ("one", "two", "old"))


def start(path: Path, *topics: str) -> tuple[ScriptedTransport, Announcing]:
    transport = ScriptedTransport()
    wanted = dict.fromkeys(topics, b"{}")
    return transport, Announcing(transport, AnnouncedTopics(path), wanted)


def test_switched_off_it_is_taken_away_until_that_is_sure(tmp_path: Path) -> None:
    path = tmp_path / "announced.json"
    assert start(path, ONE, TWO)[0].retained == {ONE: b"{}", TWO: b"{}"}
    transport, first = start(path)
    assert transport.retained == {ONE: b"", TWO: b""}
    first.published()
    transport, second = start(path)
    assert transport.retained == {ONE: b"", TWO: b""}, "one message is not sure enough"
    second.published()
    second.published()
    assert not path.exists()
    assert start(path)[0].retained == {}


def test_a_renamed_device_leaves_no_old_sensor_behind(tmp_path: Path) -> None:
    path = tmp_path / "announced.json"
    start(path, OLD)
    transport, announcing = start(path, ONE)
    assert transport.retained == {OLD: b"", ONE: b"{}"}
    announcing.published()
    announcing.published()
    assert AnnouncedTopics(path).read() == (ONE,)


def test_what_cannot_be_remembered_is_not_announced(tmp_path: Path) -> None:
    transport = ScriptedTransport()
    lost = AnnouncedTopics(tmp_path / "no-such-folder" / "announced.json")
    with pytest.raises(DiskError):
        Announcing(transport, lost, {ONE: b"{}"})
    assert transport.retained == {}


def test_a_changed_file_empties_no_topic_of_others(tmp_path: Path) -> None:
    path = tmp_path / "announced.json"
    for text in ('["bodycam/spd/cam-7/state", "homeassistant/#"]', "{", '{"a": 1}', "[1]"):
        path.write_text(text)
        path.chmod(0o600)
        assert start(path)[0].retained == {}
