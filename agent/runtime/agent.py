"""The running agent: its threads, started in one order and stopped in the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from agent.delivery import Session
from agent.errors import BodycamError, RefusedError
from agent.messages import iso_utc
from agent.messages.control import ControlRequest
from agent.policy.states import Cause as Disarming
from agent.ports import Clock, ModelIdentity, Transport
from agent.ports.hardware import Hardware
from agent.ports.indicator import Indicator
from agent.ports.log import Log
from agent.runtime.anchoring import Anchoring
from agent.runtime.board import Board, Condition
from agent.runtime.builder_loop import BuilderLoop
from agent.runtime.capture_loop import CaptureLoop
from agent.runtime.control_loop import ControlLoop, ControlPort
from agent.runtime.delivery_loop import DeliveryLoop
from agent.runtime.governing import Governing
from agent.runtime.heartbeats import Heartbeats
from agent.runtime.inbound import Inbound
from agent.runtime.mailbox import Mailbox
from agent.runtime.orders import Arm, Order
from agent.runtime.outcome import Cause, Outcome, Workers
from agent.runtime.pipeline_loop import Ledger, PipelineLoop
from agent.runtime.places_loop import PlacesLoop
from agent.runtime.report import run_report
from agent.runtime.supervisor import ServiceManager, Signals, Supervisor
from agent.runtime.sync_loop import SyncLoop
from agent.values import Wall

_JOIN_S = 5.0
_ARM_S = 10.0
_PLACE_S = 3.0
"""A receiver that has a fix says so every second."""
_LAST_WORDS_S = 2.0
"""After a signal, wait so long for confirmations that are under way."""
_LAST_CHECKPOINT_S = 1.0
_DISARMING: Final[Mapping[Cause | None, Disarming]] = {
    Cause.END_OF_FILE: Disarming.SOURCE_ENDED,
    Cause.SIGNAL: Disarming.SIGNAL,
}


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Everything that runs, built by `agent.app`.

    Attributes:
        unlock: answers `ctl unlock`.
        drill: answers `ctl test-alert`.
        policy: gives the signed text in force.
        sync: follows the agency's list; None where there is none to follow.
        inbound: acts on what the agency says; None where there is none.
        hardware: battery and heat.
        indicator: shows the state.
        places: listens to the receiver of positions; None without one.
        anchoring: signs for the audit log.
        governing: how much is done.
        first_orders: given to the pipeline before the first frame: arming, if asked for.
        drain_s: at the end of a file, wait so long for confirmations; 0 without a broker.
        models: detector and embedder.
        rss_peak_mb: largest resident memory so far, megabytes.
        release: closes, at the very end, what was opened to build the parts.
    """

    clock: Clock
    log: Log
    board: Board
    heartbeats: Heartbeats
    mailbox: Mailbox[Order]
    outcome: Outcome
    capture: CaptureLoop
    pipeline: PipelineLoop
    delivery: DeliveryLoop
    transport: Transport
    control: ControlPort
    unlock: Callable[[ControlRequest, int], dict[str, Any]]
    drill: Callable[[ControlRequest, int], dict[str, Any]]
    policy: Callable[[], str]
    builder: BuilderLoop
    sync: SyncLoop | None
    inbound: Inbound | None
    hardware: Hardware
    indicator: Indicator
    places: PlacesLoop | None
    governing: Governing
    anchoring: Anchoring
    supervisor: Supervisor
    manager: ServiceManager
    session: Session
    ledger: Ledger
    models: tuple[ModelIdentity, ModelIdentity]
    first_orders: Sequence[Arm]
    drain_s: float
    rss_peak_mb: Callable[[], float]
    release: Callable[[], None]


class Places(Protocol):
    """Says when there was a first position."""

    def found(self, timeout_s: float) -> bool: ...


def arm_first(orders: Sequence[Arm], mailbox: Mailbox[Order], places: Places | None) -> None:
    """Before the camera opens, so that not one frame passes by. A refusal has been logged and
    audited; the run goes on, disarmed. Where positions come, one is waited for a moment: it may
    have to vouch for place and time, and a use that a crash cut short is resumed now or never.
    """
    if orders and places is not None:
        places.found(_PLACE_S)
    for order in orders:
        mailbox.post(order)
        with contextlib.suppress(BodycamError):
            order.answer.wait(_ARM_S)


