"""A list that may not be used any more, and a store that is locked: nobody is matched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import RefusedError
from agent.runtime.orders import NewGallery, Withdraw
from tests.support.agents import MAN, Rig, gallery_of


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.outbox.close()


def withdraw(rig: Rig) -> None:
    rig.mailbox.post(Withdraw(gallery_of(), "the clock is wrong", 7))
    rig.loop.turn(0)


def test_a_withdrawn_list_disarms_and_says_why(rig: Rig) -> None:
    rig.arm()
    withdraw(rig)
    rig.show(MAN, 2.0)
    assert rig.outbox.depth() == 0
    assert rig.ledger.kinds() == ["arm", "disarm", "refusal"]
    condition = rig.board.condition
    assert (condition.armed, condition.state) == (False, "degraded")
    assert "the clock is wrong" in condition.reason


def test_there_is_no_arming_on_a_withdrawn_list(rig: Rig) -> None:
    withdraw(rig)
    order = rig.arm()
    with pytest.raises(RefusedError, match="the clock is wrong"):
        order.answer.wait(0)
    rig.show(MAN, 2.0)
    assert rig.outbox.depth() == 0


def test_with_the_next_list_it_can_be_armed_again(rig: Rig) -> None:
    withdraw(rig)
    rig.mailbox.post(NewGallery(gallery_of(MAN, version=2)))
    rig.loop.turn(0)
    assert rig.board.condition.state == "disarmed"
    rig.arm().answer.wait(0)
    rig.show(MAN, 2.0)
    assert rig.outbox.depth() >= 1


def test_there_is_no_arming_with_a_locked_store(rig: Rig) -> None:
    rig.board.locked("the store is locked: ctl unlock")
    order = rig.arm()
    with pytest.raises(RefusedError, match="ctl unlock"):
        order.answer.wait(0)
    assert rig.board.condition.state == "locked"
    rig.board.locked("")
    rig.arm().answer.wait(0)
