"""The inbox without a broker: what is believed, what is refused, and what is answered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.sealing import key_id
from agent.adapters.signing import KeySigner, verify
from agent.delivery.inbound import Addressee, read_ack
from agent.errors import DiskError
from agent.hub.event_values import Incoming, Why
from agent.messages import Ack, GapEvent
from tests.support.field_cameras import FieldCamera, hub_station

THIEF = KeySigner(Ed25519PrivateKey.generate())


@pytest.fixture
def seven(world):
    return FieldCamera(world, "CAM-7")


@pytest.fixture
def eight(world):
    return FieldCamera(world, "CAM-8")


@pytest.fixture
def hub(world, seven):
    with hub_station(world) as station:
        yield station


def heard(camera: FieldCamera, answers) -> list[str]:
    """Ids that the camera takes for acknowledged."""
    who = Addressee("example-pd", camera.name, camera.identity.key_id)
    keys = {key_id(camera.identity.ack_key): camera.identity.ack_key}
    acks = [read_ack(body, who, keys, verify) for topic, body in answers]
    return [one for ack in acks if isinstance(ack, Ack) for one in ack.ids]


def whys(taken) -> list[Why]:
    return [one.why for one in taken.refused]


def test_an_event_is_opened_kept_and_acknowledged(hub, seven) -> None:
    event = seven.event()
    taken = hub.take(seven.message(seven.sealed(event)))
    assert [one.event for one in taken.stored] == [event]
    assert [topic for topic, _ in taken.answers] == ["bodycam/example-pd/CAM-7/ack"]
    assert heard(seven, taken.answers) == [event.id]
    (stored,) = hub.station.store.events("")
    assert hub.station.store.opened(stored)["data"]["subject"] == "S-1"
    assert stored.payload == taken.stored[0].payload
    assert (
        hub.rows("SELECT message FROM ack WHERE number = ?", stored.ack)[0][0]
        == (taken.answers[0][1])
    )


def test_historical_is_what_the_camera_signed(hub, seven) -> None:
    (one,) = hub.take(seven.message(seven.sealed(historical=True))).stored
    assert one.event.data.historical is True


@pytest.mark.parametrize("historical", [False, True])
def test_a_duplicate_is_kept_once_and_acknowledged_again(hub, seven, historical) -> None:
    """Also when it comes back as historical: the same event, signed twice."""
    event = seven.event()
    live = seven.sealed(event)
    tree = json.loads(live)
    hub.take(seven.message(live))
    again = live if not historical else _late(seven, event, live)
    assert (json.loads(again)["data"] == tree["data"]) is True
    taken = hub.take(seven.message(again))
    assert (taken.stored, taken.again, heard(seven, taken.answers)) == ([], 1, [event.id])
    assert hub.rows("SELECT count(*) FROM event") == [(1,)]


def _late(seven, event, live: bytes) -> bytes:
    """The late twin of what was sent live: the same sealed bytes, `historical` signed for."""
    from agent.adapters.signing import signed

    tree = json.loads(live) | {"historical": True}
    del tree["signature"]
    return json.dumps(signed(tree, seven.keys)).encode()


def test_the_same_event_twice_in_one_batch(hub, seven) -> None:
    event = seven.event()
    message = seven.message(seven.sealed(event))
    taken = hub.take(message, message)
    assert (len(taken.stored), taken.again, heard(seven, taken.answers)) == (1, 1, [event.id])


def test_acknowledgements_come_by_the_hundred(hub, seven) -> None:
    events = [seven.event(evidence=None) for _ in range(205)]
    taken = hub.take(*(seven.message(seven.sealed(one)) for one in events))
    assert [len(json.loads(body)["ids"]) for _, body in taken.answers] == [100, 100, 5]
    assert heard(seven, taken.answers) == [one.id for one in events]


def test_gaps_and_updates_are_events_too(hub, seven) -> None:
    first = seven.event()
    update = seven.event(seven.alert(match=first.id))
    gap = seven.gap()
    taken = hub.take(*(seven.message(seven.sealed(one)) for one in (first, update, gap)))
    assert [one.event for one in taken.stored] == [first, update, gap]
    assert isinstance(taken.stored[2].event, GapEvent)
    stored = hub.station.store.get(first.id)
    assert [one.id for one in hub.station.store.updates(stored)] == [update.id]


def test_a_removed_camera_is_not_heard(hub, seven, world) -> None:
    payload = seven.sealed()
    world("devices", "remove", "CAM-7")
    taken = hub.take(seven.message(payload))
    assert (whys(taken), taken.answers, taken.alive) == ([Why.REMOVED], [], [])


def test_a_camera_that_joins_later_is_heard_without_a_restart(hub, world) -> None:
    nine = FieldCamera(world, "CAM-9")
    assert len(hub.take(nine.message()).stored) == 1


def _altered(seven, **changes) -> bytes:
    return json.dumps(json.loads(seven.sealed()) | changes).encode()


FORGED = {
    "signed by somebody else": lambda one, two: one.message(one.sealed(signer=THIEF)),
    "altered": lambda one, two: one.message(_altered(one, time="2020-01-01T00:00:00.000Z")),
    "historical turned": lambda one, two: one.message(_altered(one, historical=True)),
    "another camera's, on this topic": lambda one, two: one.message(two.sealed()),
    "of another agency": lambda one, two: one.message(
        one.sealed(one.event().model_copy(update={"source": "/other/CAM-7"}))
    ),
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
def test_what_is_forged_is_refused_and_not_answered(hub, seven, eight, make) -> None:
    taken = hub.take(make(seven, eight))
    assert (whys(taken), taken.stored, taken.answers) == ([Why.FORGED], [], [])
    assert hub.rows("SELECT why, device, count FROM refusal") == [("forged", "CAM-7", 1)]


MALFORMED = (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b"{}" + b" " * 100_000)


@pytest.mark.parametrize("payload", MALFORMED, ids=range(len(MALFORMED)))
def test_nonsense_is_refused(hub, seven, payload) -> None:
    assert whys(hub.take(seven.message(payload))) == [Why.MALFORMED]


def test_an_open_event_is_refused(hub, seven) -> None:
    assert whys(hub.take(seven.message(seven.event().model_dump_json().encode()))) == [
        Why.MALFORMED
    ]


def test_an_event_for_another_hub_is_refused(hub, seven) -> None:
    assert whys(hub.take(seven.message(seven.sealed(alert_key=seven.keys.seal_key)))) == [
        Why.OTHER_KEY
    ]


def test_sealed_data_moved_to_another_event_is_refused(hub, seven) -> None:
    """Also when the camera itself signs it: what is sealed is bound to its event."""
    from agent.adapters.signing import signed

    tree = json.loads(seven.sealed()) | {"id": seven.new_id()}
    payload = json.dumps(signed(tree, seven.keys)).encode()
    assert whys(hub.take(seven.message(payload))) == [Why.UNREADABLE]


def test_an_id_is_not_used_twice_for_different_content(hub, seven) -> None:
    first = seven.event(seven.alert(entry="E-1"))
    other = seven.event(seven.alert(entry="E-2")).model_copy(update={"id": first.id})
    hub.take(seven.message(seven.sealed(first)))
    taken = hub.take(seven.message(seven.sealed(other)))
    assert (whys(taken), taken.answers) == ([Why.CHANGED], [])
    (stored,) = hub.station.store.events("")
    assert hub.station.store.opened(stored)["data"]["entry"] == "E-1"


def test_a_camera_cannot_take_the_id_of_another_cameras_event(hub, seven, eight) -> None:
    event = seven.event()
    stolen = eight.event().model_copy(update={"id": event.id})
    hub.take(eight.message(eight.sealed(stolen)))
    taken = hub.take(seven.message(seven.sealed(event)))
    assert heard(seven, taken.answers) == [event.id]
    assert hub.rows("SELECT count(*) FROM event") == [(2,)]


@pytest.mark.parametrize(
    "topic",
    ["", "match", "bodycam/other/CAM-7/match", "bodycam/example-pd/CAM-7/ack", "a/b/c/d/e", "\0"],
)
def test_other_topics_are_not_listened_to(hub, seven, topic) -> None:
    taken = hub.take(Incoming(topic, seven.sealed()))
    assert whys(taken) == [Why.TOPIC]


def test_names_that_are_no_camera_are_counted_in_one_row(hub, seven) -> None:
    names = [f"bodycam/example-pd/ghost-{number}/match" for number in range(500)]
    hub.take(*(Incoming(one, b"x") for one in names))
    assert hub.rows("SELECT why, device, count FROM refusal") == [("unknown-device", "", 500)]


def test_one_bad_message_does_not_cost_the_others(hub, seven) -> None:
    good = seven.event()
    taken = hub.take(seven.message(b"x"), seven.message(seven.sealed(good)), seven.message(b"y"))
    assert ([one.event.id for one in taken.stored], len(taken.refused)) == ([good.id], 2)


def test_a_day_that_does_not_exist_is_refused(hub, seven) -> None:
    event = seven.event().model_copy(update={"time": "2026-02-31T00:00:00.000Z"})
    assert whys(hub.take(seven.message(seven.sealed(event)))) == [Why.UNREADABLE]


def test_states_and_health(hub, seven) -> None:
    taken = hub.take(
        seven.message(seven.state(session=4), "state"),
        seven.message(seven.health(), "health"),
        seven.message(b'{"online": 1}', "state"),
        seven.message(b"{}", "health"),
    )
    assert [one.state.session for one in taken.states] == [4]
    assert [one.health.outbox.waiting for one in taken.health] == [2]
    assert taken.alive == ["CAM-7", "CAM-7"]
    assert whys(taken) == [Why.MALFORMED] * 2


def test_what_the_broker_kept_is_no_sign_of_life(hub, seven) -> None:
    taken = hub.take(replace(seven.message(seven.state(), "state"), retained=True))
    assert (len(taken.states), taken.alive) == (1, [])


def test_nobody_is_named_in_clear_on_disk(hub, seven, world) -> None:
    event = seven.event(seven.alert(subject="S-planted", authorisation="A-planted"))
    hub.take(seven.message(seven.sealed(event)))
    disk = b"".join(one.read_bytes() for one in world.state_dir.glob("events.sqlite*"))
    assert event.id.encode() in disk  # the control: ids are there
    assert b"planted" not in disk


def test_the_same_subject_from_two_cameras_is_found(hub, seven, eight, world) -> None:
    one, other = seven.event(), eight.event()
    stranger = eight.event(eight.alert(subject="S-2"))
    hub.take(seven.message(seven.sealed(one)))
    hub.take(eight.message(eight.sealed(other)), eight.message(eight.sealed(stranger)))
    stored = hub.station.store.get(one.id)
    assert [one.id for one in hub.station.store.beside(stored, 60.0)] == [other.id]
    world.clock.advance(1000.0)
    late = eight.event()
    hub.take(eight.message(eight.sealed(late)))
    assert late.id not in [one.id for one in hub.station.store.beside(stored, 60.0)]


def test_when_the_disk_fails_nothing_is_kept_or_answered(hub, seven, world) -> None:
    hub.station.database._db.execute("PRAGMA max_page_count = 1")
    event = seven.event(evidence="A" * 40_000)
    with pytest.raises(DiskError):
        hub.take(*(seven.message(seven.sealed(event)) for _ in range(5)))
    assert hub.rows("SELECT count(*) FROM event") == [(0,)]
    hub.station.database._db.execute("PRAGMA max_page_count = 1000000")
    assert heard(seven, hub.take(seven.message(seven.sealed(event))).answers) == [event.id]


def test_test_alerts_come_and_go_and_are_about_nobody(hub, seven, eight) -> None:
    tests = [one.event(one.drill(), evidence=None) for one in (seven, eight)]
    messages = [
        one.message(one.sealed(test)) for one, test in zip((seven, eight), tests, strict=True)
    ]
    taken = hub.take(*messages)
    assert [one.event.type for one in taken.stored] == ["bodycam.test.v1"] * 2
    assert heard(seven, taken.answers[:1]) == [tests[0].id]
    stored = hub.station.store.get(tests[0].id)
    assert hub.station.store.beside(stored, 60.0) == []  # all cameras test at the start of a shift
