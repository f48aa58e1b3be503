"""Reviews: who decides what, how many must, and that nobody else can."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.event_values import Incoming
from agent.hub.review_records import status_of
from tests.support.casework import Casework
from tests.support.field_cameras import FieldCamera, hub_station


@pytest.fixture
def work(world):
    return Casework(world, FieldCamera(world))


def test_a_reviewer_confirms(work) -> None:
    stored = work.alert()
    work.reviewer("ann")
    with work.book() as book:
        assert [one.status for one in book.cases()] == ["pending"]
        case = work.decide(book, stored, "ann", "confirmed")
        assert (case.status, case.reviews[0].reason) == ("confirmed", "ears")
        assert book.cases() == []
        assert [one.status for one in book.cases(every=True)] == ["confirmed"]


def test_two_people_must_be_two_keys(work, world) -> None:
    stored = work.alert()
    world("reviewers", "rule", "--two-person", "on")
    work.reviewer("ann")
    work.reviewer("bob")
    with work.book() as book:
        assert work.decide(book, stored, "ann", "confirmed").status == "pending"
        with pytest.raises(RefusedError, match="ann has confirmed it already"):
            work.decide(book, stored, "ann", "confirmed")
        assert book.case(stored).status == "pending"
        assert work.decide(book, stored, "bob", "confirmed").status == "confirmed"


def test_one_rejection_rejects_until_that_person_thinks_again(work, world) -> None:
    stored = work.alert()
    work.reviewer("ann")
    work.reviewer("bob")
    with work.book() as book:
        work.decide(book, stored, "ann", "confirmed")
        assert work.decide(book, stored, "bob", "rejected").status == "rejected"
        assert work.decide(book, stored, "bob", "confirmed").status == "confirmed"
        assert len(book.case(stored).reviews) == 3


def test_nobody_decided_is_pending_whatever_the_rule() -> None:
    assert status_of([], 1) == status_of([], 2) == "pending"


@pytest.mark.parametrize(
    "change",
    [
        {"decision": "rejected"},
        {"reason": "another"},
        {"event_sha256": "0" * 64},
        {"reviewer": "bob"},
    ],
)
def test_a_changed_review_is_found_and_not_counted(work, change) -> None:
    stored = work.alert()
    work.reviewer("ann")
    work.reviewer("bob")
    with work.book() as book:
        work.decide(book, stored, "ann", "confirmed")
        (record,) = book.records(stored)
        forged = json.dumps(json.loads(record) | change).encode()
        book.store.database._db.execute("UPDATE review SET record = ?", (forged,))
        case = book.case(stored)
        assert (case.status, case.reviews, case.broken) == ("pending", (), 1)


def test_a_review_does_not_count_for_another_event(work) -> None:
    stored, other = work.alert(), work.alert()
    work.reviewer("ann")
    with work.book() as book:
        work.decide(book, stored, "ann", "confirmed")
        book.store.database._db.execute("UPDATE review SET event = ?", (other.number,))
        assert (book.case(other).status, book.case(other).broken) == ("pending", 1)


def test_a_removed_reviewer_decides_no_more_but_what_was_signed_holds(work, world) -> None:
    stored, other = work.alert(), work.alert()
    work.reviewer("ann")
    with work.book() as book:
        work.decide(book, stored, "ann", "confirmed")
        world.clock.advance(60.0)
        world("reviewers", "remove", "ann")
        assert book.case(stored).status == "confirmed"
        with pytest.raises(UsageError, match="no reviewer ann"):
            work.decide(book, other, "ann", "confirmed")


def test_what_a_removed_reviewers_key_signs_later_does_not_count(work, world) -> None:
    stored = work.alert()
    work.reviewer("ann")
    with work.book() as book:
        case = work.decide(book, stored, "ann", "confirmed")
        book.store.database._db.execute("UPDATE reviewer SET removed = ?", (world.now - 60,))
        assert (book.case(stored).status, book.case(stored).broken) == ("pending", 1)
        assert case.status == "confirmed"  # the control


def test_another_persons_key_or_passphrase_does_not_open(work, world) -> None:
    stored = work.alert()
    words = work.reviewer("ann")
    work.reviewer("bob")
    decide = ("review", "decide", stored.id, "confirmed", "--reason", "x", "--reviewer")
    with pytest.raises(RefusedError, match="none of the passphrases given opens it"):
        world(*decide, "bob", "--reviewer-passphrase-file", words)
    key = world.state_dir / "keys/reviewers/ann.pem"
    with pytest.raises(DataError, match="not the key of bob"):
        world(*decide, "bob", "--reviewer-passphrase-file", words, "--key", key)


def test_the_hubs_passphrase_does_not_open_a_reviewers_key(work, world) -> None:
    stored = work.alert()
    work.reviewer("ann")
    with pytest.raises(UsageError, match="no terminal to ask"):
        world("review", "decide", stored.id, "confirmed", "--reviewer", "ann", "--reason", "x")


def test_names_of_reviewers(work, world) -> None:
    work.reviewer("ann")
    with pytest.raises(UsageError, match="is a reviewer already"):
        work.reviewer("ann")
    for name in ("", "../x", "a\nb", "<b>", "x" * 65):
        with pytest.raises(UsageError, match="a reviewer's name"):
            world("reviewers", "add", name)
    rows = world("reviewers", "list", "--json").json
    assert [(one["name"], one["removed"]) for one in rows] == [("ann", None)]


def test_updates_and_gaps_are_not_reviewed(work) -> None:
    first = work.alert()
    update = work.alert(match=first.id)
    gap = work.arrive(work.camera.gap())
    work.reviewer("ann")
    with work.book() as book:
        assert [one.stored.id for one in book.cases()] == [first.id]
        for one in (update, gap):
            with pytest.raises(UsageError, match="is no alert to be reviewed"):
                work.decide(book, one, "ann", "confirmed")


def test_the_enrolled_photograph_and_the_grounds_are_at_hand(work) -> None:
    work.enrol()
    listed, stranger = work.alert(), work.alert(entry="E-9")
    with work.book() as book:
        case = book.case(listed)
        ((_, picture),) = book.photographs(case)
        assert picture.startswith(b"\xff\xd8")
        grounds = book.grounds(case, now=work.world.now)
        assert (grounds.basis, grounds.purpose, grounds.authorisation) == ("consent", "test", "A-1")
        assert grounds.not_after == work.world.now + 86400  # of the list, which ends first
        other = book.case(stranger)
        assert (book.photographs(other), book.grounds(other, now=work.world.now)) == ([], None)


def test_on_the_command_line(work, world, tmp_path) -> None:
    work.enrol()
    stored = work.alert()
    words = work.reviewer("ann")
    (row,) = world("review", "list", "--json").json
    assert (row["id"], row["status"], row["evidence"]) == (stored.id, "pending", True)
    shown = world("review", "show", stored.id, "--json", "--pictures", tmp_path / "p").json
    assert shown["grounds"]["basis"] == "consent"
    assert [path.rpartition("/")[2][:8] for path in shown["pictures"]] == ["evidence", "enrolled"]
    assert all(
        (tmp_path / "p").joinpath(one).read_bytes()[:2] == b"\xff\xd8" for one in shown["pictures"]
    )
    decide = ("review", "decide", stored.id, "rejected", "--reviewer", "ann", "--reason", "chin")
    said = world(*decide, "--reviewer-passphrase-file", words).out
    assert said == f"{stored.id}: rejected by ann, now rejected\n"
    assert world("review", "list").out == ""
    lines = world("review", "show", stored.id).out
    assert "rejected by ann: chin" in lines
    assert "consent" in lines
    assert re.search(r"not_after  \d{4}-\d\d-\d\dT", lines)


def test_no_such_event_and_an_id_that_two_cameras_used(work, world) -> None:
    with pytest.raises(MissingFileError, match="no event nothing"):
        world("review", "show", "nothing")
    eight = FieldCamera(world, "CAM-8")
    stored = work.alert()
    twin = eight.event().model_copy(update={"id": stored.id})
    with hub_station(world) as hub:
        hub.take(Incoming(eight.topic(), eight.sealed(twin)))
    with pytest.raises(UsageError, match=f"CAM-7/{stored.id}, CAM-8/{stored.id}"):
        world("review", "show", stored.id)
    assert world("review", "show", f"CAM-8/{stored.id}", "--json").json["device"] == "CAM-8"


def test_an_opened_event_that_was_changed_on_disk_is_not_shown(work) -> None:
    stored = work.alert()
    with work.book() as book:
        spoilt = replace(stored, locked=stored.locked[:-1] + bytes([stored.locked[-1] ^ 1]))
        with pytest.raises(DataError):
            book.case(spoilt)


@pytest.mark.parametrize("words", [(), ("--html", "list"), ("list", "--port", "x")])
def test_usage(work, world, words) -> None:
    with pytest.raises(UsageError):
        world("review", *words)
