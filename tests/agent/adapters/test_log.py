from __future__ import annotations

import io

from agent.adapters.log import StderrLog


def test_one_line_an_event_with_its_fields() -> None:
    out = io.StringIO()
    StderrLog(out).info("camera lost", reason="no such\ndevice", pause_s=1.5)
    assert out.getvalue() == "camera lost reason='no such\\ndevice' pause_s=1.5\n"


def test_the_journal_gets_severities() -> None:
    out = io.StringIO()
    log = StderrLog(out, journal=True)
    log.info("a")
    log.warning("b")
    log.error("c")
    assert out.getvalue() == "<6>a\n<4>b\n<3>c\n"


def test_a_field_that_is_not_allowed_is_withheld() -> None:
    out = io.StringIO()
    StderrLog(out).info("match", name="Jane Doe", similarity=0.71, id="01J")
    assert out.getvalue() == "match name=[withheld] similarity=[withheld] id=01J\n"


def test_quiet_leaves_out_information_only() -> None:
    out = io.StringIO()
    log = StderrLog(out, quiet=True)
    log.info("a")
    log.error("c")
    assert out.getvalue() == "c\n"


def test_a_closed_stream_stops_nobody() -> None:
    out = io.StringIO()
    out.close()
    StderrLog(out).error("nobody reads this")
    assert out.closed
