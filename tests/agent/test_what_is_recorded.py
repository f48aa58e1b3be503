"""What the audit log must say of each thing that happens: one table, one device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.audit_log import AuditLog
from agent.app.opening import record_start
from agent.audit.chain import KINDS
from agent.config import Config
from agent.delivery import Session
from agent.runtime.clock_watch import ClockWatch
from agent.runtime.orders import NewGallery
from tests.agent.runtime.test_inbound import Device as Listening
from tests.support.agents import MAN, STRANGER, gallery_of
from tests.support.alerts import ulid
from tests.support.clocks import FakeClock
from tests.support.policies import an_authorisation
from tests.support.portraits import PortraitModels
from tests.support.ruled import Ruled
from tests.support.wire import a_command, an_ack

Records = list[tuple[str, dict[str, Any]]]
RESTS_ON = {"list", "version", "sha256", "policy", "detector", "embedder"}


def a_shift(folder: Path) -> Records:
    """Rules come, the man is found, the list changes, the authorisation is revoked."""
    device = Ruled(folder)
    device.publish(an_authorisation())
    assert device.arm()
    device.step(3.0)
    device.rig.mailbox.post(
        NewGallery(gallery_of(MAN, STRANGER, version=2), under=device.desk.book.policy.sha256())
    )
    device.turn()
    device.revoke()
    assert not device.arm()
    device.close()
    return device.ledger.records + device.rig.ledger.records


def a_start(folder: Path) -> Records:
    """Twice, with another configuration."""
    log = AuditLog(folder / "audit", FakeClock())
    for session, rate in ((1, 4.0), (2, 5.0)):
        tree = Config.model_validate({"recognition": {"shots_per_s": rate}})
        models: Any = PortraitModels()
        record_start(
            log, log, config=tree, session=Session(session, "0", True), models=models,
            gallery=gallery_of(MAN), now=FakeClock().wall(),
        )  # fmt: skip
    records = [log.latest(kind) for kind in ("start", "models", "config", "list")]
    return [(one["kind"], one["fields"]) for one in records if one]


def the_agencys_word(folder: Path) -> Records:
    device = Listening(folder)
    device.monitor.raised(ulid(1))
    device.inbound.heard_ack(an_ack(rejected=[ulid(1)]))
    device.inbound.heard_command(a_command(5, "sync"))
    device.inbound.heard_command(b"{}")
    device.inbound.upkeep()
    device.clock.advance(3600)
    device.inbound.upkeep()
    return device.ledger.records


def a_clock_that_is_set(folder: Path) -> Records:
    device = Listening(folder)
    watch = ClockWatch(device.clock, device.ledger)
    device.clock.wall_now += 60
    watch.upkeep()
    return device.ledger.records


TABLE: list[tuple[str, Callable[[Path], Records], str, set[str]]] = [
    ("the program starts", a_start, "start", {"version", "session", "config"}),
    ("with these networks", a_start, "models", {"detector", "embedder"}),
    ("and this list", a_start, "list", {"list", "version", "sha256", "subjects", "templates"}),
    ("the configuration changed", a_start, "config", {"config", "before"}),
    (
        "a use begins: who, why, and on what it rests",
        a_shift,
        "arm",
        {"activation", "authorisation", "reason", "uid"} | RESTS_ON,
    ),
    ("a use ends", a_shift, "disarm", {"activation", "reason", "cause", "uid", "subjects"}),
    (
        "an alert, without who it is about",
        a_shift,
        "alert",
        {"event", "activation", "authorisation", "list", "version"},
    ),
    ("a refusal", a_shift, "refusal", {"what", "reason", "uid", "authorisation"}),
    ("rules have changed", a_shift, "rules", {"generation", "key"}),
    ("a policy comes", a_shift, "policy", {"policy", "version"}),
    ("an authorisation comes", a_shift, "authorise", {"what", "authorisation", "version"}),
    ("what was found under it goes", a_shift, "purge", {"authorisation", "events"}),
    ("a list comes into service", a_shift, "list", {"list", "version", "sha256", "subjects"}),
    ("a review", the_agencys_word, "review", {"event", "decision", "signer"}),
    ("a command", the_agencys_word, "command", {"command", "counter", "signer"}),
    ("what was not the agency's word", the_agencys_word, "refusal", {"what", "reason", "uid"}),
    ("the clock is set", a_clock_that_is_set, "time", {"reason", "step_ms"}),
]


@pytest.mark.parametrize(("what", "story", "kind", "fields"), TABLE, ids=[one[0] for one in TABLE])
def test_it_is_recorded(
    tmp_path: Path, what: str, story: Callable[[Path], Records], kind: str, fields: set[str]
) -> None:
    found = [told for name, told in story(tmp_path) if name == kind]
    assert found, what
    assert any(fields <= told.keys() for told in found), found
    assert all(told.keys() <= KINDS[kind].keys() for told in found)
