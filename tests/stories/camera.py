"""A story as a camera on the loopback, with what goes wrong at its times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from firmware_sim.feed import Feed
from firmware_sim.player import StreamPart
from firmware_sim.server import CameraServer
from firmware_sim.shutter import Video

HOST = "127.0.0.1"
Shot = tuple[bytes, int]
"""A JPEG, and its story time in microseconds."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done before the frame of this time.

    Attributes:
        at_us: story time.
        name: for messages.
        do: returns when it is done.
    """

    at_us: int
    name: str
    do: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without pictures.

    Attributes:
        from_us, to_us: story time.
        hang_up: the camera is gone; else it is there and silent.
    """

    from_us: int
    to_us: int
    hang_up: bool


class StoryCamera:
    """Plays shots to one viewer; `start_at` is known once it watches.

    Args:
        shots: of the whole story.
        live: in real time; else each shot when the one before it has been taken.
        actions: in order of time.
        gaps: in order of time.
        video: whether the camera's body gives pictures now.
    """

    def __init__(
        self,
        shots: Iterable[Shot],
        *,
        live: bool,
        actions: Sequence[Action],
        gaps: Sequence[Gap],
        video: Callable[[], Video] = lambda: "on",
    ) -> None:
        self._shots, self._live = shots, live
        self._actions, self._gaps, self._video = list(actions), list(gaps), video
        self._stop = threading.Event()
        self.error: BaseException | None = None
        self.over = threading.Event()
        self._began = 0.0
        self.shown = 0
        self.start_at = 0.0
        self.jump_s = 0.0
        self._feed = Feed(self._stop, lockstep=not live)
        self._server = CameraServer(HOST, 0, self._feed)
        self._thread = threading.Thread(target=self._run, name="story", daemon=True)
        self._serving = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="http", daemon=True
        )

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def at_s(self) -> float:
        """Story time now, s; 0 before anybody watches."""
        return time.monotonic() - self._began if self._began else 0.0

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        for thread in (self._serving, self._thread):
            thread.start()

    def close(self) -> None:
        """End at once."""
        self._stop.set()
        self._thread.join(10)
        self._server.shutdown()
        self._server.server_close()

    def _run(self) -> None:
        try:
            self._play()
        except BaseException as error:  # noqa: BLE001 - told by whoever plays the story
            self.error = error
            self._stop.set()

    def _play(self) -> None:
        if not self._feed.wait_for_viewer():
            return
        self._began = time.monotonic()
        self.start_at = time.time()
        start_us = round(self.start_at * 1e6)
        for jpeg, at_us in self._present():
            stamp = start_us + at_us + round(self.jump_s * 1e6)
            if not self._feed.publish(StreamPart(jpeg, stamp)):
                return
            self.shown += 1
        self.over.set()
        if not self._live:  # a live camera has no end: whoever plays the story ends the agent
            self._feed.finish()
            self._feed.wait_for_farewell(None)

    def _present(self) -> Iterator[Shot]:
        """What is shown, when its time has come; actions and gaps happen in between."""
        for jpeg, at_us in self._shots:
            while self._actions and self._actions[0].at_us <= at_us:
                self._wait_for(self._actions[0].at_us)
                self._actions.pop(0).do()
            self._wait_for(at_us)
            gap = next((g for g in self._gaps if g.from_us <= at_us < g.to_us), None)
            video = self._video()
            self._feed.switch(on=video != "off" and (gap is None or not gap.hang_up))
            if gap is None and video == "on":
                yield jpeg, at_us
        for action in self._actions:
            self._wait_for(action.at_us)
            action.do()

    def _wait_for(self, at_us: int) -> None:
        if self._live:
            self._stop.wait(max(0.0, self._began + at_us / 1e6 - time.monotonic()))
