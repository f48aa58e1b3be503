"""No broker configured: alerts are queued on disk."""

from __future__ import annotations

from agent.ports import TransportEvents
from agent.values.link import LinkHealth


class NoTransport:
    """Implements `agent.ports.Transport`; is never connected, and says why."""

    def start(self, events: TransportEvents) -> None:
        events.connected(False, "no broker configured: set mqtt.host")

    def send(
        self, entry_id: str, topic: str, payload: bytes, *, expires_in_s: float | None = None
    ) -> None:
        """Nobody is there; never called while not connected."""

    def publish_state(self, payload: bytes) -> None:
        """Nobody is there."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Nobody is there."""

    def retain(self, topic: str, payload: bytes) -> None:
        """Nobody is there."""

    def health(self) -> LinkHealth:
        """Nothing to tell."""
        return LinkHealth()

    def stop(self, final_state: bytes | None) -> None:
        """Nothing to release."""
