"""Alerts as reviewers see them: the event, the photographs behind its entry, and what was decided.

The photographs never leave the hub, and the evidence never leaves it otherwise: both are shown
side by side to the people who decide, and to nobody else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ValidationError

from agent.adapters.signing import Signs
from agent.errors import BodycamError, RefusedError, UsageError
from agent.hub.chain import write_log
from agent.hub.event_store import EventStore, StoredEvent
from agent.hub.present import Present
from agent.hub.review_records import (
    Decision,
    Review,
    Reviewer,
    Status,
    read_review,
    sign_review,
    status_of,
)
from agent.hub.reviewers import Reviewers
from agent.hub.typed import first_problem
from agent.messages import GAP_TYPE, MATCH_TYPE, TEST_TYPE

if TYPE_CHECKING:
    from agent.hub.desk import Desk  # a revocation waits for no library of pictures

PHOTOGRAPHS: Final = 6
"""Shown beside an alert, at most."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why somebody is listed, from the list as it is published now.

    Attributes:
        basis, purpose, authorisation: codes and id.
        not_after: end of the entry, wall seconds.
    """

    basis: str
    purpose: str
    authorisation: str
    not_after: float


@dataclass(frozen=True, slots=True)
class Case:
    """One alert.

    Attributes:
        stored: its row.
        event: opened, JSON values.
        reviews: that hold, in order.
        broken: reviews that do not hold: changed in the database.
        status: what they come to.
        needed: keys that must confirm.
    """

    stored: StoredEvent
    event: dict[str, Any]
    reviews: tuple[Review, ...]
    broken: int
    status: Status
    needed: int

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.event["data"]
        return data

    @property
    def evidence(self) -> bytes | None:
        """JPEG."""
        sent = self.data.get("evidence")
        return base64.b64decode(sent["data"]) if sent else None


@dataclass
class Casebook:
    """Attributes:
    agency: whose.
    store: of events.
    reviewers: who may decide.
    desk: lists and photographs; None: not at hand, nothing of them is shown.
    """

    agency: str
    store: EventStore
    reviewers: Reviewers
    desk: Desk | None = None
    _present: dict[str, Present | None] = field(default_factory=dict)

    def cases(self, *, every: bool = False) -> list[Case]:
        """Alerts that wait for a decision, oldest first; or every one."""
        stored = self.store.events(
            "WHERE type = ? AND purged IS NULL ORDER BY time, number", MATCH_TYPE
        )
        found = [self.case(one) for one in stored]
        return [one for one in found if every or one.status == "pending"]

    def case(self, stored: StoredEvent) -> Case:
        """An event with what was decided about it.

        Raises:
            MissingFileError: it was purged.
            DataError: it was changed in the database.
        """
        everybody, digest = self.reviewers.every(), payload_sha256(stored)
        read = [read_review(one, everybody, digest) for one in self.records(stored)]
        reviews = tuple(one for one in read if one is not None)
        needed = self.reviewers.needed
        status = status_of(reviews, needed)
        broken = len(read) - len(reviews)
        return Case(stored, self.store.opened(stored), reviews, broken, status, needed)

    def records(self, stored: StoredEvent) -> list[bytes]:
        """Signed reviews of an event as they lie in the database."""
        rows = self.store.database.read(
            "SELECT record FROM review WHERE event = ? ORDER BY number", stored.number
        )
        return [bytes(row[0]) for row in rows]

    def decide(
        self,
        case: Case,
        reviewer: Reviewer,
        signer: Signs,
        decision: Decision,
        reason: str,
        *,
        now: float,
    ) -> Case:
        """Sign and keep a decision.

        Raises:
            UsageError: it is no alert, or the reason is empty or too long.
            RefusedError: that key has said the same already.
        """
        if case.stored.type != MATCH_TYPE:
            kinds = {GAP_TYPE: "gap", TEST_TYPE: "test"}
            kind = kinds.get(case.stored.type, f"update of {case.stored.first}")
            raise UsageError(f"{case.stored.id}: is no alert to be reviewed but a {kind}")
        last = {one.signer: one.decision for one in case.reviews}.get(reviewer.key_id)
        if last == decision:
            raise RefusedError(f"{case.stored.id}: {reviewer.name} has {decision} it already")
        values = self._reviewed(case) | {
            "decision": decision,
            "reason": " ".join(reason.split()),
            "reviewer": reviewer.name,
        }
        try:
            review = sign_review(values, signer, now=now)
        except ValidationError as error:
            raise UsageError(f"review: {first_problem(error)}") from None
        with self.store.database.transaction() as db:
            db.execute(
                "INSERT INTO review (event, record) SELECT number, ? FROM event"
                " WHERE number = ? AND purged IS NULL",
                (review.model_dump_json().encode(), case.stored.number),
            )
            stored = case.stored
            facts = {"event": stored.id, "device": stored.device, "decision": decision}
            write_log(db, "review", now, **facts, signer=review.signer)
        return self.case(case.stored)

    def photographs(self, case: Case) -> list[tuple[str, bytes]]:
        """(sha256 of the photograph, JPEG of the face on it) of those enrolled for the entry."""
        if self.desk is None:
            return []
        listed = self.desk.lists.photographs(case.data["watchlist"]["id"], case.data["entry"])
        digests = list(dict.fromkeys(digest for digest, _ in listed))[:PHOTOGRAPHS]
        pictures = ((digest, self.desk.ledger.picture(digest)) for digest in digests)
        return [(digest, picture) for digest, picture in pictures if picture is not None]

    def grounds(self, case: Case, *, now: float) -> Grounds | None:
        """None: it is on no list of this hub now."""
        present = self._listed(case.data["watchlist"]["id"], now)
        if present is None:
            return None
        columns = present.stored.columns
        rows = np.flatnonzero(columns.entry == case.data["entry"].encode("ascii"))
        if not len(rows):
            return None
        row = int(rows[0])
        end = min(float(columns.not_after[row]), present.not_after)
        return Grounds(columns.basis[row], columns.purpose[row], columns.authorisation[row], end)

    def _listed(self, list_id: str, now: float) -> Present | None:
        if list_id not in self._present:
            self._present[list_id] = self._read_list(list_id, now)
        return self._present[list_id]

    def _read_list(self, list_id: str, now: float) -> Present | None:
        record = self.desk.lists.find(list_id) if self.desk else None
        if self.desk is None or record is None:
            return None
        try:
            return self.desk.present(record, now)
        except BodycamError:  # a list that cannot be read must not keep anybody from deciding
            return None

    def _reviewed(self, case: Case) -> dict[str, Any]:
        return {
            "agency": self.agency,
            "device": case.stored.device,
            "event": case.stored.id,
            "event_sha256": payload_sha256(case.stored),
            "similarity": case.data["similarity"],
            "threshold": case.data["threshold"],
            "photographs": [digest for digest, _ in self.photographs(case)],
            "evidence": case.evidence is not None,
        }


def payload_sha256(stored: StoredEvent) -> str:
    """Of the event as it was received; of nothing once it was purged."""
    return hashlib.sha256(stored.payload or b"").hexdigest()


def case_json(case: Case, grounds: Grounds | None, beside: Sequence[StoredEvent]) -> dict[str, Any]:
    """For programs; the picture is in `event.data.evidence`."""
    return {
        "id": case.stored.id,
        "device": case.stored.device,
        "received": case.stored.received,
        "status": case.status,
        "confirmations_needed": case.needed,
        "hold": case.stored.hold,
        "grounds": None
        if grounds is None
        else {
            "basis": grounds.basis,
            "purpose": grounds.purpose,
            "authorisation": grounds.authorisation,
            "not_after": grounds.not_after,
        },
        "reviews": [one.model_dump(mode="json") for one in case.reviews],
        "reviews_that_do_not_verify": case.broken,
        "same_subject_elsewhere": [{"id": one.id, "device": one.device} for one in beside],
        "event": case.event,
    }
