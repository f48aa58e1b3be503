"""`bodycam-hub authorise`: who may be looked for, where, until when; and the end of it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from agent.errors import MissingFileError, RefusedError, UsageError
from agent.hub import authorisations
from agent.hub.desk import open_desk
from agent.messages import iso_utc
from agent.messages.authorisation import authorisation_target, revocation_target
from agent.messages.signed import signable, to_bytes
from tests.support.hubs import HubWorld

HOUR = 3600.0


@pytest.fixture
def office(world: HubWorld) -> HubWorld:
    """A hub with a policy, a camera and a list."""
    world.publish_policy()
    world.camera("CAM-7")
    world.camera("CAM-8")
    with open_desk(world.context()) as desk:
        desk.lists.create("wanted", now=world.now, randomness=bytes)
    return world


def created(office: HubWorld, *more: str, name: str = "W-1", kind: str = "warrant") -> Any:
    words = [
        "authorise", "create", "--id", name, "--type", kind, "--list", "wanted", "--hours", "8",
        "--role", "magistrate", "--reference", "27/118", "--json", *more,
    ]  # fmt: skip
    if "--all-devices" not in more:
        words += ["--device", "CAM-7"]
    return office(*words).json


def published(office: HubWorld, name: str) -> dict[str, Any]:
    target = authorisation_target(name)
    data = office.client(f"look-{office.now}-{name}").look(target)[target]
    assert data is not None
    tree: dict[str, Any] = json.loads(data)
    return tree


def test_what_cameras_get_is_signed_by_its_own_role(office: HubWorld) -> None:
    told = created(office, "--area", "market=51.482,-3.181;51.482,-3.176;51.479,-3.178")
    assert (told["state"], told["type"], told["told"]) == ("valid", "warrant", None)
    tree = published(office, "W-1")
    assert tree["scope"]["not_after"] == iso_utc(office.now + 8 * HOUR)
    assert tree["scope"]["areas"][0]["polygon"][0] == [51.482, -3.181]
    assert tree["scope"]["lists"][0].startswith("L-")
    with closing(office.open()) as hub:
        (key,), _ = hub.repository.load().keys["authorisations"]
    from agent.adapters.signing import verify

    public = bytes.fromhex(key.keyval["public"])
    assert verify(public, signable(tree), to_bytes(tree["signature"]))


def test_status_says_what_cameras_may_do_and_until_when(office: HubWorld) -> None:
    created(office)
    created(office, name="W-2")
    office("authorise", "revoke", "W-2", "--reason", "quashed")
    told = office("status", "--json").json
    assert told["policy"]["name"] == "uk-live-deployment"
    assert told["policy"]["not_after"] > iso_utc(office.now)
    assert told["policy"]["days_left"] > 0
    states = {one["id"]: one["state"] for one in told["authorisations"]}
    assert states == {"W-1": "valid", "W-2": "revoked"}
    out = office("status").out
    assert "policy uk-live-deployment version 1 until 20" in out
    assert "authorisation W-1" in out
    assert "W-2" not in out


def test_where_it_counts_is_said_back(office: HubWorld) -> None:
    said = office(
        "authorise", "create", "--id", "W-1", "--type", "warrant", "--list", "wanted", "--hours",
        "8", "--device", "CAM-7", "--role", "magistrate", "--reference", "1",
        "--area", "market=51.482,-3.181;51.482,-3.176;51.479,-3.178",
    ).err  # fmt: skip
    assert "area market: around 51.4805 N 3.1785 W" in said


def test_no_name_of_anybody_fits(office: HubWorld) -> None:
    for role, reference in (("Jane Doe", "27/118"), ("magistrate", "of J. Doe")):
        with pytest.raises(UsageError, match=r"^(role: --role|reference: --reference) is"):
            office(
                "authorise", "create", "--id", "W-1", "--type", "warrant", "--list", "wanted",
                "--device", "CAM-7", "--hours", "8", "--role", role, "--reference", reference,
            )  # fmt: skip


def test_everything_that_is_wrong_is_said_at_once(office: HubWorld) -> None:
    with pytest.raises(UsageError) as caught:
        office(
            "authorise", "create", "--id", "W-1", "--type", "consent-test", "--list", "wanted",
            "--device", "CAM-9", "--hours", "48", "--role", "x", "--reference", "of J. Doe",
        )  # fmt: skip
    role, reference, camera, policy = str(caught.value).splitlines()
    assert role.startswith("role: --role is an office, never a name: 2 to 40 lower case letters")
    assert "--reference is letters" in reference
    assert "no such camera: CAM-9" in camera
    assert "consent-test is not allowed" in policy


def test_the_list_says_what_waits_to_be_confirmed_and_for_whom(office: HubWorld) -> None:
    created(office, "--urgent", "--all-devices", name="EX-4", kind="exigency")
    created(office)
    office("authorise", "revoke", "OLD-1", "--reason", "quashed")
    urgent, plain, old = office("authorise", "list").out.splitlines()
    assert urgent.endswith("CAM-7, CAM-8  URGENT, NOT CONFIRMED")
    assert plain.endswith("CAM-7")
    assert (old[:5], old[-7:]) == ("OLD-1", "quashed")
    office("authorise", "confirm", "EX-4")
    assert "URGENT" not in office("authorise", "list").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--device", "CAM-9"), "no such camera: CAM-9"),
        (("--in-hours", "-1"), "at least 0"),
        (("--area", "market=1,2;x"), "write NAME=LAT,LON"),
        (("--area", "market=1,2;3,4"), "polygon: needs at least 3$"),
    ],
)
def test_what_makes_no_sense_is_refused(
    office: HubWorld, words: tuple[str, ...], says: str
) -> None:
    with pytest.raises((UsageError, RefusedError), match=says):
        created(office, *words)


def test_the_policy_is_held_to_before_it_is_signed(office: HubWorld) -> None:
    with pytest.raises(RefusedError, match="consent-test is not allowed"):
        created(office, kind="consent-test")
    with pytest.raises(RefusedError, match="longer than the 24 hours"):
        office(
            "authorise", "create", "--id", "W-1", "--type", "warrant", "--list", "wanted",
            "--device", "CAM-7", "--hours", "25", "--role", "magistrate", "--reference", "1",
        )  # fmt: skip


def test_without_a_policy_there_are_no_authorisations(world: HubWorld) -> None:
    world.camera("CAM-7")
    with open_desk(world.context()) as desk:
        desk.lists.create("wanted", now=world.now, randomness=bytes)
    with pytest.raises(RefusedError, match="no policy is published"):
        created(world)


def test_an_urgent_one_is_confirmed_once_and_in_time(office: HubWorld) -> None:
    created(office, "--urgent", "--all-devices", name="EX-4", kind="exigency")
    assert published(office, "EX-4")["scope"]["devices"] == ["CAM-7", "CAM-8"]
    told = office("authorise", "confirm", "EX-4", "--json").json
    assert (told["version"], told["confirmed"]) == (2, True)
    with pytest.raises(UsageError, match="confirmed already"):
        office("authorise", "confirm", "EX-4")
    created(office)
    with pytest.raises(UsageError, match="not urgent"):
        office("authorise", "confirm", "W-1")
    with pytest.raises(MissingFileError, match="no authorisation W-9"):
        office("authorise", "confirm", "W-9")


def test_over_is_over(office: HubWorld) -> None:
    created(office, "--urgent", name="EX-4", kind="exigency")
    office.clock.advance(8 * HOUR + 1)
    with pytest.raises(RefusedError, match="is over"):
        office("authorise", "confirm", "EX-4")
    (row,) = office("authorise", "list", "--json").json["authorisations"]
    assert row["state"] == "over"


def test_revoked_is_for_good(office: HubWorld) -> None:
    created(office)
    told = office("authorise", "revoke", "W-1", "--reason", "quashed", "--json").json
    assert (told["id"], told["events"], told["told"]) == ("W-1", 0, None)
    seen = office.client().look(authorisation_target("W-1"), revocation_target("W-1"))
    assert seen[authorisation_target("W-1")] is None
    end = json.loads(seen[revocation_target("W-1")] or b"")
    assert (end["authorisation"], end["reason"]) == ("W-1", "quashed")
    with pytest.raises(UsageError, match="of this id already"):
        created(office)
    with pytest.raises(RefusedError, match="was revoked"):
        office("authorise", "confirm", "W-1")
    again = office("authorise", "revoke", "W-1", "--json").json
    assert again["at"] == told["at"]


def test_why_it_was_revoked_is_no_free_text(office: HubWorld) -> None:
    """It is published: whoever stores the files can read it."""
    created(office)
    with pytest.raises(UsageError, match="invalid choice"):
        office("authorise", "revoke", "W-1", "--reason", "Hans Muster was found")
    assert "W-1" in [one["id"] for one in _listed(office) if one["state"] == "valid"]
    office("authorise", "revoke", "W-1")
    assert [one["reason"] for one in _listed(office)] == ["other"]


def _listed(office: HubWorld) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = office("authorise", "list", "--json").json["authorisations"]
    return found


def test_what_is_long_over_is_no_longer_listed(office: HubWorld) -> None:
    created(office)
    office("authorise", "revoke", "OLD-1")
    office.clock.advance(8 * 24 * HOUR)
    created(office, name="W-2")
    with closing(office.open()) as hub:
        register = authorisations.register_of(hub)
    assert set(register.valid) == {"W-2"}
    assert set(register.revoked) == {"OLD-1"}
