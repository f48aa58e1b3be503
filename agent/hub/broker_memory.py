"""Which version of MQTT a broker was found to speak, so that what is urgent need not find out.

A broker of 3.1.1 alone may answer nothing at all to MQTT 5: two seconds of silence, each time. The
receiver always asks anew, and writes down what it found.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Final

from paho.mqtt.enums import MQTTProtocolVersion

from agent.adapters.mqtt_rules import MqttSettings
from agent.errors import BodycamError
from agent.hub.files import Disk, read_bounded

FILE: Final = "broker.json"
_LIMIT: Final = 1 << 16
_MOST: Final = 100
_VERSIONS: Final = (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311)


class BrokerMemory:
    """Of one broker. What cannot be read or written is not known: nothing depends on it.

    Args:
        folder: of the hub.
        settings: which broker.
        when: wall seconds, for the file.
        disk: writes it.
    """

    def __init__(self, folder: Path, settings: MqttSettings, *, when: float, disk: Disk) -> None:
        self._path = folder / FILE
        self._name = f"{settings.host}:{settings.port}"
        self._when = when
        self._disk = disk

    def version(self) -> MQTTProtocolVersion | None:
        """As found last; None when it is not known."""
        found = self._known().get(self._name)
        return next((one for one in _VERSIONS if one.value == found), None)

    def note(self, version: MQTTProtocolVersion) -> None:
        """It was found to speak this one."""
        known = self._known()
        if known.get(self._name) == version.value:
            return
        others = [(name, one) for name, one in known.items() if name != self._name]
        tree = dict([*others[1 - _MOST :], (self._name, version.value)])
        with suppress(BodycamError):
            self._disk.write(self._path, json.dumps(tree).encode(), when=self._when, mode=0o600)

    def _known(self) -> dict[str, object]:
        with suppress(BodycamError, ValueError):
            tree = json.loads(read_bounded(self._path, _LIMIT))
            if isinstance(tree, dict):
                return tree
        return {}
