"""Silence, and whose word counts."""

from __future__ import annotations

import json

from agent.hub.watching import DeviceWatch
from agent.messages import StateMessage
from agent.messages.catalogue import examples
from agent.messages.health import HealthMessage


def a_state(session: int, *, online: bool = True) -> StateMessage:
    return StateMessage.model_validate(
        {
            "schema": "bodycam.state.v1",
            "session": session,
            "online": online,
            "state": "armed",
            "reason": "",
            "version": "1",
        }
    )


def test_a_silent_camera_is_complained_about_once_and_welcomed_back() -> None:
    watch = DeviceWatch(60.0)
    watch.said("CAM-7", a_state(1), now=0.0)
    assert watch.silent(now=59.9) == []
    assert watch.silent(now=60.0) == ["CAM-7"]
    assert watch.silent(now=600.0) == []
    assert watch.heard(["CAM-7"], now=601.0) == ["CAM-7"]
    assert watch.heard(["CAM-7"], now=602.0) == []
    assert watch.silent(now=662.0) == ["CAM-7"]


def test_a_camera_that_said_goodbye_may_be_silent() -> None:
    watch = DeviceWatch(60.0)
    watch.said("CAM-7", a_state(1), now=0.0)
    watch.said("CAM-7", a_state(1, online=False), now=1.0)
    assert watch.silent(now=1000.0) == []


def test_the_late_death_of_an_old_session_is_ignored() -> None:
    watch = DeviceWatch(60.0)
    watch.said("CAM-7", a_state(2), now=0.0)
    assert watch.said("CAM-7", a_state(1, online=False), now=1.0) is False
    assert watch.silent(now=60.0) == ["CAM-7"]


def test_zero_minutes_is_never() -> None:
    watch = DeviceWatch(0.0)
    watch.said("CAM-7", a_state(1), now=0.0)
    assert watch.silent(now=1e9) == []


def test_a_camera_that_tells_its_health_rarely_is_given_time() -> None:
    watch = DeviceWatch(60.0)
    watch.said("CAM-7", a_state(1), now=0.0)
    rare = json.loads(examples()["health.json"]) | {"every_s": 100.0}
    watch.told("CAM-7", HealthMessage.model_validate(rare), now=0.0)
    assert watch.silent(now=299.0) == []
    assert watch.silent(now=300.0) == ["CAM-7"]
