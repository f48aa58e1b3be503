"""What may be wrong with the machine: clock, sensors, and what could leave memory behind."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent.adapters.kernel_time import clock_state
from agent.adapters.leds import unwritable
from agent.adapters.own_memory import core_limit, dumpable, overwrites
from agent.adapters.sysfs import SysfsHardware
from agent.app.context import Context
from agent.app.findings import Finding, Machine, failed, running
from agent.errors import ConfigError, Exit

_FRESH_S: Final = 30.0
UNIT: Final = "bodycam-agent.service"
_UNIT_FOLDERS: Final = ("etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_UNIT_NEEDS: Final = {"MemorySwapMax": "0", "LimitCORE": "0"}


def clock(context: Context, _: Machine) -> Finding:
    state = clock_state()
    if state == "synchronised":
        return Finding("clock", "OK", "set by a time server")
    service = "run a time service (systemd-timesyncd, chrony)"
    if not _gps(context):
        mend = f"{service}, or let gpsd give the time"
        return Finding("clock", "WARN", f"{state}: not known to be right", mend)
    now = running(context)
    if now is None:
        return Finding("clock", "WARN", f"{state}: gpsd gives the time once the agent runs", "")
    age = (now.get("gps") or {}).get("fix_age_s")
    if age is None or age > _FRESH_S:
        mend = f"{service}, or take the receiver under the open sky"
        return Finding("clock", "WARN", f"{state}: gpsd, which gives the time, has no fix", mend)
    return Finding("clock", "OK", f"{state}, and held against gpsd, whose fix is {age:g} s old")


def _gps(context: Context) -> bool:
    try:
        return context.config.gps.enabled
    except ConfigError:
        return False


def hardware(context: Context, _: Machine) -> Finding:
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


def dumps(_: Context, __: Machine) -> Finding:
    if dumpable() or core_limit() != 0:
        mend = "start it as bodycam-agent, which forbids that; nothing else may load it"
        return failed("core dumps", "a crash may write memory down", mend, Exit.INTERNAL)
    return Finding("core dumps", "OK", "none of this program")


def memory(_: Context, __: Machine) -> Finding:
    if overwrites():
        return Finding("memory", "OK", "what is freed is overwritten")
    return Finding(
        "memory",
        "WARN",
        "what libraries free is not overwritten by this C library",
        "use a system with glibc",
    )


def swap(_: Context, machine: Machine) -> Finding:
    used = machine.text("proc/swaps").splitlines()[1:]
    if not used:
        return Finding("swap", "OK", "none on this machine")
    group = machine.text(f"sys/fs/cgroup/system.slice/{UNIT}/memory.swap.max").strip()
    if group == "0":
        return Finding("swap", "OK", "the service may not be swapped out")
    if group:
        mend = f"MemorySwapMax=0 in {UNIT}, then systemctl daemon-reload and restart"
        return failed("swap", f"the service may swap {group} bytes", mend, Exit.REFUSED)
    return Finding(
        "swap",
        "WARN",
        f"{used[0].split()[0]} is in use, and the service does not run",
        f"run as {UNIT} (MemorySwapMax=0), or swapoff -a",
    )


def service(_: Context, machine: Machine) -> Finding:
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
        return failed("service", f"{UNIT} was weakened", mend, Exit.REFUSED)
    return Finding("service", "OK", f"{UNIT}: watchdog, no swap, no core dump")
