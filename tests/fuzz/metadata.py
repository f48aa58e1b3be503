"""TUF metadata as the device meets it: raw, and signed again by whoever stole the keys."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

from securesystemslib.formats import encode_canonical
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface

from agent.adapters.http_fetch import HttpFetcher
from agent.adapters.tuf_client import Repository
from agent.errors import BodycamError
from tests.fuzz.mutate import joined, parted, scramble, twist
from tests.fuzz.watch import Subject
from tests.support.clocks import FakeClock
from tests.support.list_world import DAY, LIST, World
from tests.support.lists import some_columns

_ROLES = ("timestamp", "snapshot", "targets", "lists", "root")
_LIFE_S = 3_650 * DAY
_URL = "https://lists.example"


class FilesFetcher(FetcherInterface):
    """Serves files from memory."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.last_url = ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last_url = url
        name = url.removeprefix(f"{_URL}/")
        if name not in self.files:
            raise DownloadHTTPError("not found", 404)
        return iter([self.files[name]])


def metadata_subject() -> Subject:
    """One input holds the trusted root, then the newest file of each of `_ROLES`: with them it is
    whole, so that it can be tried again by another process."""
    world = World(FakeClock(wall=time.time()), {})
    world.lives = dict.fromkeys(world.lives, _LIFE_S)
    world.publish_root()
    world.publish([some_columns(3)], [bytes([9]) * 32])
    world.commit(hashes=False)
    names = [world.served(f"{role}.json") for role in _ROLES]
    seed = joined(world.root, *(world.files[name] for name in names))

    def mutate(rng: Random, data: bytes) -> bytes:
        parts = _parts(data)
        at = rng.randrange(len(_ROLES)) + 1
        if rng.random() < 0.01:
            parts[0] = twist(rng, parts[0])
        if rng.random() < 0.3:
            parts[at] = rng.choice((scramble, twist))(rng, parts[at])
        else:
            parts[at] = _signed_again(rng, parts[at], world, _ROLES[at - 1])
        return joined(*parts)

    def run(data: bytes) -> None:
        root, *files = _parts(data)
        look(root, dict(zip(names, files, strict=True)))

    return Subject("TUF metadata", (seed,), mutate, run, (BodycamError,), turns=6)


def _parts(data: bytes) -> list[bytes]:
    count = len(_ROLES) + 1
    return [*parted(data), *[b""] * count][:count]


def look(root: bytes, files: dict[str, bytes]) -> None:
    """What a device does at every sync, up to the targets."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        fetcher = cast("HttpFetcher", FilesFetcher(files))
        repository = Repository(
            _URL, fetcher, root=root, metadata=folder / "tuf", incoming=folder / "incoming"
        )
        repository.refresh()
        for name in (*repository.lists(), LIST):
            repository.find(f"lists/{name}.manifest")
    finally:
        shutil.rmtree(folder)


def _signed_again(rng: Random, data: bytes, world: World, role: str) -> bytes:
    """The metadata with a change that its own key has signed."""
    try:
        signed: Any = json.loads(twist(rng, json.dumps(json.loads(data)["signed"]).encode()))
        payload = encode_canonical(signed).encode("utf-8")
        signature = world.signers[role].sign(payload)
    except Exception:  # noqa: BLE001 - what has no canonical form cannot be signed
        return scramble(rng, data)
    signatures = [{"keyid": signature.keyid, "sig": signature.signature}]
    return json.dumps({"signatures": signatures, "signed": signed}).encode("utf-8", "replace")
