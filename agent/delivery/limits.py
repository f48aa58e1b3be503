"""The bounds of delivery, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.config import DeliveryConfig
from agent.delivery.backoff import Backoff

_PATIENCE = 16
"""A silent hub is asked again after at most so many times `ack_timeout_s`: a broker that keeps
messages for it would otherwise hoard thousands of copies."""
_AHEAD = 5
"""So many times `in_flight` events may be with the broker and not confirmed by the hub: enough
to keep a slow link busy for a round trip to the hub and back."""


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Bounds of delivery.

    Attributes:
        in_flight: events handed over and not yet answered by the broker, at most.
        ack_timeout_s: an unanswered event is sent again after this, s.
        backoff: pauses of an event that the receiver asked to retry.
        confirm: whose word means delivered: the hub's, or the weaker one of the broker.
        live_for_s: an event older than this is sent as historical, s.
        expire_s: an event older than this is given up, s; 0: never.
    """

    in_flight: int
    ack_timeout_s: float
    backoff: Backoff
    confirm: Literal["hub", "broker"] = "broker"
    live_for_s: float = 300.0
    expire_s: float = 0.0

    @classmethod
    def of(cls, config: DeliveryConfig, *, provisioned: bool = False) -> DeliveryLimits:
        """As configured; only with an agency is there a hub whose word can count."""
        hub = provisioned and config.confirm != "broker"
        return cls(
            in_flight=config.in_flight,
            ack_timeout_s=config.ack_timeout_s,
            backoff=Backoff(config.retry_first_s, config.retry_cap_s),
            confirm="hub" if hub else "broker",
            live_for_s=config.live_for_s,
            expire_s=config.expire_s,
        )

    @property
    def unconfirmed(self) -> int:
        """Historical events wait while so many are with the broker and not confirmed."""
        return _AHEAD * self.in_flight

    @property
    def longest_ack_s(self) -> float:
        """Longest patience with a hub that does not answer, s."""
        return _PATIENCE * self.ack_timeout_s
