"""The hub keeps what cameras sign about their logs, and finds a log that was put back."""

from __future__ import annotations

import json

import pytest

from agent.adapters.audit_log import AuditLog
from agent.adapters.checkpoint_events import trust_in
from agent.audit.checkpoint import Checkpoint, CheckpointKey
from agent.delivery.checkpoints import checkpoint_entry
from agent.delivery.sealing import sealed_payload
from agent.errors import DataError, UsageError
from agent.hub.event_values import Why
from tests.agent.hub.test_inbox import heard
from tests.support.auditing import key_of
from tests.support.field_cameras import FieldCamera, hub_station


@pytest.fixture
def seven(world):
    return FieldCamera(world, "CAM-7")


@pytest.fixture
def hub(world, seven):
    with hub_station(world) as station:
        yield station


@pytest.fixture
def log(world, tmp_path):
    return AuditLog(tmp_path / "audit", world.clock)


def key(camera: FieldCamera) -> CheckpointKey:
    return CheckpointKey("example-pd", camera.name, camera.keys.sign_key, camera.keys.sign)


def signed(log: AuditLog, camera: FieldCamera, records: int = 2) -> Checkpoint:
    for _ in range(records):
        log.append("disarm", reason="end of shift")
    made = log.checkpoint(key(camera))
    assert made is not None
    return made


def sent(made: Checkpoint, *, late: bool = False) -> bytes:
    return sealed_payload(checkpoint_entry(made), late)


@pytest.mark.parametrize("late", [False, True])
def test_a_checkpoint_is_kept_once_and_acknowledged_every_time(hub, seven, log, late) -> None:
    made = signed(log, seven)
    taken = hub.take(seven.message(sent(made)))
    assert [one.event.data.last for one in taken.anchors] == [1]
    assert (taken.stored, taken.refused, taken.anchors[0].fork) == ([], [], "")
    assert heard(seven, taken.answers) == [made.id]
    again = hub.take(seven.message(sent(made, late=late)))
    assert (again.anchors, again.again, heard(seven, again.answers)) == ([], 1, [made.id])
    assert hub.rows("SELECT count(*) FROM anchor") == [(1,)]
    assert hub.rows("SELECT count(*) FROM event") == [(0,)]


def test_checkpoints_and_alerts_come_in_one_batch(hub, seven, log) -> None:
    event, made = seven.event(), signed(log, seven)
    taken = hub.take(seven.message(sent(made)), seven.message(seven.sealed(event)))
    assert sorted(heard(seven, taken.answers)) == sorted([event.id, made.id])
    assert [one.event.id for one in taken.stored] == [event.id]
    assert (len(taken.anchors), [one.fork for one in taken.anchors]) == (1, [""])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tree: tree["data"] | {"last": 9}, Why.FORGED),
        (lambda tree: tree["data"] | {"hash": "0" * 64}, Why.FORGED),
        (lambda tree: tree["data"] | {"key": key_of(3).public.hex()}, Why.FORGED),
        (lambda tree: tree["data"] | {"first": 5}, Why.MALFORMED),
        (lambda tree: tree["data"] | {"subject": "S-1"}, Why.MALFORMED),
    ],
)
def test_what_the_camera_did_not_sign_is_no_anchor(hub, seven, log, change, why) -> None:
    tree = json.loads(sent(signed(log, seven)))
    tree["data"] = change(tree)
    taken = hub.take(seven.message(json.dumps(tree).encode()))
    assert ([one.why for one in taken.refused], taken.answers) == ([why], [])
    assert hub.rows("SELECT count(*) FROM anchor") == [(0,)]


def test_another_camera_cannot_anchor_in_its_place(hub, seven, world, log) -> None:
    eight = FieldCamera(world, "CAM-8")
    made = signed(log, eight)
    taken = hub.take(seven.message(sent(made)))
    assert [one.why for one in taken.refused] == [Why.FORGED]


def test_a_camera_whose_disk_was_put_back_is_found(hub, seven, world, log, tmp_path) -> None:
    """Its checkpoints have other numbers than those of the true log: stretches overlap."""
    image = AuditLog(tmp_path / "image", world.clock)
    for name in (log, image):
        name.append("start", session=1)
    hub.take(seven.message(sent(signed(log, seven, 4))))
    forked = signed(image, seven, 2)
    taken = hub.take(seven.message(sent(forked)))
    assert "its audit log is forked: records 0 to 2 were signed for before, as 0 to 4" in (
        taken.anchors[0].fork
    )
    assert heard(seven, taken.answers) == [forked.id]  # kept as the proof
    told = world("anchors", "CAM-7", "--json")
    assert (told.code, len(told.json["forks"])) == (65, 1)
    status = world("status", "--json")
    assert (status.code, status.json["forked"], status.json["problem"]) == (65, ["CAM-7"], None)
    assert "TWO LOGS: CAM-7" in world("status").out
    shown = world("audit", "show", "--json").json
    (fork,) = [one for one in shown if one["kind"] == "fork"]
    assert fork["fields"]["device"] == "CAM-7"


def test_two_hashes_for_one_record_are_a_fork(hub, seven, world, log, tmp_path) -> None:
    other = AuditLog(tmp_path / "other", world.clock)
    other.append("start", session=9)
    hub.take(seven.message(sent(signed(log, seven, 2))))
    assert hub.take(seven.message(sent(signed(other, seven, 1)))).anchors[0].fork


def test_a_lost_checkpoint_is_no_fork(hub, seven, log) -> None:
    signed(log, seven)  # superseded before it was sent
    assert hub.take(seven.message(sent(signed(log, seven)))).anchors[0].fork == ""


def test_anchors_check_the_log_they_were_made_of(hub, seven, world, log, tmp_path) -> None:
    for _ in range(3):
        hub.take(seven.message(sent(signed(log, seven))))
    out = tmp_path / "anchors.json"
    said = world("anchors", "CAM-7", "--out", out)
    assert said.code == 0
    assert f"CAM-7: 3 checkpoints, key {seven.keys.sign_key.hex()}" in said.out
    trust = trust_in(out.read_bytes())
    report = log.verify(trust)
    assert (report.intact, report.anchored, report.protected) == (True, 7, 7)
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:6]))  # a whole log, up to its second checkpoint
    assert log.verify().intact
    assert "its end was cut off" in log.verify(trust).problem


def test_anchors_outlive_a_purge_and_the_camera(hub, seven, world, log) -> None:
    hub.take(seven.message(sent(signed(log, seven))))
    world.clock.advance(1000.0)
    world("purge", "--older-than", "0")
    world("devices", "remove", "CAM-7")
    assert world("anchors", "CAM-7", "--json").json["anchors"] == 1
    with pytest.raises(UsageError, match="no such device"):
        world("anchors", "CAM-9")


def test_a_file_of_anchors_that_was_changed_is_refused(hub, seven, world, log, tmp_path) -> None:
    hub.take(seven.message(sent(signed(log, seven))))
    out = tmp_path / "anchors.json"
    world("anchors", "CAM-7", "--out", out)
    tree = json.loads(out.read_text())
    tree["anchors"][0]["data"]["last"] = 0
    with pytest.raises(DataError, match="not signed by CAM-7"):
        trust_in(json.dumps(tree).encode())
    with pytest.raises(DataError, match="no anchors of bodycam-hub"):
        trust_in(b"{}")
