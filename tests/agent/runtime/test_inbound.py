"""What the running agent does with acknowledgements and commands, and with everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.adapters.command_counter import CommandCounter
from agent.adapters.signing import verify
from agent.errors import DiskError, RefusedError
from agent.runtime.inbound import Actions, Inbound, Trust
from tests.support.agents import KeptLedger
from tests.support.alerts import ulid
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog
from tests.support.monitors import a_monitor
from tests.support.wire import ARM, HUBS, THIEF, TRUST, WHO, a_command, an_ack


class Device:
    def __init__(self, folder: Path, *, remote_arm: bool = True) -> None:
        self.clock = FakeClock(wall=1000.0)
        self.log, self.ledger = KeptLog(), KeptLedger()
        self.path = folder / "command-counter.json"
        self.did: list[tuple[Any, ...]] = []
        self.remote_arm = remote_arm
        self.monitor = a_monitor()
        self.inbound = self.started()

    def started(self, session: int = 4) -> Inbound:
        return Inbound(
            Trust(WHO, HUBS, lambda: TRUST, verify),
            Actions(
                acknowledged=lambda event: self.did.append(("acknowledged", event)),
                disarm=lambda reason: self.did.append(("disarm", reason)),
                arm=lambda *order: self.did.append(("arm", *order)),
                sync=lambda: self.did.append(("sync",)),
                report=lambda: self.did.append(("report",)),
                unpark=lambda event: self.did.append(("unpark", event)),
                reviewed=self.monitor.reviewed,
                reset_monitor=self.monitor.reset,
                authorise=lambda document: self.did.append(("authorise", document.id)),
                revoke=lambda document: self.did.append(("revoke", document.authorisation)),
            ),
            CommandCounter(self.path, WHO.device_key),
            session=session,
            remote_arm=lambda: self.remote_arm,
            clock=self.clock,
            log=self.log,
            ledger=self.ledger,
            uid=7,
        )


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_every_event_of_an_ack_is_confirmed(device: Device) -> None:
    device.inbound.heard_ack(an_ack())
    assert device.did == [("acknowledged", ulid(1)), ("acknowledged", ulid(2))]
    assert device.inbound.counts()["confirmed"] == 2
    assert device.ledger.records == []  # what leaves is counted, not recorded


@pytest.mark.parametrize(
    ("words", "done"),
    [
        (("disarm",), ("disarm", "the agency")),
        (("sync",), ("sync",)),
        (("report",), ("report",)),
        (("unpark",), ("unpark", None)),
    ],
)
def test_each_command_does_its_one_thing_and_is_recorded(device, words, done) -> None:
    device.inbound.heard_command(a_command(5, *words))
    assert device.did == [done]
    ((kind, fields),) = device.ledger.records
    assert (kind, fields["command"], fields["counter"]) == ("command", words[0], 5)


def test_commands_carry_what_they_are_about(device: Device) -> None:
    device.inbound.heard_command(a_command(1, "arm", session=4, arguments=ARM))
    device.inbound.heard_command(a_command(2, "unpark", arguments={"event": ulid(3)}))
    device.inbound.heard_command(a_command(3, "disarm", arguments={"reason": "over"}))
    assert device.did == [
        ("arm", ARM["reason"], ARM["authorisation"]),
        ("unpark", ulid(3)),
        ("disarm", "over"),
    ]
    device.inbound.heard_command(a_command(4, "reset-monitor", arguments={"reason": "reviewed"}))
    told = [fields.get("reason") for kind, fields in device.ledger.records if kind == "command"]
    assert told == [ARM["reason"], None, "over", "reviewed"]


def test_a_command_is_never_obeyed_twice_also_after_a_restart(device: Device) -> None:
    payload = a_command(1, "arm", session=4, arguments=ARM)
    device.inbound.heard_command(payload)
    device.inbound.heard_command(payload)
    device.inbound = device.started(session=4)
    device.inbound.heard_command(payload)
    assert len(device.did) == 1
    device.inbound.heard_command(a_command(2, "sync"))
    assert device.did[1:] == [("sync",)]


def test_its_counter_is_on_disk_before_it_is_obeyed(device: Device) -> None:
    seen: list[int] = []
    device.did = type("Spy", (list,), {"append": lambda *_: seen.append(read())})()

    def read() -> int:
        return CommandCounter(device.path, WHO.device_key).read()

    device.inbound.heard_command(a_command(9, "sync"))
    assert seen == [9]


def test_what_was_refused_is_used_up_on_disk_too(device: Device) -> None:
    device.inbound.heard_command(a_command(1, "arm", session=5, arguments=ARM))
    device.inbound = device.started(session=5)
    device.inbound.heard_command(a_command(1, "arm", session=5, arguments=ARM))
    assert device.did == []


def test_on_a_full_disk_only_disarming_is_obeyed(device: Device, tmp_path: Path) -> None:
    device.path = tmp_path / "no" / "folder.json"
    device.inbound = device.started()
    device.inbound.heard_command(a_command(1, "sync"))
    device.inbound.heard_command(a_command(2, "disarm"))
    assert device.did == [("disarm", "the agency")]
    assert "a command is not obeyed: it cannot be kept" in device.log.messages("error")


def test_disarming_comes_before_its_record(device: Device) -> None:
    def full(kind: str, **fields: object) -> None:
        raise DiskError("disk full")

    device.ledger.append = full  # type: ignore[method-assign]
    with pytest.raises(DiskError):
        device.inbound.heard_command(a_command(1, "disarm"))
    with pytest.raises(DiskError):
        device.inbound.heard_command(a_command(2, "sync"))
    assert device.did == [("disarm", "the agency")]


def test_a_damaged_counter_means_no_commands(device: Device) -> None:
    device.path.write_text("{")
    device.path.chmod(0o600)
    device.inbound = device.started()
    device.inbound.heard_command(a_command(2**53 - 1, "arm", session=4, arguments=ARM))
    assert device.did == []
    assert device.log.messages("error") == ["commands are refused"]


def test_a_rejected_alert_is_counted_recorded_once_and_a_replay_does_nothing(
    device: Device,
) -> None:
    device.monitor.raised(ulid(1))
    ack = an_ack(rejected=[ulid(1)])
    for _ in range(3):
        device.inbound.heard_ack(ack)
    assert len(device.monitor.counts.rejected) == 1
    ((kind, fields),) = device.ledger.records
    assert (kind, fields["event"], fields["decision"]) == ("review", ulid(1), "rejected")


def test_who_holds_no_key_of_the_hub_rejects_nothing(device: Device) -> None:
    device.monitor.raised(ulid(1))
    device.inbound.heard_ack(an_ack(THIEF, rejected=[ulid(1)]))
    device.inbound.heard_ack(an_ack(rejected=[ulid(3)]))  # not among the ids
    assert device.monitor.counts.rejected == ()


def test_the_monitor_is_reset_by_the_agency_alone_with_a_reason(device: Device) -> None:
    for number in range(1, 4):
        device.monitor.raised(ulid(number))
        device.monitor.reviewed([ulid(number)], "rejected")
    device.inbound.heard_command(a_command(1, "reset-monitor"))
    device.inbound.heard_command(
        a_command(2, "reset-monitor", THIEF, arguments={"reason": "never mind"})
    )
    assert device.monitor.exceeded() is not None
    reset = a_command(3, "reset-monitor", arguments={"reason": "the list was wrong"})
    device.inbound.heard_command(reset)
    assert device.monitor.exceeded() is None
    assert device.ledger.kinds()[-1] == "command"
    device.monitor.raised(ulid(4))
    device.inbound.heard_command(reset)
    assert device.monitor.counts.raised, "a replay resets nothing"


def test_a_command_that_comes_to_nothing_is_one_line(device: Device) -> None:
    def refuse(reason: str) -> None:
        raise RefusedError("cannot")

    device.inbound._actions = Actions(
        acknowledged=refuse, disarm=refuse, arm=refuse, sync=refuse, report=refuse, unpark=refuse,
        reviewed=device.monitor.reviewed, reset_monitor=device.monitor.reset,
        authorise=refuse, revoke=refuse,
    )  # fmt: skip
    device.inbound.heard_command(a_command(1, "disarm"))
    assert device.log.messages("warning") == ["a command came to nothing"]


def test_a_flood_is_looked_at_for_a_moment_counted_and_forgotten(device: Device) -> None:
    forged = a_command(1, signer=THIEF)
    for _ in range(10_000):
        device.inbound.heard_command(forged)
        device.inbound.heard_ack(b"{")
        device.clock.advance(0.0001)
    refused = device.inbound.counts()["refused"]
    assert refused["command.unknown_key"] <= 42
    assert refused["command.unknown_key"] + refused["command.flood"] == 10_000
    assert refused["ack.malformed"] <= 2202
    assert refused["ack.malformed"] + refused["ack.flood"] == 10_000
    assert len(device.log.lines) == 4  # one for each kind, this minute
    assert len(device.ledger.records) == 4
    assert device.did == []


def test_the_backlog_of_a_day_is_confirmed_one_by_one(device: Device) -> None:
    for number in range(1440):
        device.inbound.heard_ack(an_ack(ids=[ulid(number)]))
    assert device.inbound.confirmed == 1440


def test_a_flood_of_acks_holds_up_no_command(device: Device) -> None:
    for _ in range(3000):
        device.inbound.heard_ack(b"{")
    device.inbound.heard_command(a_command(1, "disarm"))
    assert device.did == [("disarm", "the agency")]


def test_replays_are_in_the_audit_log_once_a_minute(device: Device) -> None:
    payload = a_command(1, "sync")
    for _ in range(4):
        device.inbound.heard_command(payload)
        device.clock.advance(1.0)
    refusals = [fields for kind, fields in device.ledger.records if kind == "refusal"]
    assert [one["reason"] for one in refusals] == ["1 refused: its counter was used before"]
    device.clock.advance(60.0)
    device.inbound.upkeep()
    refusals = [fields for kind, fields in device.ledger.records if kind == "refusal"]
    assert [one["reason"] for one in refusals][1:] == ["2 refused: its counter was used before"]
    assert all(one["what"] == "command" for one in refusals)


def test_what_nobody_known_signed_is_a_sum_every_ten_minutes(device: Device) -> None:
    for _ in range(60):
        device.inbound.heard_command(a_command(1, signer=THIEF))
        device.clock.advance(10.0)
    device.inbound.upkeep()
    reasons = [fields["reason"] for kind, fields in device.ledger.records if kind == "refusal"]
    assert reasons == [
        "1 refused: signed by nobody known here",
        "59 refused: signed by nobody known here",
    ]
    assert len(device.log.lines) == 11
