"""The hub's own log: nobody takes a review or a purge out of it unseen."""

from __future__ import annotations

import json
import sqlite3

import pytest

from agent.adapters.audit_log import AuditLog
from agent.audit.walk import Trust
from agent.errors import DataError
from agent.hub.chain import write_log
from agent.hub.events_database import FILE
from tests.support.casework import Casework
from tests.support.field_cameras import FieldCamera, hub_station


@pytest.fixture
def work(world):
    return Casework(world, FieldCamera(world))


@pytest.fixture
def logged(world, work):
    stored = work.alert()
    world("purge", "--hold", stored.id, "--reason", "case 17")
    world("purge", "--authorisation", "A-1")
    world("purge", "--release", stored.id)
    return world


def edit(world, sql: str, *values) -> None:
    with sqlite3.connect(world.context().state_dir / FILE) as db:
        db.execute(sql, values)


def test_what_was_done_is_there_in_order_and_signed(logged) -> None:
    shown = logged("audit", "show", "--json").json
    kinds = [one["kind"] for one in shown if one["kind"] not in ("checkpoint", "act")]
    assert kinds == ["hold", "purge", "release"]
    told = logged("audit", "verify", "--json").json
    assert (told["intact"], told["protected"]) == (True, len(shown) - 2)
    assert told["head"] == shown[-1]["hash"]
    assert told["unsigned"] == 0
    out = logged("audit", "verify").out
    assert "nothing up to there was changed" in out
    assert "linked only" not in out


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DELETE FROM chain WHERE seq = 2", "record 2 is missing"),
        ("DELETE FROM chain WHERE seq = 0", "record 0 is missing"),
        (
            "UPDATE chain SET line = replace(line, 'case 17', 'case 18') WHERE seq < 9",
            "its hash does not agree",
        ),
    ],
)
def test_a_record_changed_or_removed_is_found(logged, sql, says) -> None:
    edit(logged, sql.replace("replace(line,", "replace(CAST(line AS TEXT),"))
    said = logged("audit", "verify", "--json")
    assert said.code == 65
    assert says in said.json["problem"]


def test_an_auditor_checks_the_export_with_the_tools_of_the_cameras(logged, tmp_path) -> None:
    logged("audit", "export", "--out", tmp_path / "log")
    key = logged("audit", "verify", "--json").json["signer"]
    log = AuditLog(tmp_path / "log", logged.clock)
    assert log.verify(Trust(key)).intact
    assert not log.verify(Trust("0" * 64)).intact


def test_a_record_and_what_it_tells_of_come_together(world, work) -> None:
    with hub_station(world) as hub:
        before = hub.rows("SELECT count(*) FROM chain")

        def fails() -> None:
            with hub.station.database.transaction() as db:
                write_log(db, "purge", world.now, events=1)
                raise KeyError

        with pytest.raises(KeyError):
            fails()
        assert hub.rows("SELECT count(*) FROM chain") == before


def test_nothing_is_added_to_a_changed_chain(logged, work) -> None:
    edit(logged, "UPDATE chain SET line = x'7b7d0a' WHERE seq = (SELECT max(seq) FROM chain)")
    with pytest.raises(DataError, match="not an audit record; see `bodycam-hub audit verify`"):
        logged("purge", "--authorisation", "A-2")


def test_reviews_are_logged_without_names_and_words(world, work) -> None:
    work.enrol()
    stored = work.alert()
    work.reviewer("ann")
    with work.book() as book:
        work.decide(book, stored, "ann", "rejected")
    told = world("audit", "show", "--json").json
    shown = [one for one in told if one["kind"] not in ("checkpoint", "act")]
    assert [one["kind"] for one in shown] == ["reviewer", "review"]
    assert shown[1]["fields"] == {
        "event": stored.id,
        "device": "CAM-7",
        "decision": "rejected",
        "signer": shown[0]["fields"]["signer"],
    }
    assert "ann" not in json.dumps(shown)
    assert "ears" not in json.dumps(shown)
    assert world("audit", "verify").code == 0
