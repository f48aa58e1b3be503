"""The way out."""

from __future__ import annotations

from typing import Protocol

from agent.values import SendResult
from agent.values.link import LinkHealth


class TransportEvents(Protocol):
    """What a transport reports; may be called from any thread, so only enqueue."""

    def connected(self, up: bool, reason: str) -> None: ...

    def result(self, entry_id: str, result: SendResult, reason: str) -> None: ...

    def acknowledged(self, entry_id: str) -> None:
        """The hub says, under its signature, that it has the event."""


class Transport(Protocol):
    """Carries bytes to the agency."""

    def start(self, events: TransportEvents) -> None:
        """Connect in the background, and go on trying until `stop`."""

    def send(
        self, entry_id: str, topic: str, payload: bytes, *, expires_in_s: float | None = None
    ) -> None:
        """Hand over one event; its outcome arrives at `TransportEvents.result`. The broker may
        drop it when it could not pass it on within `expires_in_s`, s.
        """

    def publish_state(self, payload: bytes) -> None:
        """Replace the retained state message."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Say something that is worth nothing later: once, when connected, not retained.

        Args:
            topic: the last level.
            payload: bytes.
        """

    def retain(self, topic: str, payload: bytes) -> None:
        """Keep a message at the broker, now and after every connect, for those who come later.

        Args:
            topic: whole.
            payload: bytes; empty takes away what the broker keeps there.
        """

    def health(self) -> LinkHealth:
        """Certificates, and counts of what came in."""

    def stop(self, final_state: bytes | None) -> None:
        """Publish a last state, disconnect and release."""
