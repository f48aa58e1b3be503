from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata

from agent.errors import DataError, DiskError, MissingFileError, RefusedError, UsageError
from agent.hub.keyfiles import KeyFiles
from agent.hub.keyring import file_name
from agent.hub.metadata import encode
from agent.hub.passphrases import Passphrases
from agent.hub.roles import OFFLINE, ROLES, RoleKeys
from agent.hub.rotation import Change, rotate
from agent.hub.typed import grouped
from tests.support.hubs import FAST, HubWorld, Killed, MortalDisk, QuickDisk, secret

FILES = {"lists/L-1.manifest": b"manifest", "lists/a.shard": b"shard"}
NEXT = {"lists/L-1.manifest": b"another"}


@pytest.fixture
def published(world: HubWorld) -> HubWorld:
    world.publish(FILES)
    return world


def turn(world: HubWorld, role: str, *, lives: int = 99, **change: object) -> None:
    with closing(world.open()) as hub:
        hub.repository.folder.disk = MortalDisk(lives)
        rotate(hub.repository, Change(role, **change), world.now)  # type: ignore[arg-type]


def own(world: HubWorld) -> tuple[str, str]:
    """Their own passphrase for offline keys."""
    return ("--offline-passphrase-file", str(world.offline_words))


def opens(world: HubWorld, role: str, words: Path) -> list[bool]:
    """Whether that passphrase opens each present key file of a role."""
    present = {file_name(role, one) for one in key_ids(world, role)}
    files = KeyFiles(Passphrases([words], ask=None), FAST)
    return [opened(files, path) for path in world.key_files(role) if path.name in present]


def opened(files: KeyFiles, path: Path) -> bool:
    try:
        files.load(path)
    except RefusedError:
        return False
    return True


def key_ids(world: HubWorld, role: str) -> set[str]:
    return {one["id"] for one in world("keys", "list", "--json").json[role]["keys"]}


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_devices_follow_the_new_keys_from_the_first_root(published: HubWorld, role: str) -> None:
    known, fresh = published.client("known"), published.client("fresh")
    assert known.look(*FILES) == FILES
    before = key_ids(published, role)
    published("keys", "rotate", role)
    assert not before & key_ids(published, role)
    assert known.look(*FILES) == FILES
    published.publish(NEXT)
    assert known.look(*NEXT) == NEXT
    assert fresh.look(*NEXT) == NEXT
    assert published("status", "--json").json["problem"] is None


def test_after_many_rotations_a_device_of_the_first_day_still_follows(
    published: HubWorld,
) -> None:
    for role in ("root", "root", "timestamp", "targets", "root", "snapshot", "lists"):
        published("rotate", role)
    assert published("status", "--json").json["root"]["version"] == 7
    assert published.client().look(*FILES) == FILES


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_a_stolen_online_key_is_worthless_once_it_was_rotated(
    published: HubWorld, role: str
) -> None:
    (file,) = published.key_files(role)
    with closing(published.open()) as hub:
        stolen = hub.ring.files.load(file)
        (public,), _ = hub.repository.load().keys[role]
    published("rotate", role)
    client = published.client()
    client.look()
    with closing(published.open()) as hub:
        state = hub.repository.load()
    forged = state.of(role)
    forged.signed.version += 100
    forged.sign(CryptoSigner(stolen, public))
    if role == "snapshot":  # its thief has to wait for a timestamp that names it
        with pytest.raises(UnsignedMetadataError):
            state.root.signed.verify_delegate(role, forged.signed_bytes, forged.signatures)
        return
    (published.public / "metadata/timestamp.json").write_bytes(encode(forged))
    with pytest.raises(UnsignedMetadataError):
        client.look()


