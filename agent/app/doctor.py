"""What is wrong with this device, and how to mend it: one finding for each thing looked at.

Nothing is changed, and nothing is asked over the network. A check never stops the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from agent.app import doctor_agent, doctor_machine
from agent.app.context import Context
from agent.app.findings import Finding, Machine, failed
from agent.errors import BodycamError, ConfigError, Exit


def examine(context: Context, machine: Machine | None = None) -> Iterator[Finding]:
    """Every check, in the order in which a person would mend things."""
    here = machine or Machine(uid=os.getuid())
    checks: Mapping[str, Callable[[Context, Machine], Finding]] = {
        "configuration": doctor_agent.configuration,
        "state folder": doctor_agent.state_folder,
        "disk": doctor_agent.disk,
        "models": doctor_agent.models,
        "list": doctor_agent.watchlist,
        "broker": doctor_agent.broker,
        "clock": doctor_machine.clock,
        "audit log": doctor_agent.audit,
        "false alerts": doctor_agent.false_alerts,
        "hardware": doctor_machine.hardware,
        "core dumps": doctor_machine.dumps,
        "memory": doctor_machine.memory,
        "swap": doctor_machine.swap,
        "service": doctor_machine.service,
        "agent": doctor_agent.agent,
    }
    for name, check in checks.items():
        yield _one(name, partial(check, context, here))


def _one(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ConfigError as error:
        if name != "configuration":
            return Finding(name, "WARN", "not looked at: see configuration")
        says = error.problems[0] if error.problems else str(error)
        return failed(name, says, "bodycam-agent check-config", error.exit_code)
    except BodycamError as error:
        return failed(name, str(error).splitlines()[0], "", error.exit_code)
    except OSError as error:
        return failed(name, f"{error.filename}: {error.strerror}", "", Exit.DISK)
