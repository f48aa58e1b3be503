"""Real footage, real networks: what an agent writes and sends shows nobody who is not listed.

Everything goes through a link that keeps each byte; the folder with state, temporary files and
home is read again and again. All of it is searched, then once more with what the agency can open.
The same search finds what is planted in the same places.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from paho.mqtt import publish
from pydantic import BaseModel

from agent.adapters.sealed_events import check_event, open_event
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.sealing_writer import SealedEvents
from agent.app.context import Models
from agent.app.models import open_models
from agent.app.vault import rules_of
from agent.config import Config
from agent.messages import MatchEvent
from agent.messages.ack import Ack
from agent.messages.checkpoint import CheckpointEvent
from agent.messages.health import HealthMessage
from agent.messages.state import StateMessage
from agent.policy import FIELD_TEST
from agent.vision.alignment import align_faces
from agent.watchlist.shard import encode_shard
from tests.support.alerting_device import ENTRY, Device
from tests.support.alerts import CONTEXT, an_alert
from tests.support.broker import embedded_broker
from tests.support.link import Link, Tap
from tests.support.syscalls import seen_by_strace
from tests.support.witness import Snapshots, Witness, decimals

pytestmark = pytest.mark.slow
ALLOWED: dict[str, type[BaseModel]] = {
    "state": StateMessage,
    "health": HealthMessage,
    "match": CheckpointEvent,
    "ack": Ack,
}
"""What may be said of people who are not listed, by topic. A checkpoint says where the log stands,
and is acknowledged."""
JPEG = b"\xff\xd8\xff"
"""What every JPEG file begins with."""


class Recorded:
    """A link to a broker, and every byte that passed it, by connection and direction."""

    def __init__(self, broker: tuple[str, int]) -> None:
        self._streams: dict[str, bytearray] = {}
        self.link = Link(broker, self._tap)
        self.address = ("127.0.0.1", self.link.port)

    def bytes(self) -> dict[str, bytes]:
        return {name: bytes(stream) for name, stream in self._streams.items()}

    def _tap(self) -> tuple[Tap, Tap]:
        number = len(self._streams) // 2
        said = self._streams.setdefault(f"sent #{number}", bytearray())
        told = self._streams.setdefault(f"received #{number}", bytearray())
        return said.extend, told.extend


@pytest.fixture(scope="module")
def models(models_dir: Path) -> Models:
    config = Config.model_validate({"models": {"dir": str(models_dir)}})
    return open_models(config, models_dir.parent)


@pytest.fixture
def broker() -> Iterator[tuple[str, int]]:
    with embedded_broker() as address:
        yield address


@pytest.fixture(autouse=True)
def everything_in_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "device" / "home"
    place.mkdir(parents=True)
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(place)


def frames_of(film: Path, every: int, most: int) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(film))
    found: list[np.ndarray] = []
    number = 0
    while len(found) < most and capture.grab():
        if number % every == 0:
            found.append(capture.retrieve()[1])
        number += 1
    capture.release()
    return found


def strangers(footage: Path) -> list[np.ndarray]:
    """One who turns his head, then five in a row."""
    group = cv2.imread(str(footage / "multi_face.jpg"))
    return [*frames_of(footage / "WolfgangLanger_Pexels.mp4", 6, 60), *([group] * 20)]


def saved(frames: list[np.ndarray]) -> Any:
    def film(folder: Path) -> None:
        for number, frame in enumerate(frames):
            cv2.imwrite(str(folder / f"{number:04d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 95])

    return film


def template_of(photograph: Path, models: Models) -> np.ndarray:
    image = cv2.imread(str(photograph))
    faces = models.detector.detect(image)
    return models.embedder.embed(align_faces(image, faces.landmarks[:1]))[0]


@contextmanager
def watched(
    folder: Path,
    broker: tuple[str, int],
    footage: Path,
    models: Models,
    frames: list[np.ndarray],
    *settings: str,
) -> Iterator[tuple[Device, Witness, Recorded, Snapshots]]:
    """A device that has run once in front of this, with everybody who watched it."""
    witness, recorded = Witness(), Recorded(broker)
    device = Device(
        folder / "device", recorded.address, "health.every_s=10", "camera.fps=10", *settings,
        models=witness.around(models),
        listed=template_of(footage / "single_face.jpg", models),
        film=saved(frames),
    )  # fmt: skip
    snapshots = Snapshots((device.context.state_dir, folder / "device" / "home"))
    try:
        with device.agency.on(*broker) as agency:
            agency.kind.set()
            with snapshots.taken():
                assert device.run() == 0
        yield device, witness, recorded, snapshots
    finally:
        recorded.link.close()


def opened_list(device: Device) -> bytes:
    store = SealedListStore(
        device.context.state_dir / "lists", device.context.keystore().keys,
        rules=rules_of(FIELD_TEST), space=device.space,
    )  # fmt: skip
    with closing(store):
        columns = store.load(now=device.context.clock.wall()).columns
        return encode_shard(columns, device.space) + columns.vectors.tobytes()


def opened_events(events: list[Any]) -> dict[str, bytes]:
    """What the agency reads, and the pictures in it as files and as pixels."""
    places = {}
    for event in events:
        places[f"event {event.id}"] = event.model_dump_json().encode()
        if isinstance(event, MatchEvent) and event.data.evidence:
            picture = base64.b64decode(event.data.evidence.data)
            places[f"picture of {event.id}"] = picture
            shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
            if shown is not None:
                places[f"pixels of {event.id}"] = shown.tobytes()
    return places


def test_in_front_of_strangers_a_subscriber_to_everything_gets_state_and_counts_only(
    tmp_path, broker, footage, models
) -> None:
    slowly = ("camera.pace=live", "camera.fps=6")  # until a health message is due
    with watched(tmp_path, broker, footage, models, strangers(footage), *slowly) as everybody:
        device, witness, recorded, snapshots = everybody
        assert len(witness.boxes) > 60
        assert len(witness.templates) > 10
        for kind, payload in device.agency.heard:
            ALLOWED[kind].model_validate_json(payload)
        assert {"state", "health"} <= {kind for kind, _ in device.agency.heard}
        places = {**recorded.bytes(), **snapshots.blobs, "list": opened_list(device)}
        assert sum(len(data) for name, data in places.items() if "sent" in name) > 1000
        assert witness.found_in(places) == []
        assert not [name for name, data in places.items() if JPEG in data]


def test_of_a_listed_man_among_strangers_only_his_picture_leaves_and_sealed(
    tmp_path, broker, footage, models, capfd
) -> None:
    man = frames_of(footage / "single_face.mp4", 1, 72)
    with watched(tmp_path, broker, footage, models, [*strangers(footage), *man]) as everybody:
        device, witness, recorded, snapshots = everybody
        closed = {**recorded.bytes(), **snapshots.blobs, "log": capfd.readouterr().err.encode()}
        assert not [name for name, data in closed.items() if JPEG in data or ENTRY.encode() in data]
        events = device.agency.opened
        assert {event.data.entry for event in events} == {ENTRY}
        assert [event for event in events if event.data.evidence]
        opened = {**opened_events(events), "list": opened_list(device)}
        assert witness.found_in({**closed, **opened}) == []


def test_no_call_to_the_kernel_writes_or_sends_anything_of_a_face(
    tmp_path, broker, footage, models
) -> None:
    """Files that live for a moment, too; strace sees what a snapshot cannot."""
    man = frames_of(footage / "single_face.mp4", 2, 36)
    try:
        with seen_by_strace(tmp_path / "calls") as written:
            with watched(tmp_path, broker, footage, models, [*strangers(footage)[::4], *man]) as (
                device, witness, recorded, _,
            ):  # fmt: skip
                row = tmp_path / "planted"
                row.write_bytes(witness.crops[0].tobytes())
                row.unlink()
            sent = recorded.bytes()["sent #0"]
    except OSError as error:
        pytest.skip(f"strace (Debian: strace) is needed: {error}")
    assert any(sent[:200] in stream for stream in written.streams.values()), "the control"
    assert device.agency.opened
    planted = [name for what, name in witness.found_in(written.streams) if what == "crop row"]
    assert len(set(planted)) == 1
    cleared = {
        name: stream.replace(witness.crops[0].tobytes(), b"")
        for name, stream in written.streams.items()
    }
    assert witness.found_in(cleared) == []


PLANTS = {
    "template": lambda witness: witness.templates[-1].tobytes(),
    "template, halved": lambda witness: witness.templates[0].astype("<f2").tobytes(),
    "template, in decimals": lambda witness: decimals(witness.templates[3]).encode(),
    "template, base64": lambda witness: base64.b64encode(b"x" + witness.templates[5].tobytes()),
    "crop row": lambda witness: witness.crops[1].tobytes(),
    "crop row, hexadecimal": lambda witness: witness.crops[2].tobytes().hex().encode(),
    "box": lambda witness: witness.boxes[-1].astype("<f4").tobytes(),
    "box, in decimals": lambda witness: json.dumps(
        dict(zip("xywh", np.round(_place_and_size(witness.boxes[7]), 2).tolist(), strict=True))
    ).encode(),
}


def _place_and_size(box: np.ndarray) -> np.ndarray:
    return np.concatenate([box[:2], box[2:] - box[:2]]).astype(float)


def test_the_same_search_finds_what_is_planted_on_the_wire_on_disk_and_under_seal(
    tmp_path, broker, footage, models
) -> None:
    with watched(tmp_path, broker, footage, models, strangers(footage)[50:]) as everybody:
        device, witness, recorded, snapshots = everybody
        assert witness.found_in({**recorded.bytes(), **snapshots.blobs}) == []
        for what, make in PLANTS.items():
            (device.context.state_dir / what).write_bytes(b"\0" + make(witness))
        snapshots.blobs.clear()
        snapshots.take()
        hits = {(hit, where.partition("#")[0]) for hit, where in witness.found_in(snapshots.blobs)}
        for what in PLANTS:
            assert any(hit.startswith(what) for hit, where in hits if where == what), what
        assert {where for _, where in hits} == PLANTS.keys()

        keys = device.context.keystore().keys
        context = replace(CONTEXT, agency="example-pd", device="CAM-7")
        writer = SealedEvents(context, device.keystore.identity.alert_key, lambda: keys)
        entry = writer.match(an_alert(evidence=witness.crops[0][:80].ravel()))
        sealed = writer.finish(entry, historical=False)
        clear = base64.b64encode(witness.templates[2].tobytes())
        host, port = recorded.address
        publish.multiple([("a", sealed, 1), ("b", clear, 1)], hostname=host, port=port)
        on_the_wire = {what.split(",")[0] for what, _ in witness.found_in(recorded.bytes())}
        assert on_the_wire == {"template"}
        arrived = check_event(sealed, "example-pd", "CAM-7", device.keystore.identity.sign_key)
        opened = opened_events([open_event(arrived, device.agency._alerts)])
        assert ("crop row", f"picture of {entry.id}") in witness.found_in(opened)
