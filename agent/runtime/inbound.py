"""Acknowledgements and commands that the transport heard: judged and carried out.

The broker may send anything, as fast as it likes: so many messages a second are looked at and no
more, and a message that is refused is counted and forgotten. When a command's method returns, it is
on disk that there was this command.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agent.delivery.inbound import (
    BELIEVED,
    STOPS,
    Addressee,
    Allowance,
    CommandGate,
    CommandKeys,
    Complaints,
    Present,
    Refused,
    Verify,
    Why,
    read_ack,
)
from agent.errors import BodycamError
from agent.messages import Command
from agent.messages.authorisation import Authorisation, Revocation
from agent.policy.fpir_monitor import Outcome
from agent.ports import Clock
from agent.ports.log import Log

_LOG_EVERY_S: Final = 60.0
_AUDIT_EVERY_S: Final = 600.0
"""What nobody known signed is in the audit log as a sum, so often; the rest as often as logged."""
_ACKS: Final = 200.0, 2000.0
"""So many a second, and at once: the backlog of a day may be confirmed one by one."""
_COMMANDS: Final = 20.0, 20.0
_NEVER: Final = 2**53
"""Above every counter: with a damaged one, no command can be told from its replay."""


class Ledger(Protocol):
    """The audit log."""

    def append(self, kind: str, **fields: str | int) -> object: ...


class Counter(Protocol):
    """The highest counter of any command so far, on disk."""

    def read(self) -> int: ...

    def write(self, counter: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this device believes.

    Attributes:
        who: this device.
        ack_keys: Ed25519 public keys of the hub, by name.
        command_keys: gives those of the `commands` role; called for every command, so cheap.
        verify: checks a signature.
    """

    who: Addressee
    ack_keys: Mapping[str, bytes]
    command_keys: Callable[[], CommandKeys]
    verify: Verify


@dataclass(frozen=True, slots=True)
class Actions:
    """What messages lead to. None of these may block for long.

    Attributes:
        acknowledged: the hub has the event with this id.
        disarm: given a reason.
        arm: given a reason and an authorisation.
        sync: look for a newer list soon.
        report: publish state and counts now.
        unpark: send a refused event again, or all of them.
        reviewed: reviewers decided on alerts: ids and outcome; those of which that is news.
        reset_monitor: count false alerts anew.
        authorise: an authorisation is there.
        revoke: an authorisation is over, for good.
    """

    acknowledged: Callable[[str], None]
    disarm: Callable[[str], None]
    arm: Callable[[str, str], None]
    sync: Callable[[], None]
    report: Callable[[], None]
    unpark: Callable[[str | None], object]
    reviewed: Callable[[Sequence[str], Outcome], Sequence[str]]
    reset_monitor: Callable[[], None]
    authorise: Callable[[Authorisation], None]
    revoke: Callable[[Revocation], None]


