"""Lists of the hub as tests make them, and the device that reads what was published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.adapters.sealing import decrypt
from agent.errors import DataError
from agent.messages.bundle import (
    SHARD_ABOUT,
    ListManifest,
    envelopes_target,
    manifest_target,
    shard_target,
)
from agent.values import Vectors
from agent.watchlist.bundle import assemble, open_bundle
from agent.watchlist.columns import StoredList
from agent.watchlist.shard import decode_shard
from tests.support.hubs import DAY_S, Answer, Camera, HubWorld
from tests.support.lists import units

DIM = 128
SPACE, EMBEDDER = "sface", "e" * 64
NAMES = ("entry", "subject", "basis", "purpose", "authorisation", "not_after")


@dataclass
class Roll:
    """Entries as an agency keeps them: an id, and a vector of its own; days until each ends."""

    numbers: list[int]
    days: Mapping[int, float] = field(default_factory=dict)
    fields: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @property
    def vectors(self) -> Vectors:
        return np.stack([units(1, DIM, seed=number)[0] for number in self.numbers])

    def write(self, folder: Path, now: float) -> tuple[Path, Path]:
        """A file of vectors and its metadata."""
        vectors, metadata = folder / "vectors.npy", folder / "vectors.csv"
        np.save(vectors, self.vectors)
        lines = [",".join(NAMES)]
        for number in self.numbers:
            row = {
                "entry": f"E-{number}",
                "subject": f"S-{number}",
                "basis": "consent",
                "purpose": "test",
                "authorisation": f"A-{number % 3}",
                "not_after": str(iso(now + self.days.get(number, 30.0) * DAY_S)),
            }
            row |= self.fields.get(number, {})
            lines.append(",".join(row[name] for name in NAMES))
        metadata.write_text("\n".join(lines) + "\n")
        return vectors, metadata


def iso(wall: float) -> str:
    return np.datetime64(int(wall), "s").item().isoformat() + "Z"


def publish(
    world: HubWorld, roll: Roll | None = None, *words: str | Path, how: str = "--vectors"
) -> Answer:
    """`publish wanted --json`, with or without vectors."""
    given: list[str | Path] = []
    if roll is not None:
        vectors, metadata = roll.write(world.folder, world.now)
        given = [how, vectors, "--metadata", metadata, "--space", SPACE, "--embedder", EMBEDDER]
    return world("publish", "wanted", *given, *words, "--json")


class Reader:
    """A camera that fetches a list with python-tuf's client and remembers every key it saw."""

    def __init__(self, world: HubWorld, name: str = "CAM-1") -> None:
        self.camera: Camera = world.camera(name, unlock="device")
        self._client = world.client(f"client-{name}")
        self.keys: list[bytes] = []
        self.manifest: ListManifest | None = None
        self.fetched: dict[str, bytes] = {}

    @property
    def key_id(self) -> str:
        return self.camera.identity.key_id

    def read(self, list_id: str) -> StoredList:
        """The newest version, verified as a device does.

        Raises:
            DataError: it cannot be read with this camera's keys.
        """
        paths = envelopes_target(list_id), manifest_target(list_id)
        files = self._client.look(*paths)
        envelopes, sealed = (files[path] for path in paths)
        if envelopes is None or sealed is None:
            raise DataError("not published")
        manifest = open_bundle(
            envelopes,
            sealed,
            list_id=list_id,
            key_id=self.key_id,
            unseal=self.camera.keystore.keys.unseal,
            decrypt=decrypt,
        )
        self.manifest = manifest
        self.keys += [ref.key for ref in manifest.shards]
        targets = [shard_target(ref.name) for ref in manifest.shards]
        new = [path for path in targets if path not in self.fetched]
        self.fetched |= {path: data for path, data in self._client.look(*new).items() if data}
        shards = (
            (ref, *decode_shard(decrypt(ref.key, self.fetched[path], SHARD_ABOUT)))
            for ref, path in zip(manifest.shards, targets, strict=True)
        )
        return assemble(manifest, shards)


def entries(stored: StoredList) -> set[str]:
    return {one.decode() for one in stored.columns.entry.tolist()}


def opened_by(keys: Sequence[bytes], files: Mapping[str, bytes]) -> list[str]:
    """Files that one of these keys decrypts, whatever they are bound to."""
    found = []
    for name, data in files.items():
        for key in keys:
            try:
                decrypt(key, data, SHARD_ABOUT)
            except DataError:
                continue
            found.append(name)
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
