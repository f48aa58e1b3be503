from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealing_writer import SealedEvents
from agent.errors import DiskError, RefusedError
from agent.policy import FIELD_TEST
from agent.runtime.orders import Arm, Disarm, NewGallery
from agent.values import Alert, Frame, Monotonic, OutboxEntry, Wall
from agent.values.activation import KeptActivation
from agent.values.place import Fix
from tests.support.agents import LIST_SHA256, MAN, NETWORKS, NOBODY, STRANGER, Rig, gallery_of
from tests.support.alerts import CONTEXT
from tests.support.portraits import portrait


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.outbox.close()


def test_disarmed_frames_are_let_go_unseen(rig: Rig) -> None:
    rig.show(MAN, 2.0)
    assert rig.loop.tally.dropped == 20
    assert rig.loop.tally.processed == 0
    assert rig.embedder.batches == []
    assert rig.outbox.depth() == 0


def test_the_listed_man_raises_one_alert_on_disk_told_and_audited(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 3.0)
    entries = rig.outbox.pending(10)
    firsts = [e for e in entries if json.loads(e.payload)["type"] == "bodycam.match.v1"]
    assert len(firsts) == 1
    event = json.loads(firsts[0].payload)
    assert event["data"]["entry"] == f"E-{MAN}"
    assert event["data"]["test"] is True
    assert rig.told == [entry.id for entry in entries]
    kind, fields = rig.ledger.records[1]
    assert kind == "alert"
    assert fields["event"] == firsts[0].id
    assert "entry" not in fields  # a stolen log tells nobody's id
    assert "match" not in fields
    rig.show(MAN, 30.0)
    updates = [fields for kind, fields in rig.ledger.records[2:] if kind == "alert"]
    assert {fields.get("match") for fields in updates} == {firsts[0].id}


def test_an_alert_says_where_the_camera_is_when_that_is_known(rig: Rig) -> None:
    rig.here = Fix(47.6, -122.3, 4.0, Wall(1_800_000_000.0), Monotonic(1000.0))
    rig.arm()
    rig.show(MAN, 1.5)
    rig.here = None
    rig.show(MAN, 30.0)
    told = [json.loads(entry.payload)["data"]["location"] for entry in rig.outbox.pending(10)]
    assert told[0]["lat"] == 47.6
    assert told[-1] is None


def test_a_frame_is_overwritten_once_it_was_looked_at_or_let_go(rig: Rig) -> None:
    shown = []
    for _ in range(2):  # disarmed, then armed
        frame = Frame(portrait(STRANGER), len(shown), Monotonic(1000.0), Wall(1_800_000_000.0))
        shown.append(frame.image)
        rig.mailbox.put(frame)
        rig.loop.turn(0)
        rig.arm()
    assert not any(image.any() for image in shown)


def test_a_stranger_leaves_nothing(rig: Rig) -> None:
    rig.arm()
    rig.show(STRANGER, 3.0)
    assert rig.loop.tally.searches > 0
    assert rig.outbox.depth() == 0
    assert rig.ledger.kinds() == ["arm"]


def test_arming_is_audited_with_who_and_why_before_anybody_is_looked_at(rig: Rig) -> None:
    rig.arm().answer.wait(0)
    kind, fields = rig.ledger.records[0]
    assert kind == "arm"
    assert fields | {"activation": ""} == {
        "activation": "", "authorisation": "TEST-1", "reason": "patrol", "uid": 1000,
        "list": "local-1", "version": 1, "sha256": LIST_SHA256, "policy": FIELD_TEST.sha256(),
        **NETWORKS,
    }  # fmt: skip
    assert rig.loop.armed
    assert rig.board.condition.state == "armed"
    assert rig.loop.tally.threshold == pytest.approx(0.40, abs=0.03)


def test_disarming_stops_at_once_and_is_audited(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 0.2)
    order = Disarm("end of shift", 1000)
    rig.mailbox.post(order)
    rig.show(MAN, 3.0)
    order.answer.wait(0)
    assert rig.loop.tally.processed == 2
    assert rig.outbox.depth() == 0
    assert rig.ledger.records[-1][0] == "disarm"
    assert rig.ledger.records[-1][1]["reason"] == "end of shift"
    assert rig.board.condition.state == "disarmed"
    assert rig.kept.load() is None
    assert rig.loop.tally.armed_s == pytest.approx(0.2)


