"""Test alerts: like any alert on the way, like none to whoever reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agent.delivery import NoEvents, OpenEvents
from agent.errors import DiskError, MissingFileError, RefusedError
from agent.messages import MatchEvent
from agent.messages.control import ControlRequest
from agent.policy import FIELD_TEST
from agent.runtime.drill import Drill
from agent.values import Monotonic, Wall, WatchlistRef
from tests.support.agents import KeptLedger
from tests.support.alerts import CONTEXT, an_alert, ulid
from tests.support.delivery_rig import World

RAISE = ControlRequest(command="test-alert")


class Shift(World):
    """A delivery loop and the drill of a device."""

    def __init__(self, folder: Path, *, allowed: bool = True, locked: str = "") -> None:
        self.ledger = KeptLedger()
        super().__init__(folder, bounds=10, on_delivered=self.delivered)
        self._ids = 0
        self.list = WatchlistRef("L-1", 4)
        self.drill = Drill(
            self.outbox, NoEvents(locked) if locked else OpenEvents(CONTEXT), self.loop.notify,
            lambda: self.list, policy=lambda: replace(FIELD_TEST, test_alerts=allowed),
            confirm="broker", ledger=self.ledger,
            clock=self.clock, new_id=self.new_id,
        )  # fmt: skip

    def delivered(self, event: str, at: Monotonic) -> None:
        self.drill.delivered(event, at)

    def new_id(self, wall: Wall) -> str:
        self._ids += 1
        return ulid(500_000 + self._ids)

    def fate(self, event: str) -> dict[str, object]:
        return self.drill(ControlRequest(command="test-alert", event=event), 1000)


def test_there_and_back_like_any_alert(tmp_path: Path) -> None:
    shift = Shift(tmp_path)
    shift.transport.come_up()
    told = shift.drill(RAISE, 1000)
    event = told["event"]
    assert told == {"event": event, "confirmed": False, "by": "broker", "s": None}
    assert shift.ledger.records == [("test-alert", {"event": event, "uid": 1000})]
    shift.turn()
    ((sent, topic, payload),) = shift.transport.sent
    assert (sent, topic) == (event, "match")
    assert shift.fate(event)["confirmed"] is False
    shift.clock.advance(0.25)
    shift.transport.answer(event)
    shift.turn()
    assert shift.fate(event) == {"event": event, "confirmed": True, "by": "broker", "s": 0.25}
    assert shift.outbox.depth() == 0
    assert shift.loop.latencies_s() == [], "figures of real alerts stay theirs"

    alert = MatchEvent.model_validate(json.loads(payload))
    assert alert.type == "bodycam.test.v1"
    assert {alert.subject, alert.data.subject, alert.data.entry} == {"TEST"}
    assert alert.data.test
    assert alert.data.similarity < alert.data.threshold
    assert alert.data.watchlist.version == 4


def test_an_alert_about_a_person_goes_first(tmp_path: Path) -> None:
    shift = Shift(tmp_path)
    event = shift.drill(RAISE, 0)["event"]
    shift.raise_alert(1, priority=5)
    shift.transport.come_up()
    shift.turn()
    assert shift.transport.sent_ids == [ulid(1), event]


@pytest.mark.parametrize("shift_is", [{"allowed": False}, {"locked": "the store is locked"}])
def test_what_may_not_be_raised_is_refused_and_recorded(tmp_path: Path, shift_is: dict) -> None:
    shift = Shift(tmp_path, **shift_is)
    with pytest.raises(RefusedError, match=r"policy|locked"):
        shift.drill(RAISE, 1000)
    ((kind, fields),) = shift.ledger.records
    assert (kind, fields["what"], fields["uid"]) == ("refusal", "test-alert", 1000)
    assert shift.outbox.depth() == 0


def test_without_room_it_gives_way_and_says_so(tmp_path: Path) -> None:
    shift = Shift(tmp_path)
    for number in range(10):
        shift.raise_alert(number, priority=5)
    with pytest.raises(DiskError, match="no room"):
        shift.drill(RAISE, 0)
    assert shift.outbox.depth() == 10


def test_without_a_list_and_with_many_before_it(tmp_path: Path) -> None:
    shift = Shift(tmp_path)
    shift.list = WatchlistRef("", 0)
    first = shift.drill(RAISE, 0)["event"]
    for entry in shift.outbox.pending(9):
        assert json.loads(entry.payload)["data"]["watchlist"] == {"id": "none", "version": 0}
    for _ in range(16):
        shift.outbox.confirmed(*(entry.id for entry in shift.outbox.pending(9)))
        shift.drill(RAISE, 0)
    with pytest.raises(MissingFileError):
        shift.fate(first)


def test_a_person_cannot_be_made_to_look_like_a_test(tmp_path: Path) -> None:
    """Whatever is marked as one speaks of nobody, or it is not an event at all."""
    with pytest.raises(ValueError, match="speaks of nobody"):
        OpenEvents(CONTEXT).match(replace(an_alert(), drill=True))
