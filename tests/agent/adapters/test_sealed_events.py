"""What the device seals, only its agency opens, and only as the device signed it."""

from __future__ import annotations

import contextlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.adapters.device_keys import DeviceKeys
from agent.adapters.sealed_events import check_event, open_event, seal_event
from agent.adapters.sealing import key_id
from agent.adapters.signing import KeySigner, is_signed, signed
from agent.delivery import encode, match_event
from agent.delivery.gaps import gap_event
from agent.delivery.sealing import sealed_payload
from agent.errors import DataError, RefusedError
from agent.messages import Evidence, MatchEvent
from agent.messages.signed import to_text
from agent.values import EntryRef, Gap, Loss, OutboxEntry, Wall
from tests.support.alerts import CONTEXT, an_alert, ulid

DEVICE = DeviceKeys(bytes(32), bytes(range(64)))
ALERTS = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = ALERTS.public_key().public_bytes_raw()
EVENT = match_event(an_alert(), CONTEXT)


def entry(event=EVENT) -> OutboxEntry:
    payload = seal_event(event, PUBLIC, DEVICE)
    return OutboxEntry(event.id, "match", payload, 0, Wall(0.0))


def arrived(payload: bytes):
    return check_event(payload, "spd", "cam-7", DEVICE.sign_key)


ENTRY = entry()
WIRE = json.loads(sealed_payload(ENTRY, historical=False))


@pytest.mark.parametrize("historical", [False, True])
def test_the_agency_gets_the_event_as_it_was_raised_and_whether_it_is_old(historical):
    event = open_event(arrived(sealed_payload(ENTRY, historical)), ALERTS)
    assert isinstance(event, MatchEvent)
    assert event.data.historical is historical
    tree = event.model_dump()
    tree["data"]["historical"] = False
    assert tree == EVENT.model_dump()


def test_an_update_names_the_first_event():
    event = match_event(an_alert(2, match=ulid(1)), CONTEXT)
    assert open_event(arrived(sealed_payload(entry(event), False)), ALERTS) == event


def test_a_gap_is_sealed_too():
    gap = Gap(Wall(1.0), Wall(2.0), {Loss.EXPIRED: 3})
    event = gap_event(gap, CONTEXT, event_id=ulid(5), test=True, now=Wall(3.0))
    for historical in (False, True):
        assert open_event(arrived(sealed_payload(entry(event), historical)), ALERTS) == event


def test_neither_what_is_sent_nor_what_lies_on_disk_says_who_it_was():
    assert "subject" not in WIRE
    for payload in (ENTRY.payload, sealed_payload(ENTRY, False), sealed_payload(ENTRY, True)):
        for word in (b"e-17", b"s-9", b"auth-3", b"0.64", EVENT.data.activation.encode()):
            assert word not in payload
    assert b"e-17" in encode(EVENT)  # the search finds it where it is


def test_the_size_does_not_tell_one_subject_from_another():
    sizes = {
        len(
            entry(
                match_event(an_alert(ref=EntryRef("e" * n, "s" * n, "a" * n, 0)), CONTEXT)
            ).payload
        )
        for n in (1, 5, 20)
    }
    assert len(sizes) == 1


def test_an_event_with_the_largest_evidence_may_be_sent():
    data = EVENT.data.model_copy(update={"evidence": Evidence(data=to_text(bytes(40_000)))})
    event = EVENT.model_copy(update={"data": data})
    sent = sealed_payload(entry(event), historical=True)
    assert len(sent) < 100_000
    assert open_event(arrived(sent), ALERTS).data.evidence == data.evidence


def test_an_event_that_is_not_sealed_is_never_sent_by_a_device_that_seals():
    with pytest.raises(ValueError, match="not sealed"):
        sealed_payload(OutboxEntry("x", "match", encode(EVENT), 0, Wall(0.0)), historical=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("historical", True),
        ("time", "2027-01-15T08:00:02.751Z"),
        ("type", "bodycam.match.update.v1"),
        ("id", ulid(2)),
        ("data", {"key_id": "0" * 32, "sealed": WIRE["data"]["sealed"]}),
        ("signature", WIRE["signature"].swapcase()),
        ("signer", "0" * 32),
    ],
)
def test_a_changed_event_is_refused(field, value):
    with pytest.raises(RefusedError, match="not signed by cam-7"):
        arrived(json.dumps(WIRE | {field: value}).encode())


def test_an_event_of_another_device_or_agency_is_refused():
    payload = sealed_payload(ENTRY, historical=False)
    for agency, device in (("spd", "cam-8"), ("other", "cam-7")):
        with pytest.raises(RefusedError, match="not so its topic"):
            check_event(payload, agency, device, DEVICE.sign_key)
    with pytest.raises(RefusedError, match="not signed"):
        check_event(payload, "spd", "cam-7", DeviceKeys.new().sign_key)


def test_what_a_device_seals_cannot_be_passed_off_as_another_event():
    """A thief of the signing key alone cannot give a sealed event another id or type."""
    for field, value in (("id", ulid(7)), ("type", "bodycam.match.update.v1")):
        forged = signed(WIRE | {field: value}, DEVICE)
        with pytest.raises(DataError):
            open_event(arrived(json.dumps(forged).encode()), ALERTS)


def test_another_agency_cannot_open_it():
    with pytest.raises(DataError, match="not sealed to this key"):
        open_event(arrived(sealed_payload(ENTRY, False)), X25519PrivateKey.generate())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"1" * 100_001,
        b'{"signature":1}',
        b'{"\\n\\u001b[2J":1}',
        b"\xff",
    ],
)
def test_what_is_no_event_is_refused_in_one_line(payload):
    with pytest.raises(DataError, match=r"^[^\n]{5,200}$"):
        arrived(payload)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(st.integers(0, len(sealed_payload(ENTRY, False)) - 1), st.integers(1, 255))
def test_no_flipped_byte_changes_what_arrives(place, flip):
    """Another spelling of the same event, as base64 and JSON allow some, may arrive."""
    whole = sealed_payload(ENTRY, historical=False)
    payload = bytearray(whole)
    payload[place] ^= flip
    with contextlib.suppress(DataError, RefusedError):
        got = arrived(bytes(payload)).event
        assert got.model_dump(exclude={"signature"}) == arrived(whole).event.model_dump(
            exclude={"signature"}
        )


def test_a_signature_names_its_key_and_covers_everything():
    signer = KeySigner(Ed25519PrivateKey.generate())
    message = signed({"a": 1, "b": [1, "ü"]}, signer)
    assert message["signer"] == key_id(signer.sign_key)
    assert is_signed(message, signer.sign_key)
    for changed in ({"a": 2}, {"c": None}, {"signer": "x"}, {"signature": None}):
        assert not is_signed(message | changed, signer.sign_key)
    assert not is_signed(message, DEVICE.sign_key)
    assert not is_signed({"a": 1}, signer.sign_key)
