"""Plays one timeline of faults against the unchanged agent, and records all that can be judged.

The cast is that of `make stories`. The operator is a person: asked to arm or to take somebody off
the list, he tries until the device lets him. What he does takes its time and holds up no picture.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from agent.errors import BodycamError
from firmware_sim.body import BodyOptions
from firmware_sim.footage import quieten_decoders
from firmware_sim.score.scoring import score
from firmware_sim.story.events import Event
from tests.demo.stage import AGENT, ROOT, Stage, StageError
from tests.faults.recording import Recording, Sample
from tests.faults.timelines import SECONDS, Timeline, story
from tests.stories.camera import Shot
from tests.stories.play import Play
from tests.stories.surroundings import Surroundings
from tests.support.broker import MOSQUITTO
from tests.support.receiver import lines

SAMPLE_EVERY_S = 0.2
_DISK_FULL = 74
_ENDS_AT_A_CRASH = ("shift_clock", "fill_disk")
"""A use is not resumed when the clock was moved, or when it could not be written down."""
_PATIENCE_S = 15.0
_EMPTY_REPORT = {"alerts": {"raised": 0}, "tracks": 0, "subjects": 0}
VERIFY = ROOT / "agent" / "docs" / "verify_audit.py"
BROKER = "mosquitto" if MOSQUITTO else "amqtt"


class Prepared(Play):
    """What all timelines share, made once: the drawn street and the enrolled list.

    Args:
        folder: for it.
        footage: the pinned films and photographs.
    """

    seconds = SECONDS

    def __init__(self, folder: Path, footage: Path) -> None:
        super().__init__("street", story("street", [], None, self.seconds), folder, footage)
        self.shots = folder / "street.pickle"
        self.enrolled = folder / "state"

    def player(self, timeline: Timeline, folder: Path) -> FaultPlay:
        """What plays a timeline on this street."""
        return FaultPlay(timeline, folder, self._footage, self)

    def make(self) -> None:
        """Draw and enrol."""
        quieten_decoders()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        with Stage(self._folder) as cast:
            self._enrol(cast)
        shots = list(self._shots())
        self.shots.write_bytes(pickle.dumps((shots, self._truth[1:])))


class FaultPlay(Play):
    """One timeline being played.

    Args:
        timeline: which.
        folder: for everything that is written.
        footage: the pinned films and photographs.
        prepared: the street and the list.
    """

    def __init__(self, timeline: Timeline, folder: Path, footage: Path, prepared: Prepared) -> None:
        super().__init__(timeline.name, timeline.story, folder, footage)
        self._prepared = prepared
        self._broker = BROKER
        self._shifts: list[tuple[int, int]] = []
        self._removed: dict[str, float] = {}
        self._samples: list[Sample] = []
        self._errands: list[threading.Thread] = []
        self._over = threading.Event()
        if any(event.do == "fill_disk" for event in timeline.story.events):
            self._restarts = (_DISK_FULL,)

    def record(self) -> Recording:
        """Play it to its end, whatever happens."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        trouble, report, start_at = "", dict(_EMPTY_REPORT), time.time()
        with ExitStack() as undo:
            self._place_state(undo)
            cast = undo.enter_context(Stage(self._folder, self._broker))
            cast.broker.start()
            self._subscribe(cast)
            self._furnish(cast, undo)
            around = undo.enter_context(Surroundings(cast, self._folder, self._story))
            asking = threading.Thread(target=self._ask_often, args=(around,), daemon=True)
            asking.start()
            try:
                start_at, report = self._watch(around)
                self._await_alerts(report["alerts"]["raised"])
            except (StageError, BodycamError) as error:
                trouble = str(error)
                start_at = self._lens.start_at if self._lens is not None else start_at
            self._over.set()
            trouble = trouble or self._not_done()
            for thread in (asking, *self._errands):
                thread.join(_PATIENCE_S)
            return self._recorded(trouble, start_at, report)

    def _furnish(self, cast: Stage, undo: ExitStack) -> None:
        """What the device has on its disk."""
        del cast, undo
        shutil.copytree(self._prepared.enrolled, self._state)

    def _messages(self) -> list[dict[str, Any]]:
        """Everything that was received."""
        return lines(self._received)

    def _recorded(self, trouble: str, start_at: float, report: dict[str, Any]) -> Recording:
        """While the agent's disk is still there."""
        head = self._truth[0]
        head["clock"] = [list(one) for one in self._shifts]
        head["removed"] = {entry: round(at * 1e6) for entry, at in self._removed.items()}
        received = self._messages()
        over_s, within_s = self._story.over_s, self._story.expect.recovers_within_s
        assert over_s is not None
        assert within_s is not None
        return Recording(
            name=self._name,
            over_s=over_s,
            within_s=within_s,
            seconds=self._story.seconds,
            place=BodyOptions().place,
            shifts=self._shifts,
            removed=self._removed,
            exit_code=None if self._service is None else self._service.returncode,
            trouble=trouble,
            log=(self._folder / "agent.log").read_text(errors="replace"),
            audit=_audit(self._state / "audit"),
            audit_check=_checked(self._state / "audit"),
            received=received,
            start_at=start_at,
            score=score(self._truth, received, start_at=start_at, report=report),
            samples=self._samples,
            resumes=not any(e.do in _ENDS_AT_A_CRASH for e in self._story.events),
            kills=0 if self._service is None else self._service.kills,
            exits=() if self._service is None else self._service.exits,
            load=round(os.getloadavg()[0] / (os.cpu_count() or 1), 1),
        )

    def _shots(self) -> Iterator[Shot]:
        shots, truth = pickle.loads(self._prepared.shots.read_bytes())
        self._truth += truth
        return iter(shots)

    def _doing(self, event: Event, around: Surroundings) -> Callable[[], None]:
        do = super()._doing(event, around)
        return (lambda: self._send(do)) if event.do in ("arm", "disarm", "remove_entry") else do

    def _send(self, errand: Callable[[], None]) -> None:
        self._errands.append(threading.Thread(target=errand, daemon=True))
        self._errands[-1].start()

    def _order(self, command: str) -> None:
        if command == "arm":
            self._until_done(lambda: bool(self._ask("status")["armed"]) or self._arm())
        else:
            self._until_done(lambda: bool(self._ask("disarm", reason="story")))

    def _arm(self) -> bool:
        return bool(self._ask("arm", reason="story", authorisation=self.authorisation))

    def _remove(self, entry: str, around: Surroundings) -> None:
        before: list[int] = []
        self._until_done(lambda: before.append(self._version()) is None)

        def take_off() -> bool:
            return self._take_off(entry, around)

        if self._until_done(take_off) and self._until_done(
            lambda: self._version() > before[0], 0.02
        ):
            assert self._lens is not None
            self._removed[entry] = self._lens.at_s

    def _take_off(self, entry: str, around: Surroundings) -> bool:
        """Whether it worked."""
        command = [*AGENT, "watchlist", "remove", entry, "--state-dir", str(self._state)]
        done = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, env=around.environment()
        )
        with (self._folder / "errands.log").open("ab") as log:
            log.write(done.stdout + done.stderr)
        return done.returncode == 0

    def _not_done(self) -> str:
        """What was to happen and could not be made to; empty when all of it did."""
        wanted = {event.entry for event in self._story.events if event.do == "remove_entry"}
        left = sorted(wanted - set(self._removed))
        return f"{left[0]} could not be removed" if left else ""

    def _version(self) -> int:
        return int(self._ask("report")["watchlist"]["version"])

    def _until_done(self, attempt: Callable[[], bool], pause_s: float = 0.5) -> bool:
        """Try again until it is done, or patience ends; whether it was."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._over.is_set() and time.monotonic() < deadline:
            with suppress(StageError, BodycamError):
                if attempt():
                    return True
            self._over.wait(pause_s)
        return False

    def _shift(self, by_s: float, around: Surroundings) -> None:
        assert self._lens is not None
        self._shifts.append((round(self._lens.at_s * 1e6), round(by_s * 1e6)))
        super()._shift(by_s, around)

    def _ask_often(self, around: Surroundings) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            lens = self._lens
            if lens is None or not lens.at_s:
                continue
            with suppress(StageError, BodycamError):
                told = self._ask("status")
                self._samples.append(
                    Sample(
                        round(lens.at_s, 3),
                        told["armed"],
                        told["state"],
                        told["since"],
                        told["frames"],
                        around.lamp_lit,
                    )
                )


def _audit(folder: Path) -> list[dict[str, Any]]:
    files = [*sorted(folder.glob("audit-*.jsonl")), folder / "audit.jsonl"]
    text = "".join(one.read_text() for one in files if one.exists())
    found = []
    for line in text.split("\n")[:-1]:
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def _checked(folder: Path) -> str:
    """What the script says that shares no code with the agent."""
    done = subprocess.run(
        [sys.executable, str(VERIFY), str(folder)], check=False, capture_output=True, text=True
    )
    return (done.stdout or done.stderr).strip().rsplit("\n", 1)[-1]
