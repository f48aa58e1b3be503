"""The whole agent on a simulated body: position, battery, lamp, button, as on a board."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.adapters.control_socket import ask
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.errors import UnavailableError
from agent.messages.control import ControlRequest
from agent.watchlist.columns import StoredList
from firmware_sim.body import Body, BodyOptions
from firmware_sim.device import Charge, Press
from firmware_sim.gps import Sky
from firmware_sim.sysfs import LAMP, VIBRATOR
from tests.support.agents import CURVE, MAN
from tests.support.lists import a_meta, columns_of
from tests.support.portraits import (
    SPACE,
    PortraitDetector,
    PortraitEmbedder,
    save_portrait,
    template,
)
from tests.support.receiver import wait_until

pytestmark = pytest.mark.slow
FRAMES = 600
"""A minute; the test is over long before."""


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def alive(body: Body) -> Iterator[None]:
    """Its time passes."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.05):
            body.tick(now=time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        body.close()


def the_man_for_a_minute(folder: Path) -> Path:
    folder.mkdir()
    first = save_portrait(folder / "000.png", MAN)
    for number in range(1, FRAMES):
        (folder / f"{number:03d}.png").symlink_to(first)
    return folder


def listed(context: Context) -> None:
    columns = columns_of([a_meta(MAN)], [1], np.stack([template(MAN)]))
    stored = StoredList("local-1", 1, SPACE, columns)
    context.watchlist().update(lambda _: stored, record=lambda _: None)


class Operator:
    """Somebody who holds the camera, and sees its status."""

    def __init__(self, context: Context, body: Body) -> None:
        self._path, self.body = context.control_path, body

    def status(self) -> dict[str, Any]:
        try:
            return ask(self._path, ControlRequest(command="status")).data
        except UnavailableError:
            return {}

    def do(self, command: Any) -> None:
        self.body.apply(command, now=time.monotonic())

    def sees(self, holds: Callable[[dict[str, Any]], bool], what: str) -> None:
        wait_until(lambda: bool(status := self.status()) and holds(status), what)

    def patrol(self) -> None:
        """A patrol: armed by the button, an alert with its place, and an empty battery."""
        self.sees(lambda now: now["gps"]["receiver"] == "fix", "a fix")
        wait_until(lambda: self.body.state.lamp == (50, 2950), "the lamp says disarmed")
        self.do(Press("arm"))
        self.sees(lambda now: now["armed"], "armed")
        wait_until(lambda: self.body.state.lamp == (1, 0), "the lamp says armed")
        wait_until(lambda: self.body.state.pulses == 1, "it vibrates")
        self.sees(lambda now: now["alerts"] > 0, "an alert")
        self.do(Charge(20))
        self.sees(lambda now: now["governor"]["rules"] == ["battery-low"], "it does less")
        assert self.status()["armed"]
        assert self.status()["hardware"]["battery"]["percent"] == 20
        self.do(Sky(0))
        self.sees(lambda now: now["gps"]["receiver"] == "no fix", "no fix")
        self.do(Charge(3))
        self.sees(lambda now: not now["armed"], "too little power")
        now = self.status()
        assert now["state"] == "degraded"
        assert "battery-empty" in now["reason"]
        wait_until(lambda: self.body.state.lamp == (100, 100), "the lamp says trouble")
        self.do(Press("arm"))
        assert "battery-empty" in self.body.answers[-1]["error"]


def test_a_patrol_on_a_simulated_body(tmp_path: Path) -> None:
    control = tmp_path / "state" / "control.sock"
    options = BodyOptions(sysfs=tmp_path / "sys", gps_port=0, control=control)
    body = Body(options, now=time.monotonic(), wall=time.time())
    models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
    settings = (
        f"camera.source={the_man_for_a_minute(tmp_path / 'clip')}", "camera.pace=live",
        "camera.fps=10", "gps.enabled=true", f"gps.port={body.gps_port}", "governor.after_s=1",
        f"hardware.sysfs_root={tmp_path / 'sys'}", f"hardware.led={LAMP}",
        f"hardware.haptic={VIBRATOR}",
    )  # fmt: skip
    context = Context(tmp_path / "state", None, settings, models=models)
    assert context.control_path == control
    listed(context)
    errors: list[BaseException] = []

    def operate() -> None:
        try:
            Operator(context, body).patrol()
        except BaseException as error:  # noqa: BLE001 -- raised below
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with alive(body):
        agent = build_agent(context, RunOptions())
        thread = threading.Thread(target=operate)
        thread.start()
        agent.run()
        thread.join(30)
        if errors:
            raise errors[0]
        wait_until(lambda: body.state.lamp == (0, 1), "the lamp is dark when it is off")
    outbox = SqliteOutbox(tmp_path / "state" / "outbox.sqlite")
    (first, *_) = [json.loads(entry.payload) for entry in outbox.pending(10)]
    outbox.close()
    place = first["data"]["location"]
    assert (place["lat"], place["lon"], place["accuracy_m"]) == (47.6062, -122.3321, 4.0)
