"""The choice between two precisions, with time in our hands."""

import pytest

from agent.modelkit.measure import WORTHWHILE, Measured, processor, take_turns


class World:
    """A clock that moves only while something works."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[str] = []

    def clock(self) -> float:
        return self.now

    def work(self, name: str, seconds: float, hiccup: dict[int, float] | None = None) -> object:
        def call() -> None:
            count = self.calls.count(name)
            self.calls.append(name)
            self.now += (hiccup or {}).get(count, seconds)

        return call


def test_each_is_warmed_up_and_then_they_take_turns() -> None:
    world = World()
    calls = {"fp32": world.work("fp32", 0.4), "int8": world.work("int8", 0.25)}
    measured = take_turns(calls, world.clock, rounds=3)
    assert world.calls == ["fp32"] * 2 + ["int8"] * 2 + ["fp32", "int8"] * 3
    assert measured.seconds == pytest.approx({"fp32": 0.4, "int8": 0.25})
    assert measured.faster == "int8"


def test_slow_first_calls_and_hiccups_do_not_count() -> None:
    world = World()
    calls = {
        "fp32": world.work("fp32", 0.3, {0: 60.0, 1: 5.0}),
        "int8": world.work("int8", 0.2, {0: 90.0, 4: 50.0, 7: 50.0}),
    }
    measured = take_turns(calls, world.clock, rounds=7)
    assert measured.seconds == pytest.approx({"fp32": 0.3, "int8": 0.2})


@pytest.mark.parametrize(
    ("int8", "chosen"),
    [(0.5, "int8"), (WORTHWHILE - 0.001, "int8"), (WORTHWHILE, "fp32"), (1.0, "fp32"), (3, "fp32")],
)
def test_int8_must_be_clearly_faster(int8: float, chosen: str) -> None:
    assert Measured({"fp32": 1.0, "int8": int8}).faster == chosen


def test_the_processor_has_a_name() -> None:
    assert processor().strip()
