import numpy as np

from agent.stages.wiping import ALONE_S, EVERY_S, STILL_S, Traces, wipe
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


def due(traces: Traces, now: float, *, alone: bool = False) -> bool:
    return traces.due(alone=alone, now=Monotonic(now))


def test_without_a_picture_there_is_nothing_to_overwrite() -> None:
    traces = Traces()
    assert not due(traces, 100.0, alone=True)
    assert not traces.gone()


def test_an_empty_street_is_overwritten_by_its_own_pictures() -> None:
    traces = Traces()
    for tenth in range(1000):
        traces.looked(faces=False, now=Monotonic(tenth / 10))
        assert not due(traces, tenth / 10, alone=True)


def test_while_people_come_and_go_it_is_due_now_and_then() -> None:
    traces, overwritten = Traces(), 0
    for tenth in range(300):
        now = tenth / 10
        traces.looked(faces=True, now=Monotonic(now))
        if due(traces, now):
            overwritten += traces.gone()
    assert overwritten == 30 // EVERY_S - 1


def test_the_last_one_gone_it_is_due_sooner() -> None:
    traces = Traces()
    traces.looked(faces=True, now=Monotonic(0))
    for tenth in range(1, 31):
        traces.looked(faces=False, now=Monotonic(tenth / 10))
        assert due(traces, tenth / 10, alone=True) == (tenth / 10 >= ALONE_S)
    assert traces.gone()
    assert not due(traces, 3.0, alone=True)


def test_no_picture_comes_any_more() -> None:
    traces = Traces()
    traces.looked(faces=False, now=Monotonic(0))
    assert not due(traces, STILL_S - 0.1)
    assert due(traces, STILL_S)
    assert due(traces, -5.0), "nor when time runs backwards"
