"""What brokers demand, without a broker."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapters.mqtt_limits import BrokerLimits, Liveness, Turns
from agent.adapters.mqtt_rules import CLIENT_ID_BYTES, Pace, client_id_for, in_words, may_be_version
from agent.app.broker import broker_settings
from agent.config import parse

SLUG = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
AWS_TOPIC_BYTES, AWS_SLASHES = 256, 7


@given(SLUG, SLUG, SLUG)
def test_names_of_any_length_fit_what_aws_iot_core_takes(prefix, agency, device):
    overrides = (f'mqtt.prefix="{prefix}"', f'device.agency="{agency}"', f'device.id="{device}"')
    settings = broker_settings(parse(None, (*overrides, "mqtt.host=broker.example")))
    topic = f"{settings.topics}/watchlist"
    assert len(topic.encode()) <= AWS_TOPIC_BYTES
    assert topic.count("/") <= AWS_SLASHES
    assert len(settings.client_id.encode()) <= CLIENT_ID_BYTES


def test_short_names_are_kept_and_long_ones_stay_apart():
    assert client_id_for("bodycam", "spd", "cam-7") == "bodycam-spd-cam-7"
    one, other = (client_id_for("a" * 64, "b" * 64, "c" * 63 + end) for end in "xy")
    assert one != other
    assert len(one) == CLIENT_ID_BYTES


def test_a_pace_lets_a_burst_pass_and_then_so_many_a_second():
    pace = Pace(10.0, 3, now=0.0)
    assert [pace.take(now=0.0) for _ in range(4)] == [True, True, True, False]
    assert pace.is_low(now=0.0)
    assert not pace.take(now=0.099)
    assert pace.take(now=0.1)
    assert not pace.take(now=0.1)
    assert not pace.is_low(now=10.0)
    assert [pace.take(now=10.0) for _ in range(4)] == [True, True, True, False]


@given(st.lists(st.floats(0.0, 0.5), max_size=200))
def test_a_pace_is_kept_whatever_the_steps(steps):
    pace, now, taken = Pace(80.0, 20, now=0.0), 0.0, 0
    for step in steps:
        now += step
        while pace.take(now=now):
            taken += 1
    assert taken <= 20 + 80.0 * now + 1e-6


def test_no_pace_is_no_bound():
    pace = Pace(0.0, 1, now=0.0)
    assert all(pace.take(now=0.0) for _ in range(1000))
    assert not pace.is_low(now=0.0)


@dataclass
class Told:
    ReceiveMaximum: int = 65535
    MaximumPacketSize: int = 1 << 20
    RetainAvailable: int = 1
    MaximumQoS: int = 2


@pytest.mark.parametrize(
    ("told", "limits", "unfit"),
    [
        (object(), BrokerLimits(20), False),
        (Told(), BrokerLimits(20, 1 << 20), False),
        (Told(ReceiveMaximum=5), BrokerLimits(5, 1 << 20), False),
        (Told(RetainAvailable=0), BrokerLimits(20, 1 << 20, retain=False), False),
        (Told(MaximumPacketSize=500), BrokerLimits(20, 500), True),
        (Told(ReceiveMaximum=0), BrokerLimits(0, 1 << 20), True),
        (Told(MaximumQoS=0), BrokerLimits(20, 1 << 20, qos=0), True),
    ],
)
def test_what_a_broker_allows_is_kept_or_it_is_left(told, limits, unfit):
    assert BrokerLimits.told(20, told) == limits
    assert bool(limits.unfit) is unfit


def test_turns_are_bounded_in_each_tenth_of_a_second():
    turns = Turns()
    pauses = [turns.pause_s(now=5.0) for _ in range(50)]
    assert pauses[:-1] == [0.0] * 49
    assert pauses[-1] == pytest.approx(0.1)
    assert turns.pause_s(now=5.1) == 0.0


def test_a_broker_is_gone_after_two_and_a_half_keepalives_without_a_packet():
    liveness = Liveness()
    assert not liveness.is_gone(1, 30, now=100.0)
    assert not liveness.is_gone(1, 30, now=175.0)
    assert liveness.is_gone(1, 30, now=175.1)
    assert not liveness.is_gone(2, 30, now=175.2)
    assert not liveness.is_gone(2, 0, now=9999.0)


def test_refusals_in_words():
    assert in_words(0x8E, "Session taken over").startswith("another client came")
    assert in_words(0x97, "Quota exceeded") == "Quota exceeded (0x97)"
    assert may_be_version(0x84)
    assert not may_be_version(0x87)
