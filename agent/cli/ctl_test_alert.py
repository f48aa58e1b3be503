"""`bodycam-agent ctl test-alert`: an alert about nobody, to the agency and back."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, Final

from agent.adapters.control_socket import ask
from agent.app import Context
from agent.cli.common import print_json, say
from agent.errors import Exit, UsageError
from agent.messages.control import ControlReply, ControlRequest

_ASK_EVERY_S: Final = 0.1
_LONGEST_S: Final = 3600
_WHOSE: Final = {
    "hub": "the agency's receiver has it",
    "broker": "the broker took it; whether anybody received it, nobody says",
}

Ask = Callable[[ControlRequest], ControlReply]


def register(actions: Any, examples: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        "test-alert",
        help="an alert about nobody, to the agency and back",
        description="Raises an alert that is marked as a test and speaks of nobody, sends it the "
        "way of all alerts, and waits until it is confirmed. Works while disarmed. Exit code 0: "
        "confirmed; 69: not in time; 77: the policy forbids it, or the store is locked.",
        epilog=examples,
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="wait so long (default: 30 s)"
    )
    return parser


def run(args: argparse.Namespace, context: Context) -> int:
    if not 0 < args.timeout <= _LONGEST_S:
        raise UsageError("--timeout: more than 0 and at most 3600 seconds")
    path = args.socket or context.control_path
    clock = context.clock
    reply = follow(lambda request: ask(path, request), args.timeout, clock.monotonic, time.sleep)
    return _tell(reply, args.timeout, as_json=context.json)


def follow(
    ask_agent: Ask, timeout_s: float, now: Callable[[], float], sleep: Callable[[float], None]
) -> ControlReply:
    """Raise one and wait for its confirmation; the last answer, with the trouble if there is one.

    Args:
        ask_agent: asks the running agent.
        timeout_s: longest wait, s.
        now: monotonic seconds.
        sleep: waits so many seconds.
    """
    until = now() + timeout_s
    reply = ask_agent(ControlRequest(command="test-alert"))
    while reply.ok and not reply.data["confirmed"] and now() < until:
        sleep(min(_ASK_EVERY_S, max(0.0, until - now())))
        reply = ask_agent(ControlRequest(command="test-alert", event=reply.data["event"]))
    if reply.ok and not reply.data["confirmed"]:
        status = ask_agent(ControlRequest(command="status"))
        trouble = status.data.get("delivery") or "no answer came"
        return reply.model_copy(update={"data": reply.data | {"trouble": trouble}})
    return reply


def _tell(reply: ControlReply, timeout_s: float, *, as_json: bool) -> int:
    if as_json:
        print_json(reply.data if reply.ok else {"error": reply.error, "code": reply.code})
    if not reply.ok:
        say(f"bodycam-agent: {reply.error}")
        return reply.code or int(Exit.REFUSED)
    told = reply.data
    if not told["confirmed"]:
        say(
            f"bodycam-agent: test alert {told['event']} was not confirmed within {timeout_s:g} s: "
            f"{told['trouble']}; it stays in the outbox"
        )
        return int(Exit.UNAVAILABLE)
    if not as_json:
        say(f"test alert {told['event']} confirmed after {told['s']:.2f} s: {_WHOSE[told['by']]}")
    return int(Exit.OK)
