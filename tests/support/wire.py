"""What a hub and an agency send to the device `cam-7`, and whom it believes."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.sealing import key_id
from agent.adapters.signing import KeySigner, signed
from agent.delivery.inbound import Addressee, CommandKeys
from tests.support.alerts import ulid

HUB = KeySigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OFFICE = KeySigner(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
THIEF = KeySigner(Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
WHO = Addressee("spd", "cam-7", "c" * 32)
HUBS = {key_id(HUB.sign_key): HUB.sign_key}
TRUST = CommandKeys({key_id(OFFICE.sign_key): OFFICE.sign_key}, not_after=9_000.0)
ARM = {"reason": "search for M.", "authorisation": "A-1"}


def an_ack(signer=HUB, **changes) -> bytes:
    message = {
        "format": "bodycam.ack.v1",
        "agency": "spd",
        "device": "cam-7",
        "ids": [ulid(1), ulid(2)],
        "time": "2027-01-15T08:00:02.750Z",
    }
    return json.dumps(signed(message | changes, signer)).encode()


def a_command(counter: int = 1, command: str = "disarm", signer=OFFICE, **changes) -> bytes:
    message = {
        "format": "bodycam.command.v1",
        "agency": "spd",
        "device": "cam-7",
        "device_key": "c" * 32,
        "counter": counter,
        "not_after": 1060,
        "session": None,
        "command": command,
        "arguments": {},
    }
    return json.dumps(signed(message | changes, signer)).encode()
