"""Authorisations and revocations to the cameras that they are for, over the broker."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, Final

from agent.cli.common import say
from agent.config import Config
from agent.errors import BodycamError
from agent.hub.broker_options import clear_text_warning, hub_client, names_broker, read_broker
from agent.hub.context import HubContext
from agent.hub.hub import Hub
from agent.hub.saying import command_message
from agent.hub.sending import camera_line, open_line
from agent.messages import Command
from agent.messages.command import MAX_COMMAND

_LIFE_S: Final = 24 * 3600.0


def tell_cameras(
    args: argparse.Namespace,
    context: HubContext,
    hub: Hub,
    arguments: dict[str, Any],
    devices: Iterable[str],
) -> dict[str, bool] | None:
    """Which cameras the broker took it for; None without a broker."""
    if not names_broker(args):
        return None
    config = read_broker(args)
    if warning := clear_text_warning(config):
        say(warning)
    names = list(devices)
    if "revocation" in arguments:
        problems = _sent_to_all(context, hub, config, names, arguments)
    else:
        problems = {name: _sent(context, hub, config, name, arguments) for name in names}
    for name, problem in problems.items():
        if problem:
            say(f"{name}: not told now ({problem}); it hears of it with its next sync")
    return {name: not problem for name, problem in problems.items()}


def _sent_to_all(
    context: HubContext, hub: Hub, config: Config, names: list[str], arguments: dict[str, Any]
) -> dict[str, str]:
    """Over one connection, for it is urgent. Why a camera could not be told, by name; empty when
    the broker took it.
    """
    settings = hub_client(config, hub.agency, "command")
    problems: dict[str, str] = {}
    try:
        with open_line(settings, context.clock, context.memory_of(settings)) as send:
            for name in names:
                message = _message(context, hub, name, arguments)
                if isinstance(message, str):
                    problems[name] = message
                else:
                    send(f"{config.mqtt.prefix}/{hub.agency}/{name}", message)
    except BodycamError as error:
        return {name: problems.get(name) or str(error) for name in names}
    return {name: problems.get(name, "") for name in names}


def _sent(
    context: HubContext, hub: Hub, config: Config, name: str, arguments: dict[str, Any]
) -> str:
    """Why a camera could not be told; empty when the broker took it."""
    settings = hub_client(config, hub.agency, "command")
    topics = f"{config.mqtt.prefix}/{hub.agency}/{name}"
    try:
        with camera_line(settings, topics, context.clock, context.memory_of(settings)) as line:
            message = _message(context, hub, name, arguments, line.session())
            if isinstance(message, str):
                return message
            line.send(message)
    except BodycamError as error:
        return str(error)
    return ""


def _message(
    context: HubContext,
    hub: Hub,
    name: str,
    arguments: dict[str, Any],
    session: int | None = None,
) -> Command | str:
    """The command, or why there is none."""
    command = "authorise" if "document" in arguments else "revoke"
    now = context.clock.wall()
    try:
        device = hub.devices.get(name)
        message = command_message(
            hub, device, command, arguments, session=session, life_s=_LIFE_S, now=now
        )
    except BodycamError as error:
        return str(error)
    return message if len(message.model_dump_json()) <= MAX_COMMAND else "too long for a command"
