"""Cameras are told what reviewers decided, until they know."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from agent.adapters.sealing import key_id
from agent.adapters.signing import verify
from agent.delivery.inbound import Addressee, read_ack
from agent.hub.event_values import StateHeard
from agent.hub.opening import Opener
from agent.hub.outcomes import AGAIN_S
from agent.messages import Ack
from tests.support.broker import embedded_broker
from tests.support.casework import Casework
from tests.support.field_cameras import PREFIX, FieldCamera, hub_station
from tests.support.hub_process import HubProcess, Sender
from tests.support.monitors import a_monitor
from tests.support.receiver import wait_until


@pytest.fixture
def work(world):
    work = Casework(world, FieldCamera(world))
    work.reviewer("ann")
    return work


def decided(work, decision):
    stored = work.alert()
    with work.book() as book:
        work.decide(book, stored, "ann", decision)
    return stored.id


def told(messages, camera):
    found = []
    for topic, payload in messages:
        assert topic == camera.topic("ack")
        ack = json.loads(payload)
        assert set(ack["ids"]) == {*ack["confirmed"], *ack["rejected"]}
        found += [(one, "confirmed") for one in ack["confirmed"]]
        found += [(one, "rejected") for one in ack["rejected"]]
    return sorted(found)


def heard(hub, camera, session):
    opener = Opener(PREFIX, "example-pd", hub.station.hub.devices, None)
    state = opener.judge(camera.topic("state"), camera.state(session=session))
    assert isinstance(state, StateHeard)
    return state


def test_each_decision_is_told_once_and_again_to_a_camera_that_starts_anew(work, world) -> None:
    yes, no = decided(work, "confirmed"), decided(work, "rejected")
    work.alert()  # nobody has decided on it
    every = sorted([(yes, "confirmed"), (no, "rejected")])
    with hub_station(world) as hub:
        outcomes = hub.station.outcomes(PREFIX)
        assert told(outcomes.due([], now=world.now), work.camera) == every
        assert outcomes.due([], now=world.now) == []
        state = heard(hub, work.camera, 4)
        assert told(outcomes.due([state], now=world.now), work.camera) == every
        assert outcomes.due([state], now=world.now) == []
        again = heard(hub, work.camera, 5)
        assert told(outcomes.due([again], now=world.now), work.camera) == every


def test_a_decision_while_the_receiver_runs(work, world) -> None:
    with hub_station(world) as hub:
        outcomes = hub.station.outcomes(PREFIX)
        assert outcomes.due([], now=world.now) == []
        no = decided(work, "rejected")
        assert told(outcomes.due([], now=world.now), work.camera) == [(no, "rejected")]


def test_each_camera_hears_of_its_own(work, world) -> None:
    other = Casework(world, FieldCamera(world, "CAM-8"))
    mine, theirs = decided(work, "rejected"), decided(other, "rejected")
    with hub_station(world) as hub:
        messages = hub.station.outcomes(PREFIX).due([], now=world.now)
    assert told([one for one in messages if "CAM-7" in one[0]], work.camera) == [(mine, "rejected")]
    rest = [one for one in messages if "CAM-8" in one[0]]
    assert told(rest, other.camera) == [(theirs, "rejected")]
    assert len(messages) == 2


def test_what_is_long_ago_is_let_rest(work, world) -> None:
    decided(work, "rejected")
    with hub_station(world) as hub:
        outcomes = hub.station.outcomes(PREFIX)
        assert outcomes.due([], now=world.now + AGAIN_S + 1) == []


@pytest.mark.slow
def test_from_a_reviewers_word_at_the_hub_to_a_camera_that_stops(work, world) -> None:
    """The receiver in its own process, the decisions by the command, the camera's own judgement
    and its own monitor.
    """
    camera, monitor = work.camera, a_monitor()
    who = Addressee("example-pd", camera.name, camera.identity.key_id)
    keys = {key_id(camera.identity.ack_key): camera.identity.ack_key}

    def stopped() -> bool:
        for payload in sender.acks:
            ack = read_ack(payload, who, keys, verify)
            assert isinstance(ack, Ack)
            monitor.reviewed(ack.rejected, "rejected")
        return monitor.exceeded() is not None

    events = [camera.event() for _ in range(3)]
    for event in events:
        monitor.raised(event.id)
    with embedded_broker() as address:
        hub = HubProcess(world, address)
        hub.start()
        with closing(Sender(camera, address)) as sender:
            sender.send_until_heard({one.id: camera.sealed(one) for one in events})
            assert not stopped()
            for event in events:
                stored = f"{camera.name}/{event.id}"
                words = world.folder / "ann.words"
                world(
                    *("review", "decide", stored, "rejected", "--reviewer", "ann"),
                    *("--reason", "other ears", "--reviewer-passphrase-file", words),
                )
            wait_until(stopped, "the camera stops")
        assert hub.stop() == 0
    assert len(monitor.counts.rejected) == 3
