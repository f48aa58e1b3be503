"""One alert for each subject, activation and cool-down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.stages.alerting import AlertBook, AlertContext, Moment, raise_alert
from agent.values import (
    Alert,
    Decision,
    EntryRef,
    FaceMeasure,
    Monotonic,
    Verdict,
    Wall,
    WatchlistRef,
)

START = 1_800_000_000.0
LIST = WatchlistRef("field", 3)


class Desk:
    """Raises alerts in order, with ids A1, A2, ..."""

    def __init__(self, book: AlertBook | None = None) -> None:
        self.book = book or AlertBook()
        self.made = 0
        self.clock_is_ahead_s = 0.0
        self.context = AlertContext("act-1", LIST, 60.0, True, self._id)

    def _id(self, wall: Wall) -> str:
        self.made += 1
        return f"A{self.made}"

    def hears(self, decision: Decision, *, at: float) -> Alert | None:
        now = Moment(Monotonic(at), Wall(START + at + self.clock_is_ahead_s))
        self.book, alert = raise_alert(self.book, decision, self.context, now=now)
        return alert


def a_match(subject: str = "s-1", similarity: float = 0.6) -> Decision:
    return Decision(
        track=1,
        verdict=Verdict.MATCH,
        ref=EntryRef("e-1", subject, "a-1"),
        similarity=similarity,
        threshold=0.5,
        margin=0.3,
        shots=4,
        face=FaceMeasure(60.0, 0.8),
        first_seen=Monotonic(8.0),
        last_seen=Monotonic(9.5),
    )


def test_a_first_match_is_an_alert_with_everything_in_it() -> None:
    alert = Desk().hears(a_match(), at=10)
    assert alert == Alert(
        id="A1",
        match=None,
        ref=EntryRef("e-1", "s-1", "a-1"),
        similarity=0.6,
        threshold=0.5,
        margin=0.3,
        shots=4,
        face=FaceMeasure(60.0, 0.8),
        first_seen=Wall(START + 8.0),
        last_seen=Wall(START + 9.5),
        raised_at=Wall(START + 10),
        watchlist=LIST,
        activation="act-1",
        test=True,
    )


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict != Verdict.MATCH])
def test_every_other_verdict_is_silence(verdict: Verdict) -> None:
    desk = Desk()
    assert desk.hears(replace(a_match(), verdict=verdict, ref=None), at=0) is None
    assert (desk.made, dict(desk.book.raised)) == (0, {})


@pytest.mark.parametrize(
    ("after", "similarity", "told"),
    [
        (1.0, 0.60, False),
        (19.9, 0.649, False),
        (1.0, 0.651, True),  # a better reason to look
        (20.0, 0.60, True),  # a third of the cool-down later
        (59.9, 0.55, True),
    ],
)
def test_within_the_cool_down_an_update_names_the_first(
    after: float, similarity: float, told: bool
) -> None:
    desk = Desk()
    desk.hears(a_match(), at=0)
    update = desk.hears(a_match(similarity=similarity), at=after)
    assert (update is not None) is told
    assert desk.made == (2 if told else 1)
    if update:
        assert (update.id, update.match) == ("A2", "A1")


def test_after_the_cool_down_it_is_a_new_alert() -> None:
    desk = Desk()
    desk.hears(a_match(), at=0)
    second = desk.hears(a_match(), at=60)
    assert second is not None
    assert (second.id, second.match) == ("A2", None)


def test_updates_do_not_prolong_the_cool_down_and_are_few() -> None:
    desk = Desk()
    alerts = [alert for k in range(600) if (alert := desk.hears(a_match(), at=k / 10))]
    assert [(a.id, a.match) for a in alerts] == [("A1", None), ("A2", "A1"), ("A3", "A1")]


def test_a_rise_counts_from_the_highest_told() -> None:
    desk = Desk()
    desk.hears(a_match(similarity=0.60), at=0)
    assert desk.hears(a_match(similarity=0.70), at=1)
    assert desk.hears(a_match(similarity=0.55), at=22)  # a third later, lower
    assert desk.hears(a_match(similarity=0.70), at=23) is None


@pytest.mark.parametrize("day_s", [-86_400.0, 86_400.0])
def test_a_wall_clock_that_is_set_neither_ends_nor_prolongs_the_cool_down(day_s: float) -> None:
    desk = Desk()
    desk.hears(a_match(), at=0)
    desk.clock_is_ahead_s = day_s
    update = desk.hears(a_match(), at=20)
    assert update is not None
    assert update.match == "A1"
    later = desk.hears(a_match(), at=60)
    assert later is not None
    assert later.match is None


def test_subjects_do_not_share_a_cool_down() -> None:
    desk = Desk()
    first = desk.hears(a_match("s-1"), at=0)
    second = desk.hears(a_match("s-2"), at=0)
    assert first is not None
    assert second is not None
    assert second.match is None


def test_after_a_restart_the_remembered_alert_is_the_first() -> None:
    desk = Desk(AlertBook.remembering({"s-1": ("OLD", Monotonic(30.0))}))
    update = desk.hears(a_match(), at=10)
    assert update is not None
    assert update.match == "OLD"
    assert desk.hears(a_match(), at=11) is None
    later = desk.hears(a_match(), at=30)
    assert later is not None
    assert later.match is None


def test_the_book_of_before_is_left_as_it_was() -> None:
    desk = Desk()
    before = desk.book
    desk.hears(a_match(), at=0)
    assert dict(before.raised) == {}
    assert set(desk.book.raised) == {"s-1"}
