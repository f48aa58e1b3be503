"""Flags of `bodycam-sim run` for the interfaces besides the picture."""

from __future__ import annotations

import argparse
from pathlib import Path

from firmware_sim.body import BodyOptions
from firmware_sim.device import Profile
from firmware_sim.flags import parsed
from firmware_sim.timeline import forms, interface, parse


def add_device_flags(run: argparse.ArgumentParser) -> None:
    add = run.add_argument_group("interfaces besides the picture").add_argument
    add(
        "--gps",
        type=int,
        nargs="?",
        const=0,
        metavar="PORT",
        help="be a gpsd on this port (default: a free one, which is printed)",
    )
    add(
        "--place",
        type=_place,
        default=BodyOptions().place,
        metavar="LAT,LON",
        help="where the camera is at the start, degrees",
    )
    add(
        "--sysfs",
        type=Path,
        metavar="DIR",
        help="battery, thermal zones, lamp and vibrator in a folder that looks like /sys "
        "(the agent's hardware.sysfs_root)",
    )
    add("--battery", type=_percent, default=100.0, metavar="N", help="charge at the start, percent")
    add(
        "--control",
        type=Path,
        metavar="SOCKET",
        help="the agent's control socket, for the arm button",
    )
    add(
        "--at",
        type=parsed(parse),
        action="append",
        default=[],
        metavar="SECONDS:WHAT",
        help="what happens when, seconds from the start; may be given again: " + forms(),
    )


def body_options(arguments: argparse.Namespace, profile: Profile) -> BodyOptions:
    """The interfaces that were asked for, of this hardware."""
    return BodyOptions(
        sysfs=arguments.sysfs,
        gps_host=arguments.host,
        gps_port=arguments.gps,
        control=arguments.control,
        percent=arguments.battery,
        place=arguments.place,
        profile=profile,
    )


def idle(arguments: argparse.Namespace) -> list[str]:
    """What was asked for and nobody will see, for want of the interface that shows it."""
    shown = {"--gps": arguments.gps is not None, "--sysfs DIR": arguments.sysfs is not None}
    shown["--control SOCKET"] = arguments.control is not None
    return [
        f"what happens at {event.at_s:g} s is seen by nobody without {flag}"
        for event in arguments.at
        if (flag := interface(event.what)) and not shown[flag]
    ]


def _place(text: str) -> tuple[float, float]:
    lat, lon = (float(part) for part in text.split(","))
    if not (abs(lat) <= 90 and abs(lon) <= 180):  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is no LAT,LON in degrees")
    return lat, lon


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 100:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 100")
    return value
