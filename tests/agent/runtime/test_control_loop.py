from __future__ import annotations

import threading

import pytest

from agent.errors import RefusedError
from agent.messages.control import ControlReply, ControlRequest
from agent.runtime.control_loop import ControlLoop
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Arm, Disarm, Order
from tests.support.clocks import FakeClock

ARM = ControlRequest(command="arm", reason="patrol", authorisation="TEST-1")


class SilentPort:
    def serve(self, handler: object, timeout_s: float) -> None:
        """Nobody asks."""


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.mailbox: Mailbox[Order] = Mailbox(live=True)
        self.beats = Heartbeats(self.clock, {"control": 5.0})
        self.unlocked: list[int] = []
        self.nudged: list[bool] = []
        self.unparked: list[bool] = []
        self.loop = ControlLoop(
            SilentPort(),
            self.mailbox,
            lambda: {"state": "armed"},
            lambda: {"fps": 9.5},
            self.beats,
            unlock=self.unlock,
            sync=lambda: self.nudged.append(True),
            unpark=lambda: self.unparked.append(True),
            drill=self.drill,
            policy=lambda: "name: strict",
        )

    def drill(self, request: ControlRequest, uid: int) -> dict[str, object]:
        if uid:
            raise RefusedError("the policy allows no test alerts")
        return {"event": request.event or "new", "confirmed": bool(request.event)}

    def unlock(self, request: ControlRequest, uid: int) -> dict[str, bool]:
        if request.passphrase != "open sesame":
            raise RefusedError("wrong passphrase")
        self.unlocked.append(uid)
        return {"unlocked": True}

    def ask(self, request: ControlRequest, error: RefusedError | None = None) -> ControlReply:
        """Ask while a pipeline answers the order."""
        self.orders: list[Order] = []

        def pipeline() -> None:
            for order in self.mailbox.take(5).messages:
                self.orders.append(order)
                if isinstance(order, Arm | Disarm):
                    order.answer.settle(error)

        thread = threading.Thread(target=pipeline)
        thread.start()
        reply = self.loop.handle(request, 1000)
        thread.join(10)
        return reply


def test_questions_are_answered_without_the_pipeline() -> None:
    rig = Rig()
    assert rig.loop.handle(ControlRequest(command="status"), 0).data == {"state": "armed"}
    assert rig.loop.handle(ControlRequest(command="report"), 0).data == {"fps": 9.5}
    assert rig.mailbox.take(0).messages == ()


def test_arming_is_an_order_that_names_who() -> None:
    rig = Rig()
    reply = rig.ask(ARM)
    assert reply.ok
    assert reply.data == {"state": "armed"}
    (order,) = rig.orders
    assert isinstance(order, Arm)
    assert (order.reason, order.authorisation, order.uid, order.resumes) == (
        "patrol", "TEST-1", 1000, "",
    )  # fmt: skip


def test_disarming_needs_no_reason() -> None:
    rig = Rig()
    assert rig.ask(ControlRequest(command="disarm")).ok
    (order,) = rig.orders
    assert isinstance(order, Disarm)
    assert (order.reason, order.uid) == ("operator", 1000)


def test_a_refusal_reaches_the_operator() -> None:
    reply = Rig().ask(ARM, RefusedError("the list is too long"))
    assert (reply.ok, reply.code, reply.error) == (False, 77, "the list is too long")


@pytest.mark.parametrize("missing", ["reason", "authorisation"])
def test_nobody_arms_without_reason_and_authorisation(missing: str) -> None:
    rig = Rig()
    reply = rig.loop.handle(ARM.model_copy(update={missing: ""}), 0)
    assert (reply.ok, reply.code) == (False, 64)
    assert rig.mailbox.take(0).messages == ()


def test_it_ends_when_told() -> None:
    rig = Rig()
    thread = threading.Thread(target=rig.loop.run)
    thread.start()
    rig.loop.stop()
    thread.join(5)
    assert not thread.is_alive()
    rig.clock.advance(100)
    assert rig.beats.late() == ()


def test_unlock_is_answered_for_the_user_who_asked() -> None:
    rig = Rig()
    reply = rig.loop.handle(ControlRequest(command="unlock", passphrase="open sesame"), 1000)
    assert reply.data == {"unlocked": True}
    assert rig.unlocked == [1000]


def test_a_wrong_passphrase_is_refused_and_never_repeated() -> None:
    request = ControlRequest(command="unlock", passphrase="open barley")
    reply = Rig().loop.handle(request, 1000)
    assert (reply.ok, reply.code) == (False, 77)
    assert "barley" not in repr(request) + repr(reply)


def test_sync_asks_for_a_look_and_answers_with_the_status():
    rig = Rig()
    reply = rig.loop.handle(ControlRequest(command="sync"), 1000)
    assert reply.data == {"state": "armed"}
    assert rig.nudged == [True]


def test_unpark_has_refused_events_sent_again_and_answers_with_the_status():
    rig = Rig()
    reply = rig.loop.handle(ControlRequest(command="unpark"), 1000)
    assert reply.data == {"state": "armed"}
    assert (rig.unparked, rig.nudged) == ([True], [])


def test_the_policy_in_force_is_told() -> None:
    reply = Rig().loop.handle(ControlRequest(command="policy"), 1000)
    assert reply.data == {"policy": "name: strict"}


def test_a_test_alert_is_raised_and_followed_without_the_pipeline() -> None:
    rig = Rig()
    raised = rig.loop.handle(ControlRequest(command="test-alert"), 0)
    assert raised.data == {"event": "new", "confirmed": False}
    asked = ControlRequest(command="test-alert", event="01K3GD4Z8AAAAAAAAAAAAAAAAA")
    assert rig.loop.handle(asked, 0).data["confirmed"] is True
    refused = rig.loop.handle(ControlRequest(command="test-alert"), 1000)
    assert (refused.ok, refused.code) == (False, 77)