class Agent:
    """One run, from start to exit code."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._workers = Workers(parts.outcome, parts.log)
        self._control = ControlLoop(
            parts.control,
            parts.mailbox,
            self.status,
            self.report,
            parts.heartbeats,
            unlock=parts.unlock,
            sync=self._look_soon,
            unpark=parts.delivery.unpark,
            drill=parts.drill,
            policy=parts.policy,
        )

    def run(self) -> int:
        """Until the end of the file, a signal or a failure; the exit code.

        Raises:
            BodycamError: the failure that ended the run, for the command to report.
        """
        parts = self._parts
        with Signals() as signals:
            try:
                self._start()
                parts.supervisor.watch(signals.caught)
            finally:
                left = self._stop()
        error = parts.outcome.error
        if error is not None:
            raise error
        return parts.outcome.exit_code(left)

    def report(self) -> dict[str, Any]:
        """The run report, so far."""
        parts = self._parts
        return run_report(
            parts.capture,
            parts.pipeline,
            parts.delivery,
            models=parts.models,
            displaced=parts.mailbox.dropped,
            rss_peak_mb=parts.rss_peak_mb(),
            now=parts.clock.monotonic(),
        )

    def status(self) -> dict[str, Any]:
        """What the device is doing, for `ctl status`: counts only."""
        parts = self._parts
        now, delivery, report = parts.board.condition, parts.delivery.status, self.report()
        return {
            "state": now.state,
            "armed": now.armed,
            "reason": now.reason,
            "cause": now.cause.value,
            "authorisation": now.authorisation,
            "authorised_until": None if now.ends is None else iso_utc(now.ends),
            "refused": now.refusal,
            "refused_at": None if now.refused_at is None else iso_utc(now.refused_at),
            "policy": now.policy,
            "test": now.test,
            "since": iso_utc(parts.board.since),
            "session": parts.session.number,
            "version": parts.session.version,
            "watchlist": f"{now.list_id} v{now.list_version}",
            "templates": now.templates,
            "search": parts.builder.how,
            "sync": None if parts.sync is None else parts.sync.status(),
            "inbound": None if parts.inbound is None else parts.inbound.counts(),
            "frames": report["frames"]["processed"],
            "dropped": report["frames"]["dropped"],
            "alerts": report["alerts"]["raised"],
            "pending": delivery.pending,
            "parked": delivery.parked,
            "given_up": delivery.given_up,
            "connected": delivery.connected,
            "delivery": delivery.last_error,
            "broker": asdict(parts.transport.health()),
            "hardware": asdict(parts.hardware.read()),
            "governor": parts.governing.status(),
            "gps": None if parts.places is None else parts.places.status(),
        }

    def _start(self) -> None:
        parts = self._parts
        parts.delivery.start()
        parts.board.listen(self._publish)
        parts.board.listen(parts.supervisor.tell)
        parts.board.listen(lambda condition, _: parts.indicator.show(condition.state))
        self._workers.start("pipeline", self._watch_frames)
        if parts.places is not None:
            self._workers.start("places", parts.places.run)
        arm_first(parts.first_orders, parts.mailbox, parts.places)
        self._workers.start("control", self._control.run)
        self._workers.start("builder", parts.builder.run)
        if parts.sync is not None:
            self._workers.start("sync", parts.sync.run)
        self._workers.start("capture", parts.capture.run)
        parts.manager.ready()

    def _watch_frames(self) -> None:
        """The pipeline thread; when it ends by itself, there are no more frames."""
        self._parts.pipeline.run()
        self._parts.outcome.end(Cause.END_OF_FILE)

    def _look_soon(self) -> None:
        if self._parts.sync is None:
            raise RefusedError("no list is followed here: bodycam-agent provision comes first")
        self._parts.sync.nudge()

    def _publish(self, condition: Condition, since: Wall) -> None:
        parts = self._parts
        parts.transport.publish_state(
            parts.session.online(
                condition.state,
                condition.told_reason,
                since=since,
                test=condition.test,
                watchlist=condition.list_id or None,
            )
        )

    def _stop(self) -> int:
        """Everything, in order; how many events were left undelivered."""
        parts, why = self._parts, self._why()
        parts.manager.stopping()
        parts.capture.stop()
        parts.pipeline.stop(why, _DISARMING.get(parts.outcome.cause, Disarming.FAILURE))
        parts.builder.stop()
        if parts.sync is not None:
            parts.sync.stop()
        if parts.places is not None:
            parts.places.stop()
        self._control.stop()
        stuck = self._workers.join(_JOIN_S)
        for stage in stuck:
            parts.log.warning("a stage did not end in time", stage=stage)
        parts.ledger.append("stop", reason=why, session=parts.session.number)
        parts.anchoring.last_one()
        left = self._drain()
        test = parts.board.condition.test
        parts.delivery.stop(parts.session.final(why, since=parts.clock.wall(), test=test))
        parts.board.stopped(why)
        if parts.outcome.error is None:  # else the command says what was wrong, in its own line
            parts.log.info("stopped", reason=why, depth=left)
        if left:
            trouble = parts.delivery.status.last_error or "not confirmed yet"
            parts.log.warning("alerts wait on disk for the next run", depth=left, reason=trouble)
        parts.indicator.show("off")
        parts.release()
        return left

    def _drain(self) -> int:
        """Wait for confirmations, the watchdog fed; how many events are left."""
        parts = self._parts
        at_end = parts.outcome.cause is Cause.END_OF_FILE
        patience = parts.drain_s if at_end else min(parts.drain_s, _LAST_WORDS_S)
        parts.supervisor.wait_for(lambda tick: parts.delivery.drain(tick) == 0, patience)
        if parts.delivery.status.connected and patience:
            parts.supervisor.wait_for(self._hub_has_the_log, _LAST_CHECKPOINT_S)
        return parts.delivery.drain(0)

    def _hub_has_the_log(self, tick: float) -> bool:
        self._parts.delivery.drain(tick)
        return self._parts.anchoring.settled()

    def _why(self) -> str:
        outcome = self._parts.outcome
        if outcome.error is not None:
            return f"failure: {type(outcome.error).__name__}"
        return outcome.cause.value if outcome.cause else "failure"
