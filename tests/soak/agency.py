"""The agency of the soak: its hub in a folder, a web server, and what it publishes."""

from __future__ import annotations

import csv
import io
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2

from firmware_sim.scene.cast import photograph
from tests.soak.reel import LISTED
from tests.support.hub_lists import Roll, iso
from tests.support.hubs import DAY_S, HubWorld

DEVICE, LIST, AUTHORISATION = "CAM-7", "wanted", "C-1"
_OTHERS, _CHANGED = 2000, 100
_COLUMNS = ("image", "entry", "subject", "basis", "purpose", "authorisation", "not_after")


class Agency:
    """Made anew in the folder, with a policy and a first list.

    Args:
        footage: the pinned films and photographs.
        models: the built networks.
    """

    def __init__(self, folder: Path, footage: Path, models: Path) -> None:
        folder.mkdir(parents=True)
        self._folder, self._models = folder, models
        self.world = HubWorld(folder)
        with _silence():
            self._found(footage)
        self._server = _Server(self.world.public)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._turn = 0

    def invite(self, out: Path) -> None:
        """Write the file by which the device is provisioned."""
        words = ("--unlock", "device", "--url", self.url, "--out", out)
        with _silence():
            self.world("devices", "token", DEVICE, *words)

    def admit(self, request: Path) -> None:
        """Take the device's answer; it may look from then on, for half a day."""
        kind = ("--id", AUTHORISATION, "--type", "consent-test", "--list", LIST)
        words = ("--device", DEVICE, "--hours", "12", "--role", "test", "--reference", "27/1")
        with _silence():
            self.world("devices", "add", request)
            self.world("publish", LIST)
            self.world("authorise", "create", *kind, *words)

    def command(self, *words: str) -> list[str]:
        """A command of the hub, for a process of its own."""
        files = (self.world.words, self.world.offline_words)
        passphrases = [one for path in files for one in ("--passphrase-file", str(path))]
        state = ["--state-dir", str(self.world.state_dir)]
        return [sys.executable, "-m", "agent.hub", *words, *state, *passphrases]

    def next_version(self) -> list[str]:
        """A command that publishes: somebody goes, others change, he comes back, others change."""
        self._turn += 1
        if self._turn % 4 == 1:
            return self.command("publish", LIST, "--remove", f"E-{LISTED[-1]}")
        if self._turn % 4 == 3:
            return self.command("publish", LIST, *self._photographs())
        return self.command("publish", LIST, *self._vectors(_CHANGED, "--change-vectors"))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _found(self, footage: Path) -> None:
        self.world.init()
        self.world.publish_policy("field-test")
        self._write_photographs(footage)
        self.world("publish", LIST, *self._vectors(_OTHERS, "--vectors"))
        self.world("publish", LIST, *self._photographs())

    def _write_photographs(self, footage: Path) -> None:
        until = iso(self.world.now + 20 * DAY_S)
        with (self._folder / "photos.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(_COLUMNS)
            for who in LISTED:
                image = self._folder / f"{who}.png"
                cv2.imwrite(str(image), photograph(who, footage))
                row = (image.resolve(), f"E-{who}", f"S-{who}", "consent", "test", "T-1", until)
                writer.writerow(row)

    def _photographs(self) -> list[str]:
        return ["--change", str(self._folder / "photos.csv"), "--models-dir", str(self._models)]

    def _vectors(self, count: int, how: str) -> list[str]:
        """Directions that are nobody's face."""
        vectors, metadata = Roll(list(range(count))).write(self._folder, self.world.now)
        return [how, str(vectors), "--metadata", str(metadata)]


@contextmanager
def _silence() -> Iterator[None]:
    """What commands say in this very process is of no interest."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


class _Server(ThreadingHTTPServer):
    """Static files."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        """Nobody reads it."""