def test_an_entry_added_while_running_is_found_and_one_removed_is_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, gallery_of(STRANGER))
    rig.arm()
    rig.show(MAN, 1.5)
    assert rig.outbox.depth() == 0
    rig.mailbox.post(NewGallery(gallery_of(MAN, version=2)))
    rig.show(MAN, 1.5)
    assert rig.outbox.depth() >= 1
    told = {"list": "local-1", "version": 2, "templates": 1, "subjects": 1}
    assert ("list", told | {"sha256": LIST_SHA256}) in rig.ledger.records
    before = rig.outbox.depth()
    rig.mailbox.post(NewGallery(gallery_of(version=3)))
    rig.show(NOBODY, 4.0)
    rig.show(MAN, 3.0)
    assert rig.outbox.depth() == before
    rig.outbox.close()


def test_another_way_to_search_the_same_list_is_no_news(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 2.0)
    kinds, events = rig.ledger.kinds(), rig.outbox.depth()
    other = gallery_of(MAN)
    rig.mailbox.post(NewGallery(other, same_list=True))
    rig.show(MAN, 0.3)
    assert rig.loop.gallery is other
    assert (rig.ledger.kinds(), rig.outbox.depth()) == (kinds, events)
    rig.show(NOBODY, 70.0)
    rig.show(MAN, 2.0)
    assert len(firsts(rig)) == 2


def test_a_second_alert_waits_for_the_cool_down(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 2.0)
    rig.show(NOBODY, 5.0)
    rig.show(MAN, 2.0)
    assert len(firsts(rig)) == 1
    rig.show(NOBODY, 60.0)
    rig.show(MAN, 2.0)
    assert len(firsts(rig)) == 2


def test_a_crash_does_not_report_the_same_man_under_a_second_id(tmp_path: Path) -> None:
    before = Rig(tmp_path)
    before.arm()
    before.show(MAN, 2.0)
    before.outbox.close()  # and here the process is killed
    after = Rig(tmp_path)
    after.clock.advance(10.0)
    cut = after.arming.interrupted()
    assert cut is not None
    assert (cut.reason, cut.authorisation, cut.uid) == ("patrol", "TEST-1", 1000)
    after.arm(resumes=cut.id)
    after.show(MAN, 2.0)
    assert len(firsts(after)) == 1
    assert after.ledger.kinds()[:2] == ["gap", "arm"]
    assert after.ledger.records[1][1]["activation"] == cut.id
    after.outbox.close()


@pytest.mark.parametrize("why", ["too long ago", "another boot", "disarmed", "torn file"])
def test_what_is_not_resumed(tmp_path: Path, why: str) -> None:
    before = Rig(tmp_path)
    before.arm()
    if why == "disarmed":
        before.mailbox.post(Disarm("operator", 7))
        before.loop.turn(0)
    before.outbox.close()
    after = Rig(tmp_path)
    if why == "too long ago":
        after.clock.advance(61.0)
    if why == "another boot":
        after.kept.boot = "another"
    if why == "torn file":
        (tmp_path / "activation.json").write_text('{"id": "01')
    assert after.arming.interrupted() is None
    after.outbox.close()


def test_signs_of_life_keep_a_long_activation_resumable(rig: Rig) -> None:
    rig.arm()
    rig.show(NOBODY, 300.0, step_s=1.0)
    rig.clock.advance(50.0)
    assert rig.arming.interrupted() is not None


def test_a_sign_of_life_that_finds_no_room_ends_nothing(rig: Rig) -> None:
    rig.arm()

    def full(kept: KeptActivation) -> None:
        raise DiskError("activation.json: no space left on device")

    rig.kept.save = full
    rig.show(MAN, 5.0)
    assert rig.loop.armed
    assert rig.outbox.depth() > 0


def test_the_end_disarms_and_forgets(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 1.0)
    rig.mailbox.end()
    rig.loop.run()
    assert not rig.loop.armed
    assert rig.ledger.records[-1] == (
        "disarm", rig.ledger.records[-1][1] | {"reason": "end of file", "uid": 7},
    )  # fmt: skip
    assert rig.kept.load() is None


