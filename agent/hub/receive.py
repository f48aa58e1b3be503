"""The receiving loop: from the broker into the inbox, and answers back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.delivery import Backoff
from agent.errors import DataError
from agent.hub.event_store import EventStore
from agent.hub.event_values import Incoming, Opened, StateHeard, Why
from agent.hub.inbox import Inbox, Taken
from agent.hub.link import HubLink, Links, LostError
from agent.hub.outcomes import Outcomes
from agent.hub.screens import Screen
from agent.hub.shown import Shown
from agent.hub.watching import DeviceWatch
from agent.messages import GapEvent
from agent.ports import Clock

_TURN_S: Final = 0.25
QUIET_S: Final = 2.0
"""`--once` ends when nothing has come for so long."""
_FLUSH_S: Final = 5.0
_LINE_EVERY_S: Final = 60.0
_REVIEWS_EVERY_S: Final = 1.0
_RETAIN_EVERY_S: Final = 3600.0


@dataclass
class Counts:
    """Of one run."""

    stored: int = 0
    again: int = 0
    refused: int = 0
    by_reason: dict[Why, int] = field(default_factory=dict)


@dataclass
class Receiver:
    """Attributes:
    links: makes connections.
    inbox: judges and keeps.
    store: finds what was kept of the same subject.
    outcomes: what cameras are told of reviews.
    watch: of the cameras.
    screen: shows it.
    clock: wall time of arrival; monotonic for silences.
    backoff: pauses between tries to connect.
    chance: uniform numbers in [0, 1).
    sleep: waits so many seconds.
    stop: asked often; true ends the loop in good order.
    window_s: the same subject from two cameras within so many seconds is shown together.
    retain: deletes what is kept for too long, and says so; asked every hour, and at the start.
    """

    links: Links
    inbox: Inbox
    store: EventStore
    outcomes: Outcomes
    watch: DeviceWatch
    screen: Screen
    clock: Clock
    backoff: Backoff
    chance: Callable[[], float]
    sleep: Callable[[float], None]
    stop: Callable[[], bool]
    window_s: float
    retain: Callable[[], str] = lambda: ""
    counts: Counts = field(default_factory=Counts)
    _told: dict[str, float] = field(default_factory=dict)
    _looked: float = float("-inf")
    _retained: float = float("-inf")

    def once(self) -> None:
        """Take in what waits at the broker.

        Raises:
            LostError: it cannot be reached, or hung up.
            DiskError: it cannot be kept; the broker and the cameras still have it.
        """
        link = self.links.connect()
        try:
            self._work(link, quiet_s=QUIET_S)
        finally:
            link.close()

    def run(self) -> None:
        """Receive until told to stop; a broker that is away is waited for.

        Raises:
            DiskError: it cannot be kept; the broker and the cameras still have it.
        """
        failures = 0
        while not self.stop():
            try:
                link = self.links.connect()
            except LostError as error:
                failures += 1
                self._say_once(str(error), f"{error}; trying again")
                self._pause(self.backoff.pause_s(failures, self.chance()))
                continue
            failures = 0
            self._told.clear()
            self.screen.line("connected to the broker; receiving")
            try:
                self._work(link, quiet_s=None)
            except LostError as error:
                self._say_once(str(error), f"{error}; trying again")
                self._pause(self.backoff.pause_s(1, self.chance()))
            finally:
                link.close()

    def _work(self, link: HubLink, *, quiet_s: float | None) -> None:
        last = self.clock.monotonic()
        while not self.stop():
            batch = link.take(_TURN_S)
            now = self.clock.monotonic()
            states: list[StateHeard] = []
            if batch:
                last = now
                states = self._batch(link, batch, now)
            self._tell_outcomes(link, states, now)
            self._look_after(now)
            if quiet_s is not None and now - last >= quiet_s:
                break
        link.flush(_FLUSH_S)

    def _tell_outcomes(self, link: HubLink, states: Sequence[StateHeard], now: float) -> None:
        """Once in a while, and when a camera has come."""
        if not states and now - self._looked < _REVIEWS_EVERY_S:
            return
        self._looked = now
        try:
            answers = self.outcomes.due(states, now=self.clock.wall())
        except DataError as error:
            self._say_once("outcomes", f"cameras are not told of reviews: {error}")
            return
        for topic, payload in answers:
            link.publish(topic, payload)

    def _batch(self, link: HubLink, batch: Sequence[Incoming], now: float) -> list[StateHeard]:
        taken = self.inbox.take(batch, now=self.clock.wall())
        for topic, payload in taken.answers:
            link.publish(topic, payload)
        link.done(batch)
        self._account(taken, now)
        return taken.states

    def _account(self, taken: Taken, now: float) -> None:
        for name in self.watch.heard(taken.alive, now=now):
            self.screen.line(f"{name}: is heard again")
        for said in taken.states:
            self.watch.said(said.device.name, said.state, now=now)
        for one in taken.health:
            self.watch.told(one.device.name, one.health, now=now)
        self.counts.stored += len(taken.stored)
        self.counts.again += taken.again
        self.counts.refused += len(taken.refused)
        for bad in taken.refused:
            self.counts.by_reason[bad.why] = self.counts.by_reason.get(bad.why, 0) + 1
            self._say_once(f"{bad.why.value}/{bad.device}", _refusal(bad.device, bad.detail))
        for anchor in taken.anchors:
            if anchor.fork:
                self.screen.line(f"ALARM {anchor.device.name}: {anchor.fork}")
        for event in taken.stored:
            self.watch.raised(event.device.name, now=now)
            self.screen.event(self._shown(event))

    def _shown(self, one: Opened) -> Shown:
        if isinstance(one.event, GapEvent):
            return Shown(one.device.name, one.event)
        stored = self.store.find(one.device.key_id, one.event.id)
        beside = self.store.beside(stored, self.window_s) if stored else ()
        return Shown(one.device.name, one.event, beside)

    def _look_after(self, now: float) -> None:
        for name in self.watch.silent(now=now):
            minutes = (now - self.watch.cameras[name].heard) / 60
            self.screen.line(f"ALARM {name}: silent for {minutes:.1f} minutes, though online")
        if now - self._retained >= _RETAIN_EVERY_S:
            self._retained = now
            line = self.retain()
            if line:
                self.screen.line(line)
        self.screen.tick(self.watch, now=now)

    def _say_once(self, what: str, line: str) -> None:
        """At most once a minute for each kind."""
        now = self.clock.monotonic()
        if now - self._told.get(what, now - _LINE_EVERY_S) >= _LINE_EVERY_S:
            self._told[what] = now
            self.screen.line(line)

    def _pause(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while not self.stop() and self.clock.monotonic() < end:
            self.screen.tick(self.watch, now=self.clock.monotonic())
            self.sleep(min(_TURN_S, max(0.0, end - self.clock.monotonic())))


def _refusal(device: str, detail: str) -> str:
    return f"refused from {device}: {detail}" if device else f"refused: {detail}"
