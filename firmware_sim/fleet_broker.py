"""The broker of a fleet: one that is there, or a mosquitto of our own; and what it needs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.errors import Exit, SimError

_START_S = 10.0
_CONFIG = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
{user}"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time so far, s, and resident memory, kB (1000 bytes); None: not ours to see."""

    cpu_s: float | None = None
    rss_kb: float | None = None


class Broker:
    """To be entered; ends its own mosquitto on leaving.

    Args:
        there: host and port of one that runs; None: start one.

    Raises:
        SimError: there is no mosquitto here, or it does not start.
    """

    def __init__(self, there: tuple[str, int] | None) -> None:
        self.host, self.port = there or ("127.0.0.1", 0)
        self._own = there is None
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Broker:  # noqa: PYI034
        if self._own:
            self._start()
        return self

    def __exit__(self, *error: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_START_S)
            process.kill()
            process.wait()
        if self._folder is not None:
            self._folder.cleanup()

    def usage(self) -> Usage:
        """Of our own one, from /proc."""
        if self._process is None:
            return Usage()
        folder = Path("/proc") / str(self._process.pid)
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:
            return Usage()
        ticks = int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 1000)

    def _start(self) -> None:
        program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
        if program is None:
            raise SimError(
                "mosquitto is not installed (Debian: apt-get install mosquitto); or name a broker: "
                "--broker HOST:PORT",
                Exit.UNAVAILABLE,
            )
        self._folder = tempfile.TemporaryDirectory(prefix="fleet-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        config = Path(self._folder.name) / "mosquitto.conf"
        user = "user root\n" if os.getuid() == 0 else ""
        config.write_text(_CONFIG.format(port=self.port, user=user))
        self._process = subprocess.Popen(  # noqa: S603 -- found on the path
            [program, "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us, who end it last
        )
        until = time.monotonic() + _START_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > until:
                raise SimError("mosquitto does not start", Exit.UNAVAILABLE)
            time.sleep(0.05)

    def _accepts(self) -> bool:
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
            return True
        return False