class Inbound:
    """Carries out what the hub and the agency say. For any thread.

    Args:
        trust: see `Trust`.
        actions: see `Actions`.
        counter: of commands.
        session: of this run.
        remote_arm: whether the policy allows to arm from afar.
        clock: both times are read.
        log, ledger: as everywhere.
        uid: of the agent itself, for the audit log.
    """

    def __init__(
        self,
        trust: Trust,
        actions: Actions,
        counter: Counter,
        *,
        session: int,
        remote_arm: Callable[[], bool],
        clock: Clock,
        log: Log,
        ledger: Ledger,
        uid: int,
    ) -> None:
        self._trust = trust
        self._actions = actions
        self._counter = counter
        self._session = session
        self._remote_arm = remote_arm
        self._clock = clock
        self._log = log
        self._ledger = ledger
        self._uid = uid
        now = clock.monotonic()
        self._acks = Allowance(*_ACKS, now=now)
        self._commands = Allowance(*_COMMANDS, now=now)
        self._lock = threading.Lock()
        self._gate = CommandGate(trust.who, self._last(), trust.verify)
        self._logged = Complaints(_LOG_EVERY_S)
        self._audited = Complaints(_AUDIT_EVERY_S)
        self.confirmed = self.obeyed = 0

    def heard_ack(self, message: bytes) -> None:
        """A message on `.../ack`. The hub acknowledges again what is sent to it again, so that one
        that is lost here costs time and nothing else.

        Raises:
            DiskError: the audit log cannot be written.
        """
        with self._lock:
            if self._acks.take(now=self._clock.monotonic()):
                self._refused("ack", Why.FLOOD)
            else:
                self._ack(message)
            self._complain()

    def heard_command(self, message: bytes) -> None:
        """A message on `.../command`.

        Raises:
            DiskError: the audit log cannot be written.
        """
        with self._lock:
            if self._commands.take(now=self._clock.monotonic()):
                self._refused("command", Why.FLOOD)
            else:
                self._command(message)
            self._complain()

    def upkeep(self) -> None:
        """Now and then: say what was refused since.

        Raises:
            DiskError: the audit log cannot be written.
        """
        with self._lock:
            self._complain()

    def counts(self) -> dict[str, Any]:
        """For `ctl status`: acknowledged events, obeyed commands, refusals by kind."""
        return {
            "confirmed": self.confirmed,
            "commands": self.obeyed,
            "refused": self._logged.counts(),
        }

    def _last(self) -> int:
        try:
            return self._counter.read()
        except BodycamError as error:
            self._log.error("commands are refused", reason=str(error))
            return _NEVER

    def _ack(self, message: bytes) -> None:
        trust = self._trust
        ack = read_ack(message, trust.who, trust.ack_keys, trust.verify)
        if isinstance(ack, Refused):
            self._refused("ack", ack.why)
            return
        self.confirmed += len(ack.ids)
        for event in ack.ids:
            self._actions.acknowledged(event)
        decided: tuple[tuple[Sequence[str], Outcome], ...] = (
            (ack.confirmed, "confirmed"),
            (ack.rejected, "rejected"),
        )
        for events, outcome in decided:
            for event in self._actions.reviewed(events, outcome):
                self._ledger.append("review", event=event, decision=outcome, signer=ack.signer)
                self._log.info(f"an alert was {outcome}", id=event)

    def _command(self, message: bytes) -> None:
        present = Present(self._session, self._clock.wall(), self._remote_arm())
        verdict = self._gate.judge(message, self._trust.command_keys(), present)
        if isinstance(verdict, Refused):
            if verdict.counter is not None:
                self._keep(verdict.counter)
            self._refused("command", verdict.why)
        elif self._keep(verdict.counter) or verdict.command in STOPS:
            self._obey(verdict)

    def _keep(self, counter: int) -> bool:
        """On disk first: a command must not be there again after a restart."""
        try:
            self._counter.write(counter)
        except BodycamError as error:
            self._log.error("a command is not obeyed: it cannot be kept", reason=str(error))
            return False
        return True

    def _obey(self, command: Command) -> None:
        """What stops something takes effect before it is recorded, all else after."""
        record: dict[str, str | int] = {
            "command": command.command,
            "counter": command.counter,
            "signer": command.signer,
        }
        if command.arguments.reason:
            record["reason"] = command.arguments.reason
        if command.command in STOPS:
            self._act(command)
        self._ledger.append("command", **record)
        if command.command not in STOPS:
            self._act(command)
        self.obeyed += 1
        self._log.info("command obeyed", reason=f"{command.command} (number {command.counter})")

    def _act(self, command: Command) -> None:
        actions, told = self._actions, command.arguments
        try:
            if command.command == "disarm":
                actions.disarm(told.reason or "the agency")
            elif command.command == "arm":
                actions.arm(told.reason, told.authorisation)
            elif command.command == "sync":
                actions.sync()
            elif command.command == "report":
                actions.report()
            elif command.command == "unpark":
                actions.unpark(told.event)
            elif command.command == "reset-monitor":
                actions.reset_monitor()
            elif told.document is not None:
                actions.authorise(told.document)
            elif told.revocation is not None:
                actions.revoke(told.revocation)
        except BodycamError as error:
            self._log.warning("a command came to nothing", reason=str(error))

    def _refused(self, what: str, why: Why) -> None:
        self._logged.add(what, why)
        if why not in BELIEVED:
            self._audited.add(what, why)

    def _complain(self) -> None:
        now = self._clock.monotonic()
        for what, why, count in self._logged.due(now=now):
            self._log.warning(f"{what} refused", reason=f"{why.value} ({count} of them)")
            if why in BELIEVED:
                self._record(what, why, count)
        for what, why, count in self._audited.due(now=now):
            self._record(what, why, count)

    def _record(self, what: str, why: Why, count: int) -> None:
        reason = f"{count} refused: {why.value}"
        self._ledger.append("refusal", what=what, reason=reason, uid=self._uid)
