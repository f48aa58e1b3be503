"""What the MQTT transport is told, and how it reads a broker's answers."""

from __future__ import annotations

from dataclasses import dataclass

from agent.delivery import Backoff
from agent.values import SendResult

_REFUSED_CODES = frozenset({0x90, 0x99})
_FIRST_FAILURE = 0x80


def classify(code: int) -> SendResult:
    """What a PUBACK reason code means for the event (MQTT 5, table 3-4).

    ================================  =========  ==============================================
    code                              result     why
    ================================  =========  ==============================================
    0x00 success                      ACCEPTED   also every PUBACK of MQTT 3.1.1
    0x10 no matching subscribers      ACCEPTED   the broker has it, whoever else may not
    0x90 topic name invalid           REFUSED    this event will never be taken
    0x99 payload format invalid       REFUSED    the same
    0x87 not authorised               RETRY      access lists get mended; the alert waits
    0x80, 0x83, 0x91, 0x97, unknown   RETRY      the broker's trouble, not the event's
    ================================  =========  ==============================================
    """
    if code < _FIRST_FAILURE:
        return SendResult.ACCEPTED
    return SendResult.REFUSED if code in _REFUSED_CODES else SendResult.RETRY


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where and as whom to connect.

    Attributes:
        host, port: the broker.
        topics: `{prefix}/{agency}/{device}`, with which every topic begins.
        client_id: the same at every start, so that the broker finds the session again.
        keepalive_s: MQTT keep-alive, s.
        connect_timeout_s: for TCP, and again for the broker's answer, s.
        in_flight: publishes without acknowledgement, at most; fewer when the broker says so.
        backoff: pauses between tries to connect.
        probe_s: patience with a broker that is silent to MQTT 5, before 3.1.1 is tried, s.
    """

    host: str
    port: int
    topics: str
    client_id: str
    keepalive_s: int
    connect_timeout_s: float
    in_flight: int
    backoff: Backoff
    probe_s: float = 2.0
