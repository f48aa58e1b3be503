"""From matches to alerts: one for each subject, activation and cool-down.

What follows within the cool-down is an update that names the first. Updates are few: one as soon
as the similarity has risen by `RISE` over the highest reported (the reviewer gets a better reason
to look), else one for each third of the cool-down (he learns that the person is still there).

Cool-downs are in monotonic time: a wall clock that is set would raise a second id, or silence a
subject for a day. An activation goes on within one boot only, so the marks of the present one mean
the same after a restart: the caller reads them from the outbox at arming and passes them in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent.values import Alert, Decision, EntryRef, Monotonic, Verdict, Wall, WatchlistRef

RISE = 0.05
UPDATES = 3
"""An update at most every cool-down / UPDATES, unless the similarity has risen."""


@dataclass(frozen=True, slots=True)
class AlertContext:
    """What an alert says besides the decision.

    Attributes:
        activation: id of the arming.
        watchlist: searched.
        cooldown_s: seconds.
        test: under a field-test policy.
        new_id: a ULID for a wall-clock time.
        policy, armed_under: as in `Alert`.
        silenced: whether nobody is to be told about an entry, or about its subject any more
            today; asked once for each event that would otherwise be raised.
    """

    activation: str
    watchlist: WatchlistRef
    cooldown_s: float
    test: bool
    new_id: Callable[[Wall], str]
    policy: str = ""
    armed_under: str = ""
    silenced: Callable[[EntryRef], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Raised:
    """The latest alert for a subject.

    Attributes:
        id: of the first alert of this cool-down.
        until: monotonic seconds at which the cool-down ends.
        told_at: monotonic seconds of the latest alert or update; None when not known.
        similarity: the highest reported; None when not known.
    """

    id: str
    until: Monotonic
    told_at: Monotonic | None = None
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class AlertBook:
    """What has been raised in this activation, by subject."""

    raised: Mapping[str, Raised] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def remembering(marks: Mapping[str, tuple[str, Monotonic]]) -> AlertBook:
        """The book after a restart: subject to (id of the first alert, end of its cool-down)."""
        raised = {subject: Raised(*mark) for subject, mark in marks.items()}
        return AlertBook(MappingProxyType(raised))

    def having(self, subject: str, raised: Raised) -> AlertBook:
        return AlertBook(MappingProxyType({**self.raised, subject: raised}))


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame's place on both clocks, to turn the times of tracks into wall time."""

    at: Monotonic
    wall: Wall

    def to_wall(self, at: Monotonic) -> Wall:
        return Wall(self.wall - (self.at - at))


def raise_alert(
    book: AlertBook, decision: Decision, context: AlertContext, *, now: Moment
) -> tuple[AlertBook, Alert | None]:
    """What a decision gives rise to: an alert, an update, or nothing; and the book after it."""
    ref = decision.ref
    if decision.verdict is not Verdict.MATCH or ref is None:
        return book, None
    earlier = book.raised.get(ref.subject)
    first = earlier is None or now.at >= earlier.until
    if not first and earlier and not _worth_telling(earlier, decision, context, now):
        return book, None
    if context.silenced(ref):
        return book, None
    if earlier is None or first:
        alert = _alert(decision, ref, context, now, match=None)
        until = Monotonic(now.at + context.cooldown_s)
        entry = Raised(alert.id, until, now.at, decision.similarity)
        return book.having(ref.subject, entry), alert
    alert = _alert(decision, ref, context, now, match=earlier.id)
    highest = max(decision.similarity, earlier.similarity or -1.0)
    entry = Raised(earlier.id, earlier.until, now.at, highest)
    return book.having(ref.subject, entry), alert


def _worth_telling(earlier: Raised, decision: Decision, context: AlertContext, now: Moment) -> bool:
    if earlier.told_at is None or earlier.similarity is None:
        return True
    risen = decision.similarity >= earlier.similarity + RISE
    return risen or now.at - earlier.told_at >= context.cooldown_s / UPDATES


def _alert(
    decision: Decision, ref: EntryRef, context: AlertContext, now: Moment, *, match: str | None
) -> Alert:
    return Alert(
        id=context.new_id(now.wall),
        match=match,
        ref=ref,
        similarity=decision.similarity,
        threshold=decision.threshold,
        margin=decision.margin,
        shots=decision.shots,
        face=decision.face,
        first_seen=now.to_wall(decision.first_seen),
        last_seen=now.to_wall(decision.last_seen),
        raised_at=now.wall,
        watchlist=context.watchlist,
        activation=context.activation,
        test=context.test,
        policy=context.policy,
        armed_under=context.armed_under,
    )
