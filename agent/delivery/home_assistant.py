"""Discovery messages of Home Assistant for the status of a device; never for what it sees.

One retained message for each sensor on `homeassistant/{component}/{node}/{object}/config`
(home-assistant.io/integrations/mqtt); an empty one takes the sensor away again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.delivery.events import compact

_PREFIX: Final = "homeassistant"
_MISSED: Final = 3
"""A sensor is unavailable when so many health messages have not come."""


@dataclass(frozen=True, slots=True)
class _Sensor:
    """Attributes:
    component: of Home Assistant.
    topic: last level that it reads.
    template: Jinja, from the message to the value.
    more: further keys.
    """

    component: str
    name: str
    topic: str
    template: str
    more: Mapping[str, str] = field(default_factory=dict)


_ON_OFF: Final = "{{ 'ON' if value_json.armed else 'OFF' }}"
_SENSORS: Final = {
    "state": _Sensor("sensor", "State", "state", "{{ value_json.state }}"),
    "armed": _Sensor("binary_sensor", "Armed", "health", _ON_OFF),
    "outbox": _Sensor(
        "sensor", "Outbox", "health", "{{ value_json.outbox.waiting }}",
        {"unit_of_measurement": "events", "state_class": "measurement"},
    ),
    "disk": _Sensor(
        "sensor", "Free disk", "health", "{{ value_json.disk.free_mb }}",
        {"unit_of_measurement": "MB", "device_class": "data_size"},
    ),
    "list_age": _Sensor(
        "sensor", "List age", "health",
        "{{ value_json.watchlist.age_s if value_json.watchlist else None }}",
        {"unit_of_measurement": "s", "device_class": "duration"},
    ),
}  # fmt: skip


def discovery(topics: str, version: str, every_s: float) -> dict[str, bytes]:
    """Whole topic to payload, for every status sensor of a device.

    Args:
        topics: `{prefix}/{agency}/{device}`.
        version: of the agent.
        every_s: between two health messages, s.
    """
    node, name = _node(topics), topics.rpartition("/")[2]
    device = {"identifiers": [node], "name": name, "model": "bodycam-agent", "sw_version": version}
    found: dict[str, bytes] = {}
    for key, sensor in _SENSORS.items():
        tree: dict[str, object] = {
            "name": sensor.name,
            "unique_id": f"{node}_{key}",
            "state_topic": f"{topics}/{sensor.topic}",
            "value_template": sensor.template,
            "availability_topic": f"{topics}/state",
            "availability_template": "{{ 'online' if value_json.online else 'offline' }}",
            "entity_category": "diagnostic",
            "device": device,
            **sensor.more,
        }
        if sensor.topic == "health":
            tree["expire_after"] = round(_MISSED * every_s)
        found[f"{_PREFIX}/{sensor.component}/{node}/{key}/config"] = compact(tree)
    return found


def _node(topics: str) -> str:
    """Home Assistant takes letters, digits, `_` and `-` only; the hash keeps names apart that
    become alike by that.
    """
    plain = topics.replace("/", "_").replace(".", "_")
    return f"{plain}_{hashlib.sha256(topics.encode()).hexdigest()[:8]}"
