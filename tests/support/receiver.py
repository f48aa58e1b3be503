"""An agency's end that knows nothing of the agent: whatever arrives is written down.

`python -m tests.support.receiver --host H --port P --out FILE [--state-out FILE]
[--ready-file F] [--prefix bodycam]` runs until SIGTERM. Each message on `{prefix}/+/+/match`
becomes one line of JSON in FILE, in order of arrival, doubles included. Messages on
`{prefix}/+/+/state` go to the state file with their topic and retain flag. The ready file
appears once the broker has accepted the subscriptions. Shares no code with the agent.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt

from tests.support.broker import Identity


def readable(payload: bytes) -> Any:
    """The JSON value of a payload, or the bytes in base64 when it is none."""
    try:
        return json.loads(payload)
    except ValueError:
        return {"undecodable": base64.b64encode(payload).decode()}


class Receiver:
    """Subscribes and appends to files; stays subscribed over reconnects."""

    def __init__(
        self,
        out: Path,
        state_out: Path | None,
        ready: Path | None,
        prefix: str,
        tls: tuple[str, str, str] | None = None,
    ) -> None:
        self._out = out
        self._state_out = state_out
        self._ready = ready
        self._prefix = prefix
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id="receiver" if tls is None else f"receiver-{Path(tls[1]).stem}",
            clean_session=False,
        )
        if tls is not None:
            self._client.tls_set(*tls)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._write
        self._client.reconnect_delay_set(1, 1)

    def run(self, host: str, port: int, stop: threading.Event) -> None:
        self._out.touch()
        self._client.connect_async(host, port)
        self._client.loop_start()
        stop.wait()
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(f"{self._prefix}/+/+/match", 1), (f"{self._prefix}/+/+/state", 1)])

    def _subscribed(self, *_: Any) -> None:
        if self._ready is not None:
            self._ready.write_text("ready\n")

    def _write(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        content = readable(message.payload)
        if message.topic.endswith("/match"):
            _append(self._out, content)
        elif self._state_out is not None:
            line = {"topic": message.topic, "retain": bool(message.retain), "payload": content}
            _append(self._state_out, line)


def _append(path: Path, content: Any) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content, ensure_ascii=False) + "\n")


def lines(path: Path) -> list[Any]:
    """The complete lines of a file that may still be growing."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


class RunningReceiver:
    """A receiver in its own process, and what it has written so far."""

    def __init__(self, folder: Path) -> None:
        self.matches_file = folder / "matches.jsonl"
        self.states_file = folder / "states.jsonl"

    def matches(self) -> list[Any]:
        return lines(self.matches_file)

    def states(self) -> list[Any]:
        return [line["payload"] for line in lines(self.states_file)]


@contextmanager
def running_receiver(
    host: str, port: int, folder: Path, identity: Identity | None = None
) -> Iterator[RunningReceiver]:
    """A subscribed receiver, in a process of its own, that writes into `folder`."""
    receiver = RunningReceiver(folder)
    ready = folder / "receiver.ready"
    options = ["--host", host, "--port", str(port), "--out", str(receiver.matches_file)]
    options += ["--state-out", str(receiver.states_file), "--ready-file", str(ready)]
    if identity is not None:
        options += ["--tls", str(identity.ca), str(identity.cert), str(identity.key)]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-m", "tests.support.receiver", *options], cwd=root)
    try:
        wait_until(ready.exists, "the receiver is subscribed")
        yield receiver
    finally:
        process.terminate()
        process.wait(10)


def wait_until(holds: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    """Wait for something in another process to come true."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state-out", type=Path)
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument("--prefix", default="bodycam")
    parser.add_argument("--tls", nargs=3, metavar=("CA", "CERT", "KEY"))
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    receiver = Receiver(
        options.out, options.state_out, options.ready_file, options.prefix, options.tls
    )
    receiver.run(options.host, options.port, stop)


if __name__ == "__main__":
    main()