def test_people_are_forgotten_even_when_no_frame_comes(rig: Rig) -> None:
    rig.arm()
    rig.show(STRANGER, 1.0)
    assert len(rig.loop._pipeline._memory._of) == 1
    rig.clock.advance(11.0)
    rig.loop.turn(0)
    assert len(rig.loop._pipeline._memory._of) == 0


def test_a_list_that_the_policy_forbids_disarms_and_is_audited(rig: Rig) -> None:
    rig.arm()

    class Endless:
        ref = gallery_of(MAN).ref
        subjects = templates = 2_000_000

    rig.mailbox.post(NewGallery(Endless()))  # type: ignore[arg-type]
    rig.loop.turn(0)
    assert not rig.loop.armed
    assert rig.ledger.kinds() == ["arm", "refusal", "disarm", "list"]
    order = rig.arm()
    with pytest.raises(RefusedError, match="2000000 templates"):
        order.answer.wait(0)
    assert not rig.loop.armed
    assert rig.ledger.kinds()[-1] == "refusal"
    assert rig.kept.load() is None


def test_an_alert_that_cannot_be_written_ends_the_run_untold(tmp_path: Path) -> None:
    class FullDisk:
        def put(self, entry: OutboxEntry, **_marks: object) -> None:
            raise DiskError("no space left")

    rig = Rig(tmp_path)
    rig.arm()
    object.__setattr__(rig.loop._around, "outbox", FullDisk())
    with pytest.raises(DiskError):
        rig.show(MAN, 3.0)
    assert rig.told == []
    assert "alert" not in rig.ledger.kinds()
    rig.outbox.close()


def test_an_order_is_answered_even_when_it_fails(rig: Rig) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskError("no space left")

    rig.ledger.append = full  # type: ignore[method-assign]
    order = Arm("patrol", "TEST-1", 1000)
    rig.mailbox.post(order)
    with pytest.raises(DiskError):
        rig.loop.turn(0)
    with pytest.raises(DiskError):
        order.answer.wait(0)
    assert not rig.loop.armed


def firsts(rig: Rig) -> list[str]:
    events = [json.loads(entry.payload) for entry in rig.outbox.pending(100)]
    return [event["id"] for event in events if event["type"] == "bodycam.match.v1"]


def test_a_picture_is_in_memory_until_the_alert_is_sealed_and_no_longer(tmp_path):
    keys = DeviceKeys.new()
    pictures: list[tuple[int, np.ndarray]] = []

    class Watched(SealedEvents):
        def match(self, alert: Alert) -> OutboxEntry:
            assert alert.evidence is not None
            pictures.append((int(alert.evidence.astype(int).sum()), alert.evidence))
            return SealedEvents.match(self, alert)

    rig = Rig(tmp_path, events=Watched(CONTEXT, keys.seal_key, lambda: keys))
    rig.arm()
    rig.show(MAN, 3.0)
    assert pictures
    assert all(before > 0 and not picture.any() for before, picture in pictures)
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"JFIF" not in files
    assert f"S-{MAN}".encode() not in files
    (mark,) = rig.outbox.cooldowns("")
    assert f"S-{MAN}" not in mark  # a hash that is written in letters, "S-" too at times
    assert all(b'"sealed"' in entry.payload for entry in rig.outbox.pending(9))
    rig.outbox.close()


def test_in_the_open_no_picture_is_made(tmp_path):
    rig = Rig(tmp_path)
    rig.arm()
    rig.show(MAN, 3.0)
    assert all(json.loads(e.payload)["data"]["evidence"] is None for e in rig.outbox.pending(9))
    assert rig.outbox.depth() > 0
    rig.outbox.close()


def test_a_use_ends_with_a_coarse_count_of_who_passed(rig: Rig) -> None:
    rig.arm()
    rig.loop.tally.subjects += 27
    rig.mailbox.post(Disarm("end of shift", 1000))
    rig.loop.turn(0)
    rig.arm()
    rig.mailbox.post(Disarm("end of shift", 1000))
    rig.loop.turn(0)
    ends = [fields["subjects"] for kind, fields in rig.ledger.records if kind == "disarm"]
    assert ends == [30, 0]


def test_whoever_is_in_sight_long_enough_is_counted_once(rig: Rig) -> None:
    rig.arm()
    rig.show(STRANGER, 4.0)
    assert rig.loop.tally.subjects == 1
