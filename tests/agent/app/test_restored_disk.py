"""The whole agent, its disk put back to an older state: the hub sees it at the next checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agent.adapters.checkpoint_events import trust_in
from agent.errors import DataError
from agent.hub.anchors import anchors_of
from agent.hub.event_values import Incoming
from agent.hub.inbox import Taken
from tests.agent.app.test_sealed_alerts import Device, broker, no_service_manager
from tests.support.field_cameras import hub_station

__all__ = ["broker", "no_service_manager"]
pytestmark = pytest.mark.slow
TOPIC = "bodycam/example-pd/CAM-7/match"


def registered(device: Device) -> None:
    path = device.world.folder / "request.json"
    path.write_text(device.answers[0].model_dump_json())
    device.world("devices", "add", path)


def received(device: Device, heard: list[tuple[str, bytes]]) -> tuple[Taken, bytes]:
    """What the hub makes of it, and its anchors."""
    with hub_station(device.world) as hub:
        sent = [Incoming(TOPIC, payload) for kind, payload in heard if kind == "match"]
        taken = hub.take(*sent)
        camera = hub.station.hub.devices.get("CAM-7")
        file = anchors_of(hub.station.database, "example-pd", camera)
        return taken, file.model_dump_json().encode()


def test_a_disk_that_was_put_back_is_a_fork_at_the_hub(tmp_path: Path, broker: tuple[str, int]):
    device = Device(tmp_path, broker)
    registered(device)
    state, image = device.context.state_dir, tmp_path / "image"
    with device.agency.on(*broker) as agency:
        agency.kind.set()
        assert device.run() == 0
        shutil.copytree(state, image)
        device.restarted()
        device.run()
        honest = list(agency.heard)
        taken, anchors = received(device, honest)
        assert taken.refused == []
        assert [one.fork for one in taken.anchors] == [""] * len(taken.anchors)
        report = device.context.audit().verify(trust_in(anchors))
        assert (report.intact, report.anchored) == (True, report.head.seq - 1)

        shutil.rmtree(state)
        shutil.copytree(image, state)
        device.restarted()
        older = device.context.audit().verify(trust_in(anchors))
        assert "an older copy put back" in older.problem
        device.run()
        taken, anchors = received(device, agency.heard[len(honest) :])
    assert any("forked" in one.fork for one in taken.anchors)
    with pytest.raises(DataError, match="the hub has two logs of CAM-7"):
        trust_in(anchors)
    with hub_station(device.world) as hub:
        rows = hub.rows("SELECT CAST(line AS BLOB) FROM chain")
    assert "fork" in {json.loads(row[0])["kind"] for row in rows}
