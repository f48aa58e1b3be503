"""MQTT brokers for tests and the demo, each in a process of its own, on the loopback only.

`python -m tests.support.broker --port 0 --port-file F` serves until SIGTERM; port 0 takes a free
one; F then holds the port. Anonymous, keeps nothing on disk, speaks MQTT 3.1.1 (amqtt).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
EXAMPLE = Path(__file__).resolve().parents[2] / "agent" / "docs" / "examples" / "mosquitto"
CAMERAS = ("cam-7", "cam-8")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
_START_S = 15.0


@dataclass(frozen=True)
class Identity:
    """PEM files of somebody who may come to a broker with TLS."""

    ca: Path
    cert: Path
    key: Path


class Broker:
    """A broker process that can be killed and started again on the same port.

    Args:
        kind: `amqtt`, `mosquitto`, or `mosquitto-tls`: with the shipped example's configuration,
            access list and certificates.
        folder: for its port file and configuration.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.host = HOST
        self.port = 0
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def reserve(self) -> None:
        """Choose the port without starting."""
        self.port = self.port or free_port()

    def identity(self, name: str) -> Identity | None:
        """Of `hub` or a camera; None where everybody may come."""
        if self.kind != "mosquitto-tls":
            return None
        self._make_certificates()
        certs = self._folder / "certs"
        return Identity(certs / "ca.pem", certs / f"{name}.pem", certs / f"{name}.key")

    def revoke(self, name: str) -> None:
        """From the next start on."""
        self._script("--revoke", name)

    def start(self) -> None:
        """Start, and return once it accepts connections."""
        make = {"amqtt": self._amqtt, "mosquitto": self._mosquitto, "mosquitto-tls": self._example}
        command = make[self.kind]()
        root = self._folder if self.kind == "mosquitto-tls" else EXAMPLE.parents[3]
        self._process = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.kind} did not start: {' '.join(command)}")
            time.sleep(0.02)

    def kill(self) -> None:
        """As by a power cut."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Alive but silent: half of every half-open connection."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _amqtt(self) -> list[str]:
        port_file = self._folder / "broker.port"
        port_file.unlink(missing_ok=True)
        module = ["-m", "tests.support.broker", "--port", str(self.port)]
        return [sys.executable, *module, "--port-file", str(port_file)]

    def _mosquitto(self) -> list[str]:
        self.reserve()
        config = self._folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} {HOST}\nallow_anonymous true\nuser root\n")
        return [str(MOSQUITTO), "-c", str(config)]

    def _example(self) -> list[str]:
        """As shipped, but for the port, the address, and the user when root runs the tests."""
        self.reserve()
        self._make_certificates()
        shutil.copy(EXAMPLE / "acl", self._folder)
        shipped = (EXAMPLE / "mosquitto.conf").read_text()
        changed = shipped.replace("listener 8883", f"listener {self.port} {HOST}")
        (self._folder / "mosquitto.conf").write_text(changed + "user root\n")
        return [str(MOSQUITTO), "-c", "mosquitto.conf"]

    def _make_certificates(self) -> None:
        if not (self._folder / "certs" / "crl.pem").exists():
            self._script(HOST, *CAMERAS)

    def _script(self, *arguments: str) -> None:
        script = ["sh", str(EXAMPLE / "make-certificates.sh"), *arguments]
        subprocess.run(script, cwd=self._folder, check=True, capture_output=True)

    def _accepts(self) -> bool:
        if not self.port:
            with suppress(OSError, ValueError):
                self.port = int((self._folder / "broker.port").read_text())
            return False
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1.0):
            return True
        return False


@contextmanager
def embedded_broker(port: int = 0) -> Iterator[tuple[str, int]]:
    """(host, port) of a running embedded broker."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker("amqtt", Path(folder))
        broker.port = port
        broker.start()
        try:
            yield broker.host, broker.port
        finally:
            broker.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _serve(port: int, port_file: Path | None) -> None:
    from amqtt.broker import Broker as AmqttBroker

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    broker = AmqttBroker(config)
    await broker.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if port_file is not None:
        real = broker._servers["default"].instance.sockets[0].getsockname()[1]
        partial = port_file.with_name(port_file.name + ".part")
        partial.write_text(str(real))
        partial.replace(port_file)
    await stop.wait()
    with suppress(Exception):
        await asyncio.wait_for(broker.shutdown(), 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(_serve(options.port, options.port_file))
    except Exception as error:  # noqa: BLE001 - amqtt's own, such as a port in use
        print(f"broker: {error}", file=sys.stderr)
        os._exit(69)
    os._exit(0)  # amqtt leaves tasks behind that complain at interpreter exit


if __name__ == "__main__":
    main()
