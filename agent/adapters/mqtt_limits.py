"""What a broker allows, and how much of the processor it may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agent.adapters.mqtt_rules import LEAST_PACKET
from agent.values import Monotonic

_LARGEST: Final = 1 << 28
"""MQTT knows no longer packet, bytes."""
_KEEPALIVES: Final = 2.5
_SLOT_S: Final = 0.1
_TURNS: Final = 50


@dataclass(frozen=True, slots=True)
class BrokerLimits:
    """What the broker's CONNACK allows (MQTT 5, 3.2.2.3); without one, what we allow ourselves.

    Attributes:
        window: publishes that may be open at once.
        packet: longest packet, bytes.
        retain: it keeps retained messages.
        qos: the highest it takes.
    """

    window: int
    packet: int = _LARGEST
    retain: bool = True
    qos: int = 2

    @classmethod
    def told(cls, in_flight: int, properties: Any) -> BrokerLimits:
        """From the properties of a CONNACK, where each may be missing."""

        def value(name: str, default: int) -> int:
            return int(getattr(properties, name, default))

        return cls(
            window=min(in_flight, value("ReceiveMaximum", in_flight)),
            packet=min(_LARGEST, value("MaximumPacketSize", _LARGEST)),
            retain=bool(value("RetainAvailable", 1)),
            qos=value("MaximumQoS", 2),
        )

    @property
    def unfit(self) -> str:
        """Why this broker is of no use; empty: it is."""
        if self.packet < LEAST_PACKET:
            return f"the broker takes packets of {self.packet} bytes at most: too few for an alert"
        if self.window < 1 or self.qos < 1:
            return "the broker acknowledges nothing (no QoS 1): alerts need that"
        return ""


class Turns:
    """Bounds how often the network loop turns, and with it what a flood can cost: each turn reads
    a few packets at most.
    """

    def __init__(self) -> None:
        self._slot = Monotonic(0.0)
        self._count = 0

    def pause_s(self, *, now: Monotonic) -> float:
        """After a turn: rest so long, s."""
        if not 0 <= now - self._slot < _SLOT_S:
            self._slot, self._count = now, 0
        self._count += 1
        return 0.0 if self._count < _TURNS else self._slot + _SLOT_S - now


class Liveness:
    """Notices a broker that says nothing whole any more, though a byte may come now and then.

    paho pings at least once in a keep-alive, so something must come within two; it counts bytes
    as a sign of life, though, and would wait for the rest of a packet for ever.
    """

    def __init__(self) -> None:
        self._progress = -1
        self._since = Monotonic(0.0)

    def is_gone(self, progress: int, keepalive_s: float, *, now: Monotonic) -> bool:
        """Whether nothing came for too long.

        Args:
            progress: grows with what comes.
            keepalive_s: as agreed with the broker; 0: nobody pings.
            now: monotonic seconds.
        """
        if progress != self._progress:
            self._progress, self._since = progress, now
        return bool(keepalive_s) and now - self._since > _KEEPALIVES * keepalive_s
