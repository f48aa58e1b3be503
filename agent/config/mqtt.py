"""The broker, and how to know it."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from agent.config.section import Section, Slug


class MqttTlsConfig(Section):
    enabled: bool = Field(
        False,
        description="Talk TLS to the broker; its port is usually 8883 then, or 443 with alpn.",
    )
    min_version: Literal["1.2", "1.3"] = Field("1.2", description="Oldest TLS that will do.")
    ca_file: str = Field(
        "", description="CA certificates to trust, PEM, and no others; empty: the system's."
    )
    cert_file: str = Field("", description="Our client certificate (chain), PEM; empty: none.")
    key_file: str = Field(
        "", description="Its key, PEM, not readable by everybody; empty: in the same file."
    )
    key_passphrase_file: str = Field(
        "", description="Its first line opens an encrypted key; only the agent may read it."
    )
    hostname: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.:-]{0,253}$",
        description="Name or address that the broker's certificate must be for, also sent as SNI; "
        "empty: mqtt.host.",
    )
    alpn: str = Field(
        "",
        pattern=r"^[!-~]{0,255}$",
        description="Application protocol to ask for: mqtt, or x-amzn-mqtt-ca for AWS IoT Core "
        "on port 443; empty: none.",
    )
    warn_days: int = Field(
        21, ge=1, le=365, description="Complain about a certificate so long before its end, days."
    )

    @field_validator("ca_file", "cert_file", "key_file", "hostname", "alpn", mode="after")
    @classmethod
    def _needs_tls(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("enabled") is False:
            raise _problem("does nothing without TLS: set mqtt.tls.enabled: true")
        return value

    @field_validator("key_file", mode="after")
    @classmethod
    def _needs_certificate(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("cert_file", "unknown"):
            raise _problem("a key needs its certificate: set mqtt.tls.cert_file")
        return value

    @field_validator("key_passphrase_file", mode="after")
    @classmethod
    def _needs_key(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("cert_file", "unknown"):
            raise _problem("opens nothing: set mqtt.tls.cert_file")
        return value


class MqttConfig(Section):
    host: str = Field("", description="Broker; empty: alerts are queued on disk.")
    port: int = Field(1883, ge=1, le=65535)
    prefix: Slug = Field("bodycam", description="First level of every topic.")
    keepalive_s: int = Field(30, ge=5, le=3600, description="MQTT keep-alive, s.")
    connect_timeout_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="Longest wait for TCP, for TLS, and for the broker's answer, s.",
    )
    session_expiry_s: int = Field(
        86_400,
        ge=0,
        le=604_800,
        description="While this device is away, the broker keeps its messages so long (MQTT 5), s.",
    )
    max_rate_hz: float = Field(
        80.0,
        ge=0,
        le=10_000,
        description="Messages a second to the broker, at most; 0: as fast as it acknowledges.",
    )
    tls: MqttTlsConfig = MqttTlsConfig()
    username: str = Field(
        "", max_length=256, description="Only over TLS or to this machine; empty: none."
    )
    password_file: str = Field(
        "",
        description="Its first line is the password; only the agent may read it. Read again for "
        "every connection.",
    )

    @field_validator("username", mode="after")
    @classmethod
    def _not_in_clear(cls, value: str, info: ValidationInfo) -> str:
        tls = info.data.get("tls")
        if value and tls is not None and not tls.enabled and not is_loopback(info.data["host"]):
            raise _problem("a password would go in clear: set mqtt.tls.enabled: true")
        return value

    @field_validator("password_file", mode="after")
    @classmethod
    def _whose(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("username", "unknown"):
            raise _problem("whose password? set mqtt.username")
        return value


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host never leaves the machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(line: str) -> PydanticCustomError:
    return PydanticCustomError("mqtt", line)
