"""An agency's hub in a folder, the devices that look at it, and what may go wrong between them."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tuf.ngclient import Updater

from agent.adapters.device_provisioning import generate
from agent.adapters.keystore import Keystore
from agent.adapters.sealing import ScryptCost
from agent.hub.cli import COMMANDS, build_parser
from agent.hub.context import HubContext, build_context
from agent.hub.files import Disk
from agent.hub.hub import Hub, open_hub
from agent.hub.verify import FolderFetcher
from agent.messages.provisioning import ProvisioningFile, ProvisioningRequest
from agent.values import Monotonic
from tests.support.clocks import FakeClock

FAST = ScryptCost(n=2, r=1, p=1)
WORDS, OFFLINE_WORDS = "the words of the hub", "the words of the safe"
DAY_S = 86_400.0


class Killed(BaseException):
    """The process died here: nothing may catch it."""


@dataclass
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class QuickDisk(Disk):
    """Does not wait for the disk: in tests the power does not fail."""

    def sync(self, handle: int) -> None:
        pass


class MortalDisk(QuickDisk):
    """Dies at the n-th write, after it or half-way through."""

    def __init__(self, lives: int, *, half: bool = False) -> None:
        self._lives = lives
        self._half = half

    def write(self, path: Path, data: bytes, *, when: float, mode: int = 0o644) -> None:
        if self._lives == 0:
            if self._half:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_name(f".{path.name}.new").write_bytes(data[: len(data) // 2])
            raise Killed
        self._lives -= 1
        super().write(path, data, when=when, mode=mode)


class HubWorld:
    """A hub whose clock stands still at the present time, because clients read the real one.

    Expected failures of commands are raised as they are: exit codes are `main`'s work.
    """

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.folder = folder
        self.state_dir = folder / "hub"
        self.clock = FakeClock(wall=float(int(time.time())))
        self.words = secret(folder / "hub.words", WORDS)
        self.offline_words = secret(folder / "offline.words", OFFLINE_WORDS)
        self.ask: Any = None
        self._capsys = capsys

    @property
    def now(self) -> float:
        return self.clock.wall_now

    @property
    def public(self) -> Path:
        return self.state_dir / "public"

    def __call__(self, *words: str | Path, passphrases: bool = True) -> Answer:
        """Run a command of the hub."""
        given = [*map(str, words), "--state-dir", str(self.state_dir)]
        if passphrases:
            files = (self.words, self.offline_words)
            given += [one for path in files for one in ("--passphrase-file", str(path))]
        args = build_parser(given[0]).parse_args(given)
        context = replace(
            build_context(args, {}), clock=self.clock, cost=FAST, ask=self.ask, disk=QuickDisk()
        )
        code = importlib.import_module(COMMANDS[given[0]][0]).run(args, context)
        said = self._capsys.readouterr() if self._capsys else None
        return Answer(code, said.out if said else "", said.err if said else "")

    def init(self, *words: str) -> Answer:
        offline = ("--offline-passphrase-file", str(self.offline_words))
        return self(
            "init", "--agency", "example-pd", "--url", "https://x.example", *offline, *words
        )

    def context(self) -> HubContext:
        files = (self.words, self.offline_words)
        return HubContext(
            self.state_dir, passphrase_files=files, clock=self.clock, cost=FAST, disk=QuickDisk()
        )

    def open(self) -> Hub:
        return open_hub(self.context())

    def publish(self, files: dict[str, bytes], *, disk: Disk | None = None) -> None:
        """Publish targets of the role `lists`."""
        with closing(self.open()) as hub:
            if disk is not None:
                hub.repository.folder.disk = disk
            hub.repository.stage("lists", files)
            hub.repository.publish(self.now)

    def root(self, version: int = 1) -> bytes:
        return (self.public / f"metadata/{version}.root.json").read_bytes()

    def key_files(self, role: str) -> list[Path]:
        return sorted((self.state_dir / "keys").rglob(f"{role}-*.pem"))

    def files(self) -> dict[str, bytes]:
        """The public folder, path to bytes: what a file server serves."""
        return {
            path.relative_to(self.public).as_posix(): path.read_bytes()
            for path in sorted(self.public.rglob("*"))
            if path.is_file()
        }

    def client(self, name: str = "camera") -> Client:
        """A device that was given root version 1."""
        return Client(self.public, self.root(1), self.folder / name)

    def camera(self, name: str = "CAM-7", *, unlock: str = "hub", lists: tuple[str, ...] = ()):
        """A provisioned device: the real one's keys, registered here."""
        camera = Camera(self.folder / f"{name}.keys", self.token(name, unlock=unlock))
        path = camera.write(self.folder / f"{name}.request.json")
        words = [word for one in lists for word in ("--list", one)]
        self("devices", "add", path, *words)
        return camera

    def publish_policy(
        self,
        name: str = "uk-live-deployment",
        *words: str,
        edit: Callable[[dict[str, Any]], object] | None = None,
    ) -> Path:
        """Publish a preset; the file of its text.

        Args:
            name: of the preset.
            words: more of `policy preset`.
            edit: changes its sections in place; None: as it is.
        """
        path = self.folder / "policy.yaml"
        path.unlink(missing_ok=True)  # the text of the version before
        self("policy", "preset", name, "--out", path, *words)
        if edit is not None:
            tree = yaml.safe_load(path.read_text())
            edit(tree)
            path.write_text(yaml.safe_dump(tree, sort_keys=False))
        self("policy", "publish", path)
        return path

    def allow_remote_arm(self) -> None:
        """Publish a policy under which cameras may be armed from afar."""
        path = self.folder / "remote.yaml"
        self("policy", "preset", "strict", "--out", path)
        path.write_text(path.read_text().replace("remote_arm: false", "remote_arm: true"))
        self("policy", "publish", path)

    def token(
        self, name: str, *, unlock: str = "hub", words: tuple[str, ...] = ()
    ) -> ProvisioningFile:
        out = self.folder / f"{name}.json"
        self("devices", "token", name, "--unlock", unlock, "--out", out, *words)
        return ProvisioningFile.model_validate_json(out.read_bytes())


