import numpy as np

from agent.stages.evidence import KEEP_S
from agent.stages.wiping import EVERY_S, STILL_S, Traces, wipe
from agent.values import Monotonic


def test_every_array_is_filled_with_zeros_in_place() -> None:
    arrays = [np.ones(3), np.full((2, 2), 7, np.uint8)]
    wipe(*arrays)
    assert not any(array.any() for array in arrays)


def test_what_may_not_be_written_is_left() -> None:
    constant = np.ones(3)
    constant.flags.writeable = False
    wipe(constant)
    assert constant.all()


def due(traces: Traces, now: float) -> bool:
    return traces.due(now=Monotonic(now))


def test_without_a_picture_there_is_nothing_to_overwrite() -> None:
    traces = Traces()
    assert not due(traces, 100.0)
    assert not traces.gone()


def test_an_empty_street_is_overwritten_by_its_own_pictures() -> None:
    traces = Traces()
    for tenth in range(1000):
        traces.looked(faces=False, now=Monotonic(tenth / 10))
        assert not due(traces, tenth / 10)


def test_while_people_come_and_go_it_is_due_now_and_then() -> None:
    traces, overwritten = Traces(), 0
    for tenth in range(300):
        now = tenth / 10
        traces.looked(faces=True, now=Monotonic(now))
        if due(traces, now):
            overwritten += traces.gone()
    assert overwritten == 3


def test_after_the_last_one_it_is_due_once_and_in_time() -> None:
    traces, overwritten = Traces(), []
    for tenth in range(300):
        now = tenth / 10
        traces.looked(faces=tenth < 30, now=Monotonic(now))
        if due(traces, now):
            traces.gone()
            overwritten.append(now)
    assert overwritten == [EVERY_S]
    assert EVERY_S < KEEP_S


def test_no_picture_comes_any_more() -> None:
    traces = Traces()
    traces.looked(faces=False, now=Monotonic(0))
    assert not due(traces, STILL_S - 0.1)
    assert due(traces, STILL_S)
    assert due(traces, -5.0), "nor when time runs backwards"
