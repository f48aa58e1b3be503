"""Sends a command over the broker, to the session that the camera's retained state tells of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from agent.adapters.mqtt_rules import MqttSettings
from agent.errors import UnavailableError
from agent.hub.broker_memory import BrokerMemory
from agent.hub.link import HubLink, Links
from agent.messages import Command, StateMessage
from agent.ports import Clock

_STATE_S: Final = 5.0
_TAKEN_S: Final = 10.0
_TURN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class CameraLine:
    """A connection for one command to one camera.

    Attributes:
        link: connected, subscribed to the camera's state.
        topics: `{prefix}/{agency}/{device}`.
        clock: bounds waits.
    """

    link: HubLink
    topics: str
    clock: Clock

    def session(self) -> int:
        """Of the camera, as its retained state says.

        Raises:
            UnavailableError: there is no state, or it says that the camera is offline.
        """
        deadline = self.clock.monotonic() + _STATE_S
        while self.clock.monotonic() < deadline:
            for one in self.link.take(_TURN_S):
                self.link.done([one])
                state = _state(one.payload)
                if state is not None and not state.online:
                    raise UnavailableError(f"{self.topics}: the camera is offline")
                if state is not None:
                    return state.session
        raise UnavailableError(f"{self.topics}/state: the broker knows no state of the camera")

    def send(self, command: Command) -> str:
        """The topic, once the broker has taken the command.

        Raises:
            UnavailableError: it has not.
        """
        topic = f"{self.topics}/command"
        self.link.publish(topic, command.model_dump_json().encode())
        if not self.link.flush(_TAKEN_S):
            raise UnavailableError(f"{topic}: the broker did not take it; it may have been sent")
        return topic


@contextmanager
def camera_line(
    settings: MqttSettings, topics: str, clock: Clock, memory: BrokerMemory
) -> Iterator[CameraLine]:
    """Connect; nothing of it stays at the broker.

    Raises:
        LostError: the broker cannot be reached.
    """
    link = _links(settings, [f"{topics}/state"], clock, memory).connect()
    try:
        yield CameraLine(link, topics, clock)
        link.forget()
    finally:
        link.close()


@contextmanager
def open_line(
    settings: MqttSettings, clock: Clock, memory: BrokerMemory
) -> Iterator[Callable[[str, Command], None]]:
    """Connect, to send commands that need no session to many cameras at once. Yields what sends one
    to `{prefix}/{agency}/{device}`; at the end all of them are with the broker.

    Raises:
        LostError: the broker cannot be reached.
        UnavailableError: it has not taken all of them.
    """
    link = _links(settings, [], clock, memory).connect()
    try:
        yield lambda topics, command: link.publish(
            f"{topics}/command", command.model_dump_json().encode()
        )
        if not link.flush(_TAKEN_S):
            raise UnavailableError("the broker did not take it; it may have been sent")
    finally:
        link.close()


def _links(
    settings: MqttSettings, topics: Sequence[str], clock: Clock, memory: BrokerMemory
) -> Links:
    own = replace(settings, session_expiry_s=0)
    return Links(own, topics, clock, first=memory.version(), found=memory.note)


def _state(payload: bytes) -> StateMessage | None:
    try:
        return StateMessage.model_validate_json(payload)
    except ValidationError:
        return None
