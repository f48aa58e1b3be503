"""What is wrong with this device, and how to mend it: one finding for each thing looked at.

Nothing is changed, and nothing is asked over the network. A check never stops the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from agent.adapters.control_socket import ask
from agent.adapters.disk_space import free_mb
from agent.adapters.fpir_file import FpirFile
from agent.adapters.kernel_time import clock_state
from agent.adapters.leds import unwritable
from agent.adapters.own_memory import core_limit, dumpable, overwrites
from agent.adapters.sysfs import SysfsHardware
from agent.app.broker import broker_problems
from agent.app.context import Context
from agent.app.models import choice, manifest, model_file
from agent.errors import BodycamError, ConfigError, Exit
from agent.messages.control import ControlRequest
from agent.modelkit.places import models_dir

Level = Literal["OK", "WARN", "FAIL"]
UNIT: Final = "bodycam-agent.service"
_ROOM_MB, _TIGHT_MB = 500, 100
_OTHERS: Final = 0o077
_UNIT_FOLDERS: Final = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_UNIT_NEEDS: Final = {"MemorySwapMax": "0", "LimitCORE": "0"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        check: its name.
        level: WARN works but is not as it should be; FAIL does not work.
        says: what was found, one line.
        mend: what to do; empty when nothing is to be done.
        code: exit code of a FAIL.
    """

    check: str
    level: Level
    says: str
    mend: str = ""
    code: Exit = Exit.OK


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the checks look, so that tests can stand in for it.

    Attributes:
        root: of the file system.
        uid: of this user.
    """

    root: Path = Path("/")
    uid: int = -1

    def text(self, path: str) -> str:
        """Of a file, empty when there is none."""
        try:
            return (self.root / path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def examine(context: Context, machine: Machine | None = None) -> Iterator[Finding]:
    """Every check, in the order in which a person would mend things."""
    here = machine or Machine(uid=os.getuid())
    checks: Mapping[str, Callable[[Context, Machine], Finding]] = {
        "configuration": _configuration,
        "state folder": _state_folder,
        "disk": _disk,
        "models": _models,
        "list": _list,
        "broker": _broker,
        "clock": _clock,
        "audit log": _audit,
        "false alerts": _false_alerts,
        "hardware": _hardware,
        "core dumps": _dumps,
        "memory": _memory,
        "swap": _swap,
        "service": _service,
        "agent": _agent,
    }
    for name, check in checks.items():
        yield _one(name, partial(check, context, here))


def _one(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ConfigError as error:
        says = error.problems[0] if error.problems else str(error)
        return _fail(name, says, "bodycam-agent check-config", error.exit_code)
    except BodycamError as error:
        return _fail(name, str(error).splitlines()[0], "", error.exit_code)
    except OSError as error:
        return _fail(name, f"{error.filename}: {error.strerror}", "", Exit.DISK)


def _fail(name: str, says: str, mend: str, code: Exit) -> Finding:
    return Finding(name, "FAIL", says, mend, code)


def _configuration(context: Context, _: Machine) -> Finding:
    problems = broker_problems(context.config)
    if problems:
        return _fail("configuration", problems[0], "bodycam-agent check-config", Exit.CONFIG)
    where = context.config_file or "the built-in one"
    return Finding("configuration", "OK", f"{where}: no problems")


def _state_folder(context: Context, machine: Machine) -> Finding:
    folder = context.state_dir
    if not folder.is_dir():
        return Finding(
            "state folder", "WARN", f"{folder}: not there yet", "it is made at the first run"
        )
    status = folder.stat()
    if status.st_mode & _OTHERS:
        mode = oct(status.st_mode & 0o777)
        return _fail("state folder", f"{folder}: mode {mode}", f"chmod 700 {folder}", Exit.REFUSED)
    if status.st_uid != machine.uid:
        return _fail(
            "state folder",
            f"{folder}: belongs to user {status.st_uid}",
            f"run as that user (sudo -u '#{status.st_uid}' ...)",
            Exit.REFUSED,
        )
    return Finding("state folder", "OK", f"{folder}: for its owner alone")


def _disk(context: Context, _: Machine) -> Finding:
    folder = next(one for one in (context.state_dir, *context.state_dir.parents) if one.exists())
    free = free_mb(folder)
    if free is None:
        return Finding("disk", "WARN", f"{folder}: free space cannot be told")
    says, mend = f"{free} MB free", f"make room on the disk of {folder}"
    if free < _TIGHT_MB:
        return _fail("disk", says, mend, Exit.DISK)
    return Finding("disk", "OK", says) if free >= _ROOM_MB else Finding("disk", "WARN", says, mend)


def _models(context: Context, _: Machine) -> Finding:
    """Their bytes are checked, as at every start."""
    folder = models_dir(context.config.models.dir, context.state_dir)
    known, chosen = manifest(), choice(context.config, folder)
    names = [
        model_file(known.card(role, precision), folder).identity.name
        for role, precision in chosen.items()
    ]
    return Finding("models", "OK", f"{', '.join(names)}: as the manifest pins them")


def _list(context: Context, _: Machine) -> Finding:
    if context.provisioned:
        keystore = context.keystore()
        try:
            name = keystore.identity.device
            if keystore.locked:
                return Finding(
                    "list", "WARN", f"{name}: the store is locked", keystore.how_to_unlock
                )
        finally:
            keystore.close()
        says = f"{name}: the store opens; its list: bodycam-agent watchlist verify"
        return Finding("list", "OK", says)
    columns = context.watchlist().load().columns
    valid = int((columns.not_after > context.clock.wall()).sum())
    if not valid:
        return Finding(
            "list", "WARN", "nobody is on the list", "bodycam-agent watchlist enrol, or provision"
        )
    return Finding("list", "OK", f"a local list of {valid} entries, for field tests")


def _broker(context: Context, _: Machine) -> Finding:
    mqtt = context.config.mqtt
    if not mqtt.host:
        return Finding("broker", "WARN", "none: alerts wait on disk", "set mqtt.host")
    if not mqtt.tls.enabled and not mqtt.host.startswith(("127.", "localhost")):
        return Finding(
            "broker", "WARN", f"{mqtt.host}: without TLS", "set mqtt.tls.enabled and mqtt.tls.*"
        )
    return Finding("broker", "OK", f"{mqtt.host}:{mqtt.port}")


def _clock(_: Context, __: Machine) -> Finding:
    state = clock_state()
    if state == "synchronised":
        return Finding("clock", "OK", "set by a time server")
    return Finding(
        "clock",
        "WARN",
        f"{state}: not known to be right",
        "run a time service (systemd-timesyncd, chrony), or let gpsd give the time",
    )


def _audit(context: Context, _: Machine) -> Finding:
    log = context.audit()
    if not log.exists():
        return Finding("audit log", "OK", "none yet")
    report = log.verify()
    if not report.intact:
        mend = "keep a copy, tell the agency: bodycam-agent audit verify --anchors ..."
        return _fail("audit log", f"was changed: {report.problem}", mend, Exit.DATA)
    return Finding("audit log", "OK", f"{report.records} records, none changed")


def _false_alerts(context: Context, _: Machine) -> Finding:
    stopped = FpirFile(context.state_dir / "fpir.json").load()[1]
    if stopped:
        mend = "the agency: bodycam-hub command CAMERA reset-monitor --reason ..."
        return _fail("false alerts", stopped, mend, Exit.REFUSED)
    return Finding("false alerts", "OK", "within what the policy promises")


def _hardware(context: Context, _: Machine) -> Finding:
    config = context.config.hardware
    root = Path(config.sysfs_root)
    locked = unwritable(root, (config.led, config.haptic))
    if locked:
        mend = "see agent/docs/device-interfaces.md: files of /sys belong to root"
        return Finding("hardware", "WARN", f"{locked[0]}: the state cannot be shown", mend)
    found = SysfsHardware(root).read()
    battery = "no battery" if found.battery is None else f"battery {found.battery.percent:g} %"
    heat = "no sensor of heat" if found.temperature_c is None else f"{found.temperature_c:.0f} °C"
    return Finding("hardware", "OK", f"{battery}, {heat}")


def _dumps(_: Context, __: Machine) -> Finding:
    if dumpable() or core_limit() != 0:
        mend = "start it as bodycam-agent, which forbids that; nothing else may load it"
        return _fail("core dumps", "a crash may write memory down", mend, Exit.INTERNAL)
    return Finding("core dumps", "OK", "none of this program")


def _memory(_: Context, __: Machine) -> Finding:
    if overwrites():
        return Finding("memory", "OK", "what is freed is overwritten")
    return Finding(
        "memory",
        "WARN",
        "what libraries free is not overwritten by this C library",
        "use a system with glibc",
    )


def _swap(_: Context, machine: Machine) -> Finding:
    used = machine.text("proc/swaps").splitlines()[1:]
    if not used:
        return Finding("swap", "OK", "none on this machine")
    group = machine.text(f"sys/fs/cgroup/system.slice/{UNIT}/memory.swap.max").strip()
    if group == "0":
        return Finding("swap", "OK", "the service may not be swapped out")
    if group:
        mend = f"MemorySwapMax=0 in {UNIT}, then systemctl daemon-reload and restart"
        return _fail("swap", f"the service may swap {group} bytes", mend, Exit.REFUSED)
    return Finding(
        "swap",
        "WARN",
        f"{used[0].split()[0]} is in use, and the service does not run",
        f"run as {UNIT} (MemorySwapMax=0), or swapoff -a",
    )


def _service(_: Context, machine: Machine) -> Finding:
    texts = (machine.text(f"{folder}/{UNIT}") for folder in _UNIT_FOLDERS)
    unit = next((text for text in texts if text), "")
    if not unit:
        return Finding("service", "WARN", f"{UNIT} is not installed", "see README, As a service")
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line[1:])
    missing = [
        f"{name}={value}" for name, value in _UNIT_NEEDS.items() if settings.get(name) != value
    ]
    if settings.get("WatchdogSec", "0") in ("0", "", "infinity"):
        missing.append("WatchdogSec=30")
    if missing:
        mend = f"put {' '.join(missing)} back into {UNIT}"
        return _fail("service", f"{UNIT} was weakened", mend, Exit.REFUSED)
    return Finding("service", "OK", f"{UNIT}: watchdog, no swap, no core dump")


def _agent(context: Context, _: Machine) -> Finding:
    try:
        reply = ask(context.control_path, ControlRequest(command="status"))
    except BodycamError:
        return Finding("agent", "WARN", "does not run", "systemctl start bodycam-agent")
    state, reason = reply.data.get("state", "unknown"), reply.data.get("reason", "")
    level: Level = "WARN" if state in ("degraded", "locked") else "OK"
    return Finding("agent", level, f"{state}: {reason}", "" if level == "OK" else "ctl status")
