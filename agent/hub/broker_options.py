"""The broker on the command line of the hub: the agent's `mqtt` section, or its most used keys."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from agent.adapters.mqtt import client_id_for
from agent.adapters.mqtt_rules import MqttSettings
from agent.adapters.mqtt_tls import problems_of
from agent.app.broker import broker_settings
from agent.config import Config, Layer, parse
from agent.config.mqtt import is_loopback
from agent.errors import ConfigError, DataError, UsageError
from agent.hub.files import read_bounded
from agent.hub.link import hub_settings

_MAX_CONFIG: Final = 1 << 20


def add_broker_options(parser: argparse.ArgumentParser) -> None:
    """`--mqtt-host`, `--mqtt-port`, `--config`, `--set`."""
    add = parser.add_argument_group("the broker").add_argument
    add("--mqtt-host", metavar="HOST", help="the same as --set mqtt.host=HOST")
    add("--mqtt-port", metavar="PORT", help="the same as --set mqtt.port=PORT")
    add("--config", metavar="FILE", type=Path, help="the agent's configuration: its section mqtt")
    add(
        "--set",
        metavar="mqtt.KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="override one setting, such as mqtt.tls.enabled=true; may be given again",
    )


def names_broker(args: argparse.Namespace) -> bool:
    """Whether the command line says anything about a broker."""
    return bool(args.mqtt_host or args.mqtt_port or args.config or args.overrides)


def read_broker(args: argparse.Namespace) -> Config:
    """The configuration; only its `mqtt` section is used.

    Raises:
        ConfigError: with every problem.
        MissingFileError: no such file.
        UsageError: no broker is named, or `--set` is about something else.
    """
    strange = [one for one in args.overrides if not one.startswith("mqtt.")]
    if strange:
        raise UsageError(f"--set {strange[0]}: the hub takes settings of mqtt only")
    overrides = [*args.overrides]
    if args.mqtt_host:
        overrides.append(f"mqtt.host={args.mqtt_host}")
    if args.mqtt_port:
        overrides.append(f"mqtt.port={args.mqtt_port}")
    layer = None
    if args.config:
        try:
            text = read_bounded(args.config, _MAX_CONFIG).decode()
        except UnicodeDecodeError:
            raise DataError(f"{args.config}: not UTF-8 text") from None
        layer = Layer(str(args.config), text)
    config = parse(layer, tuple(overrides))
    if not config.mqtt.host:
        raise UsageError("which broker? give --mqtt-host HOST, or --config FILE with mqtt.host")
    return config


def hub_client(config: Config, agency: str, use: str) -> MqttSettings:
    """For a connection of the hub.

    Args:
        config: with a broker.
        agency: of the hub.
        use: the same for ever for a session that the broker is to keep.

    Raises:
        ConfigError: a file that it names is wrong; every one is named.
    """
    client_id = client_id_for(f"hub.{config.mqtt.prefix}", agency, use)
    settings = hub_settings(broker_settings(config), client_id)
    problems = problems_of(settings)
    if problems:
        raise ConfigError(problems, "mqtt")
    return settings


def clear_text_warning(config: Config) -> str:
    """What to say when everybody on the way to the broker may read along; empty: they may not."""
    if config.mqtt.tls.enabled or is_loopback(config.mqtt.host):
        return ""
    return "the way to the broker is not encrypted: --set mqtt.tls.enabled=true"
