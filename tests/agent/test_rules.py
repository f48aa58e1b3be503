"""The rules on a device that runs: each with ways to get round it, which fail; and whatever comes,
in whatever order, nobody is matched while anything forbids it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.adapters.rules_store import FILE
from agent.errors import DataError, DiskError, RefusedError
from agent.messages import iso_utc
from agent.policy import Rulebook
from agent.policy.loaded import Loaded
from agent.policy.states import Cause
from agent.runtime.orders import NewRules
from tests.support.policies import AROUND_ZERO, HOUR, NOW, an_authorisation
from tests.support.ruled import INSIDE, OUTSIDE, Ruled, a_revocation


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Ruled]:
    device = Ruled(tmp_path)
    yield device
    device.close()


def armed(device: Ruled, **sections: Any) -> Ruled:
    device.publish(an_authorisation(), **sections)
    assert device.arm(), device.refusal
    assert device.step(2.0) == 20
    assert device.alerts() == 1
    return device


def cause(device: Ruled) -> str:
    return next(f["cause"] for kind, f in reversed(device.rig.ledger.records) if kind == "disarm")


def test_before_any_policy_and_after_it(device: Ruled) -> None:
    assert device.arm("anything")
    device.disarm()
    device.publish(an_authorisation())
    assert not device.arm("anything")
    assert device.arm()


@pytest.mark.parametrize("again", [False, True])
def test_a_policy_that_came_once_does_not_go_away(device: Ruled, again: bool) -> None:
    armed(device)
    with pytest.raises(RefusedError, match="publishes none"):
        device.desk.listing(None, [], [])
    if again:
        device.restart(orderly=True)
    assert not device.arm("field-test")


def test_an_older_copy_of_the_rules_matches_nobody_until_they_are_fetched_anew(
    device: Ruled,
) -> None:
    """Put back on a switched-off disk, to be rid of a revocation."""
    device.publish(an_authorisation())
    older = (device.folder / FILE).read_bytes()
    device.revoke()
    (device.folder / FILE).write_bytes(older)
    for _ in range(2):
        device.restart(orderly=True)
        assert "older copy" in device.desk.book.trouble
        assert not device.arm()
        assert "lacks what was revoked since" in device.refusal
        assert device.step(1.0) == 0
    ends = [a_revocation().model_dump_json().encode()]
    device.desk.listing(device.text, [an_authorisation().model_dump_json().encode()], ends)
    device.turn()
    assert device.desk.book.trouble == ""
    assert not device.arm()
    assert "not loaded here" in device.refusal or "was revoked" in device.refusal
    device.authorise(id="W-2")
    assert device.arm("W-2")
    device.restart(orderly=True)
    assert device.desk.book.trouble == ""


def test_what_mends_nothing_leaves_an_older_copy_what_it_is(device: Ruled) -> None:
    device.publish(an_authorisation())
    older = (device.folder / FILE).read_bytes()
    device.publish(an_authorisation())
    (device.folder / FILE).write_bytes(older)
    device.restart(orderly=True)
    device.authorise(id="W-2")  # a command alone does not tell what was revoked meanwhile
    assert not device.arm("W-2")
    with pytest.raises(DataError):
        device.desk.listing(device.text, [b"[]"], [])
    assert not device.arm("W-2")
    device.revoke()
    assert "older copy" in device.desk.book.trouble


def test_a_revocation_that_the_disk_did_not_keep_makes_no_file_look_old(device: Ruled) -> None:
    armed(device)
    real = device.kept.save

    def full(_: Any) -> None:
        raise DiskError("no space left on device")

    device.kept.save = full
    device.revoke()
    device.kept.save = real
    device.restart(orderly=True)
    assert device.desk.book.trouble == ""


def test_an_older_policy_is_not_taken_again(device: Ruled) -> None:
    device.publish(matching={"min_shots": 2})
    older = device.text
    device.publish(matching={"min_shots": 5})
    for _ in range(2):
        with pytest.raises(RefusedError, match="is not newer"):
            device.desk.listing(older, [], [])
        assert device.desk.book.policy.min_shots == 5
        device.restart(orderly=False)


def test_another_agencys_policy_is_not_taken(device: Ruled) -> None:
    with pytest.raises(RefusedError, match="is of other-pd"):
        device.publish(agency="other-pd")
    assert device.desk.book.policy.signed is False


def test_one_that_is_nonsense_keeps_no_revocation_away(device: Ruled) -> None:
    armed(device)
    ends = [b"{}", a_revocation().model_dump_json().encode(), b"\xff"]
    with pytest.raises(DataError):
        device.desk.listing(device.text, [b"[]"], ends)
    device.turn()
    assert not device.rig.loop.armed
    assert device.alerts() == 0


def test_a_revocation_ends_it_before_the_next_frame_and_deletes_what_waits(device: Ruled) -> None:
    armed(device)
    device.desk.revoke(a_revocation())
    assert device.step(1.0) == 0
    assert device.alerts() == 0
    assert cause(device) == "revoked"
    assert ("purge", {"authorisation": "W-1", "events": 1}) in device.rig.ledger.records
    assert not device.arm()
    assert "revoked" in device.refusal


def test_the_signed_text_in_force_is_at_hand_for_a_report(device: Ruled) -> None:
    assert device.desk.text == ""
    armed(device)
    assert device.desk.text.encode() == device.text


def test_what_was_revoked_long_ago_is_not_told_again_at_every_unlocking(device: Ruled) -> None:
    armed(device)
    device.revoke()
    told = [kind for kind, _ in device.rig.ledger.records].count("purge")
    device.rig.arming.book = Rulebook(trouble="the store is locked")  # as after a start
    device.rig.mailbox.post(NewRules(device.desk.book, device.desk.revoked))
    device.turn()
    assert "W-1" in device.rig.arming.book.revoked
    assert [kind for kind, _ in device.rig.ledger.records].count("purge") == told == 1


def test_an_entry_whose_own_authorisation_is_revoked_is_not_matched(device: Ruled) -> None:
    """The use goes on, for everybody else on the list."""
    armed(device)
    device.revoke("TEST-1")
    assert device.alerts() == 0
    assert device.step(3.0) == 30
    assert device.rig.loop.armed
    assert device.alerts() == 0


def test_an_entry_whose_own_authorisation_is_over_is_not_matched(device: Ruled) -> None:
    short = an_authorisation(id="TEST-1", not_after=iso_utc(NOW + 60))
    device.publish(an_authorisation(), short)
    assert device.arm()
    device.clock.advance(61)
    assert device.step(3.0) == 30
    assert device.alerts() == 0


def test_an_entry_whose_own_authorisation_has_not_begun_is_not_matched(device: Ruled) -> None:
    later = an_authorisation(id="TEST-1", not_before=iso_utc(NOW + 60))
    device.publish(an_authorisation(), later)
    assert device.arm()
    device.step(3.0)
    assert device.alerts() == 0
    device.clock.advance(60)
    device.step(3.0)
    assert device.alerts() == 1


def test_where_the_policy_says_so_an_authorisation_that_nobody_loaded_is_none(
    device: Ruled,
) -> None:
    strict = {"lists": {"bases": ["consent"], "purposes": ["test"]}}
    strict["lists"]["loaded_authorisations_only"] = True  # type: ignore[assignment]
    device.publish(an_authorisation(), **strict)
    assert device.arm()
    device.step(3.0)
    assert device.alerts() == 0
    device.authorise(id="TEST-1")
    device.step(3.0)
    assert device.alerts() == 1


def test_what_is_revoked_stays_revoked(device: Ruled) -> None:
    """Replayed, confirmed afterwards, in another listing, after a restart."""
    armed(device)
    device.revoke()
    for _ in range(2):
        with pytest.raises(RefusedError, match="was revoked"):
            device.authorise(version=9)
        device.desk.listing(
            device.text, [an_authorisation(version=7).model_dump_json().encode()], []
        )
        assert not device.arm()
        device.restart(orderly=False)


def test_a_replayed_version_does_not_undo_a_later_one(device: Ruled) -> None:
    long, short = an_authorisation(), an_authorisation(version=2, not_after=iso_utc(NOW + 60))
    device.publish(long)
    device.desk.authorise(short)
    with pytest.raises(RefusedError, match="seen before"):
        device.desk.authorise(long)
    device.desk.listing(device.text, [long.model_dump_json().encode()], [])
    device.turn()
    assert device.arm()
    device.clock.advance(61)
    assert device.step(0.1) == 0


@pytest.mark.parametrize(
    "change", [{"agency": "other-pd"}, {"devices": ["CAM-8"]}, {"signature": "A" * 86 + "=="}]
)
def test_what_is_not_ours_or_not_signed_is_not_loaded(device: Ruled, change: Any) -> None:
    device.publish()
    forged = {key: change[key] for key in change if key == "signature"}
    rest = {key: change[key] for key in change if key != "signature"}
    document = an_authorisation(**rest).model_copy(update=forged)
    with pytest.raises((RefusedError, DataError)):
        device.desk.authorise(document)
    assert not device.arm()


def test_what_the_agency_lists_no_more_is_not_there(device: Ruled) -> None:
    armed(device)
    device.desk.listing(device.text, [], [])
    device.turn()
    assert not device.rig.loop.armed
    assert device.alerts() == 1, "withdrawn is not revoked"


def test_the_list_is_not_searched_before_it_was_held_to_a_new_policy(device: Ruled) -> None:
    armed(device)
    device.version += 1
    from tests.support.policies import policy_text

    text = policy_text("uk-live-deployment", version=device.version, now=NOW - 60)
    device.desk.listing(text, [an_authorisation().model_dump_json().encode()], [])
    assert device.step(0.5) == 0
    assert not device.arm()
    assert "held to the new policy" in device.refusal
    device.recheck()
    assert device.arm()


def test_a_policy_that_changes_nothing_for_lists_goes_on_without_a_pause(device: Ruled) -> None:
    armed(device)
    activation = device.rig.kept.load()
    device.publish(an_authorisation(), matching={"min_shots": 9})
    assert device.rig.loop.armed
    assert device.step(0.5) == 5
    assert device.rig.loop._pipeline.rule.min_shots == 9
    assert device.rig.kept.load().id == activation.id
    assert device.rig.ledger.kinds().count("arm") == 1


def test_somebody_is_told_of_so_often_a_day_and_no_more(device: Ruled) -> None:
    """Over cool-downs, activations, restarts and kills."""
    strict = {"alerts_per_subject_and_day": 3, "min_cooldown_s": 1}
    device.publish(an_authorisation(), matching=strict)
    seen = []
    for number in range(6):
        assert device.arm(), device.refusal
        device.step(2.0)
        seen.append(device.alerts())
        device.clock.advance(120)
        device.restart(orderly=number % 2 == 0)
        device.disarm()
    assert seen == [1, 2, 3, 3, 3, 3]
    device.clock.advance(24 * HOUR)
    device.publish(an_authorisation(now=device.clock.wall_now, version=2), matching=strict)
    assert device.arm(), device.refusal
    device.step(2.0)
    assert device.alerts() == 4


def test_entries_for_the_sake_of_what_is_revoked_are_silent(device: Ruled) -> None:
    """The list goes on, without whom nobody may look for any more."""
    armed(device)
    device.clock.advance(120)
    device.revoke("TEST-1")
    assert device.rig.loop.armed
    assert device.alerts() == 0
    assert device.step(2.0) == 20
    assert device.alerts() == 0


def test_a_full_disk_keeps_no_revocation_from_taking_effect(device: Ruled) -> None:
    armed(device)

    class FullDisk:
        def save(self, loaded: Loaded) -> None:
            raise DiskError("no space left")

    object.__setattr__(device.desk._means, "kept", FullDisk())
    device.desk.revoke(a_revocation())
    assert device.step(0.5) == 0
    assert device.alerts() == 0


def test_on_a_full_disk_nothing_new_is_permitted(device: Ruled) -> None:
    device.publish()

    class FullDisk:
        def save(self, loaded: Loaded) -> None:
            raise DiskError("no space left")

    object.__setattr__(device.desk._means, "kept", FullDisk())
    with pytest.raises(DiskError):
        device.desk.authorise(an_authorisation())
    assert not device.arm()


def test_killed_while_the_rules_are_written_it_has_the_old_ones_or_the_new(
    device: Ruled, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.publish(an_authorisation())
    before = (device.folder / FILE).read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        device.desk.authorise(an_authorisation(id="W-2"))
    monkeypatch.undo()
    assert (device.folder / FILE).read_bytes() == before
    device.restart(orderly=False)
    assert not device.arm("W-2")
    assert device.arm("W-1")


def test_links_are_not_followed(device: Ruled, tmp_path: Path) -> None:
    armed(device)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes((device.folder / FILE).read_bytes())
    (device.folder / FILE).unlink()
    (device.folder / FILE).symlink_to(elsewhere)
    device.restart(orderly=True)
    assert not device.arm()
    assert "missing or were changed" in device.refusal
    assert not device.arm("field-test")


def test_every_byte_of_the_file_counts(device: Ruled) -> None:
    device.publish(an_authorisation())
    data = (device.folder / FILE).read_bytes()
    for at in range(0, len(data), 97):
        changed = bytearray(data)
        changed[at] ^= 1
        (device.folder / FILE).write_bytes(changed)
        with pytest.raises(DataError, match="missing or were changed"):
            device.kept.load()


def test_the_clock_set_back_over_a_crash_resumes_nothing(device: Ruled) -> None:
    armed(device)
    device.clock.advance(2)
    device.turn()
    device.clock.wall_now -= 600
    device.restart(orderly=False)
    assert not device.rig.loop.armed


def test_a_forged_activation_needs_an_authorisation_all_the_same(device: Ruled) -> None:
    armed(device)
    device.revoke()
    kept = device.rig.kept
    now = device.clock
    from agent.values import Monotonic, Wall
    from agent.values.activation import KeptActivation

    for name in ("W-1", "field-test"):
        kept.save(
            KeptActivation(
                "01J", "patrol", name, 0, kept.boot, Monotonic(now.now), Wall(now.wall_now)
            )
        )
        device.restart(orderly=False)
        assert not device.rig.loop.armed


KINDS = st.sampled_from(["W-1", "W-2", "W-3"])


MISHAPS: dict[str, Any] = {
    "leaves": lambda m, _: m.move(OUTSIDE),
    "unplugged": lambda m, _: m.move(None),
    "covered": lambda m, _: m.let_pass(45.0, fixes=False),
    "back": lambda m, _: m.set_the_clock(-3.0),
    "forward": lambda m, _: m.set_the_clock(3.0),
    "no server": lambda m, _: m.time_server(ntp=False),
    "revoked": lambda m, name: m.revoke(name),
    "over": lambda m, _: m.let_pass(300 * 60.0, fixes=True),
    "held back": lambda m, _: (m.set_the_clock(-1.9), m.let_pass(300 * 60.0 - 1, fixes=True)),
    "policy": lambda m, _: m.new_policy(area=True, window=False),
    "killed": lambda m, _: m.restart(orderly=False),
}


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order. What must hold is told here once more, in other words than
    the program's, and by a clock that nobody can set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.device = Ruled(self.folder)
        self.truth = self.device.clock.now  # monotonic
        self.valid: dict[str, tuple[float, float, bool]] = {}
        self.versions: dict[str, int] = {}
        self.revoked: set[str] = set()
        self.area, self.window, self.policy_ends = False, True, 0.0
        self.wall_error, self.error_at_arming, self.end = 0.0, 0.0, 0.0
        self.under: str | None = None

    @initialize()
    def a_policy(self) -> None:
        self._policy(False, True, 20 * HOUR)
        self.load("W-1", 300, False)
        self.arm("W-1")

    @rule(name=KINDS, minutes=st.sampled_from([1, 300]), inside=st.booleans())
    def all_is_well(self, name: str, minutes: float, inside: bool) -> None:
        """Else most sequences would find the device disarmed already."""
        self.device.ntp = True
        self.move(INSIDE)
        self.load(name, minutes, inside)
        self.arm(name)

    def _policy(self, area: bool, window: bool, lasts: float) -> None:
        day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        schedule = [{"days": day, "from": "00:00", "to": "24:00"}]
        if not window:
            hour = int(self.device.clock.wall_now % 86_400 // 3600)
            other = (hour + 12) % 24
            schedule = [{"days": day, "from": f"{other:02}:00", "to": f"{other:02}:59"}]
        bounds = {"areas": [AROUND_ZERO] if area else [], "schedule": schedule}
        documents = [
            one.document.model_dump_json().encode()
            for one in self.device.desk._loaded.held.values()
        ]
        self.device.version += 1
        from tests.support.policies import policy_text

        text = policy_text(
            "uk-live-deployment", version=self.device.version, bounds=bounds,
            now=self.device.clock.wall_now - 60, days=(lasts + 60) / 86_400,
            lists={"bases": ["consent"], "purposes": ["test"]},
        )  # fmt: skip
        self.device.text = text
        self.device.desk.listing(text, documents, [])
        self.device.turn()
        self.device.recheck()
        self.area, self.window = area, window
        self.policy_ends = self.truth + lasts

    @rule(area=st.booleans(), window=st.sampled_from([True, True, True, False]))
    def new_policy(self, area: bool, window: bool) -> None:
        self._policy(area, window, 10 * HOUR)

    @rule(name=KINDS, minutes=st.sampled_from([1, 30, 300]), inside=st.booleans())
    def load(self, name: str, minutes: float, inside: bool) -> None:
        version = self.versions.get(name, 0) + 1
        now = self.device.clock.wall_now
        changes = {
            "id": name, "version": version, "issued": iso_utc(now), "not_before": iso_utc(now - 5),
            "not_after": iso_utc(now + 60 * minutes), "areas": [AROUND_ZERO] if inside else [],
        }  # fmt: skip
        if name in self.revoked:
            with pytest.raises(RefusedError):
                self.device.authorise(**changes)
            return
        self.device.authorise(**changes)
        self.versions[name] = version
        self.valid[name] = (now - 5, now + 60 * minutes, inside)
        self._know_end(name)

    @rule(name=KINDS)
    def revoke(self, name: str) -> None:
        self.device.revoke(name)
        self.revoked.add(name)
        self.valid.pop(name, None)
        assert self.device.found_under(name) == 0

    @rule(name=KINDS)
    def arm(self, name: str) -> None:
        self.error_at_arming = self.wall_error
        armed = self.device.arm(name)
        self.under = name if armed else None
        self._know_end(name)

    def _know_end(self, name: str) -> None:
        """By the clock that nobody can set, from what the other said when it was believed."""
        if name == self.under and name in self.valid:
            self.end = self.truth + self.valid[name][1] - self.device.clock.wall_now

    @rule()
    def disarm(self) -> None:
        self.device.disarm()

    @rule(where=st.sampled_from([INSIDE, OUTSIDE, None]))
    def move(self, where: tuple[float, float] | None) -> None:
        self.device.position, self.device.fix_at = where, self.device.clock.now

    @rule(seconds=st.sampled_from([-7200.0, -30.0, -3.0, 3.0, 600.0, 7200.0]))
    def set_the_clock(self, seconds: float) -> None:
        """A time server that lost its way, or a hand at the console while one vouches."""
        self.device.clock.wall_now += seconds
        self.wall_error += seconds

    @rule(ntp=st.sampled_from([True, True, False]))
    def time_server(self, ntp: bool) -> None:
        self.device.ntp = ntp
        self.device.rig.loop.turn(0)

    @rule(seconds=st.sampled_from([1.0, 20.0, 45.0, 400.0, 5000.0]), fixes=st.booleans())
    def let_pass(self, seconds: float, fixes: bool) -> None:
        """Without frames; the receiver goes on, or does not."""
        self.device.clock.advance(seconds)
        self.truth += seconds
        if fixes:
            self.device.fix_at = self.device.clock.now

    @rule(orderly=st.booleans())
    def restart(self, orderly: bool) -> None:
        before = self.device.rig.loop.armed
        self.device.restart(orderly=orderly)
        assert before or not self.device.rig.loop.armed

    @rule(name=KINDS, what=st.sampled_from(sorted(MISHAPS)))
    def armed_and_then(self, name: str, what: str) -> None:
        """Each thing that may befall an armed device, whatever came before it."""
        self.all_is_well(name, 300, inside=True)
        MISHAPS[what](self, name)

    @rule()
    def monitor(self) -> None:
        self.device.rig.fpir = "too many false alerts"
        assert self.device.step(0.1) == 0
        self.device.rig.fpir = ""

    def _forbidden(self) -> str:
        """Why nobody may be matched, by the truth alone."""
        if self.under is None or self.under not in self.valid:
            return "authorisation"
        begin, end, inside = self.valid[self.under]
        if not begin <= self.device.clock.wall_now < end or self.truth >= self.end + 2.1:
            return "its time"
        if abs(self.wall_error - self.error_at_arming) > 2.1:
            return "the clock was set"
        if not self.device.ntp:
            return "time is not trusted"
        if self.area or inside:
            old = self.truth - self.device.fix_at > 30
            if self.device.position != INSIDE or old:
                return "place"
        return ""

    @invariant()
    def look(self) -> None:
        """After everything that happens, somebody stands before the camera."""
        forbidden = self._forbidden()
        self.device.clock.advance(1.1)  # what vouches for the clock is asked once a second
        self.truth += 1.1
        forbidden = forbidden or self._forbidden()
        looked = self.device.step(0.3)
        self.truth += 0.3
        assert not (looked and forbidden), forbidden

    @precondition(lambda self: self.device.rig.loop.armed)
    @invariant()
    def armed_is_audited(self) -> None:
        kinds = self.device.rig.ledger.kinds()
        assert kinds.count("arm") == kinds.count("disarm") + 1

    def teardown(self) -> None:
        self.device.close()
        shutil.rmtree(self.folder)


AnyOrder.TestCase.settings = settings(
    max_examples=int(os.environ.get("RULES_EXAMPLES", "40")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestAnyOrder = pytest.mark.slow(AnyOrder.TestCase)


def test_the_machine_above_does_look_at_frames(device: Ruled) -> None:
    """Otherwise it would show nothing."""
    machine = AnyOrder()
    try:
        machine.a_policy()
        machine.load("W-1", 30, True)
        machine.arm("W-1")
        assert machine._forbidden() == ""
        assert machine.device.rig.loop.armed
        assert machine.device.step(0.3) == 3
        machine.truth += 0.3
        machine.set_the_clock(3.0)
        assert machine._forbidden()
        machine.look()
        assert not machine.device.rig.loop.armed
    finally:
        machine.teardown()
    assert Cause.TIME.value == "time"
