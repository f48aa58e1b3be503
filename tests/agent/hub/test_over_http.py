"""What the hub publishes, as the agent itself fetches it from a web server."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from agent.adapters.clock import SystemClock
from agent.adapters.http_fetch import HttpFetcher, HttpSettings
from agent.adapters.tuf_client import LookError, Repository
from agent.values.sync import Fault, Refused
from tests.support.file_server import FileServer, flipped
from tests.support.hubs import DAY_S, HubWorld

SHARD = f"lists/{'ab' * 32}.shard"
FILES = {"lists/L-1.envelopes": b"{}", "lists/L-1.manifest": b"manifest", SHARD: b"shard"}


class Agent:
    """Looks at the server with its own state between looks."""

    def __init__(self, world: HubWorld, server: FileServer, folder: Path) -> None:
        self._world = world
        self._server = server
        self._folder = folder
        self._root = world.root(1)

    def look(self) -> dict[str, dict[str, bytes]]:
        """Lists and their files."""
        self._server.files = self._world.files()
        settings = HttpSettings(self._server.url, timeout_s=5.0)
        with closing(HttpFetcher(settings, clock=SystemClock(), wait=lambda _: False)) as fetcher:
            repository = Repository(
                self._server.url,
                fetcher,
                root=self._root,
                metadata=self._folder / "tuf",
                incoming=self._folder / "incoming",
            )
            repository.refresh()
            return {
                name: {
                    path: repository.fetch(repository.require(path)).read_bytes()
                    for path in (f"lists/{name}.envelopes", f"lists/{name}.manifest", SHARD)
                }
                for name in repository.lists()
            }


@pytest.fixture
def server():
    with FileServer() as running:
        yield running


@pytest.fixture
def agent(world: HubWorld, server: FileServer, tmp_path: Path) -> Agent:
    return Agent(world, server, tmp_path / "agent")


def test_an_empty_hub_has_no_lists(agent: Agent) -> None:
    assert agent.look() == {}


def test_the_agent_fetches_what_was_published(world: HubWorld, agent: Agent) -> None:
    world.publish(FILES)
    assert agent.look() == {"L-1": FILES}


def test_the_agent_follows_the_rotation_of_every_key_it_relies_on(
    world: HubWorld, agent: Agent
) -> None:
    world.publish(FILES)
    agent.look()
    for role in ("timestamp", "snapshot", "targets", "lists", "root"):
        world("rotate", role)
        world.publish(FILES | {"lists/L-1.manifest": role.encode()})
        assert agent.look()["L-1"]["lists/L-1.manifest"] == role.encode()


def test_the_agent_refuses_what_the_hub_forgot_to_sign_again(world: HubWorld, agent: Agent) -> None:
    world.clock.wall_now -= 3 * DAY_S
    world.publish(FILES)
    with pytest.raises(LookError) as error:
        agent.look()
    assert isinstance(error.value.result, Refused)
    assert error.value.result.fault is Fault.FROZEN
    world.clock.wall_now += 3 * DAY_S
    world("refresh")
    assert agent.look() == {"L-1": FILES}


def test_the_agent_refuses_a_changed_shard(
    world: HubWorld, agent: Agent, server: FileServer
) -> None:
    world.publish(FILES)
    server.faults.append((r"\.shard$", flipped))
    with pytest.raises(LookError, match="not the file that was signed for"):
        agent.look()
    server.faults.clear()
    assert agent.look() == {"L-1": FILES}


def test_what_the_server_sees_names_no_device(world: HubWorld) -> None:
    world.camera("CAM-7")
    world.publish({"lists/L-1.envelopes": json.dumps({"list": "L-1"}).encode()})
    seen = b"".join(path.encode() + data for path, data in world.files().items())
    assert b"CAM-7" not in seen
    assert b"example-pd" not in seen
    assert b"L-1" in seen
