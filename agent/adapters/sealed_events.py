"""Events sealed by a device, and opened by its agency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import ValidationError

from agent.adapters.sealing import key_id, seal, unseal
from agent.adapters.signing import Signs, is_signed, signed
from agent.delivery.events import MAX_BYTES
from agent.delivery.sealing import padded, stored
from agent.errors import DataError, RefusedError
from agent.messages import GAP_TYPE, GapEvent, MatchEvent, SealedContent, SealedEvent
from agent.messages.sealed import SEALED_CONTENT, sealed_info
from agent.messages.signed import to_bytes, to_text

OpenEvent = MatchEvent | GapEvent
_OPEN_CONTENT: Final = "application/json"


def seal_event(
    event: OpenEvent, alert_key: bytes, signer: Signs, tag: str = "", arm: str = ""
) -> bytes:
    """What is committed to the outbox for an event, see `agent.delivery.sealing`.

    Args:
        event: in clear, `historical` false.
        alert_key: the agency's X25519 public key, 32 bytes.
        signer: the device.
        tag: see `agent.delivery.sealing.stored`.
        arm: likewise.

    Raises:
        ValueError: larger than 100 kB.
        RefusedError: the device's keys are locked.
        DataError: that is no X25519 public key.
    """
    tree = event.model_dump(mode="json", exclude={"data", "subject"})
    data = event.data.model_dump(mode="json")
    if "match" in data and data["match"] is None:
        del data["match"]
    content = padded({"subject": getattr(event, "subject", None), "data": data})
    _, agency, device = event.source.split("/")
    sealed = seal(alert_key, content, sealed_info(agency, device, event.id, event.type))
    tree["datacontenttype"] = SEALED_CONTENT
    tree["data"] = {"key_id": key_id(alert_key), "sealed": to_text(sealed)}
    live = signed(tree | {"historical": False}, signer)
    late = signed(tree | {"historical": True}, signer)
    return stored(live, late["signature"], tag, arm)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A sealed event of a device that is known; nothing of it is opened.

    Attributes:
        agency, device: whose it says it is, and whose signature it carries.
        event: as it arrived.
    """

    agency: str
    device: str
    event: SealedEvent


def check_event(payload: bytes, agency: str, device: str, sign_key: bytes) -> Arrived:
    """Whether an event is what this device signed, and nothing else.

    Args:
        payload: as it arrived.
        agency: of the topic it arrived on.
        device: of the topic, too.
        sign_key: the device's Ed25519 public key, 32 bytes.

    Raises:
        DataError: it is no sealed event.
        RefusedError: another device's, or changed on its way.
    """
    tree = parsed(payload)
    try:
        event = SealedEvent.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(ascii(part).strip("'") for part in first["loc"])[:80]
        raise DataError(f"no sealed event: {where}: {first['msg']}") from None
    if event.source != f"/{agency}/{device}":
        raise RefusedError(f"event {event.id}: says it is from {event.source}, not so its topic")
    if event.signer != key_id(sign_key) or not is_signed(tree, sign_key):
        raise RefusedError(f"event {event.id}: not signed by {device}, or changed on its way")
    return Arrived(agency, device, event)


def open_event(arrived: Arrived, alerts: X25519PrivateKey) -> OpenEvent:
    """What was sealed, as an open event; `data.historical` is what the device signed for.

    Args:
        arrived: checked.
        alerts: the private half of the key whose id is `arrived.event.data.key_id`.

    Raises:
        DataError: sealed to another key or for another event, or its content is no such event.
    """
    event = arrived.event
    info = sealed_info(arrived.agency, arrived.device, event.id, event.type)
    try:
        plain = unseal(alerts, to_bytes(event.data.sealed), info)
        content = SealedContent.model_validate_json(plain)
    except DataError:
        raise DataError(f"event {event.id}: not sealed to this key, or for this event") from None
    except ValueError:
        raise DataError(f"event {event.id}: what was sealed is no event") from None
    data: dict[str, Any] = dict(content.data)
    if "historical" in data:
        data["historical"] = event.historical
    tree = event.model_dump(exclude={"data", "historical", "signer", "signature"})
    tree |= {"datacontenttype": _OPEN_CONTENT, "data": data}
    try:
        if event.type == GAP_TYPE:
            return GapEvent.model_validate(tree)
        return MatchEvent.model_validate(tree | {"subject": content.subject})
    except ValidationError:
        raise DataError(f"event {event.id}: what was sealed is no such event") from None


def parsed(payload: bytes) -> dict[str, Any]:
    """The JSON object that arrived.

    Raises:
        DataError: it is none, or longer than an event may be.
    """
    if len(payload) > MAX_BYTES:
        raise DataError(f"{len(payload)} bytes: no event is longer than {MAX_BYTES}")
    try:
        tree = json.loads(payload)
    except (ValueError, RecursionError):
        raise DataError("no sealed event: not JSON") from None
    if not isinstance(tree, dict):
        raise DataError("no sealed event: not an object")
    return tree
