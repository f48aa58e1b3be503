"""What the MQTT transport is told, and how it reads a broker's answers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from agent.delivery import Backoff
from agent.values import Monotonic, SendResult

MAX_PAYLOAD: Final = 100_000
"""Largest message to the device that is looked at, bytes."""
MAX_PACKET: Final = MAX_PAYLOAD + 1024
"""The same with its topic and properties; told to the broker, and held to it."""
LEAST_PACKET: Final = 2048
"""A broker that takes no more than this takes no alert, bytes."""
CLIENT_ID_BYTES: Final = 128
"""AWS IoT Core takes no longer client id."""

_REFUSED_CODES = frozenset({0x90, 0x99})
_FIRST_FAILURE = 0x80
_OTHER_VERSION = frozenset({0x80, 0x81, 0x82, 0x84})
"""CONNACK codes of a broker that may only not understand MQTT 5: unspecified error, malformed
packet, protocol error, unsupported protocol version."""
_ADVICE: Final = {
    0x85: "it does not take our client id; shorter names of agency and device may do",
    0x86: "bad user name or password; check mqtt.username and mqtt.password_file",
    0x87: "not authorised; check the broker's access list and mqtt.username",
    0x8E: "another client came with our client id; is a second camera set up as this one?",
}


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


def may_be_version(code: int) -> bool:
    """Whether a refusing CONNACK to MQTT 5 may mean that the broker only speaks 3.1.1."""
    return code in _OTHER_VERSION


def in_words(code: int, name: str) -> str:
    """A refusing reason code for a person: what to do where we know, else the standard's name."""
    return _ADVICE.get(code, f"{name} (0x{code:02x})")


def client_id_for(prefix: str, agency: str, device: str) -> str:
    """The same for ever, one for each device, and never longer than brokers take."""
    plain = f"{prefix}-{agency}-{device}"
    if len(plain) <= CLIENT_ID_BYTES:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:32]
    return f"{plain[: CLIENT_ID_BYTES - 33]}-{digest}"


class Pace:
    """A token bucket: so many a second, some at once.

    Args:
        rate_hz: tokens a second; 0: no bound.
        burst: tokens at most.
        now: monotonic seconds.
    """

    def __init__(self, rate_hz: float, burst: int, *, now: Monotonic) -> None:
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, *, now: Monotonic) -> bool:
        """One token, if there is one."""
        if self._count(now) < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def is_low(self, *, now: Monotonic) -> bool:
        """Less than half is left."""
        return self._count(now) < self._burst / 2

    def _count(self, now: Monotonic) -> float:
        if not self._rate_hz:
            return float(self._burst)
        gained = max(0.0, now - self._at) * self._rate_hz
        self._tokens, self._at = min(float(self._burst), self._tokens + gained), now
        return self._tokens


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How to know the broker, and how to be known to it.

    Attributes:
        ca_file: authorities to trust, PEM, and no others; empty: the system's.
        cert_file: our own certificate (chain), PEM; empty: none.
        key_file: its key, PEM; empty: in the same file.
        key_passphrase_file: opens an encrypted key; empty: the key must be open.
        hostname: that the broker's certificate must be for, and the SNI; empty: the host.
        alpn: application protocol to ask for; empty: none.
        min_version: of TLS.
        warn_days: certificates are complained about so many days before their end.
        watch_s: the files are looked at so often while connected, s.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    key_passphrase_file: str = ""
    hostname: str = ""
    alpn: str = ""
    min_version: Literal["1.2", "1.3"] = "1.2"
    warn_days: int = 21
    watch_s: float = 30.0


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Where and as whom to connect.

    Attributes:
        host, port: the broker.
        topics: `{prefix}/{agency}/{device}`, with which every topic begins.
        client_id: the same at every start, so that the broker finds the session again.
        keepalive_s: MQTT keep-alive, s.
        connect_timeout_s: for TCP, for TLS, and again for the broker's answer, s.
        in_flight: publishes without acknowledgement, at most; fewer when the broker says so.
        backoff: pauses between tries to connect.
        probe_s: patience with a broker that is silent to MQTT 5, before 3.1.1 is tried, s.
        session_expiry_s: how long the broker keeps our session while we are away (MQTT 5), s.
        rate_hz: publishes a second, at most, `in_flight` of them at once; 0: no bound.
        tls: None: in clear.
        username: empty: none.
        password_file: its first line is the password; read again for every connection.
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
    session_expiry_s: int = 86_400
    rate_hz: float = 0.0
    tls: TlsSettings | None = None
    username: str = ""
    password_file: str = ""
