"""The broker that the configuration names, and what is wrong with the files it names."""

from __future__ import annotations

import random
from collections.abc import Mapping

from agent.adapters.mqtt import (
    Listener,
    MqttSettings,
    MqttTransport,
    TlsSettings,
    client_id_for,
)
from agent.adapters.mqtt_tls import problems_of
from agent.adapters.no_transport import NoTransport
from agent.config import Config
from agent.config.mqtt import is_loopback
from agent.delivery import Backoff
from agent.ports import Clock, Transport
from agent.ports.log import Log


def broker_settings(config: Config) -> MqttSettings:
    """For the transport. Needs `mqtt.host`, and the device's name as provisioned."""
    mqtt, device = config.mqtt, config.device
    return MqttSettings(
        host=mqtt.host,
        port=mqtt.port,
        topics=topics_of(config),
        client_id=client_id_for(mqtt.prefix, device.agency, device.id),
        keepalive_s=mqtt.keepalive_s,
        connect_timeout_s=mqtt.connect_timeout_s,
        in_flight=config.delivery.in_flight,
        backoff=Backoff(config.delivery.retry_first_s, config.delivery.retry_cap_s),
        session_expiry_s=mqtt.session_expiry_s,
        rate_hz=mqtt.max_rate_hz,
        tls=_tls(config),
        username=mqtt.username,
        password_file=mqtt.password_file,
    )


def topics_of(config: Config) -> str:
    """What all topics of this device begin with."""
    return f"{config.mqtt.prefix}/{config.device.agency}/{config.device.id}"


def transport_for(
    config: Config,
    *,
    birth: bytes,
    will: bytes,
    clock: Clock,
    heard_by: Mapping[str, Listener],
    log: Log,
) -> Transport:
    """The way out; none without a broker. Arguments as of `MqttTransport`."""
    if not config.mqtt.host:
        return NoTransport()
    warn_of_clear_text(config, log)
    return MqttTransport(
        broker_settings(config),
        birth=birth,
        will=will,
        clock=clock,
        chance=random.random,
        listeners=heard_by,
        log=log,
    )


def broker_problems(config: Config) -> tuple[str, ...]:
    """What is wrong now with certificates, keys and password, one line each, for check-config. The
    agent itself starts all the same, says so, and tries again.
    """
    return problems_of(broker_settings(config)) if config.mqtt.host else ()


def warn_of_clear_text(config: Config, log: Log) -> None:
    """Say that everybody on the way to the broker may read along, when that is so."""
    if not config.mqtt.tls.enabled and not is_loopback(config.mqtt.host):
        log.warning("the way to the broker is not encrypted: set mqtt.tls.enabled")


def _tls(config: Config) -> TlsSettings | None:
    tls = config.mqtt.tls
    if not tls.enabled:
        return None
    return TlsSettings(
        ca_file=tls.ca_file,
        cert_file=tls.cert_file,
        key_file=tls.key_file,
        key_passphrase_file=tls.key_passphrase_file,
        hostname=tls.hostname,
        alpn=tls.alpn,
        min_version=tls.min_version,
        warn_days=tls.warn_days,
    )
