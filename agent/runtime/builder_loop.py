"""The builder thread: a new gallery whenever the list changes, aside, at low priority.

A changed list is in service at once, searched exactly; its index, which takes minutes for a long
one, follows, and is given up as soon as the list changes again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from agent.errors import BodycamError
from agent.ports import Clock, Gallery
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Disarm, NewGallery, Order
from agent.values import Wall

STAGE = "builder"
NICE = 10
"""Added to the niceness of the builder thread. On Linux niceness belongs to the thread
(setpriority(2), notes), so the frames go on at theirs."""
POLL_S = 0.5


class DatedGallery(Gallery, Protocol):
    """A gallery of what was valid when it was built.

    Attributes:
        next_change: wall-clock second at which its list changes by itself (an entry begins or
            expires); None when it never does.
    """

    @property
    def next_change(self) -> Wall | None: ...

    @property
    def how(self) -> str:
        """How it is searched, and why, in one line."""

    def indexed(self, go_on: Callable[[], bool]) -> DatedGallery | None:
        """The same list after trying an index, in minutes; None when there was nothing to try,
        or `go_on` became false.
        """


class GallerySource(Protocol):
    """Where the index comes from."""

    def fingerprint(self) -> object:
        """Cheap; differs whenever the list on disk has changed."""

    def build(self, *, now: Wall) -> DatedGallery:
        """A gallery of the entries valid at `now`, without delay.

        Raises:
            BodycamError: the list cannot be used.
        """


class BuilderLoop:
    """Posts a new gallery after every change of the list.

    A list that cannot be used leaves the old gallery in service until that one's own next
    change; from then on it could match somebody whose time is over, so the device disarms.

    Args:
        source: of galleries.
        mailbox: of the pipeline.
        serving: what the pipeline has now, and the fingerprint it was built from.
        clock, board, heartbeats, log: as everywhere.
        uid: of the agent itself, for the audit record of a disarming.

    Attributes:
        how: the list in service is searched, and why, in one line.
    """

    def __init__(
        self,
        source: GallerySource,
        mailbox: Mailbox[Order],
        serving: tuple[DatedGallery, object],
        *,
        clock: Clock,
        board: Board,
        heartbeats: Heartbeats,
        log: Log,
        uid: int,
    ) -> None:
        self._source = source
        self._mailbox = mailbox
        self._next_change = serving[0].next_change
        self._to_index: DatedGallery | None = serving[0]
        self.how = serving[0].how
        self._fingerprint = serving[1]
        self._clock = clock
        self._board = board
        self._heartbeats = heartbeats
        self._log = log
        self._uid = uid
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self, lower: Callable[[], None] | None = None) -> None:
        """Until `stop`.

        Args:
            lower: lowers the priority of the calling thread; None: `setpriority`.
        """
        (lower or lower_priority)()
        while not self._stopping.wait(POLL_S):
            self._heartbeats.beat(STAGE)
            self.poll()
        self._heartbeats.done(STAGE)

    def poll(self) -> None:
        """One look at the list; builds when it is time to, else sees to the index."""
        due, fingerprint = self._due(), self._source.fingerprint()
        if not due and fingerprint == self._fingerprint:
            self._index()
            return
        self._fingerprint = fingerprint
        try:
            built = self._source.build(now=self._clock.wall())
        except BodycamError as error:
            self._refuse(str(error), due=due)
            return
        self._next_change, self._to_index, self.how = built.next_change, built, built.how
        self._mailbox.post(NewGallery(built))

    def _index(self) -> None:
        """Try an index for what is in service, once."""
        plain, self._to_index = self._to_index, None
        indexed = None if plain is None else plain.indexed(self._go_on)
        if indexed is not None:
            self.how = indexed.how
            self._log.info("watchlist index", reason=self.how)
            self._mailbox.post(NewGallery(indexed, same_list=True))

    def _go_on(self) -> bool:
        self._heartbeats.beat(STAGE)
        changed = self._due() or self._source.fingerprint() != self._fingerprint
        return not (changed or self._stopping.is_set())

    def _due(self) -> bool:
        return self._next_change is not None and self._clock.wall() >= self._next_change

    def _refuse(self, problem: str, *, due: bool) -> None:
        line = " ".join(problem.split())
        self._log.error("the watchlist cannot be used", reason=line)
        self._board.watchlist(line)
        if due:
            self._next_change = None
            self._mailbox.post(Disarm("an entry changed and the list cannot be used", self._uid))


def lower_priority() -> None:
    """Give way to the frames: this thread only."""
    me = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + NICE)
