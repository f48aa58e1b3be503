from __future__ import annotations

import pytest

from agent.errors import DataError, MissingFileError
from agent.runtime.outcome import Cause, Outcome, Workers
from tests.support.logs import KeptLog


@pytest.mark.parametrize(
    ("cause", "error", "pending", "code"),
    [
        (Cause.END_OF_FILE, None, 0, 0),
        (Cause.END_OF_FILE, None, 2, 75),
        (Cause.SIGNAL, None, 2, 0),
        (Cause.FAILURE, MissingFileError("x"), 0, 66),
        (Cause.FAILURE, DataError("x"), 3, 65),
        (Cause.FAILURE, KeyError("x"), 0, 70),
    ],
)
def test_exit_codes(cause: Cause, error: BaseException | None, pending: int, code: int) -> None:
    outcome = Outcome()
    outcome.end(cause, error)
    assert outcome.exit_code(pending) == code


def test_the_first_cause_wins() -> None:
    outcome = Outcome()
    assert not outcome.wait(0)
    outcome.end(Cause.SIGNAL)
    outcome.end(Cause.FAILURE, KeyError("late"))
    assert outcome.wait(0)
    assert outcome.exit_code(0) == 0


def test_a_failing_thread_ends_the_run_with_its_own_code() -> None:
    outcome, log = Outcome(), KeptLog()
    workers = Workers(outcome, log)

    def broken() -> None:
        raise DataError("not a video")

    workers.start("capture", broken)
    assert outcome.wait(5)
    assert workers.join(5) == ()
    assert outcome.exit_code(0) == 65
    assert log.lines == []


def test_a_bug_in_a_thread_is_one_line_and_code_70() -> None:
    outcome, log = Outcome(), KeptLog()

    def broken() -> None:
        raise RuntimeError("two\nlines")

    workers = Workers(outcome, log)
    workers.start("pipeline", broken)
    assert outcome.wait(5)
    workers.join(5)
    assert outcome.exit_code(0) == 70
    assert log.lines == [
        ("error", "a stage failed", {"stage": "pipeline", "reason": "RuntimeError: two lines"})
    ]
