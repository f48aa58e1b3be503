from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.messages.provisioning import (
    ProvisioningFile,
    ProvisioningRequest,
    UnlockRelease,
    UnlockRequest,
    authenticated,
)
from tests.support.hubs import DAY_S, Camera, HubWorld


def a_camera(world: HubWorld, name: str = "CAM-7", **options: str) -> Camera:
    """Provisioned, and not registered yet."""
    return Camera(world.folder / f"{name}.keys", world.token(name, **options))


def signed(request: ProvisioningRequest, token: bytes, **changes: object) -> str:
    """A request with changes, and the mac that fits them."""
    changed = request.model_copy(update=changes)
    mac = hmac.new(token, authenticated(changed), hashlib.sha256).hexdigest()
    return changed.model_copy(update={"mac": mac}).model_dump_json()


@pytest.mark.parametrize("unlock", ["device", "operator", "hub"])
def test_a_device_comes_in(world: HubWorld, unlock: str) -> None:
    camera = a_camera(world, unlock=unlock)
    said = world("devices", "add", camera.write(world.folder / "r"), "--json").json
    assert said["device"]["name"] == "CAM-7"
    assert said["device"]["key_id"] == camera.identity.key_id
    assert said["device"]["unlock"] == unlock


def test_the_provisioning_file_holds_what_the_device_needs(world: HubWorld) -> None:
    world("rotate", "root")
    file = world.token("CAM-7", unlock="operator", words=("--hours", "2"))
    assert file.agency == "example-pd"
    assert file.url == "https://x.example"
    assert file.root == world.root(2)
    assert file.unlock == "operator"
    assert file.token_not_after == world.now + 7200
    assert (world.folder / "CAM-7.json").stat().st_mode & 0o777 == 0o600


def test_the_fingerprint_to_type_is_that_of_the_root_in_the_file(world: HubWorld) -> None:
    said = world("devices", "token", "CAM-7", "--out", world.folder / "f", "--json").json
    file = ProvisioningFile.model_validate_json((world.folder / "f").read_bytes())
    assert said["root_sha256"] == hashlib.sha256(file.root).hexdigest()


def test_the_token_is_nowhere_in_the_files_of_the_hub(world: HubWorld) -> None:
    token = world.token("CAM-7").token
    data = b"".join(path.read_bytes() for path in world.state_dir.rglob("*") if path.is_file())
    for form in (token, token.hex().encode(), base64.b64encode(token)):
        assert form not in data


def test_a_token_is_good_once(world: HubWorld) -> None:
    camera = a_camera(world)
    path = camera.write(world.folder / "r")
    world("devices", "add", path)
    assert "registered already" in world("devices", "add", path).err
    other = Camera(world.folder / "others", camera.file)
    with pytest.raises(RefusedError, match="used already"):
        world("devices", "add", other.write(world.folder / "r2"))
    world("devices", "remove", "CAM-7")
    with pytest.raises(RefusedError, match="no token was given out"):
        world("devices", "add", path)


def test_a_token_is_over_at_its_time(world: HubWorld) -> None:
    camera = a_camera(world)
    world.clock.advance(DAY_S)
    with pytest.raises(RefusedError, match="token is over"):
        world("devices", "add", camera.write(world.folder / "r"))
    world.clock.advance(-1)
    world("devices", "add", camera.write(world.folder / "r"))


def test_a_new_token_makes_the_old_one_void(world: HubWorld) -> None:
    camera = a_camera(world)
    world.token("CAM-7")
    with pytest.raises(RefusedError, match="not made with the token"):
        world("devices", "add", camera.write(world.folder / "r"))


def test_a_registered_device_gets_no_token(world: HubWorld) -> None:
    world.camera("CAM-7")
    with pytest.raises(UsageError, match="first `bodycam-hub devices remove CAM-7`"):
        world.token("CAM-7")


@pytest.mark.parametrize("field", ["seal_key", "sign_key"])
def test_a_changed_request_is_refused(world: HubWorld, field: str) -> None:
    """A thief of the card puts his own key into the answer."""
    camera = a_camera(world)
    path = camera.write(world.folder / "r", **{field: base64.b64encode(b"k" * 32).decode()})
    with pytest.raises(RefusedError, match="or was changed"):
        world("devices", "add", path)
    world("devices", "add", camera.write(path))


def test_a_request_for_another_device_is_refused(world: HubWorld) -> None:
    camera = a_camera(world)
    world.token("CAM-8")
    with pytest.raises(RefusedError, match="CAM-8: the request was not made with the token"):
        world("devices", "add", camera.write(world.folder / "r", device="CAM-8"))


def test_a_device_that_nobody_expects_is_refused(world: HubWorld) -> None:
    camera = a_camera(world)
    with pytest.raises(RefusedError, match="no token was given out"):
        world("devices", "add", camera.write(world.folder / "r", device="CAM-9"))


def test_a_request_for_another_agency_is_refused(world: HubWorld) -> None:
    camera = a_camera(world)
    with pytest.raises(DataError, match="for agency other-pd, this is example-pd"):
        world("devices", "add", camera.write(world.folder / "r", agency="other-pd"))


def test_the_hub_says_how_a_store_is_unlocked_and_not_the_device(world: HubWorld) -> None:
    file = world.token("CAM-7", unlock="hub")
    request = Camera(world.folder / "keys", file).requests[0]
    path = world.folder / "r"
    path.write_text(signed(request, file.token, unlock="device", store_key=None))
    with pytest.raises(RefusedError, match="asks for unlock device, was told hub"):
        world("devices", "add", path)


