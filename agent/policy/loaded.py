"""The agency's rules as they were loaded onto one device, and what may follow them.

What holds: a policy is replaced by a newer one of the same agency only, and never by none; an
authorisation by a later version only; what is revoked stays revoked. So nothing that was recorded
on its way, or copied from a backup of the server, brings back what is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from agent.errors import DataError, RefusedError
from agent.messages.authorisation import Authorisation, Revocation
from agent.policy.documents import read_policy
from agent.policy.field_test import FIELD_TEST
from agent.policy.grants import grant_of
from agent.policy.rulebook import Rulebook

MAX_AUTHORISATIONS: Final = 200
"""For one device at a time; a signed listing of more is refused."""
MAX_REMEMBERED: Final = 5_000
"""Ids whose version or revocation is remembered; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Held:
    """An authorisation on this device.

    Attributes:
        document: as it was signed.
        listed: it came with a listing, and goes when a later one is without it; otherwise it came
            with a command, and no listing need have it yet.
    """

    document: Authorisation
    listed: bool


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one device knows of its agency's rules.

    Attributes:
        policy: text of the policy in force; None: there never was one.
        held: authorisations for this device, by id.
        revoked: ids, oldest first.
        versions: highest version seen of each id, oldest first.
        generation: grows with every change; the audit log has it, so that an older copy shows.
    """

    policy: bytes | None = None
    held: Mapping[str, Held] = field(default_factory=lambda: MappingProxyType({}))
    revoked: tuple[str, ...] = ()
    versions: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose rules these must be.

    Attributes:
        agency, device: names.
        key: id of the device's key: another one after it was provisioned anew.
    """

    agency: str
    device: str
    key: str = ""


def with_policy(loaded: Loaded, text: bytes | None, whose: Whose) -> Loaded:
    """After a look at what the agency publishes.

    Args:
        loaded: so far.
        text: of the policy; None: it publishes none.
        whose: this device.

    Raises:
        DataError: it is no policy.
        RefusedError: another agency's, or older than the one in force, or there is none any more.
    """
    if text == loaded.policy:
        return loaded
    before = None if loaded.policy is None else read_policy(loaded.policy)
    if text is None:
        raise RefusedError("policy: the agency publishes none any more; the one in force stays")
    after = read_policy(text)
    if after.agency != whose.agency:
        raise RefusedError(f"policy: is of {after.agency}, not of {whose.agency}")
    if before is not None and after.version <= before.version:
        raise RefusedError(
            f"policy: version {after.version} is not newer than {before.version}, in force here"
        )
    return replace(loaded, policy=text)


def with_listing(
    loaded: Loaded,
    authorisations: Iterable[Authorisation],
    revocations: Iterable[Revocation],
    whose: Whose,
) -> Loaded:
    """After a look at every authorisation and revocation that the agency publishes.

    An older version than was seen before is passed over: its later one may have come with a
    command, ahead of a slow mirror.

    Raises:
        RefusedError: more of them are for this device than it can hold.
        DataError: one is of another agency, or names a time that there is not.
    """
    after = loaded
    for one in revocations:
        after = revoked(after, one, whose)
    held = {name: one for name, one in after.held.items() if not one.listed}
    for document in authorisations:
        _check(document, whose)
        if whose.device in document.scope.devices and _is_news(after, document, again=True):
            held[document.id] = Held(document, listed=True)
            after = _seen(after, document)
    if len(held) > MAX_AUTHORISATIONS:
        raise RefusedError(
            f"authorisations: {len(held)} are for this device, it holds {MAX_AUTHORISATIONS}"
        )
    return replace(after, held=held)


def with_document(loaded: Loaded, document: Authorisation, whose: Whose) -> Loaded:
    """After a command that brought one authorisation.

    Raises:
        RefusedError: revoked, seen in a later version, or not for this device.
        DataError: as `with_listing`.
    """
    _check(document, whose)
    name = f"authorisation {document.id}"
    if whose.device not in document.scope.devices:
        raise RefusedError(f"{name}: is not for this device")
    if document.id in loaded.revoked:
        raise RefusedError(f"{name}: was revoked")
    if not _is_news(loaded, document, again=False):
        raise RefusedError(f"{name}: version {document.version} was seen before, or a later one")
    if len(loaded.held) >= MAX_AUTHORISATIONS and document.id not in loaded.held:
        raise RefusedError(f"{name}: this device holds {MAX_AUTHORISATIONS} already")
    held = {**loaded.held, document.id: Held(document, listed=False)}
    return replace(_seen(loaded, document), held=held)


def revoked(loaded: Loaded, revocation: Revocation, whose: Whose) -> Loaded:
    """After a revocation.

    Raises:
        DataError: of another agency.
    """
    if revocation.agency != whose.agency:
        raise DataError(f"revocation of {revocation.authorisation}: of another agency")
    name = revocation.authorisation
    if name in loaded.revoked:
        return loaded
    held = {key: one for key, one in loaded.held.items() if key != name}
    ids = (*loaded.revoked, name)[-MAX_REMEMBERED:]
    return replace(loaded, held=held, revoked=ids)


def book_of(loaded: Loaded, whose: Whose) -> Rulebook:
    """The rules that follow. Without any policy ever, the built-in one for field tests holds.

    Raises:
        DataError: what was kept is not what was checked once.
    """
    policy = FIELD_TEST if loaded.policy is None else read_policy(loaded.policy)
    grants = {name: grant_of(one.document) for name, one in loaded.held.items()}
    return Rulebook(policy, whose.device, MappingProxyType(grants), frozenset(loaded.revoked))


def _check(document: Authorisation, whose: Whose) -> None:
    if document.agency != whose.agency:
        raise DataError(f"authorisation {document.id}: of another agency")
    grant_of(document)


def _is_news(loaded: Loaded, document: Authorisation, *, again: bool) -> bool:
    known = loaded.versions.get(document.id, 0)
    newer = document.version >= known if again else document.version > known
    return newer and document.id not in loaded.revoked


def _seen(loaded: Loaded, document: Authorisation) -> Loaded:
    others = {key: value for key, value in loaded.versions.items() if key != document.id}
    kept = list(others.items())[1 - MAX_REMEMBERED :]
    return replace(loaded, versions=dict([*kept, (document.id, document.version)]))
