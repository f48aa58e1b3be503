"""Everybody in the chaos test, each a process of its own: broker, link, hub, observer, device."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from agent.adapters.sealed_events import check_event, open_event
from agent.hub.events_database import FILE as HUB_FILE
from agent.hub.station import open_station
from agent.messages import GapEvent
from tests.chaos.device import WHO, Settings
from tests.chaos.judge import Arrival
from tests.chaos.observer import FILE as OBSERVER_FILE
from tests.chaos.observer import arrivals
from tests.chaos.wire import Reaching, Wire
from tests.support.broker import HOST, MOSQUITTO, Broker
from tests.support.hubs import HubWorld
from tests.support.link import Link

ROOT = Path(__file__).resolve().parents[2]
_RAW = {
    "encoding": serialization.Encoding.Raw,
    "format": serialization.PrivateFormat.Raw,
    "encryption_algorithm": serialization.NoEncryption(),
}
_FAKETIME = ("libfaketimeMT.so.1", "libfaketime.so.1")
_DISK_KB = 24_000


@dataclass(frozen=True)
class Cast:
    """Who takes part.

    Attributes:
        receiver: who acknowledges: `hub` (`bodycam-hub receive`) or `observer`.
        broker: `mosquitto` or `amqtt`.
        seed: of everything that is left to chance.
        rate_hz: sights a second.
        subjects: people who are seen.
        live_for_s, cooldown_s: of the device's configuration.
        options: further settings of the device.
        minutes: of the device's life that pass first, in a moment.
        jumps: the device's wall clock can be set (libfaketime).
        disk: the state folder may lie on a file system of its own.
    """

    receiver: str = "hub"
    broker: str = "mosquitto" if MOSQUITTO else "amqtt"
    seed: int = 1
    rate_hz: float = 6.0
    subjects: int = 4000
    live_for_s: float = 20.0
    cooldown_s: float = 30.0
    options: tuple[str, ...] = ()
    minutes: int = 0
    jumps: bool = True
    disk: bool = True


class StoredBroker(Broker):
    """mosquitto with its store on disk, which may be taken from it."""

    def _mosquitto(self) -> list[str]:
        self.reserve()
        store = self._folder / "store"
        store.mkdir(exist_ok=True)
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} {HOST}\nallow_anonymous true\nuser root\n"
            f"persistence true\npersistence_location {store}/\nautosave_on_changes true\n"
            "autosave_interval 5\nmax_queued_messages 0\nset_tcp_nodelay true\n"
        )
        return [str(MOSQUITTO), "-c", str(config)]

    def lose_store(self) -> None:
        for path in (self._folder / "store").glob("*.db*"):
            path.unlink()


class World:
    """Starts and ends everybody.

    Args:
        folder: for everything; made anew.
        cast: see `Cast`.
    """

    def __init__(self, folder: Path, cast: Cast) -> None:
        self.folder = folder
        self.cast = cast
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "broker").mkdir(parents=True)
        self.truth = folder / "truth.jsonl"
        self.broker = StoredBroker(cast.broker, folder / "broker")
        self.broker.start()
        self.wire = Wire()
        self.link = Link((self.broker.host, self.broker.port), self.wire.tap)
        self.reaching = Reaching()
        self.inland = Link((self.broker.host, self.broker.port), self.reaching.tap)
        self.faketime = faketime() if cast.jumps else ""
        self.disk = cast.disk and _mount(folder / "disk")
        self.state = (folder / "disk" / "state") if self.disk else folder / "state"
        self.state.mkdir(mode=0o700, parents=True)
        self._processes: dict[str, subprocess.Popen[Any]] = {}
        self._device = 0
        self._provision()
        self.jump(0)

    def _provision(self) -> None:
        agency = self.folder / "agency"
        agency.mkdir()
        self._agency = HubWorld(agency)
        with redirect_stdout(io.StringIO()):
            self._agency.init()
            camera = self._agency.camera(WHO, unlock="device")
        shutil.copytree(agency / f"{WHO}.keys", self.state / "keys")
        with closing(self._agency.open()) as hub:
            self._alerts = hub.ring.alerts_key(hub.alert_public)
            acks = hub.ring.acks_key(hub.ack_public)
        self._identity = camera.identity
        keys = {
            "agency": self._identity.agency,
            "device": WHO,
            "sign_key": _text(self._identity.sign_key),
            "alerts": _text(self._alerts.private_bytes(**_RAW)),
            "acks": _text(acks.private_bytes(**_RAW)),
        }
        path = self.folder / "keys.json"
        path.touch(0o600)
        path.write_text(json.dumps(keys))

    def settle(self, rate_hz: float | None = None) -> None:
        """Write the device's settings, for its next life."""
        cast = self.cast
        options = [
            f"mqtt.host={HOST}", f"mqtt.port={self.link.port}", "mqtt.keepalive_s=5",
            "mqtt.connect_timeout_s=3", "delivery.retry_first_s=0.05", "delivery.retry_cap_s=1",
            "delivery.ack_timeout_s=2", f"delivery.live_for_s={cast.live_for_s}",
            f"decision.cooldown_s={cast.cooldown_s}", "storage.reserve_mb=1", *cast.options,
        ]  # fmt: skip
        rate = cast.rate_hz if rate_hz is None else rate_hz
        settings = Settings(str(self.state), options, cast.seed, rate, cast.subjects, cast.minutes)
        (self.folder / "settings.json").write_text(json.dumps(asdict(settings)))

    def start_receivers(self) -> None:
        self.start_receiver()
        if self.cast.receiver == "hub":
            self._start("observer", self._observer("--mute"))

    def receiving(self) -> bool:
        """Whether the hub has subscribed."""
        hub = self.cast.receiver == "hub"
        return not hub or "; receiving" in self.last_words("receiver")

    def start_receiver(self) -> None:
        """The one that acknowledges."""
        hub = self.cast.receiver == "hub"
        self._start("receiver", self._hub() if hub else self._observer())

    def kill_receiver(self) -> None:
        process = self._processes.pop("receiver")
        process.kill()
        process.wait()

    def start_device(self) -> None:
        """A new life; the one before is over."""
        hatchery = self._processes.get("device")
        if hatchery is None:
            hatchery = self._hatchery()
        assert hatchery.stdin is not None
        assert hatchery.stdout is not None
        hatchery.stdin.write(b"start\n")
        hatchery.stdin.flush()
        self._device = int(hatchery.stdout.readline())

    def device_lives(self) -> bool:
        with suppress(OSError):
            os.kill(self._device, 0)
            return True
        return False

    def end_device(self, how: signal.Signals = signal.SIGKILL) -> None:
        with suppress(OSError):
            os.kill(self._device, how)

    def jump(self, seconds: int) -> None:
        """Set the device's wall clock against the true one."""
        partial = self.folder / "wall.part"
        partial.write_text(f"{seconds:+d}\n")
        partial.replace(self.folder / "wall")

    def quiet(self, on: bool = True) -> None:
        """Nobody is seen any more."""
        path = self.folder / "quiet"
        path.touch() if on else path.unlink(missing_ok=True)

    def depth(self) -> int:
        """What waits in the outbox; -1: it cannot be read now."""
        try:
            db = sqlite3.connect(self.state / "outbox.sqlite", timeout=5)
            with closing(db):
                return int(db.execute("SELECT count(*) FROM entry").fetchone()[0])
        except sqlite3.Error:
            return -1

    def kept(self) -> list[Arrival]:
        """What the acknowledging receiver has on disk."""
        if self.cast.receiver == "observer":
            return arrivals(self.folder, "event")
        ahead = time.time() - time.monotonic()
        with open_station(self._agency.context()) as station:
            events = station.store.events("ORDER BY number")
        return [self._opened(one.payload or b"", one.received - ahead) for one in events]

    def kept_ids(self) -> set[str]:
        """The same, ids only, fast."""
        hub = self.cast.receiver == "hub"
        path = self._agency.state_dir / HUB_FILE if hub else self.folder / OBSERVER_FILE
        try:
            with closing(sqlite3.connect(path, timeout=10)) as db:
                return {event for (event,) in db.execute("SELECT id FROM event")}
        except sqlite3.Error:
            return set()

    def seen(self) -> list[Arrival]:
        """Every copy that reached the socket of hub or observer: how soon one reads it that is
        killed, or shares two cores with all this, says nothing of delivery.
        """
        return [_passing(*copy) for copy in self.reaching.copies]

    def left(self) -> list[Arrival]:
        """Every copy when it left the device."""
        return [_passing(*copy) for copy in self.wire.left]

    def last_words(self, name: str, lines: int = 5) -> str:
        path = self.folder / f"{name}.log"
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(text.strip().splitlines()[-lines:])

    def close(self) -> None:
        self.end_device()
        for process in self._processes.values():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        self.link.close()
        self.inland.close()
        self.broker.stop()
        if self.disk:
            subprocess.run(["umount", "-l", str(self.folder / "disk")], check=False)

    def _opened(self, payload: bytes, at: float) -> Arrival:
        identity = self._identity
        arrived = check_event(payload, identity.agency, WHO, identity.sign_key)
        event = open_event(arrived, self._alerts)
        late = arrived.event.historical
        if isinstance(event, GapEvent):
            return Arrival(event.id, event.type, None, None, late, at, event.data.events)
        return Arrival(event.id, event.type, event.subject, event.data.activation, late, at)

    def _hub(self) -> list[str]:
        words = str(self._agency.words)
        return [
            sys.executable, "-m", "agent.hub", "receive", "--state-dir",
            str(self._agency.state_dir), "--passphrase-file", words, "--mqtt-host", HOST,
            "--mqtt-port", str(self.inland.port), "--set", "mqtt.keepalive_s=5",
        ]  # fmt: skip

    def _observer(self, *words: str) -> list[str]:
        module = [sys.executable, "-m", "tests.chaos.observer", str(self.folder)]
        old = ["--old"] if self.cast.broker == "amqtt" else []
        return [*module, HOST, str(self.inland.port), *old, *words]

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _hatchery(self) -> subprocess.Popen[Any]:
        environment = {**os.environ}
        if self.faketime:
            environment |= {
                "LD_PRELOAD": self.faketime,
                "FAKETIME_TIMESTAMP_FILE": str(self.folder / "wall"),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_CACHE_DURATION": "1",  # s; reading it at every call takes most of a core
                "NO_FAKE_STAT": "1",
            }
        command = [sys.executable, "-m", "tests.chaos.device", str(self.folder)]
        with (self.folder / "device.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log,
            )  # fmt: skip
        self._processes["device"] = process
        return process


def _passing(event: str, historical: bool, at: float) -> Arrival:
    return Arrival(event, "", None, None, historical, at)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _mount(place: Path) -> bool:
    """A small file system of its own, where that is allowed."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={_DISK_KB}k,mode=0700", "tmpfs", str(place)]
    try:
        subprocess.run(["mount", *options], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def faketime() -> str:
    """Where libfaketime is; empty where it is not."""
    folders = [*Path("/usr/lib").glob("*/faketime"), Path("/usr/lib/faketime")]
    folders.append(Path("/usr/lib64/faketime"))
    found = [folder / name for name in _FAKETIME for folder in folders]
    return next((str(path) for path in found if path.exists()), "")
