"""Messages to the device: bounded queues, and one thread that works them off.

The network thread only puts, so that a listener that waits for the disk delays no alert. A message
is acknowledged when its listener has returned, which means that it is committed. Floods are cut
down here: of each topic the newest few wait, older ones are given up, counted, and acknowledged,
for the broker would send them again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from agent.adapters.mqtt_rules import MAX_PAYLOAD
from agent.errors import DiskError
from agent.ports.log import Log

WAITING_MESSAGES: Final = 128
"""Of each topic; more than a broker sends unacknowledged when it keeps to what it was told."""
WAITING_BYTES: Final = 1_000_000
_JOIN_S: Final = 2.0

Listener: TypeAlias = Callable[[bytes], None]
"""Told the payload of a message to the device. Returning means: committed, it need not come again.
`DiskError` means: not committed; the broker sends it again on the next connection. May block for a
while; is called from the inbox's thread, one message at a time."""
Acknowledge: TypeAlias = Callable[[], None]


@dataclass(slots=True)
class _Queue:
    waiting: deque[tuple[bytes, Acknowledge]] = field(default_factory=deque)
    size: int = 0

    def full(self) -> bool:
        return len(self.waiting) > WAITING_MESSAGES or self.size > WAITING_BYTES

    def pop(self) -> tuple[bytes, Acknowledge]:
        payload, acknowledge = self.waiting.popleft()
        self.size -= len(payload)
        return payload, acknowledge


class Inbox:
    """Takes messages from one thread and gives them to listeners on another. What waits is kept
    over the end of a connection; the broker may send it once more on the next.

    Args:
        listeners: by the last level of the topic.
        log: gets one line when a listener fails in an unforeseen way, once for each topic, and
            one when the broker grants no subscription.

    Attributes:
        heard, dropped, oversized, failed: see `LinkHealth`.
    """

    def __init__(self, listeners: Mapping[str, Listener], log: Log | None = None) -> None:
        self.heard = self.dropped = self.oversized = self.failed = 0
        self._listeners = dict(listeners)
        self._log = log
        self._queues = {name: _Queue() for name in listeners}
        self._told: set[str] = set()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._listeners)

    def start(self) -> None:
        if self._listeners:
            self._thread = threading.Thread(target=self._work, name="mqtt-inbox", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """What still waits is neither done nor acknowledged: the broker keeps it."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        self._queues = {name: _Queue() for name in self._listeners}

    def put(self, name: str, payload: bytes, acknowledge: Acknowledge) -> None:
        """Never blocks, never raises. Unknown names and what is too long are acknowledged only."""
        if name not in self._queues or len(payload) > MAX_PAYLOAD:
            self.oversized += len(payload) > MAX_PAYLOAD
            acknowledge()
            return
        given_up: list[Acknowledge] = []
        with self._wake:
            queue = self._queues[name]
            queue.waiting.append((payload, acknowledge))
            queue.size += len(payload)
            while queue.full():
                given_up.append(queue.pop()[1])
            self._wake.notify_all()
        self.dropped += len(given_up)
        for one in given_up:
            one()

    def refused(self, names: tuple[str, ...]) -> None:
        """The broker did not grant these topics; one line for each set of them."""
        line = f"the broker does not let us hear {', '.join(names)}: check its access list"
        if names and self._log is not None and line not in self._told:
            self._told.add(line)
            self._log.warning(line)

    def skipped(self) -> None:
        """One was too long to be read at all."""
        self.oversized += 1

    def _work(self) -> None:
        while self._next_batch():
            pass

    def _next_batch(self) -> bool:
        """Wait for messages and work off one of each topic, so that a flood on one holds up no
        other. False: it is time to stop.
        """
        with self._wake:
            self._wake.wait_for(lambda: self._stopping or self._any())
            if self._stopping:
                return False
            batch = [(name, *queue.pop()) for name, queue in self._queues.items() if queue.waiting]
        for name, payload, acknowledge in batch:
            if self._hear(name, payload):
                acknowledge()
        return True

    def _any(self) -> bool:
        return any(queue.waiting for queue in self._queues.values())

    def _hear(self, name: str, payload: bytes) -> bool:
        """Whether it is done with."""
        try:
            self._listeners[name](payload)
        except DiskError:
            return False
        except Exception as error:  # noqa: BLE001 - a message that breaks us must not come for ever
            self.failed += 1
            if name not in self._told and self._log is not None:
                self._told.add(name)
                self._log.error(
                    f"a message on {name} could not be worked on: {type(error).__name__}"
                )
            return True
        self.heard += 1
        return True
