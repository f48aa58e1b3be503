"""The whole way of a long list: from the agency's hub over a file server to a running agent.

Published, fetched, served, changed by one percent while a camera runs. Every program is the real
one, in a process of its own; the file server is the tests'. The list holds nobody in the footage.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from agent.adapters.control_socket import ask
from agent.errors import UnavailableError
from agent.messages.control import ControlRequest
from tests.bench import vectors
from tests.demo.stage import AGENT, Stage, StageError

HUB = (sys.executable, "-m", "agent.hub")
TIMED = (sys.executable, "-m", "tests.bench.timed_agent")
LIST = "wanted"
_CLIPS = ("single_face.mp4", "WolfgangLanger_Pexels.mp4")
_CALM_S = 20.0
"""Frames are watched for so long before the change, and after it."""
_PATIENCE_S = 300.0
_KEPT_S = 2.0
"""In which an index that serves is written to its cache."""

Figures = dict[str, Any]


def synced(count: int, footage: Path) -> Figures:
    """Publish `count` templates, serve them, start an agent, change one percent.

    Raises:
        StageError: a program failed; its last words.
    """
    with tempfile.TemporaryDirectory(dir="build") as folder, Stage(Path(folder)) as stage:
        bench = _Bench(stage, count)
        try:
            return bench.run([footage / clip for clip in _CLIPS])
        finally:
            bench.server.shutdown()


class _Bench:
    def __init__(self, stage: Stage, count: int) -> None:
        self.stage = stage
        self.count = count
        self.folder = stage.folder.resolve()
        self.hub, self.device = self.folder / "hub", self.folder / "device"
        self.passphrase = self.folder / "passphrase"
        self.passphrase.touch(mode=0o600)
        self.passphrase.write_text("for this measurement only\n")
        self.server = _serve(self.hub / "public")

    def run(self, clips: Sequence[Path]) -> Figures:
        self._found()
        found = {"entries": self.count, **self._publish_first()}
        found |= self._sync_first()
        camera = self.stage.start_camera(clips, "--loop", "0")
        frames = self.folder / "frames.json"
        agent, first = self._start(frames, camera)
        found |= {f"first_{name}": value for name, value in first.items()}
        time.sleep(_KEPT_S)
        agent.terminate()
        agent.wait(60)
        agent, again = self._start(frames, camera)
        pid = agent.pid
        found |= again
        time.sleep(_CALM_S)
        found["rss_mb"] = _memory_mb(pid, "VmRSS")
        found["start_peak_mb"] = _memory_mb(pid, "VmHWM")
        _forget_peak(pid)
        changed = time.monotonic()
        found |= self._publish_change()
        found |= self._change_live()
        live = time.monotonic()
        time.sleep(_CALM_S)
        found["swap_peak_mb"] = _memory_mb(pid, "VmHWM")
        agent.terminate()
        agent.wait(60)
        return found | _frame_times(json.loads(frames.read_text()), changed, live)

    def _start(self, frames: Path, camera: str) -> tuple[subprocess.Popen[bytes], Figures]:
        """An agent, and how long it took until it looked, and until its index served."""
        began = time.monotonic()
        agent = self.stage.start("agent", [*TIMED, str(frames), *self._run(camera)])
        self._wait(lambda now: now["state"] == "armed" and now["frames"] > 0)
        start_s = time.monotonic() - began
        status = self._wait(lambda now: "until its index" not in now["search"])
        index_s = time.monotonic() - began
        return agent, {
            "start_s": round(start_s, 2),
            "index_s": round(index_s, 2),
            "how": status["search"],
        }

    def _found(self) -> None:
        self._hub("init", "--agency", "bench", "--url", self._url)
        status = json.loads(self._hub("status", "--json"))
        token = self.folder / "camera-1.json"
        self._hub("devices", "token", "camera-1", "--unlock", "device", "--out", str(token))
        typed = ["--root-sha256", status["root"]["sha256"]]
        self.stage.once("provision", [*AGENT, "provision", str(token), *typed, *self._state])
        self._hub("devices", "add", str(token.with_suffix(".request.json")))

    def _publish_first(self) -> Figures:
        listed = vectors.templates(self.count, seed=1)
        source = self._written("first", listed, [f"E-{row}" for row in range(self.count)])
        began = time.monotonic()
        self._hub("publish", LIST, "--vectors", *source)
        return {
            "publish_s": round(time.monotonic() - began, 1),
            "publish_peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }

    def _sync_first(self) -> Figures:
        began = time.monotonic()
        said = _said([*AGENT, "watchlist", "sync", "--json", *self._state])
        return {"sync_s": round(time.monotonic() - began, 2), "sync_bytes": _received(said)}

    def _publish_change(self) -> Figures:
        half = self.count // 200
        source = self._written(
            "change", vectors.templates(half, seed=7), [f"N-{row}" for row in range(half)]
        )
        gone = np.random.default_rng(8).choice(self.count, half, replace=False)
        began = time.monotonic()
        self._hub("publish", LIST, "--change-vectors", *source,
                  "--remove", *(f"E-{row}" for row in gone))  # fmt: skip
        return {"publish_change_s": round(time.monotonic() - began, 1)}

    def _change_live(self) -> Figures:
        began = time.monotonic()
        self._ctl("sync")
        status = self._wait(lambda now: now["watchlist"].endswith(" v2"))
        return {
            "change_live_s": round(time.monotonic() - began, 2),
            "change_bytes": status["sync"]["bytes"],
        }

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def _state(self) -> list[str]:
        return ["--state-dir", str(self.device)]

    def _run(self, camera: str) -> list[str]:
        arm = ["--reason", "measurement", "--authorisation", "TEST-1"]
        calm = ["--set", "sync.every_s=86400", "--set", "sync.jitter=0"]
        return ["run", "--source", camera, *arm, *calm, *self._state]

    def _hub(self, *words: str) -> str:
        options = ["--state-dir", str(self.hub), "--passphrase-file", str(self.passphrase)]
        return _said([*HUB, *words, *options])

    def _ctl(self, command: str) -> Figures:
        request = ControlRequest.model_validate({"command": command})
        return ask(self.device / "control.sock", request, timeout_s=30.0).data

    def _wait(self, what: Callable[[Figures], bool]) -> Figures:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(UnavailableError):
                status = self._ctl("status")
                if what(status):
                    return status
            time.sleep(0.1)
        raise StageError(f"the agent did not come so far: {self.stage.last_words('agent')}")

    def _written(self, name: str, rows: vectors.Vectors, entries: Sequence[str]) -> list[str]:
        templates, table = self.folder / f"{name}.npy", self.folder / f"{name}.csv"
        np.save(templates, rows)
        end = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 20 * 86400))
        with table.open("w", newline="") as stream:
            lines = csv.writer(stream)
            lines.writerow(["entry", "subject", "basis", "purpose", "authorisation", "not_after"])
            lines.writerows([one, f"S-{one}", "consent", "test", "TEST-1", end] for one in entries)
        return [str(templates), "--metadata", str(table)]


def _serve(folder: Path) -> ThreadingHTTPServer:
    folder.parent.mkdir(mode=0o700)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    return server


def _said(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        raise StageError(f"{command[2]} {command[3]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _received(answer: str) -> int:
    found: int = json.loads(answer)["bytes"]
    return found


def _memory_mb(pid: int, what: str) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", text)
    assert found, text
    return round(int(found[1]) / 1024, 1)


def _forget_peak(pid: int) -> None:
    """From here on VmHWM counts anew, proc(5). The agent is not dumpable, so only root may say so;
    for others it goes on counting from the start.
    """
    with suppress(PermissionError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def _frame_times(frames: list[tuple[float, float]], changed: float, live: float) -> Figures:
    def p99(times: list[float]) -> float:
        ordered = sorted(times)
        return round(1000 * ordered[max(0, math.ceil(len(ordered) * 0.99) - 1)], 2)

    before = [took for ended, took in frames if changed - _CALM_S < ended < changed]
    during = [took for ended, took in frames if changed <= ended < live]
    return {
        "frame_p99_ms_before": p99(before),
        "frame_p99_ms_during_change": p99(during),
        "frames_before": len(before),
        "frames_during_change": len(during),
    }
