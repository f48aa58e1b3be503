"""The world around delivery: a transport that answers on command, and ears for a real one."""

from __future__ import annotations

import threading

from agent.ports import TransportEvents
from agent.values import SendResult
from agent.values.link import LinkHealth


class ScriptedTransport:
    """A link and a broker with verbs: `come_up`, `cut`, `answer`. Remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes]] = []
        self.expiries: list[float | None] = []
        self.states: list[bytes] = []
        self.said: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self.stopped_with: list[bytes | None] = []
        self.events: TransportEvents | None = None

    def start(self, events: TransportEvents) -> None:
        self.events = events

    def send(
        self, entry_id: str, topic: str, payload: bytes, *, expires_in_s: float | None = None
    ) -> None:
        self.expiries.append(expires_in_s)
        self.sent.append((entry_id, topic, payload))

    def publish_state(self, payload: bytes) -> None:
        self.states.append(payload)

    def publish(self, topic: str, payload: bytes) -> None:
        self.said.append((topic, payload))

    def retain(self, topic: str, payload: bytes) -> None:
        self.retained[topic] = payload

    def health(self) -> LinkHealth:
        return LinkHealth()

    def stop(self, final_state: bytes | None) -> None:
        self.stopped_with.append(final_state)

    @property
    def sent_ids(self) -> list[str]:
        return [entry_id for entry_id, _, _ in self.sent]

    def come_up(self) -> None:
        self.events.connected(True, "")

    def cut(self, reason: str = "cut") -> None:
        self.events.connected(False, reason)

    def answer(self, entry_id: str, result: SendResult = SendResult.ACCEPTED) -> None:
        self.events.result(entry_id, result, f"broker said {result.value}")


class Ears:
    """Hears what a transport reports, and waits for it."""

    def __init__(self) -> None:
        self.links: list[tuple[bool, str]] = []
        self.results: list[tuple[str, SendResult, str]] = []
        self._heard = threading.Condition()

    def connected(self, up: bool, reason: str) -> None:
        with self._heard:
            self.links.append((up, reason))
            self._heard.notify_all()

    def result(self, entry_id: str, result: SendResult, reason: str) -> None:
        with self._heard:
            self.results.append((entry_id, result, reason))
            self._heard.notify_all()

    def wait_for_link(self, up: bool, times: int = 1) -> str:
        """The reason of the `times`-th report of this kind."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self._kind(up)) >= times, 15), self.links
            return self._kind(up)[times - 1]

    def wait_for_results(self, count: int) -> list[tuple[str, SendResult]]:
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.results) >= count, 15), self.results
            return [(entry_id, result) for entry_id, result, _ in self.results]

    def _kind(self, up: bool) -> list[str]:
        return [reason for is_up, reason in self.links if is_up is up]
