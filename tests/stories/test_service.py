"""A process that is killed and started again, without a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.stories.service import RESTART_S, Service


class Process:
    def __init__(self) -> None:
        self.returncode: int | None = None
        self.ended = False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.returncode = -9

    def terminate(self) -> None:
        self.ended = True

    def wait(self) -> None:
        assert self.returncode is not None


class World:
    def __init__(self, *restarts: int) -> None:
        self.lives: list[Process] = []
        self.due: list[tuple[float, Callable[[], object]]] = []
        self.service = Service(self._start, self._later, restarts)

    def _start(self) -> Any:
        self.lives.append(Process())
        return self.lives[-1]

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        self.due.append((seconds, what))


def test_one_that_is_killed_is_started_again_later() -> None:
    world = World()
    world.service.kill(1.5)
    assert (world.service.poll(), len(world.lives)) == (None, 1)
    ((seconds, again),) = world.due
    again()
    assert (seconds, len(world.lives), world.service.kills) == (1.5, 2, 1)
    assert world.service.poll() is None
    world.lives[1].returncode = 0
    assert (world.service.poll(), world.service.returncode) == (0, 0)


def test_codes_that_are_restarted_are_remembered_and_others_are_the_end() -> None:
    world = World(74)
    world.lives[0].returncode = 74
    assert world.service.poll() is None
    ((seconds, again),) = world.due
    again()
    assert (seconds, world.service.exits) == (RESTART_S, [74])
    world.lives[1].returncode = 70
    assert world.service.poll() == 70


def test_one_that_is_to_end_is_not_started_again() -> None:
    world = World(74)
    world.service.kill(1.0)
    world.service.terminate()
    world.due[0][1]()
    assert len(world.lives) == 1
    assert world.service.poll() == -9


def test_its_last_word_counts_even_if_it_is_one_that_is_restarted() -> None:
    world = World(74)
    world.service.terminate()
    world.lives[0].returncode = 74
    assert world.lives[0].ended
    assert (world.service.poll(), world.service.exits) == (74, [])
