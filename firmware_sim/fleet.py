"""`bodycam-sim fleet`: many devices on one broker, and what became of each of their alerts.

The devices run in worker processes, started by their command line: what they are made of is the
program's own code, and none of it is imported here. An independent subscriber counts what arrives.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from firmware_sim.errors import Exit, SimError
from firmware_sim.fleet_broker import Broker, Usage

if TYPE_CHECKING:
    from firmware_sim.fleet_receiver import Receiver

WORKER = (sys.executable, "-m", "agent.hub.fleet_worker")
PER_WORKER = 75
"""Devices in one process: select(2), by which paho waits, knows no file beyond the 1024th, and each
device has about eleven open.
"""
_FAILED = "a worker of the fleet failed; it said why above"
_GRACE_S = 30.0
_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """Attributes:
    devices: how many.
    broker: host and port; None: a mosquitto of our own.
    seconds, every_s: alerts for so long, one in so long for each device on average.
    health_s: between two health messages of a device; 0: none.
    evidence: bytes of the picture in each alert.
    ramp_s: devices start over so long.
    drain_s: wait so long for what is under way at the end.
    seed: of the pauses.
    settings: `section.key=value` of the devices' configuration.
    worker: command of a worker.
    """

    devices: int = 300
    broker: tuple[str, int] | None = None
    seconds: float = 60.0
    every_s: float = 10.0
    health_s: float = 60.0
    evidence: int = 0
    ramp_s: float = 15.0
    drain_s: float = 60.0
    seed: int = 0
    settings: tuple[str, ...] = ()
    worker: Sequence[str] = WORKER


def run_fleet(options: FleetOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """Start everything, let it run, and account for every alert.

    Args:
        options: see `FleetOptions`.
        say: progress, for people.

    Returns:
        the report, as agent/docs/fleet.md has it.

    Raises:
        SimError: no broker, a worker that fails, or devices that cannot connect.
    """
    from firmware_sim.fleet_receiver import Receiver

    with ExitStack() as undo:
        broker = undo.enter_context(Broker(options.broker))
        receiver = undo.enter_context(Receiver(broker.host, broker.port))
        idle = broker.usage()
        workers = [undo.enter_context(_Worker(options, broker, part)) for part in _shares(options)]
        connected = sum(worker.answer(options.ramp_s + 90)["connected"] for worker in workers)
        say(f"{connected} of {options.devices} devices are connected")
        if connected < options.devices:
            raise SimError(
                f"{options.devices - connected} devices did not reach the broker",
                Exit.UNAVAILABLE,
            )
        time.sleep(_SETTLE_S)
        before, began = broker.usage(), time.monotonic()
        receiver.forget_counts()
        for worker in workers:
            worker.go()
        patience = options.seconds + options.drain_s + _GRACE_S
        results = [worker.answer(patience) for worker in workers]
        took, after = time.monotonic() - began, broker.usage()
        raised = [event for result in results for event in result["raised"]]
        receiver.wait_for(raised, options.drain_s)
        return _report(options, receiver, results, took=took, usage=(idle, before, after))


def _shares(options: FleetOptions) -> list[tuple[int, int]]:
    """First number and count of the devices of each worker."""
    workers = -(-options.devices // PER_WORKER)
    edges = [options.devices * n // workers for n in range(workers + 1)]
    return [(low, high - low) for low, high in pairwise(edges)]


class _Worker:
    """One process."""

    def __init__(self, options: FleetOptions, broker: Broker, share: tuple[int, int]) -> None:
        first, devices = share
        self._process = subprocess.Popen(  # noqa: S603 -- a command of our own
            list(options.worker),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, who end them
        )
        self._say(
            {
                "first": first,
                "devices": devices,
                "settings": [
                    f"mqtt.host={broker.host}",
                    f"mqtt.port={broker.port}",
                    "delivery.confirm=broker",
                    *options.settings,
                ],
                "ramp_s": options.ramp_s,
                "seconds": options.seconds,
                "every_s": options.every_s,
                "health_s": options.health_s,
                "evidence": options.evidence,
                "drain_s": options.drain_s,
                "seed": options.seed,
            }
        )

    def __enter__(self) -> _Worker:  # noqa: PYI034
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        if error[0] is not None:
            self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def go(self) -> None:
        self._say({"go": True})

    def answer(self, timeout_s: float) -> dict[str, Any]:
        """The next line that it says.

        Raises:
            SimError: it ended, or said nothing in time.
        """
        line = _line_within(self._process, timeout_s)
        if not line:
            raise SimError(_FAILED, Exit.UNAVAILABLE)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _say(self, what: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise SimError(_FAILED, Exit.UNAVAILABLE) from None


def _line_within(process: subprocess.Popen[str], timeout_s: float) -> str:
    """A whole line; empty when the process ended or the time is over."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], timeout_s)
    return process.stdout.readline() if ready else ""


def _report(
    options: FleetOptions,
    receiver: Receiver,
    results: list[dict[str, Any]],
    *,
    took: float,
    usage: tuple[Usage, Usage, Usage],
) -> dict[str, Any]:
    idle, before, after = usage
    raised = [event for result in results for event in result["raised"]]
    arrived = [event for event in raised if event in receiver.seen]
    acks = [ms for result in results for ms in result["ack_ms"]]
    devices = options.devices
    return {
        "devices": devices,
        "workers": len(results),
        "seconds": round(took, 1),
        "alerts": {
            "raised": len(raised),
            "received_distinct": len(arrived),
            "received_again": receiver.again,
            "lost": len(raised) - len(arrived),
            "left": sum(result["left"] for result in results),
        },
        "rates": {
            "alerts_s": round(len(raised) / options.seconds, 2),
            "messages_s": round(receiver.messages / took, 2),
            "kb_s": round(receiver.bytes / took / 1000, 2),
        },
        "latency_ms": {
            "alert_to_receiver": percentiles([receiver.seen[event] for event in arrived]),
            "alert_to_ack": percentiles(acks),
        },
        "broker": {
            "cpu_share": None
            if after.cpu_s is None or before.cpu_s is None
            else round((after.cpu_s - before.cpu_s) / took, 4),
            "rss_mb": None if after.rss_kb is None else round(after.rss_kb / 1000, 1),
            "kb_per_device": None
            if before.rss_kb is None or idle.rss_kb is None
            else round((before.rss_kb - idle.rss_kb) / devices, 1),
        },
    }


def percentiles(values: Sequence[float]) -> dict[str, float] | None:
    """p50, p95, p99 and the largest; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)

    def rank(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    return {"p50": rank(0.5), "p95": rank(0.95), "p99": rank(0.99), "max": round(ordered[-1], 1)}
