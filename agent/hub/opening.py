"""Whether a message is what a camera of this agency said: bytes in, a judgement out.

Nothing is believed before the signature holds, with the key that the register has for the name in
the topic. The topic, the event and the register must agree on agency and device. Nothing here
writes or waits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import ValidationError

from agent.adapters.checkpoint_events import check_checkpoint
from agent.adapters.sealed_events import check_event, open_event, parsed
from agent.adapters.sealing import key_id
from agent.errors import DataError, RefusedError
from agent.hub.devices import Device
from agent.hub.event_values import (
    CheckpointHeard,
    HealthHeard,
    Judgement,
    Opened,
    Refused,
    StateHeard,
    Why,
)
from agent.messages import StateMessage
from agent.messages.checkpoint import CHECKPOINT_TYPE
from agent.messages.health import HealthMessage
from agent.messages.signed import signable

KINDS: Final = ("match", "state", "health")
"""Last levels of the topics that the hub listens to."""
_MAX_STATE: Final = 8192
_MAX_HEALTH: Final = 16_384


class Register(Protocol):
    """Who is a camera of the agency; `agent.hub.devices.Devices` is one."""

    def find(self, name: str) -> Device | None: ...

    def was_removed(self, name: str) -> bool: ...


class Opener:
    """Judges messages.

    Args:
        prefix, agency: with which topics begin.
        register: of cameras, asked anew for every message.
        alerts_key: the private half of a key that events are sealed to.
    """

    def __init__(
        self,
        prefix: str,
        agency: str,
        register: Register,
        alerts_key: Callable[[bytes], X25519PrivateKey],
    ) -> None:
        self._begin = (prefix, agency)
        self._register = register
        self._alerts_key = alerts_key

    def judge(self, topic: str, payload: bytes) -> Judgement:
        """Errors of the hub's own key files pass through; those of the message do not."""
        levels = tuple(topic.split("/"))
        if len(levels) != len(self._begin) + 2 or levels[:2] != self._begin:
            return Refused(Why.TOPIC, "", "not a topic of this agency")
        name, kind = levels[2:]
        if kind not in KINDS:
            return Refused(Why.TOPIC, "", "not a topic that is listened to")
        device = self._register.find(name)
        if device is None and self._register.was_removed(name):
            return Refused(Why.REMOVED, name, "the camera was removed from the register")
        if device is None:
            return Refused(Why.UNKNOWN, "", "no camera of that name")
        if kind == "match":
            return self._event(device, payload)
        return _state(device, payload) if kind == "state" else _health(device, payload)

    def _event(self, device: Device, payload: bytes) -> Judgement:
        try:
            tree = parsed(payload)
            if tree.get("type") == CHECKPOINT_TYPE:
                event = check_checkpoint(tree, self._begin[1], device.name, device.sign_key)
                return CheckpointHeard(device, event)
            arrived = check_event(payload, self._begin[1], device.name, device.sign_key)
        except DataError as error:
            return Refused(Why.MALFORMED, device.name, str(error))
        except RefusedError as error:
            return Refused(Why.FORGED, device.name, str(error))
        sealed = arrived.event
        if sealed.data.key_id != key_id(device.alert_key):
            detail = f"event {sealed.id}: sealed to another key than the camera was given"
            return Refused(Why.OTHER_KEY, device.name, detail)
        key = self._alerts_key(device.alert_key)
        try:
            opened = open_event(arrived, key)
        except DataError as error:
            return Refused(Why.UNREADABLE, device.name, str(error))
        return Opened(device, opened, payload, content_digest(payload))


def content_digest(payload: bytes) -> bytes:
    """The same for an event sent live and sent historical: sha256 of all else that is signed."""
    tree = json.loads(payload)
    rest = {key: value for key, value in tree.items() if key != "historical"}
    return hashlib.sha256(signable(rest)).digest()


def _state(device: Device, payload: bytes) -> Judgement:
    try:
        if len(payload) <= _MAX_STATE:
            return StateHeard(device, StateMessage.model_validate_json(payload))
    except ValidationError:
        pass
    return Refused(Why.MALFORMED, device.name, "no state message")


def _health(device: Device, payload: bytes) -> Judgement:
    try:
        if len(payload) <= _MAX_HEALTH:
            return HealthHeard(device, HealthMessage.model_validate_json(payload))
    except ValidationError:
        pass
    return Refused(Why.MALFORMED, device.name, "no health message")