def test_a_hub_that_could_not_open_the_store_later_says_so_at_once(world: HubWorld) -> None:
    file = world.token("CAM-7", unlock="hub")
    request = Camera(world.folder / "keys", file).requests[0]
    path = world.folder / "r"
    for store_key in (None, b"sealed to nobody, but long enough to be read as something sealed"):
        path.write_text(signed(request, file.token, store_key=store_key))
        with pytest.raises(DataError):
            world("devices", "add", path)


@pytest.mark.parametrize("content", ["", "{}", '{"agency": 1}', "\x00" * 100])
def test_a_file_that_is_no_request(world: HubWorld, content: str) -> None:
    path = world.folder / "r"
    path.write_text(content)
    with pytest.raises(DataError, match="r: no provisioning request: ") as error:
        world("devices", "add", path)
    assert "\n" not in str(error.value)


def test_registering_needs_the_release_key(world: HubWorld) -> None:
    camera = a_camera(world)
    (key,) = world.key_files("release")
    key.chmod(0o644)
    with pytest.raises(RefusedError, match="chmod 600"):
        world("devices", "add", camera.write(world.folder / "r"))
    key.unlink()
    with pytest.raises(MissingFileError, match=key.name):
        world("devices", "add", camera.write(world.folder / "r"))


def test_the_hub_unlocks_a_store(world: HubWorld) -> None:
    camera = world.camera("CAM-7")
    assert camera.keystore.locked
    release = ask(world, camera)
    camera.keystore.unlock_with_release(release)
    assert not camera.keystore.locked
    assert world("devices", "show", "CAM-7", "--json").json["releases"] == 1


def test_a_release_is_for_one_request_only(world: HubWorld) -> None:
    camera = world.camera("CAM-7")
    release = ask(world, camera)
    camera.keystore.unlock_request(now=world.clock.wall())  # power lost, asked again
    with pytest.raises(RefusedError, match="answers another request"):
        camera.keystore.unlock_with_release(release)


def test_a_removed_device_is_not_unlocked(world: HubWorld) -> None:
    camera = world.camera("CAM-7")
    world("devices", "remove", "CAM-7")
    with pytest.raises(UsageError, match="no such device"):
        ask(world, camera)


def test_a_store_that_the_hub_does_not_hold_is_not_unlocked(world: HubWorld) -> None:
    world.camera("CAM-7", unlock="operator")
    camera = world.camera("CAM-8")
    request = camera.keystore.unlock_request(now=world.clock.wall())
    path = world.folder / "u"
    path.write_text(request.model_copy(update={"device": "CAM-7"}).model_dump_json())
    with pytest.raises(RefusedError, match="unlocked by operator, not here"):
        world("devices", "release", "CAM-7", "--request", path, "--out", world.folder / "o")


@pytest.mark.parametrize("age", [-2 * DAY_S, 2 * DAY_S])
def test_a_request_of_another_day_is_not_answered(world: HubWorld, age: float) -> None:
    camera = world.camera("CAM-7")
    with pytest.raises(RefusedError, match="not of today"):
        ask(world, camera, age=age)


def test_the_wrong_request_file_is_noticed(world: HubWorld) -> None:
    camera = world.camera("CAM-7")
    world.camera("CAM-8")
    with pytest.raises(UsageError, match="is from CAM-7, not from CAM-8"):
        ask(world, camera, name="CAM-8")


def ask(world: HubWorld, camera: Camera, *, age: float = 0.0, name: str = "CAM-7") -> UnlockRelease:
    request: UnlockRequest = camera.keystore.unlock_request(now=world.clock.wall())
    request = request.model_copy(update={"created": world.now - age})
    asked, answered = world.folder / "unlock.json", world.folder / "release.json"
    Path(asked).write_text(request.model_dump_json())
    world("devices", "release", name, "--request", asked, "--out", answered)
    return UnlockRelease.model_validate_json(answered.read_bytes())


def test_tokens_that_were_not_answered_yet_are_listed(world: HubWorld) -> None:
    world.camera("CAM-1")
    token = world.token("CAM-9", unlock="operator")
    (row,) = world("devices", "tokens", "--json").json
    assert (row["device"], row["unlock"]) == ("CAM-9", "operator")
    assert "CAM-9: not registered yet; its token is good until" in world("devices", "list").err
    with pytest.raises(UsageError, match="CAM-9: was given a token and is not registered yet"):
        world("devices", "show", "CAM-9")
    world.clock.advance(2 * DAY_S)
    assert "its token is over since" in world("devices", "list").err
    assert token.token.hex() not in world("devices", "tokens").out


def test_a_token_is_not_given_out_into_a_folder_that_is_not_there(world: HubWorld) -> None:
    with pytest.raises(MissingFileError, match="there is no folder"):
        world("devices", "token", "CAM-9", "--out", world.folder / "nope" / "CAM-9.json")
    assert not (world.folder / "nope").exists()
    assert world("devices", "tokens", "--json").json == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no provisioning request: not JSON, or cut off"),
        ("{}", "agency: is missing"),
        ('{"agency": "no spaces"}', "agency: letters, digits"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_plain_words(
    world: HubWorld, content: str, says: str
) -> None:
    path = world.folder / "r"
    path.write_text(content)
    with pytest.raises(DataError, match=says):
        world("devices", "add", path)


def test_the_name_of_a_camera_is_explained(world: HubWorld) -> None:
    with pytest.raises(UsageError, match="device: letters, digits"):
        world.token("no spaces")


def test_a_camera_that_reads_every_list_says_so(world: HubWorld) -> None:
    world.camera("CAM-1")
    world.camera("CAM-2", lists=("L-1",))
    rows = world("devices", "list", "--json").json
    assert [(row["every_list"], row["lists"]) for row in rows] == [(True, []), (False, ["L-1"])]
