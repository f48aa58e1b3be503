"""The agency's rules on this device: loaded, kept, and handed to the pipeline when they change.

What forbids takes effect before it is written down; what permits, only when it is on disk.

Every change has a number, in the file and in the audit log. A file whose number is lower than the
log's is an older copy that was put back: it lacks what was revoked since, so nothing is matched
until the agency's rules were fetched anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from agent.delivery.inbound import CommandKeys, Verify
from agent.errors import BodycamError, DataError, RefusedError
from agent.messages.authorisation import MAX_AUTHORISATION, Authorisation, Revocation
from agent.messages.signed import signable, to_bytes
from agent.policy import Policy, Rulebook
from agent.policy.loaded import (
    Loaded,
    Whose,
    book_of,
    revoked,
    with_document,
    with_listing,
    with_policy,
)
from agent.ports.log import Log

_STALE: Final = (
    "an older copy of this device's rules was put back: it lacks what was revoked since; they are "
    "fetched anew (bodycam-agent ctl sync, or watchlist sync)"
)
_Model = TypeVar("_Model", Authorisation, Revocation)


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


class Kept(Protocol):
    """Where the rules are kept."""

    def load(self) -> Loaded:
        """What was saved last; raises RefusedError while locked, DataError when damaged."""

    def save(self, loaded: Loaded) -> None:
        """On disk when this returns; raises DiskError."""


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """What the desk works with.

    Attributes:
        kept: where the rules are kept.
        whose: this device.
        keys: of the `authorisations` role.
        verify: checks a signature.
        ledger, log: as everywhere.
        recorded: the number of the latest change of this device's rules that the audit log knows.
        hold_to: holds lists to a policy; called before the pipeline hears of it.
        keep_going: carries out a write though the disk be full.
    """

    kept: Kept
    whose: Whose
    keys: Callable[[], CommandKeys]
    verify: Verify
    ledger: Ledger
    log: Log
    recorded: Callable[[], int] = lambda: 0
    hold_to: Callable[[Policy], None] = lambda _: None
    keep_going: Callable[[Callable[[], None]], None] = lambda write: write()


class RulesDesk:
    """For any thread. `post` is set once there is somebody to tell.

    Args:
        means: see `Means`; None on a device without an agency: the built-in policy holds.
        trouble: why a device that has an agency is without means: nothing may be matched.

    Attributes:
        post: told (rules, ids of which nothing may be left) at every change.
    """

    def __init__(self, means: Means | None, trouble: str = "") -> None:
        self._means = means
        self._lock = threading.RLock()
        self._loaded: Loaded | None = None
        self._book = Rulebook(trouble=trouble)
        self._stale = ""
        self.post: Callable[[Rulebook, frozenset[str]], None] = lambda _book, _revoked: None
        if means is not None:
            self._load(means)

    @property
    def book(self) -> Rulebook:
        """The rules in force."""
        with self._lock:
            return self._book

    @property
    def text(self) -> str:
        """The signed text of the policy in force; empty for the built-in one, or while locked."""
        with self._lock:
            text = None if self._loaded is None else self._loaded.policy
            return "" if text is None else text.decode()

    @property
    def revoked(self) -> frozenset[str]:
        """Every id that is revoked: what is found under them must go, now or after an unlocking."""
        return self.book.revoked

    def opened(self) -> None:
        """The keys are there now."""
        with self._lock:
            if self._means is not None and self._loaded is None:
                self._load(self._means)
                self.post(self._book, self._book.revoked)

    def listing(
        self,
        policy: bytes | None,
        authorisations: Sequence[bytes],
        revocations: Sequence[bytes],
    ) -> None:
        """What the agency publishes, verified as its own.

        Raises:
            BodycamError: why some of it is not taken; the rest is.
        """
        ends, bad = _all_parsed(Revocation, revocations)
        grants, worse = _all_parsed(Authorisation, authorisations)
        with self._lock:
            means, before = self._open()
            after, trouble = with_listing(before, grants, ends, means.whose), [*bad, *worse]
            try:
                after = with_policy(after, policy, means.whose)
            except (RefusedError, DataError) as error:
                trouble.append(error)
            self._change(before, after, mends=bool(self._stale) and not trouble)
        if trouble:
            raise trouble[-1]

    def authorise(self, document: Authorisation) -> None:
        """A command brought an authorisation.

        Raises:
            RefusedError: not signed by who may, revoked, or not newer.
            BodycamError: it cannot be kept.
        """
        with self._lock:
            means, before = self._open()
            self._require_signed(means, document, f"authorisation {document.id}")
            self._change(before, with_document(before, document, means.whose))

    def revoke(self, revocation: Revocation) -> None:
        """A command brought a revocation. In effect when this returns, on disk or not.

        Raises:
            RefusedError: not signed by who may.
            DataError: of another agency.
        """
        with self._lock:
            means, before = self._open()
            self._require_signed(means, revocation, f"revocation of {revocation.authorisation}")
            self._change(before, revoked(before, revocation, means.whose))

    def _open(self) -> tuple[Means, Loaded]:
        if self._means is None or self._loaded is None:
            raise RefusedError(self._book.trouble or "this device has no agency")
        return self._means, self._loaded

    def _load(self, means: Means) -> None:
        try:
            known = means.recorded()  # first: a file that is written meanwhile is ahead of it
            self._loaded = self._checked(means.kept.load(), known)
            self._book = self._book_of(means, self._loaded)
        except BodycamError as error:
            self._book = Rulebook(device=means.whose.device, trouble=str(error))
        means.hold_to(self._book.policy)

    def note(self) -> None:
        """At the start of a run: the log knows the number of these rules, however long ago they
        changed.
        """
        with self._lock:
            if self._means is not None and self._loaded is not None and not self._stale:
                self._note_number(self._means, self._loaded)

    def _checked(self, loaded: Loaded, known: int) -> Loaded:
        """A rolled-back file is found out; what follows it has a higher number all the same."""
        self._stale = _STALE if loaded.generation < known else ""
        return replace(loaded, generation=max(known, loaded.generation))

    def _book_of(self, means: Means, loaded: Loaded) -> Rulebook:
        book = book_of(loaded, means.whose)
        return replace(book, trouble=self._stale) if self._stale else book

    def _note_number(self, means: Means, loaded: Loaded) -> None:
        if loaded.generation:
            with suppress(BodycamError):
                means.ledger.append("rules", generation=loaded.generation, key=means.whose.key)

    def _change(self, before: Loaded, after: Loaded, *, mends: bool = False) -> None:
        means, _ = self._open()
        if after == before and not mends:
            return
        after = replace(after, generation=before.generation + 1)
        gone = frozenset(after.revoked) - frozenset(before.revoked)
        if not gone:
            means.keep_going(lambda: means.kept.save(after))
        self._stale = "" if mends else self._stale
        self._loaded, self._book = after, self._book_of(means, after)
        means.hold_to(self._book.policy)
        self.post(self._book, gone)
        kept = self._keep_revoked(means, after) if gone else True
        self._record(means, before, after, gone)
        if kept:
            self._note_number(means, after)

    def _keep_revoked(self, means: Means, after: Loaded) -> bool:
        """It holds already; on a disk that takes nothing it lasts until the end of this run, and
        comes again with the next sync.
        """
        complain = means.log.error
        try:
            means.keep_going(lambda: means.kept.save(after))
        except BodycamError as error:
            complain("a revocation cannot be kept", reason=str(error))
            return False
        return True

    def _record(self, means: Means, before: Loaded, after: Loaded, gone: frozenset[str]) -> None:
        def say(what: str, name: str, version: int) -> None:
            with suppress(BodycamError):
                means.ledger.append("authorise", what=what, authorisation=name, version=version)

        for name in sorted(gone):
            say("revoked", name, after.versions.get(name, 0))
        for name in sorted(set(before.held) - set(after.held) - gone):
            say("withdrawn", name, before.held[name].document.version)
        for name, one in after.held.items():
            if name not in before.held or before.held[name].document != one.document:
                say("loaded", name, one.document.version)

    def _require_signed(
        self, means: Means, document: Authorisation | Revocation, name: str
    ) -> None:
        tree = document.model_dump(mode="json")
        key = means.keys().keys.get(document.signer)
        if key is None or not means.verify(key, signable(tree), to_bytes(document.signature)):
            raise RefusedError(f"{name}: not signed by who may authorise")


def _all_parsed(
    model: type[_Model], documents: Sequence[bytes]
) -> tuple[list[_Model], list[BodycamError]]:
    """One that is nonsense must not keep the others, revocations least of all, from counting."""
    found: list[_Model] = []
    bad: list[BodycamError] = []
    for data in documents:
        try:
            found.append(_parsed(model, data))
        except DataError as error:  # noqa: PERF203 -- there are few
            bad.append(error)
    return found, bad


def _parsed(model: type[_Model], data: bytes) -> _Model:
    if len(data) > MAX_AUTHORISATION:
        raise DataError(f"{_words(model)}: longer than {MAX_AUTHORISATION} bytes")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:80]
        raise DataError(f"{_words(model)}: {where}: {first['msg'][:120]}") from None


def _words(model: type[BaseModel]) -> str:
    return model.__name__.lower()
