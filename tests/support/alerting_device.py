"""A provisioned device that raises alerts, with everything around it but the broker."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.device_provisioning import generate
from agent.adapters.outbox_sqlite import SqliteOutbox
from agent.adapters.sealed_store import SealedListStore
from agent.adapters.signing import KeySigner
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.app.vault import rules_of
from agent.audit.chain import read_record
from agent.policy import FIELD_TEST
from agent.values import F32
from tests.support.agency import Agency
from tests.support.agents import CURVE, MAN, STRANGER
from tests.support.hubs import FAST, HubWorld
from tests.support.lists import a_meta, columns_of
from tests.support.portraits import PortraitDetector, PortraitEmbedder, save_portrait, template
from tests.support.sealed import DAY, HOUR, nothing, publish

ENTRY, SUBJECT = f"E-{MAN}", f"S-{MAN}"


def both(camera: Path) -> None:
    """Pictures of the man beside a stranger."""
    for number in range(60):
        save_portrait(camera / f"{number:03d}.png", MAN, STRANGER)


class Device:
    """Provisioned by a real hub.

    Args:
        folder: for everything.
        broker: host and port.
        settings: of the agent.
        models: the networks; None: of portraits.
        listed: template of entry `E-<MAN>`, the only one.
        film: fills the folder that its camera shows; None: the man beside a stranger.
    """

    def __init__(
        self,
        folder: Path,
        broker: tuple[str, int],
        *settings: str,
        models: Models | None = None,
        listed: F32 | None = None,
        film: Callable[[Path], None] | None = None,
    ) -> None:
        self.models = models or Models(PortraitDetector(), PortraitEmbedder(), CURVE)
        self._listed = template(MAN) if listed is None else listed
        self.world = HubWorld(folder)
        self.world.init()
        camera = folder / "clip"
        camera.mkdir()
        (film or both)(camera)
        self.settings = (
            f"camera.source={camera}", "camera.fps=20", "camera.pace=max",
            f"mqtt.host={broker[0]}", f"mqtt.port={broker[1]}", "delivery.ack_timeout_s=1",
            "sync.url=http://127.0.0.1:1/", *settings,
        )  # fmt: skip
        self.context = self.restarted()
        self.context.state_dir.mkdir(mode=0o700)
        self.answers: list[Any] = []
        token = self.world.token("CAM-7", unlock="device")
        generate(self.context.keys_dir, token, commit=self.answers.append, cost=FAST)
        self.keystore = self.context.keystore()
        self._sync()
        self.agency = self._agency()

    def restarted(self, *settings: str) -> Context:
        folder = self.world.folder / "state"
        self.context = Context(folder, None, (*self.settings, *settings), models=self.models)
        return self.context

    @property
    def space(self) -> str:
        return self.models.embedder.identity.space

    def _sync(self) -> None:
        """What a look would leave: verified metadata, and the list in the sealed store."""
        client = self.world.client("state")
        client.look()
        client._metadata.rename(self.context.state_dir / "tuf")
        (self.context.state_dir / "targets").rmdir()
        now = self.context.clock.wall()
        metas = [a_meta(MAN, not_after=now + DAY)]
        columns = columns_of(metas, [1], self._listed[None])
        published = publish([columns], created=now - HOUR, not_after=now + DAY, space=self.space)
        store = SealedListStore(
            self.context.state_dir / "lists", self.keystore.keys, rules=rules_of(FIELD_TEST),
            space=self.space,
        )  # fmt: skip
        store.install(published.manifest, published.shards, now=now, record=nothing)
        store.close()

    def _agency(self) -> Agency:
        identity = self.keystore.identity
        with closing(self.world.open()) as hub:
            (path,) = self.world.key_files("commands")
            office = hub.ring.files.load(path)
            assert isinstance(office, Ed25519PrivateKey)
            return Agency(
                "CAM-7",
                identity.key_id,
                identity.sign_key,
                alerts=hub.ring.alerts_key(hub.alert_public),
                acks=KeySigner(hub.ring.acks_key(hub.ack_public)),
                commands=KeySigner(office),
            )

    def run(self, *, armed: bool = True) -> int:
        arm = ("patrol", "TEST-1") if armed else None
        return build_agent(self.context, RunOptions(arm=arm)).run()

    def pending(self) -> list[Any]:
        """Events that wait; checkpoints of the log are none."""
        with closing(SqliteOutbox(self.context.state_dir / "outbox.sqlite")) as outbox:
            return [entry for entry in outbox.pending(1000) if entry.priority >= 0]

    def files(self) -> dict[str, bytes]:
        root = self.context.state_dir
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    def audited(self, kind: str) -> list[dict[str, Any]]:
        records = [read_record(line) for line in self.context.audit().lines()]
        return [one["fields"] for one in records if one["kind"] == kind]
