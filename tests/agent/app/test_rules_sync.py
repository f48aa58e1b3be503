"""Policy and authorisations from the agency's web server to the rules of a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.device_provisioning import generate
from agent.app import Context
from agent.app.context import Models
from agent.app.following import Follower
from agent.app.rules import rules_desk
from agent.app.vault import vault_of
from agent.hub import authorisations
from agent.messages import iso_utc
from agent.policy import Rulebook
from agent.values.sync import Fault, Refused, SyncResult
from tests.support.agents import CURVE
from tests.support.file_server import FileServer, flipped
from tests.support.hubs import FAST, HubWorld
from tests.support.portraits import SPACE, PortraitDetector, PortraitEmbedder

HOUR = 3600.0


class Follows:
    """A provisioned device that looks at the server; each look is another process."""

    def __init__(self, folder: Path, server: FileServer) -> None:
        self.world = HubWorld(folder)
        self.world.init()
        self.server = server
        models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
        self.context = Context(folder / "state", None, (f"sync.url={server.url}",), models=models)
        self.context.state_dir.mkdir(mode=0o700)
        answers: list[Any] = []
        token = self.world.token("CAM-7", unlock="device")
        generate(self.context.keys_dir, token, commit=answers.append, cost=FAST)
        request = folder / "CAM-7.request.json"
        request.write_text(answers[0].model_dump_json())
        self.world("devices", "add", request)

    def policy(self, **changes: Any) -> None:
        self.world.publish_policy(edit=lambda tree: tree.update(changes))

    def authorise(self, name: str = "W-1") -> None:
        now = self.world.now
        scope = {
            "lists": ["L-1"], "devices": ["CAM-7"],
            "not_before": iso_utc(now), "not_after": iso_utc(now + 8 * HOUR),
        }  # fmt: skip
        by = {"role": "magistrate", "reference": "27/1"}
        values = {"id": name, "type": "warrant", "scope": scope, "authorised_by": by}
        with closing(self.world.open()) as hub:
            authorisations.create(hub, values, now=now)

    def look(self) -> tuple[SyncResult, Rulebook]:
        self.server.files = self.world.files()
        vault = vault_of(self.context, SPACE)
        try:
            desk = rules_desk(self.context, vault, self.context.audit())
            follower = Follower(self.context, vault, self.context.audit(), desk)
            return follower.look(lambda _: False).result, desk.book
        finally:
            vault.close()

    def book(self) -> Rulebook:
        """What another process finds."""
        vault = vault_of(self.context, SPACE)
        try:
            return rules_desk(self.context, vault, self.context.audit()).book
        finally:
            vault.close()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Follows]:
    with FileServer() as server:
        yield Follows(tmp_path, server)


def test_they_come_without_any_list_and_stay(device: Follows) -> None:
    device.policy()
    device.authorise()
    result, book = device.look()
    assert isinstance(result, Refused)
    assert result.fault is Fault.NOT_OURS  # there is no list yet
    assert (book.policy.name, book.policy.signed) == ("uk-live-deployment", True)
    assert set(book.grants) == {"W-1"}
    assert device.book() == book


def test_revoked_and_no_longer_listed(device: Follows) -> None:
    device.policy()
    device.authorise("W-1")
    device.authorise("W-2")
    device.look()
    device.world("authorise", "revoke", "W-1")
    with closing(device.world.open()) as hub:
        hub.repository.remove("authorisations", ["authorisations/a-W-2.json"])
        hub.repository.publish(device.world.now)
    _, book = device.look()
    assert (set(book.grants), book.revoked) == (set(), {"W-1"})
    assert device.book() == book


@pytest.mark.parametrize("name", ["policy.yaml", "a-W-2.json"])
def test_a_file_that_was_changed_on_the_server_changes_nothing(device: Follows, name: str) -> None:
    device.policy()
    device.authorise()
    _, before = device.look()
    device.policy(name="another")
    device.authorise("W-2")
    device.server.faults.append((f".*{name}", flipped))
    result, book = device.look()
    assert isinstance(result, Refused)
    assert result.fault is Fault.TAMPERED
    assert book == before == device.book()
    device.server.faults.clear()
    _, book = device.look()
    assert (book.policy.name, set(book.grants)) == ("another", {"W-1", "W-2"})


def test_what_did_not_change_is_not_fetched_again(device: Follows) -> None:
    device.policy()
    device.authorise()
    device.look()
    device.server.requests.clear()
    device.look()
    assert not [one for one in device.server.requests if "/targets/" in one]