WRITES = {"root": 1, "timestamp": 3, "targets": 4, "lists": 4}
"""For timestamp: snapshot, timestamp, root. For lists: targets, lists, snapshot, timestamp."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "lives"), [(role, lives) for role, most in WRITES.items() for lives in range(most)]
)
def test_killed_at_any_write_of_a_rotation_devices_follow(
    published: HubWorld, role: str, lives: int
) -> None:
    known = published.client("known")
    known.look()
    with pytest.raises(Killed):
        turn(published, role, lives=lives)
    assert known.look(*FILES) == FILES
    assert published.client("fresh").look(*FILES) == FILES
    published("keys", "rotate", role)
    published.publish(NEXT)
    assert known.look(*NEXT) == NEXT


class FullDisk(QuickDisk):
    """Has room for so many writes."""

    def __init__(self, writes: int) -> None:
        self._left = writes

    def write(self, path: Path, data: bytes, *, when: float, mode: int = 0o644) -> None:
        if self._left == 0:
            raise DiskError(f"{path}: no space left on device")
        self._left -= 1
        super().write(path, data, when=when, mode=mode)


@pytest.mark.parametrize(
    ("role", "writes"), [(role, writes) for role, most in WRITES.items() for writes in range(most)]
)
def test_a_rotation_that_fails_leaves_no_key_that_serves_nothing(
    published: HubWorld, role: str, writes: int
) -> None:
    known = published.client("known")
    known.look()
    before = published.key_files(role)
    with closing(published.open()) as hub:
        hub.repository.folder.disk = FullDisk(writes)
        with pytest.raises(DiskError):
            rotate(hub.repository, Change(role), published.now)
    serving = {file_name(role, one) for one in key_ids(published, role)}
    assert {path.name for path in published.key_files(role)} == serving | {p.name for p in before}
    assert known.look(*FILES) == FILES
    published("keys", "rotate", role)
    published.publish(NEXT)
    assert known.look(*NEXT) == NEXT


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "lists", "policy"])
def test_a_lost_key_is_replaced_without_it(published: HubWorld, role: str) -> None:
    for file in published.key_files(role):
        file.unlink()
    known = published.client("known")
    known.look()
    published("keys", "rotate", role, "--lost", *own(published))
    published.publish(NEXT)
    assert known.look(*NEXT) == NEXT


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_lost_top_level_key_cannot_sign_over_to_the_new_one(
    published: HubWorld, role: str
) -> None:
    (file,) = published.key_files(role)
    file.unlink()
    with pytest.raises(MissingFileError, match=f"{role} needs 1 of 1"):
        published("keys", "rotate", role)
    assert published.key_files(role) == []


@pytest.mark.parametrize("lives", [1, 2])
def test_killed_while_a_lost_key_was_replaced_the_same_command_mends_it(
    published: HubWorld, lives: int
) -> None:
    (file,) = published.key_files("timestamp")
    file.unlink()
    with pytest.raises(Killed):
        turn(published, "timestamp", lost=True, lives=lives)
    with pytest.raises(DataError, match="does not verify"):
        published("refresh")
    published("keys", "rotate", "timestamp", "--lost")
    assert published.client().look(*FILES) == FILES


def test_root_is_rotated_with_one_of_its_three_keys_lost(published: HubWorld) -> None:
    published.key_files("root")[0].unlink()
    published("keys", "rotate", "root")
    assert published.client().look(*FILES) == FILES
    assert len(key_ids(published, "root")) == 3


def test_root_is_not_rotated_with_two_of_its_three_keys_lost(published: HubWorld) -> None:
    first, second, kept = published.key_files("root")
    first.unlink()
    second.unlink()
    with pytest.raises(MissingFileError) as error:
        published("keys", "rotate", "root")
    assert "root needs 2 of 3 keys and 1 is there" in str(error.value)
    assert first.name in str(error.value)
    assert second.name in str(error.value)
    assert kept.name not in str(error.value)
    assert str(kept.parent) in str(error.value)
    assert published.key_files("root") == [kept]


def test_offline_keys_may_come_from_several_sticks(published: HubWorld, tmp_path: Path) -> None:
    sticks = [tmp_path / "stick1", tmp_path / "stick2"]
    for stick, file in zip(sticks, published.key_files("root")[:2], strict=True):
        stick.mkdir()
        shutil.move(file, stick)
    published.key_files("root")[0].unlink()
    words = [word for stick in sticks for word in ("--offline-dir", str(stick))]
    published("keys", "rotate", "root", *words)
    assert published.client().look(*FILES) == FILES
    assert len(list(sticks[0].glob("root-*.pem"))) == 1 + 3


def test_one_key_of_three_is_replaced(published: HubWorld) -> None:
    before = key_ids(published, "root")
    one = min(before)
    published("keys", "rotate", "root", "--only", one[:12])
    assert before - key_ids(published, "root") == {one}
    assert published.client().look(*FILES) == FILES


def test_thresholds_change_with_a_rotation(published: HubWorld) -> None:
    published("keys", "rotate", "root", "--keys", "5", "--threshold", "3")
    listed = published("keys", "list", "--json").json["root"]
    assert (len(listed["keys"]), listed["threshold"]) == (5, 3)
    published("keys", "rotate", "lists", "--keys", "2", "--threshold", "2")
    published.publish(NEXT)
    assert published.client().look(*NEXT) == NEXT


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--only", "zz"), "not the beginning of one key id of lists"),
        (("--keys", "0"), "threshold must be at least 1"),
        (("--keys", "2", "--threshold", "3"), "at most the number of keys"),
    ],
)
def test_what_cannot_be_rotated(published: HubWorld, words: tuple[str, ...], message: str) -> None:
    before = published.files()
    with pytest.raises(UsageError, match=message):
        published("keys", "rotate", "lists", *words)
    assert published.files() == before


def a_key_made_elsewhere(world: HubWorld, key: Ed25519PrivateKey) -> Path:
    path = world.folder / "made.pem"
    KeyFiles(Passphrases([world.words], ask=None), FAST).save(path, key, offline=False, when=0.0)
    return path


def test_a_key_made_elsewhere_is_taken(published: HubWorld) -> None:
    key = Ed25519PrivateKey.generate()
    published("rotate", "lists", "--key", a_key_made_elsewhere(published, key))
    with closing(published.open()) as hub:
        (taken,), _ = hub.repository.load().keys["lists"]
    assert taken.keyval["public"] == key.public_key().public_bytes_raw().hex()
    assert published.client().look(*FILES) == FILES


@pytest.mark.parametrize("other", ["commands", "root", "snapshot"])
def test_a_key_that_serves_another_role_is_refused(published: HubWorld, other: str) -> None:
    before = published.files()
    with pytest.raises(RefusedError, match=f"serves {other} and lists"):
        published("rotate", "lists", "--key", published.key_files(other)[0])
    assert published.files() == before
    assert len(published.key_files("lists")) == 1


def test_the_same_key_again_is_no_rotation(published: HubWorld) -> None:
    with pytest.raises(RefusedError, match="serves lists and lists"):
        published("rotate", "lists", "--key", published.key_files("lists")[0])


def test_metadata_with_one_key_in_two_roles_is_refused(published: HubWorld) -> None:
    """As by somebody who holds the offline keys and makes life easy for himself."""
    with closing(published.open()) as hub:
        repository = hub.repository
        state = repository.load()
        (key,), _ = state.keys["lists"]
        root = state.root.signed
        root.add_key(key, "timestamp")
        root.version += 1
        signers = repository.signers(repository.load(), ["root"])["root"]
        for signer in signers:
            state.root.sign(signer, append=True)
        state.root.signatures = {
            one.public_key.keyid: one.sign(state.root.signed_bytes) for one in signers
        }
        (published.public / "metadata/2.root.json").write_bytes(encode(state.root))
    with pytest.raises(RefusedError, match="each role needs keys of its own"):
        published("refresh")


def test_what_was_retired_is_named_for_destruction(published: HubWorld) -> None:
    (old,) = published.key_files("lists")
    assert f"destroy the old key file: {old}" in published("rotate", "lists").out


def test_rotation_of_root_leaves_new_signatures_of_old_and_new_keys(published: HubWorld) -> None:
    old = key_ids(published, "root")
    published("rotate", "root")
    new = key_ids(published, "root")
    signed = set(Metadata.from_bytes(published.root(2)).signatures)
    assert len(signed & old) == 2
    assert len(signed & new) == 2


def test_roles_have_no_more_keys_than_a_person_can_count() -> None:
    with pytest.raises(UsageError, match="at most 16"):
        RoleKeys(17, 1)


@pytest.mark.parametrize("role", ["root", "policy", "targets", "timestamp", "lists", "acks"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_new_key_has_the_passphrase_of_the_one_it_replaces(
    world: HubWorld, role: str, *, turned: bool
) -> None:
    """In whatever order passphrases are given."""
    order = [world.words, world.offline_words][:: -1 if turned else 1]
    given = [word for path in order for word in ("--passphrase-file", str(path))]
    said = world("rotate", role, *given, passphrases=False)
    assert "note" not in said.err
    offline = role in OFFLINE
    by_hub, by_safe = opens(world, role, world.words), opens(world, role, world.offline_words)
    assert (set(by_hub), set(by_safe)) == ({not offline}, {offline})


@pytest.mark.parametrize("role", ["timestamp", "lists"])
def test_a_lost_online_key_gets_the_passphrase_of_the_other_online_keys(
    world: HubWorld, role: str
) -> None:
    world.key_files(role)[0].unlink()
    order = (world.offline_words, world.words)
    given = [word for path in order for word in ("--passphrase-file", str(path))]
    world("rotate", role, "--lost", *given, passphrases=False)
    world("refresh", role, "--passphrase-file", str(world.words), passphrases=False)


def test_a_lost_offline_key_gets_the_passphrase_that_is_said(world: HubWorld) -> None:
    world.key_files("targets")[0].unlink()
    before = world.files()
    with pytest.raises(UsageError, match="--offline-passphrase-file"):
        world("rotate", "targets", "--lost")
    assert world.files() == before
    world("rotate", "targets", "--lost", *own(world))
    assert opens(world, "targets", world.offline_words) == [True]


def test_two_people_keep_their_own_passphrases(world: HubWorld) -> None:
    """Of the two keys of the policy, each under another."""
    people = [secret(world.folder / name, f"the words of {name}") for name in ("eva", "ada")]
    given = [word for path in people for word in ("--passphrase-file", str(path))]
    for keyid, words in zip(sorted(key_ids(world, "policy")), people, strict=True):
        option = ("--offline-passphrase-file", str(words))
        world("rotate", "policy", "--only", keyid[:12], *option, *given)
    world("rotate", "policy", *given)
    for words in people:
        assert sorted(opens(world, "policy", words)) == [False, True]


def test_one_passphrase_for_offline_and_online_keys_is_noted(world: HubWorld) -> None:
    option = ("--offline-passphrase-file", str(world.words))
    assert "note: offline keys have the passphrase" in world("rotate", "root", *option).err
    assert "note" not in world("rotate", "root", *own(world)).err


@pytest.mark.parametrize("words", [("rotate", "root"), ("rotate", "targets"), ("refresh", "root")])
def test_a_new_fingerprint_of_the_trust_root_is_told(
    world: HubWorld, words: tuple[str, ...]
) -> None:
    out = world(*words).out
    digest = hashlib.sha256(world.root(2)).hexdigest()
    assert all(line in out for line in grouped(digest))
    assert world(*words, "--json").json["root_sha256"] == hashlib.sha256(world.root(3)).hexdigest()
    assert "fingerprint of" not in world("rotate", "lists").out


def test_a_retired_key_that_is_lost_is_not_to_be_destroyed_here(world: HubWorld) -> None:
    lost = world.key_files("root")[0]
    lost.unlink()
    said = world("rotate", "root").out
    assert f"retired, and not here: {lost.name}" in said
    assert f"destroy the old key file: {lost.name}" not in said
