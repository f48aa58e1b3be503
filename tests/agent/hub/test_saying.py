"""What the hub says, and that devices believe it: and only once, and only the one it is for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from agent.adapters.command_keys import DelegatedCommandKeys
from agent.adapters.sealing import key_id
from agent.adapters.signing import KeySigner, verify
from agent.delivery.inbound import Addressee, CommandGate, Present, Refused, Why, read_ack
from agent.errors import RefusedError, UsageError
from agent.hub.saying import ack_messages
from agent.messages import Ack, Command
from agent.values import Wall
from tests.support.alerts import ulid
from tests.support.hubs import HubWorld


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> HubWorld:
    world = HubWorld(tmp_path, capsys)
    world.init()
    return world


class Ears:
    """What a camera hears commands with."""

    def __init__(self, world: HubWorld, name: str) -> None:
        self.identity = world.camera(name).identity
        client = world.client(name)
        client.look()
        self.trust = DelegatedCommandKeys(client._metadata, lambda: world.root(1))()
        self.who = Addressee("example-pd", name, self.identity.key_id)
        self.gate = CommandGate(self.who, 0, verify)
        self.now = Present(12, Wall(world.now), remote_arm=True)

    def hear(self, path: Path) -> Command | Refused:
        return self.gate.judge(path.read_bytes(), self.trust, self.now)


def test_a_command_is_obeyed_by_its_camera_once_and_by_no_other(world, tmp_path) -> None:
    seven, eight = Ears(world, "CAM-7"), Ears(world, "CAM-8")
    out = tmp_path / "disarm.json"
    said = world("command", "CAM-7", "disarm", "--reason", "over", "--out", out).out
    assert "number 1, good until" in said
    got = seven.hear(out)
    assert isinstance(got, Command)
    assert (got.command, got.arguments.reason, got.not_after) == ("disarm", "over", world.now + 600)
    assert seven.hear(out) == Refused(Why.REPLAYED)
    assert eight.hear(out) == Refused(Why.FOREIGN)


def test_numbers_rise_for_each_camera_by_itself(world, tmp_path) -> None:
    world.camera("CAM-7")
    world.camera("CAM-8")
    numbers = [
        world("command", name, "sync", "--out", tmp_path / "x.json", "--json").json["counter"]
        for name in ("CAM-7", "CAM-7", "CAM-8", "CAM-7")
    ]
    assert numbers == [1, 2, 1, 3]


def test_arming_is_for_one_session(world, tmp_path) -> None:
    ears, out = Ears(world, "CAM-7"), tmp_path / "arm.json"
    words = ("--reason", "patrol", "--authorisation", "A-1", "--out", out)
    with pytest.raises(RefusedError, match="field-test does not let anybody arm from afar"):
        world("command", "CAM-7", "arm", "--session", "12", *words)
    world.allow_remote_arm()
    with pytest.raises(UsageError, match="needs the session"):
        world("command", "CAM-7", "arm", *words)
    world("command", "CAM-7", "arm", "--session", "11", *words)
    assert ears.hear(out) == Refused(Why.OTHER_SESSION, 1)  # what was typed wrong cost no number
    world("command", "CAM-7", "arm", "--session", "12", *words)
    assert isinstance(ears.hear(out), Command)
    with pytest.raises(UsageError, match="takes no session"):
        world("command", "CAM-7", "sync", "--session", "12", "--out", out)


def test_a_role_of_two_signatures_cannot_command(world, tmp_path) -> None:
    world.camera("CAM-7")
    world("keys", "rotate", "commands", "--keys", "2", "--threshold", "2")
    with pytest.raises(RefusedError, match="needs 2 signatures"):
        world("command", "CAM-7", "sync", "--out", tmp_path / "x.json")


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "99999"])
def test_a_command_is_not_good_for_ever(world, tmp_path, minutes) -> None:
    with pytest.raises(UsageError, match="--minutes"):
        world("command", "CAM-7", "sync", "--minutes", minutes, "--out", tmp_path / "x.json")


def test_acks_are_those_that_the_camera_believes(world) -> None:
    identity = world.camera("CAM-7").identity
    ids = [ulid(number) for number in range(250)]
    with closing(world.open()) as hub:
        signer = KeySigner(hub.ring.acks_key(hub.devices.get("CAM-7").ack_key))
        acks = ack_messages("example-pd", "CAM-7", ids, signer, now=world.now)
    who = Addressee("example-pd", "CAM-7", identity.key_id)
    heard = [
        read_ack(
            ack.model_dump_json().encode(),
            who,
            {key_id(identity.ack_key): identity.ack_key},
            verify,
        )
        for ack in acks
    ]
    assert [len(ack.ids) for ack in heard if isinstance(ack, Ack)] == [100, 100, 50]
    assert [one for ack in heard for one in ack.ids] == ids
