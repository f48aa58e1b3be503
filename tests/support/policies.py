"""Policies and authorisations for tests."""

from __future__ import annotations

import json
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.signing import KeySigner, signed
from agent.hub.policies import preset
from agent.messages import iso_utc
from agent.messages.authorisation import Authorisation
from agent.policy import Policy
from agent.policy.documents import read_policy
from agent.policy.grants import Grant, grant_of

NOW = 1_800_000_000.0
"""A Friday, 08:00 UTC."""
HOUR, DAY = 3600.0, 86_400.0
SIGNER = KeySigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ELSEWHERE = {"name": "market", "polygon": [[1, 1], [1, 2], [2, 2]]}
AROUND_ZERO = {"name": "market", "polygon": [[-0.01, -0.01], [-0.01, 0.01], [0.01, 0.0]]}


def policy_text(
    name: str = "strict",
    *,
    agency: str = "example-pd",
    version: int = 1,
    now: float = NOW,
    days: float = 30,
    **sections: Any,
) -> bytes:
    """A preset with changes: `matching={"min_shots": 2}`, `test=True`."""
    text = preset(name, agency=agency, version=version, days=days, now=now)
    if not sections:
        return text
    tree = yaml.safe_load(text)
    for key, value in sections.items():
        tree[key] = {**tree[key], **value} if isinstance(value, dict) else value
    return yaml.safe_dump(tree, sort_keys=False).encode()


def a_policy(name: str = "strict", **changes: Any) -> Policy:
    return read_policy(policy_text(name, **changes))


def authorisation_values(**changes: Any) -> dict[str, Any]:
    """As signed, without signature. Scope keys may be given directly."""
    now = changes.pop("now", NOW)
    scope = {
        "lists": ["local-1"],
        "devices": ["CAM-7"],
        "areas": [],
        "not_before": iso_utc(now - HOUR),
        "not_after": iso_utc(now + 8 * HOUR),
    }
    scope |= {key: changes.pop(key) for key in tuple(changes) if key in scope}
    return {
        "format": "bodycam.authorisation.v1",
        "agency": "example-pd",
        "id": "W-1",
        "version": 1,
        "type": "warrant",
        "scope": scope,
        "authorised_by": {"role": "magistrate", "reference": "2027/118"},
        "urgent": False,
        "confirmed": False,
        "issued": iso_utc(now - HOUR),
    } | changes


def an_authorisation(*, signer: KeySigner = SIGNER, **changes: Any) -> Authorisation:
    values = signed(authorisation_values(**changes), signer)
    return Authorisation.model_validate_json(json.dumps(values))


def a_grant(**changes: Any) -> Grant:
    return grant_of(an_authorisation(**changes))
