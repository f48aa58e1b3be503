"""The builder thread: a new gallery whenever the list changes, aside, at low priority.

A changed list is in service at once; its index follows in seconds, and is given up as soon as the
list changes again. An entry whose time begins or is over changes a mask only. When nothing is to
be done, a list that grew or shrank by many changes is built anew.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Protocol

from agent.errors import BodycamError, DataError, RefusedError
from agent.ports import Clock, Gallery
from agent.ports.log import Log
from agent.runtime.board import Board
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import NewGallery, Order, Withdraw
from agent.values import Wall

STAGE = "builder"
NICE = 10
"""Added to the niceness of the builder thread. On Linux niceness belongs to the thread
(setpriority(2), notes), so the frames go on at theirs."""
POLL_S = 0.5


class DatedGallery(Gallery, Protocol):
    """A gallery of what is valid at a moment.

    Attributes:
        next_change: wall-clock second at which its list changes by itself (an entry begins or
            expires); None when it never does.
        how: how it is searched, and why, in one line.
        stale: it holds much that no longer counts, or many changes: to be built anew at leisure.
    """

    @property
    def next_change(self) -> Wall | None: ...

    @property
    def how(self) -> str: ...

    @property
    def stale(self) -> bool: ...

    def at(self, now: Wall) -> DatedGallery:
        """The same list at another moment, without delay."""

    def indexed(self, go_on: Callable[[], bool]) -> DatedGallery | None:
        """The same list after trying the next index; None when there was nothing to try or to
        win, or `go_on` became false.
        """


class GallerySource(Protocol):
    """Where the index comes from."""

    def fingerprint(self) -> object:
        """Cheap; differs whenever the list on disk has changed, but by `expire`."""

    def under(self) -> str:
        """Hash of the policy that `build` holds the list to, or to a later one."""

    def build(self, *, now: Wall, previous: DatedGallery | None = None) -> DatedGallery:
        """A gallery of the entries valid at `now`, without delay.

        Args:
            now: wall seconds.
            previous: in service; small changes may be applied to a clone of it.

        Raises:
            RefusedError: nobody may be matched.
            BodycamError: the list cannot be used.
        """

    def nobody(self, *, now: Wall) -> DatedGallery:
        """The gallery of an empty list."""

    def expire(self, now: Wall) -> None:
        """Destroy what is over by `now`, wherever it is kept.

        Raises:
            BodycamError: it cannot be, now.
        """

    def keep(self, gallery: DatedGallery) -> None:
        """Keep its index for the next start.

        Raises:
            BodycamError: it cannot be, now.
        """


class BuilderLoop:
    """Posts a new gallery after every change of the list.

    A list that cannot be read leaves the old gallery in service until that one's own next change;
    from then on it could match somebody whose time is over. At that, and at once when the list
    *may* not be used (its time is over, the clock is wrong, the policy), nobody is matched any
    more and the device disarms.

    Args:
        source: of galleries.
        mailbox: of the pipeline.
        serving: what the pipeline has now, and the fingerprint it was built from.
        clock, board, heartbeats, log: as everywhere.
        uid: of the agent itself, for the audit record of a disarming.
        look_again: called when the list on disk is damaged, and when one that could not be used
            can be: what the latest look said of it is out of date.
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
        look_again: Callable[[], None] = lambda: None,
    ) -> None:
        self._look_again = look_again
        self._source = source
        self._mailbox = mailbox
        self._serving = serving[0]
        self._to_index = self._to_compact = True
        self._broken = False
        self._fingerprint = serving[1]
        self._under = source.under()
        self._clock = clock
        self._board = board
        self._heartbeats = heartbeats
        self._log = log
        self._uid = uid
        self._expiring, self._not_destroyed = False, ""
        self._stopping = threading.Event()

    @property
    def how(self) -> str:
        """How the list in service is searched, and why, in one line."""
        return self._serving.how

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
        """One look at the list; does what is most urgent."""
        if self._due():
            self._turn_over()
        if self._expiring:
            self._expire()
        fingerprint = self._source.fingerprint()
        if fingerprint != self._fingerprint:
            self._fingerprint = fingerprint
            self._renew()
        elif self._to_index:
            self._index()
        elif self._to_compact and self._serving.stale:
            self._compact()

    def _turn_over(self) -> None:
        """What begins or is over now: in service at once, on disk as soon as it can be."""
        self._expiring = True
        if self._broken:
            self._withdraw("an entry changed and the list cannot be used")
        else:
            self._serve(self._serving.at(self._clock.wall()))

    def _expire(self) -> None:
        """Tried again until it is done; a reason why not is told once."""
        try:
            self._source.expire(self._clock.wall())
        except BodycamError as error:
            line = _line(error)
            if line != self._not_destroyed:
                self._log.error("what is over cannot be destroyed yet", reason=line)
            self._not_destroyed = line
            return
        self._expiring, self._not_destroyed = False, ""

    def _renew(self) -> None:
        self._under = self._source.under()  # before: what is built may be under a later one
        try:
            built = self._source.build(now=self._clock.wall(), previous=self._serving)
        except BodycamError as error:
            self._refuse(error)
            return
        if self._broken:
            self._look_again()
        self._broken = False
        self._to_index = True
        self._serve(built)

    def _serve(self, gallery: DatedGallery, *, same_list: bool = False) -> None:
        self._serving = gallery
        self._to_compact = True
        self._mailbox.post(NewGallery(gallery, same_list=same_list, under=self._under))

    def _index(self) -> None:
        """Try the next index for what is in service, until there is nothing left to try."""
        indexed = self._serving.indexed(self._go_on)
        self._to_index = indexed is not None
        if indexed is not None:
            self._log.info("watchlist index", reason=indexed.how)
            self._serve(indexed, same_list=True)
            self._keep(indexed)

    def _compact(self) -> None:
        """The same list built anew, with its index, before it takes over; once for each gallery."""
        self._to_compact = False
        try:
            built = self._source.build(now=self._clock.wall())
        except BodycamError:
            return
        built = built.indexed(self._go_on) or built
        if self._go_on() and built.ref == self._serving.ref:
            self._serve(built, same_list=True)
            self._keep(built)

    def _keep(self, gallery: DatedGallery) -> None:
        try:
            self._source.keep(gallery)
        except BodycamError as error:
            self._log.warning("the next start makes the index again", reason=_line(error))

    def _go_on(self) -> bool:
        self._heartbeats.beat(STAGE)
        changed = self._due() or self._source.fingerprint() != self._fingerprint
        return not (changed or self._stopping.is_set())

    def _due(self) -> bool:
        due = self._serving.next_change
        return due is not None and self._clock.wall() >= due

    def _refuse(self, error: BodycamError) -> None:
        line = _line(error)
        self._broken = True
        self._log.error("the watchlist cannot be used", reason=line)
        self._board.watchlist(line)
        if isinstance(error, RefusedError):
            self._withdraw(line)
        if isinstance(error, DataError):
            self._look_again()

    def _withdraw(self, reason: str) -> None:
        self._serving = self._source.nobody(now=self._clock.wall())
        self._mailbox.post(Withdraw(self._serving, reason, self._uid))


def _line(error: BodycamError) -> str:
    return " ".join(str(error).split())


def lower_priority() -> None:
    """Give way to the frames: this thread only."""
    me = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + NICE)
