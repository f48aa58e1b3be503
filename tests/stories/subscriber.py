"""Writes down every message under the prefix; shares no code with the agent or the score.

`python -m tests.stories.subscriber --port P --out FILE --ready-file F` runs until SIGTERM. A line
of FILE: `{"topic", "received_at", "payload"}`.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt


def readable(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return {"undecodable": base64.b64encode(payload).decode()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ready-file", type=Path, required=True)
    options = parser.parse_args()
    options.out.touch()
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id="story-subscriber", clean_session=False
    )
    client.on_connect = lambda client, *_: client.subscribe("bodycam/#", 1)
    client.on_subscribe = lambda *_: options.ready_file.write_text("ready\n")

    def write(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        line = {
            "topic": message.topic,
            "received_at": time.time(),
            "payload": readable(message.payload),
        }
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    client.on_message = write
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    client.connect_async(options.host, options.port)
    client.loop_start()
    stop.wait()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