class Client:
    """python-tuf's own client, with the metadata that it trusts between looks."""

    def __init__(self, public: Path, root: bytes, folder: Path) -> None:
        self._public = public
        self._root = root
        self._metadata = folder / "metadata"
        self._targets = folder / "targets"
        self._metadata.mkdir(parents=True)
        self._targets.mkdir()

    def look(self, *paths: str) -> dict[str, bytes | None]:
        """Verify the newest metadata, and fetch targets; None for what is not signed for."""
        updater = Updater(
            str(self._metadata),
            "https://x.example/metadata/",
            str(self._targets),
            "https://x.example/targets/",
            fetcher=FolderFetcher(self._public),
            bootstrap=self._root,
        )
        updater.refresh()
        found: dict[str, bytes | None] = {}
        for path in paths:
            target = updater.get_targetinfo(path)
            found[path] = Path(updater.download_target(target)).read_bytes() if target else None
        return found


class Camera:
    """A device and its keys; `unlock` hub, so that it can ask for a release."""

    def __init__(self, folder: Path, file: ProvisioningFile) -> None:
        self.file = file
        self.requests: list[ProvisioningRequest] = []
        passphrase = WORDS if file.unlock == "operator" else None
        self.identity = generate(folder, file, passphrase, commit=self.requests.append, cost=FAST)
        self.keystore = Keystore(folder, lambda: Monotonic(0.0))

    def write(self, path: Path, **changes: Any) -> Path:
        """Its answer to the hub, as a file."""
        values = json.loads(self.requests[0].model_dump_json())
        path.write_text(json.dumps({**values, **changes}))
        return path


def secret(path: Path, text: str) -> Path:
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path
