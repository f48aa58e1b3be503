"""Messages to the device: what the hub and the agency say is done, and nothing else."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.adapters.signing import verify
from agent.delivery.inbound import (
    BELIEVED,
    Allowance,
    CommandGate,
    CommandKeys,
    Complaints,
    Present,
    Refused,
    Why,
    read_ack,
)
from agent.messages import Ack, Command
from agent.values import Monotonic, Wall
from tests.support.alerts import ulid
from tests.support.wire import (
    ARM,
    HUB,
    HUBS,
    OFFICE,
    THIEF,
    TRUST,
    WHO,
    a_command,
    an_ack,
)

NOW = Present(session=4, now=Wall(1000.0), remote_arm=True)


def ack(payload: bytes) -> Ack | Refused:
    return read_ack(payload, WHO, HUBS, verify)


def judge(payload: bytes, present: Present = NOW, *, last: int = 0, trust=TRUST):
    return CommandGate(WHO, last, verify).judge(payload, trust, present)


def test_the_hub_confirms_events():
    got = ack(an_ack())
    assert isinstance(got, Ack)
    assert got.ids == (ulid(1), ulid(2))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (an_ack(THIEF), Why.UNKNOWN_KEY),
        (an_ack(OFFICE), Why.UNKNOWN_KEY),
        (an_ack(device="cam-8"), Why.FOREIGN),
        (an_ack(agency="other"), Why.FOREIGN),
        (an_ack(format="bodycam.ack.v2"), Why.MALFORMED),
        (an_ack(ids=[]), Why.MALFORMED),
        (an_ack(ids=[ulid(n) for n in range(101)]), Why.MALFORMED),
        (an_ack(ids=["x"]), Why.MALFORMED),
        (an_ack(more=1), Why.MALFORMED),
        (an_ack().replace(ulid(1).encode(), ulid(3).encode()), Why.FORGED),
        (an_ack(more="x" * 9000), Why.TOO_LONG),
        (b"", Why.MALFORMED),
        (b"[" * 8000, Why.MALFORMED),
        (b"9" * 8000, Why.MALFORMED),
        (b'{"format":' * 700, Why.MALFORMED),
        (b"\xff\xfe", Why.MALFORMED),
        (b"null", Why.MALFORMED),
    ],
)
def test_what_is_no_word_of_the_hub_confirms_nothing(payload, why):
    assert ack(payload) == Refused(why)


def test_a_number_that_json_does_not_have_is_no_reason_to_fall_over():
    payload = an_ack().replace(b'"time"', b'"x": NaN, "time"')
    assert ack(payload) == Refused(Why.MALFORMED)


def test_one_ack_may_name_a_hundred_events_and_is_not_too_long():
    got = ack(an_ack(ids=[ulid(n) for n in range(100)]))
    assert isinstance(got, Ack)


@pytest.mark.parametrize("command", ["disarm", "sync", "report", "unpark"])
def test_what_starts_nothing_needs_no_session(command):
    got = judge(a_command(1, command))
    assert isinstance(got, Command)
    assert got.command == command


def test_arming_needs_this_session_and_a_policy_that_allows_it():
    payload = a_command(1, "arm", session=4, arguments=ARM)
    assert isinstance(judge(payload), Command)
    assert judge(payload, Present(5, Wall(1000.0), remote_arm=True)) == Refused(
        Why.OTHER_SESSION, 1
    )
    assert judge(payload, Present(4, Wall(1000.0), remote_arm=False)) == Refused(Why.NOT_ALLOWED, 1)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (a_command(signer=HUB), Refused(Why.UNKNOWN_KEY)),
        (a_command(signer=THIEF), Refused(Why.UNKNOWN_KEY)),
        (a_command(device="cam-8"), Refused(Why.FOREIGN)),
        (a_command(device_key="d" * 32), Refused(Why.FOREIGN)),
        (a_command(not_after=1000), Refused(Why.STALE, 1)),
        (a_command(counter=0), Refused(Why.MALFORMED)),
        (a_command(counter=1.0), Refused(Why.MALFORMED)),
        (a_command(counter=True), Refused(Why.MALFORMED)),
        (a_command(command="reboot"), Refused(Why.MALFORMED)),
        (a_command(command="arm", session=4), Refused(Why.MALFORMED)),
        (a_command(command="arm", arguments=ARM), Refused(Why.MALFORMED)),
        (a_command(command="authorise", session=4), Refused(Why.MALFORMED)),
        (a_command(command="revoke"), Refused(Why.MALFORMED)),
        (a_command(arguments={"shell": "x"}), Refused(Why.MALFORMED)),
        (a_command(arguments={"reason": "two\nlines"}), Refused(Why.MALFORMED)),
        (a_command().replace(b'"counter": 1', b'"counter": 2'), Refused(Why.FORGED)),
        (a_command(more="x" * 5000), Refused(Why.TOO_LONG)),
        (an_ack(OFFICE), Refused(Why.MALFORMED)),
    ],
)
def test_what_is_no_command_of_the_agency_to_this_device_does_nothing(payload, why):
    assert judge(payload) == why


def test_a_command_counts_once_and_in_order():
    gate = CommandGate(WHO, 0, verify)
    third, second = a_command(3), a_command(2)
    assert isinstance(gate.judge(third, TRUST, NOW), Command)
    assert gate.judge(third, TRUST, NOW) == Refused(Why.REPLAYED)
    assert gate.judge(second, TRUST, NOW) == Refused(Why.REPLAYED)
    assert isinstance(gate.judge(a_command(4), TRUST, NOW), Command)
    assert gate.last == 4


def test_what_was_refused_once_cannot_be_played_back_when_it_would_fit():
    gate = CommandGate(WHO, 0, verify)
    payload = a_command(1, "arm", session=5, arguments=ARM)
    assert gate.judge(payload, TRUST, NOW) == Refused(Why.OTHER_SESSION, 1)
    later = Present(5, Wall(1001.0), remote_arm=True)
    assert gate.judge(payload, TRUST, later) == Refused(Why.REPLAYED)


def test_what_nobody_signed_uses_no_counter_up():
    gate = CommandGate(WHO, 0, verify)
    gate.judge(a_command(2**53, signer=THIEF), TRUST, NOW)
    gate.judge(a_command().replace(b'"counter": 1', b'"counter": 9007199254740992'), TRUST, NOW)
    assert gate.last == 0


def test_keys_that_are_out_of_date_can_still_disarm_and_nothing_else():
    old = CommandKeys(TRUST.keys, not_after=1000.0)
    assert isinstance(judge(a_command(), trust=old), Command)
    assert judge(a_command(1, "sync"), trust=old) == Refused(Why.OLD_KEYS, 1)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(a_command()) - 1), st.integers(1, 255))
@example(10, 41)  # a space becomes a tab, and nothing else
def test_no_flipped_byte_changes_what_is_done(place, flip):
    payload = bytearray(a_command())
    payload[place] ^= flip
    got = judge(bytes(payload))
    if isinstance(got, Command):
        meant = Command.model_validate_json(a_command())
        assert got.model_dump(exclude={"signature"}) == meant.model_dump(exclude={"signature"})
    else:
        assert isinstance(got, Refused)
        assert got.why not in BELIEVED


@given(st.binary(max_size=600))
def test_no_garbage_gets_through(payload):
    assert isinstance(judge(payload), Refused)
    assert isinstance(ack(payload), Refused)


def test_ten_thousand_pieces_of_garbage_leave_nothing_behind():
    gate, complaints = CommandGate(WHO, 0, verify), Complaints(60.0)
    shapes = [a_command(signer=THIEF), b"{" * 4000, a_command(device="x"), b"x" * 9000]
    for payload in shapes:  # what is made once
        complaints.add("command", gate.judge(payload, TRUST, NOW).why)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for n in range(10_000):
        complaints.add("command", gate.judge(shapes[n % 4], TRUST, NOW).why)
    after = tracemalloc.take_snapshot()
    tracemalloc.stop()
    grown = sum(one.size_diff for one in after.compare_to(before, "filename"))
    assert grown < 50_000
    assert sum(complaints.counts().values()) == 10_004
    assert len(complaints.due(now=Monotonic(0.0))) == 4


def test_one_line_a_minute_and_kind():
    complaints = Complaints(60.0)
    complaints.add("ack", Why.FORGED)
    assert complaints.due(now=Monotonic(10.0)) == [("ack", Why.FORGED, 1)]
    for _ in range(500):
        complaints.add("ack", Why.FORGED)
    complaints.add("command", Why.FORGED, 3)
    assert complaints.due(now=Monotonic(69.9)) == [("command", Why.FORGED, 3)]
    assert complaints.due(now=Monotonic(70.0)) == [("ack", Why.FORGED, 500)]
    assert complaints.due(now=Monotonic(700.0)) == []
    assert complaints.counts() == {"ack.forged": 501, "command.forged": 3}


def test_so_many_are_looked_at_in_a_second_and_no_more():
    allowance = Allowance(100.0, 5.0, now=Monotonic(0.0))
    assert [allowance.take(now=Monotonic(0.0)) for _ in range(5)] == [0.0] * 5
    assert allowance.take(now=Monotonic(0.0)) == pytest.approx(0.01)
    assert allowance.take(now=Monotonic(0.01)) == 0.0
    assert allowance.take(now=Monotonic(0.015)) == pytest.approx(0.005)
    taken = sum(allowance.take(now=Monotonic(1.0 + n / 10_000)) == 0.0 for n in range(10_000))
    assert 100 <= taken <= 106
