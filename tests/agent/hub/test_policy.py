"""`bodycam-hub policy`: presets, two signatures, what is published."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.hub.policies import preset_names
from agent.messages.policy import POLICY_TARGET
from tests.support.hubs import HubWorld


def made(world: HubWorld, name: str = "strict", *words: str) -> Path:
    path = world.folder / "policy.yaml"
    world("policy", "preset", name, "--out", path, *words)
    return path


def edited(path: Path, **changes: object) -> Path:
    tree = yaml.safe_load(path.read_text()) | changes
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.mark.parametrize("name", preset_names())
def test_from_preset_to_camera(world: HubWorld, name: str) -> None:
    path = made(world, name)
    told = world("policy", "publish", path, "--json").json
    text = world.client().look(POLICY_TARGET)[POLICY_TARGET]
    assert text == path.read_bytes()
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (told["name"], told["version"], len(told["signed_by"])) == (name, 1, 2)
    assert world("policy", "show").out == path.read_text()


def test_presets_are_listed_and_shown(world: HubWorld) -> None:
    assert tuple(world("policy", "preset", "--json").json) == preset_names()
    assert "agency: example-pd" in world("policy", "preset", "strict").out
    with pytest.raises(UsageError, match="no such preset"):
        world("policy", "preset", "lax")
    with pytest.raises(MissingFileError, match="no policy is published"):
        world("policy", "show")


def test_an_edited_policy_is_not_written_over(world: HubWorld) -> None:
    path = made(world)
    path.write_text(path.read_text() + "# ours\n")
    before = path.read_bytes()
    for words in (("preset", "strict"), ("sign", path)):
        with pytest.raises(UsageError, match=r"policy\.yaml: is there already"):
            world("policy", *words, "--out", path)
    assert path.read_bytes() == before
    with pytest.raises(MissingFileError, match="there is no folder"):
        world("policy", "preset", "strict", "--out", world.folder / "no" / "policy.yaml")
    assert not (world.folder / "no").exists()


def split_keys(world: HubWorld) -> tuple[Path, Path]:
    """Two sticks with one policy key each; none is left at the hub."""
    sticks = world.folder / "stick1", world.folder / "stick2"
    for stick, key in zip(sticks, world.key_files("policy"), strict=True):
        stick.mkdir(mode=0o700)
        shutil.move(key, stick / key.name)
    return sticks


def test_two_people_sign_on_two_machines(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    first, second = split_keys(world)
    with pytest.raises(MissingFileError, match="policy needs"):
        world("policy", "publish", path)
    world("policy", "sign", path, "--out", draft, "--offline-dir", first)
    with pytest.raises(RefusedError, match="2 of its 2 keys must sign"):
        world("policy", "publish", draft)
    (key,) = second.iterdir()
    (world.folder / "away").mkdir()
    away = HubWorld(world.folder / "away", world._capsys)
    shutil.copy(draft, away.folder / "draft")
    away("policy", "sign", away.folder / "draft", "--key", key)
    assert not away.state_dir.exists()
    told = world("policy", "publish", away.folder / "draft", "--json").json
    assert len(told["signed_by"]) == 2
    assert world.client().look(POLICY_TARGET)[POLICY_TARGET] == path.read_bytes()


def test_two_keys_on_one_stick_are_noted(world: HubWorld) -> None:
    path = made(world)
    assert "so one person can do it alone; move policy-" in world("policy", "publish", path).err
    sticks = [word for one in split_keys(world) for word in ("--offline-dir", one)]
    assert "one person" not in world("policy", "publish", edited(path, version=2), *sticks).err


def test_signing_twice_with_one_key_is_one_signature(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    first, _ = split_keys(world)
    (key,) = first.iterdir()
    world("policy", "sign", path, "--out", draft, "--offline-dir", first)
    world("policy", "sign", draft, "--key", key)
    with pytest.raises(RefusedError, match="fewer have"):
        world("policy", "publish", draft)


def test_one_stick_gives_one_signature(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    (stick := world.folder / "stick").mkdir(mode=0o700)
    one, _ = world.key_files("policy")
    shutil.copy(one, stick)
    told = world("policy", "sign", path, "--out", draft, "--offline-dir", stick).out
    assert f"signed by {one.stem.partition('-')[2]}; 1 more must sign" in told
    with pytest.raises(MissingFileError, match="policy needs 1 of 2 keys and 0 are there"):
        world("policy", "sign", path, "--out", world.folder / "d", "--offline-dir", world.folder)


def test_a_key_of_another_role_signs_no_policy(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    first, _ = split_keys(world)
    world("policy", "sign", path, "--out", draft, "--offline-dir", first)
    before = draft.read_bytes()
    with pytest.raises(RefusedError, match=r"root-.*not a key that signs policies; those are pol"):
        world("policy", "sign", draft, "--key", world.key_files("root")[0])
    assert draft.read_bytes() == before


def test_keys_of_other_roles_do_not_count(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    first, _ = split_keys(world)
    world("policy", "sign", path, "--out", draft, "--offline-dir", first)
    tree = json.loads(draft.read_text())
    draft.write_text(json.dumps({**tree, "keys": [], "needed": 0}))
    for role in ("lists", "authorisations", "targets", "root"):
        for key in world.key_files(role):
            world("policy", "sign", draft, "--key", key)
    with pytest.raises(RefusedError, match="fewer have"):
        world("policy", "publish", draft)


def test_an_edited_policy_is_not_the_one_that_was_signed(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    world("policy", "sign", path, "--out", draft)
    tree = json.loads(draft.read_text())
    tree["policy"] = tree["policy"].replace("extrapolate: false", "extrapolate: true ")
    draft.write_text(json.dumps(tree))
    for words in (("publish", draft), ("sign", draft), ("check", draft)):
        with pytest.raises(DataError, match="not the one that is being signed"):
            world("policy", *words)


def test_nobody_signs_for_a_second_file_unseen(world: HubWorld) -> None:
    path, draft = made(world), world.folder / "draft"
    world("policy", "sign", path, "--out", draft)
    tree = json.loads(draft.read_text())
    targets = tree["metadata"]["signed"]["targets"]
    targets["policy/other.yaml"] = targets[POLICY_TARGET]
    draft.write_text(json.dumps(tree))
    with pytest.raises(DataError, match="other files"):
        world("policy", "sign", draft)


def test_versions_only_rise(world: HubWorld) -> None:
    path = made(world)
    draft = world.folder / "draft"
    world("policy", "sign", path, "--out", draft)
    world("policy", "publish", path)
    with pytest.raises(RefusedError, match="raise it"):
        world("policy", "publish", path)
    with pytest.raises(RefusedError, match="make a new draft"):
        world("policy", "publish", draft)
    assert "version: 2" in world("policy", "preset", "strict").out
    world("policy", "publish", edited(path, version=2))
    assert b"version: 2" in (world.client().look(POLICY_TARGET)[POLICY_TARGET] or b"")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"agency": "other-pd"}, "is of other-pd"),
        ({"not_after": "2020-01-01T00:00:00Z", "not_before": "2019-01-01T00:00:00Z"}, "over"),
    ],
)
def test_what_no_camera_would_take_is_refused(
    world: HubWorld, changes: dict[str, object], says: str
) -> None:
    path = edited(made(world), **changes)
    for action in ("check", "publish"):
        with pytest.raises(RefusedError, match=says):
            world("policy", action, path)


def test_a_policy_is_checked_against_what_is_published_where_a_hub_is(world: HubWorld) -> None:
    path = made(world)
    assert "this is the policy" not in world("policy", "check", path).err
    world("policy", "publish", path)
    assert "this is the policy that is published" in world("policy", "check", path).err
    with pytest.raises(RefusedError, match="raise it"):
        world("policy", "check", edited(path, test=True))
    (world.folder / "away").mkdir()
    away = HubWorld(world.folder / "away", world._capsys)
    assert "no hub here" in away("policy", "check", path).err
    over = edited(path, not_before="2019-01-01T00:00:00Z", not_after="2020-01-01T00:00:00Z")
    with pytest.raises(RefusedError, match="over already"):
        away("policy", "check", over)


def test_a_draft_that_lay_too_long_is_not_published(world: HubWorld) -> None:
    draft = world.folder / "draft"
    world("policy", "sign", made(world, "strict", "--days", "1"), "--out", draft)
    world.clock.advance(86_401)
    with pytest.raises(RefusedError, match="over already"):
        world("policy", "publish", draft)


def test_who_signed_what_is_published_is_shown(world: HubWorld) -> None:
    told = world("policy", "publish", made(world), "--json").json
    shown = world("policy", "show", "--json").json
    assert shown["signed_by"] == told["signed_by"]
    assert len(shown["signed_by"]) == 2


def test_lists_are_held_to_the_published_policy(world: HubWorld, tmp_path: Path) -> None:
    from agent.hub.desk import open_desk

    with open_desk(world.context()) as desk:
        assert desk.publisher.policy.name == "field-test"
    world("policy", "publish", made(world, "eu-ai-act"))
    with open_desk(world.context()) as desk:
        assert (desk.publisher.policy.name, desk.publisher.policy.max_templates) == (
            "eu-ai-act", 500,
        )  # fmt: skip
