"""Authorisations at the hub: made, confirmed, revoked; what is published is their register."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from agent.adapters.signing import KeySigner, signed
from agent.errors import MissingFileError, RefusedError, UsageError
from agent.hub.hub import Hub
from agent.hub.policies import in_force
from agent.hub.typed import checked
from agent.messages import iso_utc
from agent.messages.authorisation import (
    Authorisation,
    AuthorisedBy,
    Revocation,
    authorisation_target,
    revocation_target,
    wall_of,
)
from agent.policy import Policy
from agent.policy.grants import check_grant, grant_of
from agent.values import Wall

_Document = TypeVar("_Document", Authorisation, Revocation)
ROLE: Final = "authorisations"
_UNSIGNED: Final = {"signer": "0" * 32, "signature": "A" * 86 + "=="}
_SOMEBODY: Final = {"role": "somebody", "reference": "x"}
_DAY_S: Final = 86_400.0
_KEEP_ENDED_S: Final = 7 * _DAY_S
_KEEP_REVOKED_S: Final = 400 * _DAY_S
"""Long enough for a camera that lay in a drawer to hear of it."""


@dataclass(frozen=True, slots=True)
class Register:
    """What is published.

    Attributes:
        valid: by id, those that are over for a while included.
        revoked: by id.
    """

    valid: dict[str, Authorisation]
    revoked: dict[str, Revocation]


def register_of(hub: Hub) -> Register:
    """Read back from the public folder.

    Raises:
        MissingFileError, DataError: it is not what it should be.
    """
    valid: dict[str, Authorisation] = {}
    ended: dict[str, Revocation] = {}
    for path in hub.repository.targets(ROLE):
        data = hub.repository.read_target(path)
        if path.startswith(authorisation_target("").removesuffix(".json")):
            one = Authorisation.model_validate_json(data)
            valid[one.id] = one
        else:
            end = Revocation.model_validate_json(data)
            ended[end.authorisation] = end
    return Register(valid, ended)


def create(hub: Hub, values: Mapping[str, Any], *, now: float) -> Authorisation:
    """Sign and publish a new one.

    Args:
        hub: open.
        values: `id`, `type`, `scope`, `authorised_by`, `urgent` of `Authorisation`.
        now: wall seconds.

    Raises:
        UsageError: a value is not what it must be, or the id was used.
        RefusedError: the policy does not allow it, or it is for no camera that is known.
        BodycamError: as `Repository.publish`.
        Each tells everything that is wrong, one a line.
    """
    register = register_of(hub)
    problems: list[UsageError | RefusedError] = []
    by = values["authorised_by"]
    with _noted(problems):
        checked(AuthorisedBy, by)
    fixed = {"agency": hub.agency, "version": 1, "confirmed": False, "issued": iso_utc(now)}
    rest = {**values, **fixed, **_UNSIGNED, "authorised_by": _SOMEBODY if problems else by}
    document: Authorisation | None = None
    with _noted(problems):
        document = checked(Authorisation, rest)
    with _noted(problems):
        _require_known(hub, values["scope"]["devices"])
    if document is not None:
        with _noted(problems):
            _require_unused(register, document.id)
        with _noted(problems):
            _check(document, in_force(hub), now)
    if document is None or problems:
        raise type(problems[0])("\n".join(map(str, problems)))
    return _publish(hub, register, document, now)


@contextlib.contextmanager
def _noted(problems: list[UsageError | RefusedError]) -> Iterator[None]:
    """What is wrong is told together with the rest."""
    try:
        yield
    except (UsageError, RefusedError) as error:
        problems.append(error)


def _require_unused(register: Register, name: str) -> None:
    if name in register.valid or name in register.revoked:
        raise UsageError(f"authorisation {name}: there is one of this id already")


def confirm(hub: Hub, name: str, *, now: float) -> Authorisation:
    """Somebody who may looked at an urgent one again: its 24 hours fall away.

    Raises:
        UsageError: it is not urgent, or confirmed already.
        MissingFileError: there is none of this id.
        RefusedError: it was revoked, is over, or the policy does not allow it.
    """
    register = register_of(hub)
    before = find(register, name)
    if not before.urgent or before.confirmed:
        raise UsageError(f"authorisation {name}: is not urgent, or confirmed already")
    if now >= (grant_of(before).ends or 0.0):
        raise RefusedError(f"authorisation {name}: is over; make a new one")
    after = before.model_copy(update={"version": before.version + 1, "confirmed": True})
    _check(after, in_force(hub), now)
    return _publish(hub, register, after, now)


def revocation(hub: Hub, register: Register, name: str, reason: str, *, now: float) -> Revocation:
    """Sign the end of an authorisation, for good; also of an id that stands in entries of lists
    alone. One that is published already is given back as it is.

    Raises:
        UsageError: a value is not what it must be.
        BodycamError: as `KeyRing.private`.
    """
    if name in register.revoked:
        return register.revoked[name]
    said = {"agency": hub.agency, "authorisation": name, "reason": reason, "at": iso_utc(now)}
    return _signed(hub, checked(Revocation, {**said, **_UNSIGNED}))


def publish_end(hub: Hub, register: Register, end: Revocation, *, now: float) -> None:
    """Put a revocation where cameras see it.

    Raises:
        BodycamError: as `Repository.publish`.
    """
    name = end.authorisation
    if name in register.revoked:
        return
    hub.repository.remove(ROLE, [authorisation_target(name)])
    hub.repository.stage(ROLE, {revocation_target(name): published_bytes(end)})
    _drop_old(hub, register, now)
    hub.repository.publish(now)


def find(register: Register, name: str) -> Authorisation:
    """By id.

    Raises:
        MissingFileError: there is none.
        RefusedError: it was revoked.
    """
    if name in register.revoked:
        raise RefusedError(f"authorisation {name}: was revoked")
    if name not in register.valid:
        raise MissingFileError(f"no authorisation {name} (see `bodycam-hub authorise list`)")
    return register.valid[name]


def _publish(hub: Hub, register: Register, document: Authorisation, now: float) -> Authorisation:
    made = _signed(hub, document)
    hub.repository.stage(ROLE, {authorisation_target(made.id): published_bytes(made)})
    _drop_old(hub, register, now)
    hub.repository.publish(now)
    return made


def _check(document: Authorisation, policy: Policy, now: float) -> None:
    """As every camera will, so that nobody finds out in the street."""
    if not policy.signed:
        raise RefusedError(
            "no policy is published: cameras would take no authorisation; "
            "`bodycam-hub policy publish` comes first"
        )
    grant = grant_of(document)
    begin = Wall(max(now, grant.not_before))
    check_grant(grant, policy, device=document.scope.devices[0], now=begin)


def _require_known(hub: Hub, devices: Sequence[str]) -> None:
    known = {one.name for one in hub.devices.every()}
    strange = [one for one in devices if one not in known]
    if strange:
        raise RefusedError(f"no such camera: {', '.join(strange)} (see `bodycam-hub devices list`)")


def _drop_old(hub: Hub, register: Register, now: float) -> None:
    over = [
        authorisation_target(name)
        for name, one in register.valid.items()
        if (grant_of(one).ends or 0.0) < now - _KEEP_ENDED_S
    ]
    over += [
        revocation_target(name)
        for name, end in register.revoked.items()
        if wall_of(end.at) < now - _KEEP_REVOKED_S
    ]
    hub.repository.remove(ROLE, over)


def _signed(hub: Hub, document: _Document) -> _Document:
    keys, threshold = hub.repository.load().keys[ROLE]
    if threshold != 1:
        raise RefusedError(
            f"the role {ROLE} needs {threshold} signatures, and an authorisation carries one; "
            f"`bodycam-hub keys rotate {ROLE} --threshold 1`"
        )
    signer = KeySigner(hub.ring.private(ROLE, keys))
    tree = signed(document.model_dump(mode="json"), signer)
    return type(document).model_validate_json(json.dumps(tree))


def published_bytes(document: BaseModel) -> bytes:
    """The file that cameras fetch."""
    return document.model_dump_json(indent=1).encode() + b"\n"
