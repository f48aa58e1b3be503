"""The world around delivery: a clock that is moved by hand, a broker that answers on command."""

from __future__ import annotations

from agent.ports import TransportEvents
from agent.values import Monotonic, SendResult, Wall


class ManualClock:
    """Stands still until `advance`."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> Monotonic:
        return Monotonic(self.seconds)

    def wall(self) -> Wall:
        return Wall(1_800_000_000.0 + self.seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class ScriptedTransport:
    """A link and a broker with verbs: `come_up`, `cut`, `answer`. Remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes]] = []
        self.states: list[bytes] = []
        self.stopped_with: list[bytes | None] = []
        self.events: TransportEvents | None = None

    def start(self, events: TransportEvents) -> None:
        self.events = events

    def send(self, entry_id: str, topic: str, payload: bytes) -> None:
        self.sent.append((entry_id, topic, payload))

    def publish_state(self, payload: bytes) -> None:
        self.states.append(payload)

    def stop(self, final_state: bytes | None) -> None:
        self.stopped_with.append(final_state)

    @property
    def sent_ids(self) -> list[str]:
        return [entry_id for entry_id, _, _ in self.sent]

    def come_up(self) -> None:
        self.events.connected(True, "")

    def cut(self, reason: str = "cut") -> None:
        self.events.connected(False, reason)

    def answer(self, entry_id: str, result: SendResult = SendResult.CONFIRMED) -> None:
        self.events.result(entry_id, result, f"broker said {result.value}")
