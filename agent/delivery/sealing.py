"""Sealed events as they lie in the outbox: finished twice, so that sending needs no key.

An event is sealed and signed when it is committed, while the keys are open; it is sent later,
perhaps after a restart and with the store locked, and perhaps as historical. So both signatures
are made at once and lie beside the one sealed event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from agent.delivery.events import MAX_BYTES, compact
from agent.values import OutboxEntry

_BLOCK: Final = 1024
"""What is sealed has a multiple of this length, bytes: its size says nothing about whom."""
_BEGINNING: Final = b'{"tag":'
_KEYS: Final = frozenset({"tag", "event", "late"})
_TAG: Final = 64
"""Characters of a tag."""


def padded(content: Mapping[str, Any]) -> bytes:
    """JSON to be sealed, with spaces behind it up to a round length."""
    text = compact(content)
    return text + b" " * (-len(text) % _BLOCK)


def tagged(tag: str) -> bytes:
    """What every stored event with this tag begins with, and no other."""
    return compact({"tag": tag})[:-1]


def armed_tagged(arm: str) -> tuple[bytes, int]:
    """What stands in every stored event with this second tag, and in no other, and where."""
    return compact({"arm": arm})[1:-1], len(tagged("0" * _TAG)) + 1


def is_sealed(entry: OutboxEntry) -> bool:
    """Whether an entry holds what `stored` made."""
    return entry.payload.startswith(_BEGINNING)


def stored(event: Mapping[str, Any], late_signature: str, tag: str, arm: str = "") -> bytes:
    """What is committed: the event as it is sent when new, and the signature of the other.

    Args:
        event: signed, `historical` false.
        late_signature: of the same event with `historical` true; empty for an event that does not
            say so, and stays as it is.
        tag: by which events of one authorisation are found again when it is revoked; a keyed
            hash of it, hexadecimal. Never sent.
        arm: the same for the authorisation that the device was armed under.

    Raises:
        ValueError: larger than 100 kB.
    """
    payload = compact({"tag": tag, "arm": arm, "event": event, "late": late_signature})
    if len(payload) > MAX_BYTES:
        raise ValueError(f"event: {len(payload)} bytes, at most {MAX_BYTES} may be sent")
    return payload


def sealed_payload(entry: OutboxEntry, historical: bool) -> bytes:
    """What goes out for an entry of a device that seals its events.

    Raises:
        ValueError: it is not sealed: it was raised before the device had an agency, and is not
            sent in clear now.
    """
    tree = json.loads(entry.payload)
    if not isinstance(tree, dict) or tree.keys() - {"arm"} != _KEYS:
        raise ValueError("it is not sealed: raised before this device was provisioned")
    event = tree["event"]
    if historical and tree["late"]:
        event = event | {"historical": True, "signature": tree["late"]}
    return compact(event)
