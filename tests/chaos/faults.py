"""What goes wrong, and when: drawn from a seed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.chaos.world import World
from tests.support.link import Weather

DAY_S = 86_400
LONGEST_STALL_S = 4.0
_SLOWEST_BYTES_S = 8e3
_OPEN_BYTES = 50_000
"""About twenty sealed events without a picture: what may be on its way at once."""
_LONGEST_FREEZE_S = 3.0
LONGEST_HOLD_S = LONGEST_STALL_S + _LONGEST_FREEZE_S + _OPEN_BYTES / _SLOWEST_BYTES_S
"""So long may link and broker hold back what was live when it left: MQTT counts its expiry from
the broker on."""
_CONNECTED_S = 2.0


@dataclass
class Tally:
    """How often what was done to whom."""

    done: Counter[str] = field(default_factory=Counter)
    died: int = 0

    @property
    def kills(self) -> int:
        """Of the device and of the receiver."""
        return self.done["kill_device"] + self.done["kill_receiver"]


class Faults:
    """Does one thing after the other.

    Args:
        world: to whom.
        chance: decides.
        pause_s: between two faults, on average.
        goal: cuts and kills that are enough.
    """

    def __init__(
        self, world: World, chance: random.Random, pause_s: float, goal: tuple[int, int]
    ) -> None:
        self._goal = goal
        self.tally = Tally()
        self._world = world
        self._chance = chance
        self._pause_s = pause_s
        self._fair_at = 0.0
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._receiver_away = self._broker_away = False
        self._kinds: dict[Callable[[], None], float] = {
            self.cut: 8, self.kill_device: 10, self.kill_receiver: 6, self.kill_broker: 2,
            self.freeze_broker: 1, self.stall: 3, self.slow: 3, self.half_open: 3, self.refuse: 2,
        }  # fmt: skip
        if world.faketime:
            self._kinds[self.jump] = 3

    def step(self) -> None:
        """Wait a while, then one fault."""
        self.wait(self._chance.expovariate(1 / self._pause_s))
        done, goal = self.tally, self._goal
        enough = {self.cut: done.done["cut"] >= goal[0]}
        enough |= dict.fromkeys((self.kill_device, self.kill_receiver), done.kills >= goal[1])
        kinds = [kind for kind in self._kinds if not enough.get(kind)]
        (fault,) = self._chance.choices(kinds, [self._kinds[kind] for kind in kinds])
        fault()

    def wait(self, seconds: float) -> None:
        """While what is due gets done, and a device that ended by itself is started again."""
        end = time.monotonic() + seconds
        while True:
            self._work_off(time.monotonic())
            if not self._world.device_lives() and not self._restarting:
                self.tally.died += 1
                self._world.start_device()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.02))

    _restarting = False

    def heal(self) -> None:
        """Everything is well again, and stays so."""
        world = self._world
        for _, deed in self._due:
            deed()
        self._due.clear()
        world.link.weather = Weather()
        world.jump(0)

    def cut(self) -> None:
        """Soon: a connection that is there is what can be cut."""
        self.until(lambda: self._world.link.open > 0, _CONNECTED_S)
        if self._world.link.open and self._world.link.cut():
            self.tally.done["cut"] += 1

    def until(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait for something, at most so long."""
        end = time.monotonic() + seconds
        while not holds() and time.monotonic() < end:
            self.wait(0.05)

    def kill_device(self) -> None:
        if self._restarting:
            return
        self._world.end_device()
        self.tally.done["kill_device"] += 1
        self._restarting = True
        self._after(self._chance.uniform(0.0, 0.6), self._restart_device)

    def _restart_device(self) -> None:
        self._world.start_device()
        self._restarting = False

    def kill_receiver(self) -> None:
        if self._receiver_away:
            return
        self._world.kill_receiver()
        self.tally.done["kill_receiver"] += 1
        self._receiver_away = True
        self._after(self._chance.uniform(0.0, 1.0), self._restart_receiver)

    def _restart_receiver(self) -> None:
        self._world.start_receiver()
        self._receiver_away = False

    def kill_broker(self) -> None:
        """As by a power cut or in good order; its store may be gone afterwards."""
        if self._broker_away:
            return
        broker = self._world.broker
        broker.kill() if self._chance.random() < 0.7 else broker.stop()
        self.tally.done["kill_broker"] += 1
        if self._chance.random() < 0.5:
            broker.lose_store()
            self.tally.done["lose_store"] += 1
        self._broker_away = True
        self._after(self._chance.uniform(0.0, 2.0), self._restart_broker)

    def _restart_broker(self) -> None:
        self._world.broker.start()
        self._broker_away = False

    def freeze_broker(self) -> None:
        if self._broker_away:
            return
        self._world.broker.freeze()
        self.tally.done["freeze_broker"] += 1
        self._broker_away = True
        self._after(self._chance.uniform(0.2, _LONGEST_FREEZE_S), self._thaw)

    def _thaw(self) -> None:
        self._world.broker.thaw()
        self._broker_away = False

    def stall(self) -> None:
        self._storm("stall", self._chance.uniform(0.2, LONGEST_STALL_S), stalled=True)

    def slow(self) -> None:
        latency, rate = (
            self._chance.uniform(0.05, 0.4),
            self._chance.uniform(_SLOWEST_BYTES_S, 60e3),
        )
        self._storm("slow", self._chance.uniform(1.0, 6.0), latency_s=latency, bytes_s=rate)

    def refuse(self) -> None:
        self._world.link.cut()
        self._storm("refuse", self._chance.uniform(0.2, 3.0), refusing=True)

    def half_open(self) -> None:
        if self._world.link.half_open():
            self.tally.done["half_open"] += 1

    def jump(self) -> None:
        self._world.jump(self._chance.choice((-DAY_S, 0, DAY_S)))
        self.tally.done["jump"] += 1

    def _storm(self, name: str, seconds: float, **weather: float) -> None:
        link = self._world.link
        link.weather = replace(link.weather, **weather)
        self.tally.done[name] += 1
        fair = Weather()
        back = {key: getattr(fair, key) for key in weather}
        self._after(seconds, lambda: setattr(link, "weather", replace(link.weather, **back)))

    def _after(self, seconds: float, deed: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, deed))

    def _work_off(self, now: float) -> None:
        ready = [deed for at, deed in self._due if at <= now]
        self._due = [(at, deed) for at, deed in self._due if at > now]
        for deed in ready:
            deed()
