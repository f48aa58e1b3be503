"""The running monitor of false alerts: what stops matching, and that only the agency undoes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.adapters.fpir_file import FpirFile
from agent.errors import DiskError, RefusedError
from agent.policy.fpir_monitor import FpirCounts, Sprt
from agent.runtime.fpir_watch import FpirWatch
from tests.support.agents import MAN, STRANGER, Rig
from tests.support.alerts import ulid
from tests.support.clocks import FakeClock
from tests.support.logs import KeptLog
from tests.support.monitors import KeptCounts, a_monitor


def crossed(monitor: FpirWatch, alerts: int = 3) -> None:
    for number in range(1, alerts + 1):
        monitor.raised(ulid(number))
        monitor.reviewed([ulid(number)], "rejected")


def on_disk(folder: Path, clock: FakeClock | None = None, log: KeptLog | None = None) -> FpirWatch:
    keeper = FpirFile(folder / "fpir.json")
    clock, log = clock or FakeClock(), log or KeptLog()
    return FpirWatch(lambda: Sprt(0.001), 1.0, keeper, clock=clock, log=log)


def test_three_rejected_alerts_in_a_row_are_too_many() -> None:
    monitor = a_monitor()
    crossed(monitor, 2)
    assert monitor.exceeded() is None
    monitor.raised(ulid(3))
    monitor.reviewed([ulid(3)], "confirmed")
    assert monitor.exceeded() is None
    assert monitor.reviewed([ulid(3)], "rejected") == (ulid(3),)
    assert "3 rejected among 0 subjects" in (monitor.exceeded() or "")


def test_a_review_is_news_once_and_nobody_elses_is_none() -> None:
    monitor = a_monitor()
    monitor.raised(ulid(1))
    assert monitor.reviewed([ulid(1), ulid(2)], "rejected") == (ulid(1),)
    assert monitor.reviewed([ulid(1)], "rejected") == ()
    assert len(monitor.counts.rejected) == 1


def test_it_survives_restarts_and_kills(tmp_path: Path) -> None:
    crossed(on_disk(tmp_path))  # never closed
    again = on_disk(tmp_path)
    assert again.exceeded() is not None
    again.seen(1_000_000)
    assert on_disk(tmp_path).exceeded() is not None
    again.reset()
    assert on_disk(tmp_path).exceeded() is None
    assert on_disk(tmp_path).counts == FpirCounts()


def test_counts_are_on_disk_at_the_end_and_once_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()
    monitor = on_disk(tmp_path, clock)
    monitor.seen(5)
    monitor.upkeep()
    assert on_disk(tmp_path).counts.tracks == 0
    clock.advance(60.0)
    monitor.upkeep()
    assert on_disk(tmp_path).counts.tracks == 5
    monitor.seen(2)
    monitor.close()
    assert on_disk(tmp_path).counts.tracks == 7


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"tracks":-1}', b'{"tracks":0,"rejected":[]}', b"\xff" * 40]
)
def test_damaged_counts_forbid_matching_until_they_are_reset(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "fpir.json"
    path.write_bytes(content)
    path.chmod(0o600)
    monitor = on_disk(tmp_path)
    assert "damaged" in (monitor.exceeded() or "")
    monitor.raised(ulid(1))
    assert "damaged" in (on_disk(tmp_path).exceeded() or ""), "nor does writing mend it"
    monitor.reset()
    assert monitor.exceeded() is None


def test_a_link_to_somebody_elses_counts_forbids_matching(tmp_path: Path) -> None:
    on_disk(tmp_path).close()
    (tmp_path / "zeros.json").write_text("{}")
    (tmp_path / "fpir.json").symlink_to(tmp_path / "zeros.json")
    assert "is a link" in (on_disk(tmp_path).exceeded() or "")


def test_a_disk_that_fails_costs_no_alert_and_hides_nothing() -> None:
    keeper, log = KeptCounts(), KeptLog()
    monitor = a_monitor(keeper, log=log)
    keeper.error = DiskError("full")
    crossed(monitor)
    assert monitor.exceeded() is not None
    assert set(log.messages("error")) == {"counts of false alerts are not kept"}
    with pytest.raises(DiskError):
        monitor.reset()
    assert monitor.exceeded() is not None


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_it_disarms_says_so_and_refuses_to_arm_until_it_is_reset(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 1.5)
    crossed(rig.monitor)
    rig.show(MAN, 0.1)
    assert not rig.loop.armed
    assert rig.board.condition.state == "degraded"
    assert "too many false alerts" in rig.board.condition.reason
    assert rig.ledger.kinds()[-1] == "disarm"
    assert "too many false alerts" in str(rig.ledger.records[-1][1]["reason"])
    order = rig.arm()
    with pytest.raises(RefusedError, match="too many false alerts"):
        order.answer.wait(0)
    assert rig.ledger.kinds()[-1] == "refusal"
    before = len(rig.embedder.batches)
    rig.show(MAN, 1.0)
    assert len(rig.embedder.batches) == before
    rig.monitor.reset()
    rig.arm().answer.wait(0)
    assert rig.loop.armed
    assert rig.board.condition.state == "armed"


def test_who_stays_counts_once_and_who_flits_by_does_not(rig: Rig) -> None:
    rig.arm()
    rig.show(STRANGER, 1.5)
    rig.show(0, 4.0)
    assert rig.monitor.counts.tracks == 0
    rig.show(STRANGER, 6.0)
    assert rig.monitor.counts.tracks == 1
    rig.show(0, 4.0)
    rig.show(STRANGER, 3.0)
    assert rig.monitor.counts.tracks == 2


def test_an_alert_is_known_to_the_monitor_and_its_update_is_none(rig: Rig) -> None:
    rig.arm()
    rig.show(MAN, 40.0)
    assert rig.loop.tally.raised > 1
    ((event, _),) = rig.monitor.counts.raised
    assert event == rig.told[0]
