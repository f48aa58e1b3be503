"""Plays one story against the unchanged agent, and scores it.

Everybody is a process of its own, through the real command lines: broker, subscriber, agent. The
camera is a thread here, since what happens to it happens between two frames.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import cv2

from agent.adapters.control_socket import ask, socket_path
from agent.messages.control import ControlRequest
from firmware_sim.footage import quieten_decoders
from firmware_sim.player import Encoder
from firmware_sim.render import truth_head
from firmware_sim.scene.cast import photograph
from firmware_sim.scene.scene import Scene
from firmware_sim.score.bounds import shortfalls
from firmware_sim.score.scoring import score
from firmware_sim.story.events import Event
from firmware_sim.story.format import Story
from firmware_sim.story.staging import entries, stage
from tests.demo.stage import AGENT, ROOT, Stage, StageError
from tests.stories.camera import Action, Shot, StoryCamera
from tests.stories.picture import as_sent, gaps
from tests.stories.played import Played, alerts_of
from tests.stories.service import Service
from tests.stories.surroundings import Surroundings
from tests.stories.waiting import finished, until
from tests.support.receiver import lines
from tests.support.small_disk import fill, mounted

SUBSCRIBER = (sys.executable, "-m", "tests.stories.subscriber")
_RUN_S, _ARRIVE_S = 180.0, 20.0
_DISK_KB = 24_000
_OF_THE_PICTURE = ("stall_camera", "drop_camera", "resize_camera", "slow_camera")
"""Done by the camera and to its pictures."""
_GROUNDS = ("--basis", "consent", "--purpose", "test", "--authorisation", "STORY-1")


class Play:
    """One story being played.

    Args:
        name, story: which.
        folder: for everything that is written.
        footage: the pinned films and photographs.
        film: play this file instead of the story's camera; what happens beside it is left out.
        size: another size of the picture.
    """

    authorisation = "STORY-1"

    def __init__(
        self,
        name: str,
        story: Story,
        folder: Path,
        footage: Path,
        *,
        film: Path | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._name, self._story, self._folder, self._footage = name, story, folder, footage
        self._film = film
        self._setup = stage(story, size=size)
        self._truth: list[dict[str, Any]] = [truth_head(name, story, self._setup)]
        self._state = folder / "state"
        self._received = folder / "received.jsonl"
        self._disk: Path | None = None
        self._broker = "amqtt"
        self._service: Service | None = None
        self._restarts: Collection[int] = ()
        self._live = story.pace == "live" and film is None
        self._lens: StoryCamera | None = None
        self._run_s = _RUN_S

    def run(self) -> Played:
        """Play it to its end.

        Raises:
            StageError: somebody of the cast failed.
        """
        quieten_decoders()
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._place_state(undo)
            cast = undo.enter_context(Stage(self._folder, self._broker))
            self._enrol(cast)
            cast.broker.start()
            self._subscribe(cast)
            around = undo.enter_context(Surroundings(cast, self._folder, self._story))
            start_at, report = self._watch(around)
            self._await_alerts(report["alerts"]["raised"])
        return self._judge(start_at, report, time.monotonic() - began)

    def _place_state(self, undo: ExitStack) -> None:
        """Where the agent's disk will be full, it is a small one."""
        if any(event.do == "fill_disk" for event in self._story.events):
            self._disk = undo.enter_context(mounted(self._folder, _DISK_KB))
            self._state = self._disk / "state"

    def _enrol(self, cast: Stage) -> None:
        until = (datetime.now(timezone.utc) + timedelta(days=2)).date().isoformat()
        common = [*_GROUNDS, "--not-after", until, "--state-dir", str(self._state)]
        count = str(self._story.list.distractors)
        if count != "0":
            seeded = ["--distractors", count, "--seed", "1"]
            cast.once("enrol", [*AGENT, "watchlist", "import", *seeded, *common])
        for entry, who in entries(self._story).items():
            photo = self._folder / f"{entry}.png"
            cv2.imwrite(str(photo), photograph(who, self._footage))
            named = ["--subject", f"S-{entry}", "--entry", entry]
            cast.once("enrol", [*AGENT, "watchlist", "enrol", str(photo), *named, *common])

    def _subscribe(self, cast: Stage) -> None:
        ready = self._folder / "subscriber.ready"
        command = [*SUBSCRIBER, "--port", str(cast.broker.port)]
        command += ["--out", str(self._received), "--ready-file", str(ready)]
        process = cast.start("subscriber", command)
        until(ready.exists, "the subscriber is there", process)

    def _watch(self, around: Surroundings) -> tuple[float, dict[str, Any]]:
        """Capture time of the first frame, and the agent's report."""
        if self._film is not None:
            for _ in self._shots():
                """For the truth alone."""
            start_at = time.time()
            self._agent(around, str(self._film)).wait(_RUN_S)
            return start_at, self._report()
        sent = as_sent(self._shots(), self._story)
        self._lens = StoryCamera(
            list(sent) if self._live else sent,
            live=self._live,
            actions=self._actions(around),
            gaps=gaps(self._story),
            video=around.video,
        )
        try:
            self._lens.start()
            agent = self._agent(around, self._lens.url)
            if self._live:
                until(self._lens.over.is_set, "the story is over", agent, self._story.seconds + 60)
                self._delivered()
                agent.terminate()
            finished(agent, self._lens, self._run_s)
        finally:
            self._lens.close()
        return self._lens.start_at, self._report()

    def _agent(self, around: Surroundings, source: str) -> Service:
        pace = ["--pace", "live" if self._live else "max"]
        arm = ["--reason", "story", "--authorisation", self.authorisation]
        paths = ["--state-dir", str(self._state), "--report", str(self._folder / "report.json")]
        options = [
            part
            for key, value in self._settings(around).items()
            for part in ("--set", f"{key}={value}")
        ]
        common = [*AGENT, "run", *pace, *paths, *options]
        lives = chain([["--source", source, *arm]], repeat(["--set", f"camera.source={source}"]))

        def start() -> subprocess.Popen[bytes]:
            """A person starts it and arms; after that its service manager does, and nobody arms."""
            return around.start_agent([*common, *next(lives)])

        self._service = Service(start, around.later, self._restarts)
        return self._service

    def _settings(self, around: Surroundings) -> dict[str, str | float | bool]:
        return around.settings()

    def _report(self) -> dict[str, Any]:
        path = self._folder / "report.json"
        if not path.exists():
            raise StageError(f"the agent wrote no report; see {self._folder}/agent.log")
        report: dict[str, Any] = json.loads(path.read_text())
        return report

    def _shots(self) -> Iterator[Shot]:
        scene = Scene(self._setup, self._footage)
        encode = Encoder(self._story.camera.jpeg_quality)
        for number in range(self._setup.frames):
            image, truth = scene.frame(number)
            self._truth.append(truth.as_json())
            yield encode(image), truth.at_us

    def _actions(self, around: Surroundings) -> list[Action]:
        found = [
            Action(round(event.at * 1e6), event.do, self._doing(event, around))
            for event in self._story.events
            if event.do not in _OF_THE_PICTURE
        ]
        return sorted(found, key=lambda action: action.at_us)

    def _doing(self, event: Event, around: Surroundings) -> Callable[[], None]:
        if event.do == "remove_entry":
            return lambda: self._remove(event.entry, around)
        if event.do in ("arm", "disarm"):
            return lambda: self._order(event.do)
        if event.do == "shift_clock":
            return lambda: self._shift(event.by_s, around)
        if event.do == "kill_agent":
            return lambda: self._kill(event.seconds)
        if event.do == "fill_disk":
            return lambda: self._fill(event.seconds, around)
        return lambda: around.happen(event)

    def _kill(self, seconds: float) -> None:
        assert self._service is not None
        self._service.kill(seconds)

    def _fill(self, seconds: float, around: Surroundings) -> None:
        """Somebody else has filled the disk; later there is room again."""
        assert self._disk is not None
        ballast = fill(self._disk)
        around.later(seconds, lambda: ballast.unlink(missing_ok=True))

    def _remove(self, entry: str, around: Surroundings) -> None:
        self._settle()
        before = self._ask("report")["watchlist"]["version"]
        command = [*AGENT, "watchlist", "remove", entry, "--state-dir", str(self._state)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=around.environment())
        until(lambda: self._ask("report")["watchlist"]["version"] > before, "the list changed")

    def _order(self, command: str) -> None:
        self._settle()
        extra = {"authorisation": self.authorisation} if command == "arm" else {}
        self._ask(command, reason="story", **extra)

    def _shift(self, by_s: float, around: Surroundings) -> None:
        assert self._lens is not None
        self._settle()
        around.shift_clock(by_s)
        self._lens.jump_s += by_s

    def _settle(self) -> None:
        """In lock-step nothing happens before every frame shown has been worked on."""
        if self._live:
            return
        assert self._lens is not None
        shown = self._lens.shown

        def done() -> bool:
            frames = self._ask("report")["frames"]
            return bool(frames["processed"] + frames["dropped"] >= shown)

        until(done, "every frame is worked on")

    def _ask(self, command: str, **fields: str) -> dict[str, Any]:
        request = ControlRequest.model_validate({"command": command, **fields})
        reply = ask(socket_path(self._state, os.environ.get("RUNTIME_DIRECTORY")), request)
        if not reply.ok:
            raise StageError(f"{command}: {reply.error}")
        return reply.data

    def _delivered(self) -> None:
        """Wait until nothing waits for the broker; an agent that cannot deliver is told in time."""
        deadline = time.monotonic() + _ARRIVE_S
        while self._ask("report")["alerts"]["pending"] and time.monotonic() < deadline:
            time.sleep(0.1)

    def _await_alerts(self, raised: int) -> None:
        """The last words of the agent come after every alert; give them time to arrive."""
        deadline = time.monotonic() + _ARRIVE_S
        while time.monotonic() < deadline:
            got = lines(self._received)
            offline = any(
                line["topic"].endswith("/state") and not line["payload"].get("online", True)
                for line in got
            )
            if offline and len(alerts_of(got)) >= raised:
                return
            time.sleep(0.02)

    def _judge(self, start_at: float, report: dict[str, Any], seconds: float) -> Played:
        got = lines(self._received)
        made = score(
            self._truth,
            got,
            start_at=start_at,
            late_s=self._story.expect.late_s if self._live else None,
            report=report,
        )
        truth = "\n".join(json.dumps(line) for line in self._truth)
        (self._folder / "truth.jsonl").write_text(truth + "\n")
        problems = shortfalls(self._story.expect, made)
        return Played(made, problems, alerts_of(got), report, seconds)
