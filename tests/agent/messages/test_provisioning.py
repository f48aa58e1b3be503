from __future__ import annotations

import base64
import json

import pytest
from pydantic import ValidationError

from agent.messages.provisioning import (
    ProvisioningFile,
    ProvisioningRequest,
    UnlockRelease,
    UnlockRequest,
    authenticated,
    release_info,
    store_key_info,
)

KEY = base64.b64encode(bytes(range(32))).decode()
NAMES = {"agency": "city", "device": "cam-1"}
FILE = {
    **NAMES,
    "url": "https://lists.example/repository",
    "root": base64.b64encode(b"{}").decode(),
    "release_key": KEY,
    "alert_key": KEY,
    "ack_key": KEY,
    "token": KEY,
    "token_not_after": 1.8e9,
    "unlock": "hub",
}
REQUIRED = {name for name, field in ProvisioningFile.model_fields.items() if field.is_required()}
FILE |= dict.fromkeys(REQUIRED - FILE.keys(), KEY)
REQUEST = {
    **NAMES,
    "seal_key": KEY,
    "sign_key": KEY,
    "unlock": "hub",
    "store_key": KEY,
    "mac": "0" * 64,
}
ASK = {**NAMES, "ephemeral": KEY, "created": 1.8e9}
RELEASE = {**NAMES, "sealed": KEY}
EVERY = [
    (ProvisioningFile, FILE),
    (ProvisioningRequest, REQUEST),
    (UnlockRequest, ASK),
    (UnlockRelease, RELEASE),
]


@pytest.mark.parametrize(("kind", "fields"), EVERY)
def test_a_message_is_read_back_as_it_was_written(kind, fields):
    message = kind.model_validate(fields)
    assert kind.model_validate_json(message.model_dump_json()) == message


@pytest.mark.parametrize(("kind", "fields"), EVERY)
def test_every_field_is_needed_and_none_more(kind, fields):
    optional = {"store_key"}
    for name in fields.keys() - optional:
        with pytest.raises(ValidationError, match=name):
            kind.model_validate({key: value for key, value in fields.items() if key != name})
    with pytest.raises(ValidationError, match="extra"):
        kind.model_validate(fields | {"extra": 1})


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "ftp://lists.example"},
        {"url": "https://lists.example/\n"},
        {"url": "https://"},
        {"url": "https://" + "x" * 501},
        {"agency": "../city"},
        {"agency": ""},
        {"device": "cam/1"},
        {"device": ".hidden"},
        {"device": "x" * 65},
        {"release_key": base64.b64encode(bytes(31)).decode()},
        {"token": ""},
        {"token_not_after": float("nan")},
        {"token_not_after": -1},
        {"unlock": "nobody"},
        {"root": base64.b64encode(bytes((512 << 10) + 1)).decode()},
        {"format": "bodycam.provisioning.v2"},
    ],
)
def test_a_provisioning_file_that_cannot_be_is_refused(changes):
    with pytest.raises(ValidationError):
        ProvisioningFile.model_validate(FILE | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"seal_key": base64.b64encode(bytes(33)).decode()},
        {"store_key": base64.b64encode(bytes(257)).decode()},
        {"mac": "0" * 63},
        {"mac": "G" * 64},
    ],
)
def test_a_request_that_cannot_be_is_refused(changes):
    with pytest.raises(ValidationError):
        ProvisioningRequest.model_validate(REQUEST | changes)


def test_the_mac_covers_everything_but_itself():
    base = authenticated(ProvisioningRequest.model_validate(REQUEST))
    assert json.loads(base).keys() == REQUEST.keys() - {"mac"} | {"format"}
    other = base64.b64encode(bytes(32)).decode()
    for changes in (
        {"agency": "town"},
        {"device": "cam-2"},
        {"seal_key": other},
        {"sign_key": other},
        {"unlock": "device"},
        {"store_key": None},
    ):
        assert authenticated(ProvisioningRequest.model_validate(REQUEST | changes)) != base
    assert authenticated(ProvisioningRequest.model_validate(REQUEST | {"mac": "1" * 64})) == base


def test_what_a_secret_is_bound_to_tells_agencies_devices_and_requests_apart():
    bound = {
        store_key_info("city", "cam-1"),
        store_key_info("city", "cam-2"),
        store_key_info("town", "cam-1"),
        release_info("city", "cam-1", bytes(32)),
        release_info("city", "cam-1", bytes(31) + b"\1"),
        release_info("city", "cam-2", bytes(32)),
    }
    assert len(bound) == 6


def test_the_token_shows_in_no_repr():
    token = base64.b64encode(b"!" * 32).decode()
    shown = repr(ProvisioningFile.model_validate(FILE | {"token": token}))
    assert "cam-1" in shown
    assert "!!" not in shown
