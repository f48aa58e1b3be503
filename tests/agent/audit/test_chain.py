from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.signing import verify as signature
from agent.audit import walk
from agent.audit.chain import GENESIS, KINDS, Link, canonical, make_record, read_record
from agent.values import Wall

NOW = Wall(1_800_000_000.5)


def verify(lines):
    return walk.verify(lines, signature)


def chain(count=4):
    lines, link = [], Link()
    for number in range(count):
        fields = {"list": "local-1", "version": number, "entries": 1}
        line, link = make_record(link, "enrol", fields, now=Wall(NOW + number))
        lines.append(line)
    return lines


LINES = chain()


def test_a_record_is_canonical_json_of_fixed_keys():
    line, link = make_record(Link(), "remove", {"version": 2, "list": "l-1"}, now=NOW)
    assert line.endswith(b"\n")
    record = json.loads(line)
    assert record == {
        "seq": 0,
        "time": "2027-01-15T08:00:00.500Z",
        "kind": "remove",
        "fields": {"list": "l-1", "version": 2},
        "prev": GENESIS,
        "hash": link.hash,
    }
    assert canonical(record) == line[:-1]


def test_a_whole_chain():
    report = verify(LINES)
    assert (report.intact, report.records, report.torn) == (True, 4, False)
    assert report.head == Link(3, json.loads(LINES[-1])["hash"])


def test_an_empty_log_is_whole():
    report = verify([])
    assert (report.intact, report.records, report.head) == (True, 0, Link())


def test_every_flipped_bit_is_found():
    text = b"".join(LINES[:2])
    missed = []
    for bit in range(len(text) * 8):
        damaged = bytearray(text)
        damaged[bit // 8] ^= 1 << bit % 8
        report = verify(bytes(damaged).splitlines(keepends=True))
        torn_at_the_end = report.torn and report.records == 1 and bit // 8 == len(text) - 1
        if report.intact and not torn_at_the_end:
            missed.append(bit)
    assert not missed


@given(st.integers(1, len(LINES[-1]) - 1))
def test_a_torn_last_line_is_no_tampering(length):
    report = verify([*LINES[:-1], LINES[-1][:length]])
    assert (report.intact, report.torn, report.records) == (True, True, 3)


@pytest.mark.parametrize(
    ("lines", "intact_records", "says"),
    [
        ([LINES[0], *LINES[2:]], 1, "record 1 is missing"),
        (LINES[1:], 0, "record 0 is missing"),
        ([LINES[0], LINES[2], LINES[1], LINES[3]], 1, "missing"),
        ([*LINES[:2], LINES[1], *LINES[2:]], 2, "record 2 is missing, 1 follows"),
        ([*LINES[:2], b"\n", *LINES[2:]], 2, "not JSON"),
        ([LINES[0], b"[]\n"], 1, "not an audit record"),
        ([LINES[0], LINES[1].replace(b",", b", ", 1)], 1, "not canonical"),
        ([LINES[0], b"[" * 10_000 + b"\n"], 1, "not JSON"),
        ([LINES[0], b" " * 20_000 + b"\n"], 1, "longer than"),
    ],
)
def test_tampering_is_told_with_its_place(lines, intact_records, says):
    report = verify(lines)
    assert not report.intact
    assert report.records == intact_records
    assert report.problem.startswith(f"record {intact_records}: ")
    assert says in report.problem


def test_a_rewritten_record_breaks_the_next_link():
    other, _ = make_record(
        Link(0, json.loads(LINES[0])["hash"]), "enrol", {"version": 9}, now=Wall(NOW + 1)
    )
    report = verify([LINES[0], other, *LINES[2:]])
    assert (report.records, report.problem) == (
        2,
        "record 2: it does not follow from the record before it",
    )


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("gossip", {}, "no such kind"),
        ("enrol", {"name": "Erika"}, "field 'name' may not be recorded"),
        ("enrol", {"template": "0.1"}, "field 'template' may not"),
        ("alert", {"activation": "Erika Mustermann"}, "activation is not what"),
        ("alert", {"entry": "e-17"}, "field 'entry' may not be recorded"),
        ("enrol", {"entries": -1}, "entries is not what"),
        ("enrol", {"entries": True}, "entries is not what"),
        ("enrol", {"entries": 2**60}, "entries is not what"),
        ("import", {"source": "ABC"}, "source is not what"),
        ("disarm", {"reason": 5}, "reason is not what"),
    ],
)
def test_only_what_is_listed_may_be_recorded(kind, fields, says):
    with pytest.raises(ValueError, match=says):
        make_record(Link(), kind, fields, now=NOW)


@pytest.mark.parametrize(
    ("given_reason", "recorded"),
    [
        ("x" * 900, "x" * 500),
        ("two\nlines \x1b[2J", "two lines  [2J"),
        ("für M\u00fcller \ud800", "für Müller  "),
    ],
)
def test_a_reason_never_prevents_its_record(given_reason, recorded):
    line, _ = make_record(Link(), "disarm", {"reason": given_reason}, now=NOW)
    assert read_record(line[:-1])["fields"] == {"reason": recorded}


def test_what_may_not_be_recorded_is_found_even_behind_a_good_hash(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("agent.audit.chain._fields_problem", lambda _kind, _fields: "")
        line, _ = make_record(Link(), "enrol", {"name": "Erika"}, now=NOW)
    with pytest.raises(ValueError, match="may not be recorded"):
        read_record(line[:-1])


def test_no_kind_has_room_for_a_name_or_a_picture():
    fields = {field for rules in KINDS.values() for field in rules}
    assert not fields & {"name", "template", "vector", "image", "crop", "box", "photo", "file"}


@pytest.mark.parametrize("time", ["2027-13-01T00:00:00.000Z", "2027-02-30T00:00:00.000Z", "now"])
def test_a_time_that_there_is_not_is_no_record(time):
    body = {"fields": {}, "kind": "enrol", "prev": GENESIS, "seq": 0, "time": time}
    record = {**body, "hash": hashlib.sha256(canonical(body)).hexdigest()}
    with pytest.raises(ValueError, match="seq or time is not one"):
        read_record(canonical(record))
