"""The device: everything of the agent from an alert's commit on, fed by a script.

Outbox, reserve, audit log, arming and its resumption after a crash, cool-downs, sealing, the
delivery loop, MQTT and acknowledgements are the agent's own, wired as `agent.app` wires them. Only
the camera, the networks and the list are not there: `Script` says who is seen when, so that a
thousand alerts do not take hours of video.

`python -m tests.chaos.device FOLDER` imports everything once and waits; each line `start` on its
standard input forks one life of the device, and its process id is answered. Such a life is killed
with -9, and has been nothing but an ordinary process.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from agent.adapters import state_dir
from agent.adapters.keystore import Keystore
from agent.adapters.mqtt import MqttTransport
from agent.adapters.sealing_writer import SealedEvents
from agent.app.arming import arming
from agent.app.broker import broker_settings
from agent.app.context import Context
from agent.app.storage import Storage
from agent.app.wire import delivery_limits, gap_of, inbound, limits_of, listeners, state_message
from agent.config import Config
from agent.delivery import DeliveryCore, Session
from agent.errors import BodycamError
from agent.messages import new_ulid
from agent.policy import FIELD_TEST
from agent.ports import Clock
from agent.runtime.board import Board
from agent.runtime.delivery_loop import DeliveryLoop
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.inbound import Actions
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Arm, Disarm, Order
from agent.runtime.pipeline_loop import PipelineLoop, Surroundings
from agent.runtime.rules_desk import RulesDesk
from agent.values import Frame, Wall, WatchlistRef
from tests.chaos.passing import PassingClock
from tests.chaos.script import AUTHORISATION, Script
from tests.chaos.truth import TruthFile, read_truth
from tests.support.alerts import CONTEXT
from tests.support.monitors import a_monitor

WHO, WHY = "CAM-7", ("chaos", AUTHORISATION)
MINUTE_S = 60.0
DELIVERED = "delivered.json"
"""What this life was told of as delivered, at its end in good order: [id, monotonic seconds]."""
_KEPT = 10_000
_TURN_S = 0.05
_PICTURE = np.zeros((2, 2, 3), np.uint8)


@dataclass(frozen=True)
class Settings:
    """Of one device, from `settings.json` in its folder.

    Attributes:
        state: the agent's state folder.
        options: `section.key=value` of its configuration.
        seed: of who is seen when.
        rate_hz: sights a second.
        subjects: how many people there are.
        minutes: pass first, each in a moment, with a sight in each.
    """

    state: str
    options: list[str]
    seed: int
    rate_hz: float
    subjects: int
    minutes: int = 0


class Device:
    """One life.

    Args:
        folder: with `settings.json`; the truth is in `truth.jsonl`; a file `quiet` ends the sights.
        undo: closes everything.
    """

    def __init__(self, folder: Path, undo: ExitStack) -> None:
        self._folder = folder
        self._delivered: deque[tuple[str, float]] = deque(maxlen=_KEPT)
        self._sleep = threading.Event()  # libfaketime 0.9.10 breaks time.sleep
        self._settings = Settings(**json.loads((folder / "settings.json").read_text()))
        context = Context(Path(self._settings.state), None, tuple(self._settings.options))
        context.clock = self._passing = PassingClock(self._settings.minutes * MINUTE_S)
        self._clock, log, config = context.clock, context.log, context.config
        lock = state_dir.StateLock(context.state_dir)
        state_dir.prepare(context.state_dir)
        lock.acquire()
        undo.callback(lock.release)
        storage = Storage(
            context.state_dir, config, context.audit(), clock=self._clock, log=log, undo=undo
        )
        outbox, ledger = storage.outbox, storage.ledger
        keystore = Keystore(context.keys_dir, self._clock.monotonic)
        vault: Any = SimpleNamespace(keystore=keystore)
        events = SealedEvents(
            replace(CONTEXT, agency=keystore.identity.agency, device=keystore.identity.device),
            keystore.identity.alert_key,
            lambda: keystore.keys,
        )
        self._session = Session(outbox.count_up("session"), "chaos", FIELD_TEST.test)
        board = Board(self._clock)
        beats = Heartbeats(self._clock, {"pipeline": 20.0, "delivery": 20.0})
        self._mailbox: Mailbox[Order] = Mailbox(live=False)
        uid = os.getuid()
        monitor = a_monitor()
        actions = Actions(
            acknowledged=lambda event: self._delivery.acknowledged(event),  # noqa: PLW0108
            disarm=lambda reason: self._mailbox.post(Disarm(reason, uid)),
            arm=lambda reason, authorisation: None,
            sync=lambda: None,
            report=lambda: None,
            unpark=lambda event: self._delivery.unpark(event),  # noqa: PLW0108
            reviewed=monitor.reviewed,
            reset_monitor=monitor.reset,
            authorise=lambda document: None,
            revoke=lambda document: None,
        )
        hears = inbound(
            context, vault, ledger, actions, session=self._session.number, remote_arm=lambda: False
        )
        chance = random.Random(f"{self._settings.seed}/{self._session.number}")
        transport = MqttTransport(
            broker_settings(_named(config, keystore)),
            birth=state_message(self._session, board),
            will=self._session.will(),
            clock=self._clock,
            chance=random.random,
            listeners=listeners(None, hears),
            log=log,
        )

        def upkeep() -> None:
            storage.upkeep()
            if hears is not None:
                hears.upkeep()

        self._delivery = DeliveryLoop(
            outbox,
            transport,
            DeliveryCore(delivery_limits(config, vault, log), random.random),
            self._clock,
            partial(beats.beat, "delivery"),
            finish=events.finish,
            make_gap=partial(gap_of, events, self._clock, _new_id, board),
            upkeep=upkeep,
            on_delivered=lambda event, at: self._delivered.append((event, at)),
        )
        storage.watch.attach(board, actions.disarm)
        armed_by = arming(
            context, outbox, events, RulesDesk(None),
            limits=limits_of(config, vault), rule_for=lambda _limits, _templates: Script.rule,
        )  # fmt: skip
        path = folder / "truth.jsonl"
        self._script = Script(
            TruthFile(path), read_truth(path), chance, self._settings.subjects, _new_id
        )
        around = Surroundings(
            outbox=outbox, notify=self._committed, events=events, ledger=ledger, monitor=monitor,
            board=board, heartbeats=beats, log=log, clock=self._clock, uid=uid,
        )  # fmt: skip
        gallery: Any = SimpleNamespace(templates=1, subjects=1, ref=WatchlistRef("L-1", 1))
        pipeline: Any = self._script
        self._loop = PipelineLoop(pipeline, gallery, self._mailbox, armed_by, around)
        cut = armed_by.interrupted()
        resumed = cut.id if cut and (cut.reason, cut.authorisation) == WHY else ""
        self._mailbox.post(Arm(*WHY, uid, resumes=resumed))

    def run(self, stopping: list[int]) -> None:
        """Until a signal."""
        self._delivery.start()
        try:
            seq = self._let_pass(self._settings.minutes)
            due = self._clock.monotonic()
            while not stopping:
                due = max(due, self._clock.monotonic() - 1.0) + 1.0 / self._settings.rate_hz
                while not stopping and (left := due - self._clock.monotonic()) > 0:
                    self._loop.turn(0)
                    self._sleep.wait(min(left, _TURN_S))
                if not (self._folder / "quiet").exists():
                    self._mailbox.put(_frame(self._clock, seq))
                    seq += 1
                self._loop.turn(0)
        finally:
            self._delivery.stop(self._session.final("signal", since=self._clock.wall()))
            (self._folder / DELIVERED).write_text(json.dumps(list(self._delivered)))

    def _let_pass(self, minutes: int) -> int:
        """Each of them with a sight; the number of the next frame."""
        for seq in range(minutes):
            self._passing.let_pass(MINUTE_S)
            self._mailbox.put(_frame(self._clock, seq))
            self._loop.turn(0)
        return minutes

    def _committed(self, event: str) -> None:
        self._script.committed(event)
        self._delivery.notify(event)


def _frame(clock: Clock, seq: int) -> Frame:
    return Frame(_PICTURE, seq, clock.monotonic(), clock.wall())


def _named(config: Config, keystore: Keystore) -> Config:
    identity = keystore.identity
    device = config.device.model_copy(update={"agency": identity.agency, "id": identity.device})
    return config.model_copy(update={"device": device})


def _new_id(wall: Wall) -> str:
    return new_ulid(wall_s=wall, randomness=os.urandom(10))


def live(folder: Path) -> int:
    """One life, from start to its exit code."""
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    try:
        with ExitStack() as undo:
            Device(folder, undo).run(stopping)
    except BodycamError as error:
        print(f"device: {error}", file=sys.stderr, flush=True)
        return int(error.exit_code)
    return 0


def hatch(folder: Path) -> None:
    """Fork a life for each line of standard input; one at a time."""
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            code = 70
            try:
                code = live(folder)
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)
        os.waitpid(child, 0)


if __name__ == "__main__":
    hatch(Path(sys.argv[1]))
