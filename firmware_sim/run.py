"""`bodycam-sim run`: play footage as a camera until it is over, or stopped."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.body import Body, BodyOptions
from firmware_sim.errors import Exit, SimError
from firmware_sim.feed import Feed
from firmware_sim.footage import find, quieten_decoders, shots
from firmware_sim.player import Encoder, StreamPart, play_all, play_live
from firmware_sim.server import CameraServer
from firmware_sim.shutter import Shutter
from firmware_sim.story.playing import StoryFilm
from firmware_sim.timeline import CameraCommand, Event

_TICK_S = 0.1
_FAREWELL_S = 10.0  # slow viewers of a live stream get so long to take the end


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to play, and how.

    Attributes:
        play: videos, pictures and folders of pictures, in order.
        film: a story instead of them.
        host, port: where to listen; port 0 takes a free one.
        real_time: at the pace of the footage; else as fast as the one viewer reads.
        loop: how often to play it all; 0: for ever.
        fps: frames/s for everything; None: as the footage says.
        encoder: size and quality of the pictures.
        start_at: capture time of the first picture, seconds since 1970; None: now.
        wait_client: begin when the first viewer is there.
        port_file: write the port here once listening.
        body: interfaces besides the picture.
        events: what happens when, seconds from the start of the program.
    """

    play: tuple[str, ...]
    host: str = "127.0.0.1"
    port: int = 0
    real_time: bool = True
    loop: int = 1
    fps: float | None = None
    encoder: Encoder = field(default_factory=Encoder)
    start_at: float | None = None
    wait_client: bool = False
    port_file: str | None = None
    body: BodyOptions = field(default_factory=BodyOptions)
    events: tuple[Event, ...] = ()
    film: StoryFilm | None = None


Ready = Callable[[str, "int | None"], None]
"""Given the address of the stream and the port of gpsd once both can be reached."""


def run_camera(options: RunOptions, *, stop: threading.Event, ready: Ready) -> None:
    """Play until the footage is over and every viewer has had its end, or `stop` is set.

    Args:
        options: what and how.
        stop: set from outside to end at once.
        ready: see `Ready`.

    Raises:
        SimError: bad footage, or the address cannot be taken.
    """
    quieten_decoders()
    paths = find(options.play) if options.film is None else []
    feed = Feed(stop, lockstep=not options.real_time)
    server = _listen(options, feed)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="http", daemon=True)
    thread.start()
    try:
        _run_body(options, feed, server, stop=stop, ready=ready, paths=paths)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _run_body(
    options: RunOptions,
    feed: Feed,
    server: CameraServer,
    *,
    stop: threading.Event,
    ready: Ready,
    paths: list[Path],
) -> None:
    body = Body(options.body, now=time.monotonic(), wall=time.time())
    shutter = Shutter(feed, options.encoder, lambda: body.state.video)
    ended = threading.Event()
    failures: list[SimError] = []

    def tick() -> None:
        try:
            _tick(body, shutter, options.events, ended)
        except SimError as error:  # the folder is gone, the disk full: the camera ends
            failures.append(error)
            stop.set()

    ticking = threading.Thread(target=tick, name="body", daemon=True)
    ticking.start()
    try:
        if options.port_file is not None:
            _write_port(Path(options.port_file), server.server_port)
        ready(server.url, body.gps_port)
        if not options.wait_client or feed.wait_for_viewer():
            _play(options, paths, shutter, stop)
        feed.finish()
        feed.wait_for_farewell(_FAREWELL_S if options.real_time else None)
    finally:
        ended.set()
        ticking.join()
        body.close()
    if failures:
        raise failures[0]


def _tick(body: Body, shutter: Shutter, events: tuple[Event, ...], ended: threading.Event) -> None:
    """Until the end: time passes for the body, and what shall happen happens."""
    began, left = time.monotonic(), sorted(events, key=lambda event: event.at_s)
    while not ended.wait(_TICK_S):
        now = time.monotonic()
        while left and left[0].at_s <= now - began:
            what = left.pop(0).what
            if isinstance(what, CameraCommand):
                shutter.apply(what)
            else:
                body.apply(what, now=time.monotonic())
        body.tick(now=time.monotonic())
        shutter.watch()


def _play(options: RunOptions, paths: list[Path], shutter: Shutter, stop: threading.Event) -> None:
    for part in _parts(options, paths, shutter, stop):
        if stop.is_set() or not shutter.show(part):
            return


def _parts(
    options: RunOptions, paths: list[Path], shutter: Shutter, stop: threading.Event
) -> Iterator[StreamPart]:
    start = time.time() if options.start_at is None else options.start_at
    start_us = round(start * 1_000_000)
    if options.film is not None:
        footage = options.film.shots(start)
    else:
        footage = shots(paths, loop=options.loop, fps=options.fps)
    if not options.real_time:
        return play_all(footage, shutter.encode, start_us=start_us)
    return play_live(
        footage,
        shutter.encode,
        start_us=start_us,
        now_us=lambda: time.monotonic_ns() // 1000,
        sleep_us=lambda wait: _nap(stop, wait),
    )


def _nap(stop: threading.Event, wait_us: int) -> None:
    stop.wait(wait_us / 1_000_000)


def _listen(options: RunOptions, feed: Feed) -> CameraServer:
    try:
        return CameraServer(options.host, options.port, feed)
    except OSError as error:
        where = f"{options.host}:{options.port}"
        if error.errno == errno.EADDRINUSE:
            reason = "already in use; choose another --port, or 0 for a free one"
        else:
            reason = f"cannot listen there ({error.strerror})"
        raise SimError(f"{where}: {reason}", Exit.UNAVAILABLE) from None


def _write_port(path: Path, port: int) -> None:
    """At once or not at all: a reader never sees half a number."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".port")
        with os.fdopen(handle, "w") as stream:
            stream.write(f"{port}\n")
        Path(name).replace(path)
    except OSError as error:
        raise SimError(f"{path}: cannot be written ({error.strerror})", Exit.DISK) from None
