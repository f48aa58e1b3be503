"""The control thread: answers the local socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from agent.errors import BodycamError, UsageError
from agent.messages.control import ControlReply, ControlRequest
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Arm, Disarm, Order

STAGE = "control"
_ACCEPT_S = 0.2
_ANSWER_S = 4.0


class ControlPort(Protocol):
    """The socket, as the loop sees it."""

    def serve(
        self, handler: Callable[[ControlRequest, int], ControlReply], timeout_s: float
    ) -> None: ...


class ControlLoop:
    """Turns requests into orders for the pipeline, and answers questions itself.

    Args:
        port: the open socket.
        mailbox: of the pipeline.
        status, report: give the data of the two questions.
        heartbeats: told that this stage lives.
        unlock: carries out `unlock` for the user with this uid; gives the answer's data.
        sync: begins a look for a newer list, soon.
        unpark: has refused events sent again.
        drill: carries out `test-alert`, as `unlock`.
        policy: gives the signed text in force.
    """

    def __init__(
        self,
        port: ControlPort,
        mailbox: Mailbox[Order],
        status: Callable[[], dict[str, Any]],
        report: Callable[[], dict[str, Any]],
        heartbeats: Heartbeats,
        *,
        unlock: Callable[[ControlRequest, int], dict[str, Any]],
        sync: Callable[[], None],
        unpark: Callable[[], object],
        drill: Callable[[ControlRequest, int], dict[str, Any]],
        policy: Callable[[], str],
    ) -> None:
        self._port = port
        self._mailbox = mailbox
        self._status = status
        self._report = report
        self._unlock = unlock
        self._sync = sync
        self._unpark = unpark
        self._drill = drill
        self._policy = policy
        self._heartbeats = heartbeats
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            self._heartbeats.beat(STAGE)
            self._port.serve(self.handle, _ACCEPT_S)
        self._heartbeats.done(STAGE)

    def handle(self, request: ControlRequest, uid: int) -> ControlReply:
        """Carry out one request of the user `uid`."""
        try:
            if request.command == "report":
                return ControlReply(ok=True, data=self._report())
            if request.command == "policy":
                return ControlReply(ok=True, data={"policy": self._policy()})
            if request.command == "unlock":
                return ControlReply(ok=True, data=self._unlock(request, uid))
            if request.command == "test-alert":
                return ControlReply(ok=True, data=self._drill(request, uid))
            if request.command == "sync":
                self._sync()
            elif request.command == "unpark":
                self._unpark()
            elif request.command == "arm":
                self._arm(request, uid)
            elif request.command == "disarm":
                order = Disarm(request.reason or "operator", uid)
                self._mailbox.post(order)
                order.answer.wait(_ANSWER_S)
        except BodycamError as error:
            return ControlReply(ok=False, error=str(error)[:500], code=int(error.exit_code))
        return ControlReply(ok=True, data=self._status())

    def _arm(self, request: ControlRequest, uid: int) -> None:
        if not request.reason or not request.authorisation:
            raise UsageError("arm: needs a reason and an authorisation")
        order = Arm(request.reason, request.authorisation, uid)
        self._mailbox.post(order)
        order.answer.wait(_ANSWER_S)
