"""The same device under its agency's own rules: provisioned, with a signed policy, an authorisation
for one place, a sealed list from the agency's server, and a hub that acknowledges.

The satellites alone vouch for the clock, and an old position is outside every area, so that more
faults disarm here. What was received is what `bodycam-hub receive` holds on its disk.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import cv2

from agent.adapters.sealed_events import check_event, open_event
from agent.hub import authorisations
from agent.hub.lists_database import FILE as LISTS_FILE
from agent.hub.lists_database import live_lists
from agent.hub.station import open_station
from agent.messages import iso_utc
from firmware_sim.body import BodyOptions
from firmware_sim.scene.cast import photograph
from firmware_sim.story.staging import entries
from tests.demo.stage import AGENT, ROOT, Stage
from tests.faults.play import FaultPlay, Prepared
from tests.faults.timelines import RULED_SECONDS, Timeline
from tests.stories.camera import Action
from tests.stories.surroundings import Surroundings
from tests.stories.waiting import until
from tests.support.file_server import FileServer
from tests.support.hubs import HubWorld

WHO, AUTHORISATION, LIST = "CAM-7", "W-1", "wanted"
_HOUR_S = 3600.0
_AREA_DEG = 0.002
"""Half the side of the area, of latitude: some 220 m."""
_RULES: dict[str, dict[str, Any]] = {
    "matching": {"similarity_floor": 0.5, "min_cooldown_s": 2, "alerts_per_subject_and_day": 500},
    "bounds": {"max_fix_age_s": 3, "time_sources": ["gps"]},
}
"""What the preset `uk-live-deployment` is changed by: it shall be seen within half a minute."""


class PreparedAgency(Prepared):
    """The street, a hub, and a camera of its own with list and rules."""

    seconds = RULED_SECONDS

    def player(self, timeline: Timeline, folder: Path) -> FaultPlay:
        return AgencyPlay(timeline, folder, self._footage, self)

    @property
    def hub(self) -> Path:
        return self._folder / "agency"

    def _enrol(self, cast: Stage) -> None:
        self.hub.mkdir()
        world = world_of(self.hub)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            world.init()
            world.camera(WHO, unlock="device")
            self._rules(world)
            world("publish", LIST, "--photos", str(self._photographs()), "--valid-days", "1")
            self._authorise(world)
        self._state.mkdir(mode=0o700)
        shutil.copytree(self.hub / f"{WHO}.keys", self._state / "keys")
        with served(world) as url:
            look = [*AGENT, "watchlist", "sync", "--state-dir", str(self._state)]
            cast.once("sync", [*look, "--set", f"sync.url={url}"])

    def _rules(self, world: HubWorld) -> None:
        lat, lon = BodyOptions().place
        corners = [(-1, -1.5), (-1, 1.5), (1, 1.5), (1, -1.5)]
        polygon = [[lat + a * _AREA_DEG, lon + b * _AREA_DEG] for a, b in corners]

        def edit(tree: dict[str, Any]) -> None:
            for section, changes in _RULES.items():
                tree[section] |= changes
            tree["bounds"]["areas"] = [{"name": "street", "polygon": polygon}]

        world.publish_policy(edit=edit)

    def _authorise(self, world: HubWorld) -> None:
        now = world.now
        scope = {
            "lists": list(live_lists(world.state_dir / LISTS_FILE)), "devices": [WHO],
            "not_before": iso_utc(now - _HOUR_S), "not_after": iso_utc(now + 8 * _HOUR_S),
        }  # fmt: skip
        values = {
            "id": AUTHORISATION, "type": "warrant", "scope": scope, "urgent": False,
            "authorised_by": {"role": "magistrate", "reference": "27/1"},
        }  # fmt: skip
        with closing(world.open()) as hub:
            authorisations.create(hub, values, now=now)

    def _photographs(self) -> Path:
        table = self.hub / "wanted.csv"
        until = iso_utc(world_of(self.hub).now + 0.9 * 86_400)
        with table.open("w", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(
                ["image", "entry", "subject", "basis", "purpose", "authorisation", "not_after"]
            )
            for entry, who in entries(self._story).items():
                photo = self.hub / f"{entry}.png"
                cv2.imwrite(str(photo), photograph(who, self._footage))
                grounds = ["warrant", "locate-suspect", AUTHORISATION, until]
                lines.writerow([photo.name, entry, f"S-{entry}", *grounds])
        return table


def world_of(folder: Path) -> HubWorld:
    return HubWorld(folder)


@contextmanager
def served(world: HubWorld) -> Iterator[str]:
    """The address of the agency's file server."""
    server = FileServer()
    server.files = world.files()
    with server:
        yield server.url


class AgencyPlay(FaultPlay):
    """One timeline under an agency's rules."""

    authorisation = AUTHORISATION

    def _furnish(self, cast: Stage, undo: ExitStack) -> None:
        super()._furnish(cast, undo)
        prepared: Any = self._prepared
        shutil.copytree(prepared.hub, self._folder / "agency")
        self._world = world_of(self._folder / "agency")
        self._server = undo.enter_context(FileServer())
        self._server.files = self._world.files()
        cast.start(
            "hub",
            [
                sys.executable, "-m", "agent.hub", "receive",
                "--state-dir", str(self._world.state_dir),
                "--passphrase-file", str(self._world.words),
                "--mqtt-host", cast.broker.host, "--mqtt-port", str(cast.broker.port),
            ],
        )  # fmt: skip
        log = self._folder / "hub.log"
        until(lambda: "; receiving" in log.read_text(), "the hub receives", timeout_s=60)

    def _settings(self, around: Surroundings) -> dict[str, str | float | bool]:
        return super()._settings(around) | {"sync.url": self._server.url, "sync.every_s": 5}

    def _actions(self, around: Surroundings) -> list[Action]:
        """There is no position at the very start: somebody arms as soon as there is."""
        first = Action(0, "arm", lambda: self._send(lambda: self._order("arm")))
        return [first, *super()._actions(around)]

    def _take_off(self, entry: str, around: Surroundings) -> bool:
        del around
        command = [
            sys.executable, "-m", "agent.hub", "publish", LIST, "--remove", entry,
            "--valid-days", "1", "--state-dir", str(self._world.state_dir),
            "--passphrase-file", str(self._world.words),
            "--passphrase-file", str(self._world.offline_words),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
        (self._folder / "errands.log").write_bytes(done.stdout + done.stderr)
        self._server.files = self._world.files()
        return done.returncode == 0

    def _messages(self) -> list[dict[str, Any]]:
        """The state as the subscriber has it; alerts as the hub holds them, opened."""
        told = [one for one in super()._messages() if not one["topic"].endswith("/match")]
        with closing(self._world.open()) as hub:
            key = hub.ring.alerts_key(hub.alert_public)
            camera = next(one for one in hub.devices.every() if one.name == WHO)
        with open_station(self._world.context()) as station:
            events = station.store.events("ORDER BY number")
        for one in events:
            arrived = check_event(one.payload or b"", "example-pd", WHO, camera.sign_key)
            opened = open_event(arrived, key).model_dump(mode="json")
            topic = f"bodycam/example-pd/{WHO}/match"
            told.append({"topic": topic, "received_at": one.received, "payload": opened})
        return sorted(told, key=lambda one: float(one["received_at"]))
