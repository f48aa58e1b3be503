"""What is ordered before the first frame."""

from __future__ import annotations

from agent.errors import RefusedError
from agent.runtime.agent import arm_first
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Arm, Order


class KeptMailbox(Mailbox[Order]):
    """Refuses at once, as a pipeline would."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(live=True)
        self._told = told

    def post(self, message: Order) -> None:
        self._told.append(type(message).__name__)
        assert isinstance(message, Arm)
        message.answer.settle(RefusedError("no"))


class Receiver:
    def __init__(self, told: list[str]) -> None:
        self._told = told

    def found(self, timeout_s: float) -> bool:
        self._told.append(f"waited up to {timeout_s:g} s for a position")
        return False


def arm() -> Arm:
    return Arm("patrol", "W-1", 1000, resumes="ACT-1")


def test_a_position_is_waited_for_before_a_use_is_resumed() -> None:
    told: list[str] = []
    arm_first([arm()], KeptMailbox(told), Receiver(told))
    assert told == ["waited up to 3 s for a position", "Arm"]


def test_nobody_waits_without_a_receiver_or_without_an_order() -> None:
    told: list[str] = []
    arm_first([arm()], KeptMailbox(told), None)
    arm_first([], KeptMailbox(told), Receiver(told))
    assert told == ["Arm"]
