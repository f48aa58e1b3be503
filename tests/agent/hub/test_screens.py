"""What a person at the hub sees of a camera's health."""

from __future__ import annotations

from agent.hub.screens import _health
from agent.hub.watching import Seen
from agent.messages.catalogue import examples
from agent.messages.health import HealthMessage

HEALTH = HealthMessage.model_validate_json(examples()["health.json"])


def test_battery_heat_and_what_is_given_up_for_them() -> None:
    seen = Seen(heard=0.0, health=HEALTH)
    assert _health(seen) == "battery 27 %, 58 °C, battery-low"


def test_a_camera_that_tells_nothing_of_its_hardware_is_good() -> None:
    bare = HEALTH.model_copy(update={"battery": None, "temperature_c": None, "governor": None})
    assert _health(Seen(heard=0.0, health=bare)) == "good"
    assert _health(Seen(heard=0.0)) == ""
