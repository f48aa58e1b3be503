"""Messages that reach the device or its hub: as they are, changed on their way, and signed as they
were changed, as by somebody who has the key and writes nonsense.
"""

from __future__ import annotations

import json

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_events import check_event, open_event, seal_event
from agent.adapters.signing import KeySigner, signed, verify
from agent.delivery import match_event
from agent.delivery.inbound import CommandGate, Present, Refused, read_ack
from agent.delivery.sealing import sealed_payload
from agent.errors import DataError, RefusedError
from agent.values import OutboxEntry, Wall
from tests.fuzz.mutate import twist
from tests.fuzz.watch import Subject
from tests.support.alerts import CONTEXT, an_alert
from tests.support.provisioning import AGENCY_KEYS
from tests.support.wire import ARM, HUB, HUBS, OFFICE, TRUST, WHO, a_command, an_ack

_DEVICE = DeviceKeys(bytes(32), bytes(range(64)))
_NOW = Present(session=4, now=Wall(1000.0), remote_arm=True)


def wire_subjects() -> tuple[Subject, ...]:
    """Acknowledgements, commands and sealed events."""
    commands = (a_command(), a_command(2, "arm", session=4, arguments=ARM))
    return (
        Subject("acks", (an_ack(),), twist, _hear_ack, (RefusedError,)),
        Subject("commands", commands, twist, _hear_command, (RefusedError,)),
        Subject("sealed events", (_event(),), twist, _open, (DataError, RefusedError)),
    )


def _hear_ack(data: bytes) -> None:
    read_ack(data, WHO, HUBS, verify)
    verdict = read_ack(_signed_again(data, HUB), WHO, HUBS, verify)
    if isinstance(verdict, Refused):
        raise RefusedError(verdict.why.value)
    if not verdict.ids:
        raise AssertionError("an acknowledgement of nothing")


def _hear_command(data: bytes) -> None:
    gate = CommandGate(WHO, 0, verify)
    gate.judge(data, TRUST, _NOW)
    again, gate = _signed_again(data, OFFICE), CommandGate(WHO, 0, verify)
    verdict = gate.judge(again, TRUST, _NOW)
    if gate.judge(again, TRUST, _NOW) == verdict and not isinstance(verdict, Refused):
        raise AssertionError("obeyed twice")
    if isinstance(verdict, Refused):
        raise RefusedError(verdict.why.value)


def _open(data: bytes) -> None:
    for payload in (_signed_again(data, _DEVICE), data):
        open_event(check_event(payload, "spd", "cam-7", _DEVICE.sign_key), AGENCY_KEYS.alerts)


def _signed_again(data: bytes, signer: KeySigner | DeviceKeys) -> bytes:
    """What is no JSON object, or holds what JSON cannot say, stays as it is."""
    try:
        tree = json.loads(data)
        return json.dumps(signed(tree, signer)).encode()
    except (ValueError, TypeError, RecursionError):
        return data


def _event() -> bytes:
    public = AGENCY_KEYS.alerts.public_key().public_bytes_raw()
    payload = seal_event(match_event(an_alert(), CONTEXT), public, _DEVICE)
    return sealed_payload(OutboxEntry("x", "match", payload, 0, Wall(0.0)), historical=False)
