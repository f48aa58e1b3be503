"""`provision` and `wipe`, as an operator meets them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from agent.adapters.state_dir import StateLock
from agent.errors import (
    BodycamError,
    DataError,
    DiskError,
    MissingFileError,
    RefusedError,
    UnavailableError,
    UsageError,
)
from agent.messages.provisioning import ProvisioningRequest, Unlock
from tests.support.commands import Commands, Said
from tests.support.lists import SPACE
from tests.support.provisioning import PASSPHRASE, TOKEN, a_file, a_root
from tests.support.sealed import NOW, a_store, entries, nothing, publish


class Card:
    """What the operator was given: a file on a card, and a hash read out to him."""

    def __init__(self, folder: Path, unlock: Unlock = "device", **changes: object) -> None:
        self.root = a_root()
        self.sha256 = hashlib.sha256(self.root).hexdigest()
        self.path = folder / "CAM-7.json"
        self.request = folder / "CAM-7.request.json"
        message = a_file(unlock, **{"root": self.root, **changes})  # type: ignore[arg-type]
        self.path.write_text(message.model_dump_json())
        self.passphrase = folder / "passphrase"
        self.passphrase.touch(mode=0o600)
        self.passphrase.write_text(f"{PASSPHRASE}\n")


@pytest.fixture
def commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(tmp_path / "state", capsys)


def provisioned(commands: Commands, card: Card, *more: str | Path) -> Said:
    return commands("provision", card.path, "--root-sha256", card.sha256, *more)


def test_the_first_day(commands: Commands, tmp_path: Path) -> None:
    card = Card(tmp_path, "hub")
    said = provisioned(commands, card, "--json")
    assert said.json["device"] == "cam-7"
    answer = ProvisioningRequest.model_validate_json(card.request.read_text())
    assert answer.seal_key == commands.context().keystore().identity.seal_key
    assert commands.audit() == [
        ("provision", {
            "root": card.sha256, "agency": "agency", "device": "cam-7", "how": "hub",
            "uid": os.getuid(), "key": answer.sign_key.hex(),
        })
    ]  # fmt: skip
    log = commands.context().audit().verify()
    assert (log.protected, log.signer) == (0, answer.sign_key.hex())


def test_the_token_is_on_no_disk_afterwards(commands: Commands, tmp_path: Path) -> None:
    card = Card(tmp_path)
    token = json.loads(card.path.read_text())["token"]
    provisioned(commands, card)
    assert not card.path.exists()
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN not in left
    assert token.encode() not in left


def test_the_file_is_kept_when_asked_for(commands: Commands, tmp_path: Path) -> None:
    card = Card(tmp_path)
    provisioned(commands, card, "--keep-file")
    assert card.path.exists()


@pytest.mark.parametrize("between", ["", " ", ":", "-"])
def test_the_hash_may_be_typed_in_groups(commands: Commands, tmp_path: Path, between: str) -> None:
    card = Card(tmp_path)
    groups = [card.sha256[at : at + 4].upper() for at in range(0, 64, 4)]
    commands("provision", card.path, "--root-sha256", between.join(groups))
    assert commands.context().provisioned


def test_a_swapped_card_is_found_by_the_typed_hash(commands: Commands, tmp_path: Path) -> None:
    read_out = Card(tmp_path).sha256
    swapped = Card(tmp_path)
    with pytest.raises(RefusedError, match="swapped"):
        commands("provision", swapped.path, "--root-sha256", read_out)
    assert not commands.context().provisioned
    assert not swapped.request.exists()


@pytest.mark.parametrize(
    ("root", "problem"),
    [(a_root(signed=False), "not signed"), (b"{}", "no root"), (b"\x00garbage", "no root")],
)
def test_a_root_that_is_none_is_refused(
    commands: Commands, tmp_path: Path, root: bytes, problem: str
) -> None:
    card = Card(tmp_path, root=root)
    with pytest.raises(DataError, match=problem):
        commands("provision", card.path, "--root-sha256", hashlib.sha256(root).hexdigest())


def test_a_token_whose_time_is_over_is_refused(commands: Commands, tmp_path: Path) -> None:
    card = Card(tmp_path, token_not_after=commands.clock.wall_now)
    with pytest.raises(RefusedError, match="token's time was over"):
        provisioned(commands, card)
    assert card.path.exists()


def test_an_identity_is_kept_and_a_lost_answer_explained(
    commands: Commands, tmp_path: Path
) -> None:
    provisioned(commands, Card(tmp_path))
    before = commands.context().keystore().identity
    with pytest.raises(RefusedError, match=r"lost .* wipe.* then a new file"):
        provisioned(commands, Card(tmp_path))
    assert commands.context().keystore().identity == before


@pytest.mark.parametrize(
    ("content", "error"),
    [("{}", DataError), ("not json", DataError), ("x" * (1 << 20 | 1), DataError)],
)
def test_what_is_no_provisioning_file(
    commands: Commands, tmp_path: Path, content: str, error: type[BodycamError]
) -> None:
    card = Card(tmp_path)
    card.path.write_text(content)
    with pytest.raises(error) as caught:
        provisioned(commands, card)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_hash(commands: Commands, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        commands("provision", tmp_path / "none", "--root-sha256", "0" * 64)
    with pytest.raises(UsageError, match="64 hexadecimal"):
        commands("provision", Card(tmp_path).path, "--root-sha256", "12:34")


def test_an_answer_that_cannot_be_written_leaves_no_identity(
    commands: Commands, tmp_path: Path
) -> None:
    card = Card(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DiskError):
        provisioned(commands, card, "--request", tmp_path / "file" / "below")
    assert not commands.context().provisioned
    assert card.path.exists()


def test_an_operators_passphrase_comes_from_a_file_that_others_cannot_read(
    commands: Commands, tmp_path: Path
) -> None:
    card = Card(tmp_path, "operator")
    card.passphrase.chmod(0o644)
    with pytest.raises(RefusedError, match="others may read it"):
        provisioned(commands, card, "--passphrase-file", card.passphrase)
    card.passphrase.chmod(0o600)
    provisioned(commands, card, "--passphrase-file", card.passphrase)
    keystore = commands.context().keystore()
    keystore.unlock_with_passphrase(PASSPHRASE)
    assert not keystore.locked


def test_while_an_agent_runs_neither_is_done(commands: Commands, tmp_path: Path) -> None:
    commands.state_dir.mkdir(mode=0o700)
    lock = StateLock(commands.state_dir)
    lock.acquire()
    with pytest.raises(UnavailableError, match="already runs"):
        provisioned(commands, Card(tmp_path))
    with pytest.raises(UnavailableError, match="already runs"):
        commands("wipe", "--yes")
    lock.release()


@pytest.mark.parametrize("action", [("enrol", "x.jpg", "--subject", "S"), ("remove", "E-1")])
def test_the_local_list_of_a_provisioned_device_is_not_changed(
    commands: Commands, tmp_path: Path, action: tuple[str, ...]
) -> None:
    provisioned(commands, Card(tmp_path))
    grounds = ("--basis", "consent", "--purpose", "test", "--authorisation", "T-1")
    more = (*grounds, "--not-after", "2030-01-01") if action[0] == "enrol" else ()
    with pytest.raises(RefusedError, match="its agency's list and no other"):
        commands("watchlist", *action, *more)


# --- wipe


def with_a_list(commands: Commands, space: str = SPACE) -> None:
    keystore = commands.context().keystore()
    store = a_store(commands.state_dir, keystore.keys, space=space)
    published = publish([entries(1, 3)], space=space)
    store.install(published.manifest, published.shards, now=NOW, record=nothing)
    store.close()


def test_a_wipe_leaves_the_audit_log_and_nothing_else(commands: Commands, tmp_path: Path) -> None:
    provisioned(commands, Card(tmp_path))
    with_a_list(commands)
    (commands.state_dir / "outbox.sqlite").write_bytes(b"an alert")
    said = commands("wipe", "--yes", "--reason", "end of the trial", "--json")
    assert any(line.startswith("keys/private") for line in said.json["destroyed"])
    assert any("1 shards of the list" in line for line in said.json["checks"])
    left = {path.name for path in commands.state_dir.iterdir()}
    assert left == {"audit", "agent.lock"}
    assert commands.audit()[-1][0] == "wipe"
    assert commands.audit()[-1][1]["reason"] == "end of the trial"
    assert commands.context().audit().verify().intact


def test_a_wipe_destroys_the_keys_before_the_data(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its battery is pulled half-way: what is left does not open."""
    provisioned(commands, Card(tmp_path))
    with_a_list(commands)
    monkeypatch.setattr("agent.app.wipe._destroy_rest", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        commands("wipe", "--yes")
    assert list((commands.state_dir / "lists").glob("*.shard"))
    assert not commands.context().provisioned
    assert not list(commands.state_dir.rglob("store.key"))


def test_after_a_wipe_the_device_can_begin_anew(commands: Commands, tmp_path: Path) -> None:
    provisioned(commands, Card(tmp_path))
    commands("wipe", "--yes", "--all")
    provisioned(commands, Card(tmp_path))
    assert [kind for kind, _ in commands.audit()] == ["provision"]


def test_a_damaged_audit_log_does_not_keep_anybody_from_wiping(
    commands: Commands, tmp_path: Path
) -> None:
    provisioned(commands, Card(tmp_path))
    (commands.state_dir / "audit" / "audit.jsonl").write_text("{}\n")
    said = commands("wipe", "--yes", "--json")
    assert any("no record" in line for line in said.json["checks"])
    assert not commands.context().provisioned


def test_a_wipe_asks_first(commands: Commands, tmp_path: Path) -> None:
    provisioned(commands, Card(tmp_path))
    with pytest.raises(UsageError, match="give --yes"):
        commands("wipe")
    assert commands.context().provisioned
    with pytest.raises(MissingFileError, match="nothing to wipe"):
        Commands(tmp_path / "elsewhere", commands._capsys)("wipe", "--yes")


def test_list_and_show_look_into_the_agencys_list(commands: Commands, tmp_path: Path) -> None:
    provisioned(commands, Card(tmp_path))
    commands.clock.wall_now = NOW
    with_a_list(commands, space=commands.models.embedder.identity.space)
    said = commands("watchlist", "list", "--json").json
    assert said["list"] == {"id": "L-1", "version": 1}
    assert [one["entry"] for one in said["entries"]] == ["E-1", "E-2", "E-3"]
    assert commands("watchlist", "show", "E-2", "--json").json["subject"] == "S-2"


def test_a_locked_list_is_not_shown(commands: Commands, tmp_path: Path) -> None:
    provisioned(commands, Card(tmp_path, "hub"))
    with pytest.raises(RefusedError, match="locked"):
        commands("watchlist", "list")


def test_a_file_with_another_way_to_unlock_than_configured_is_refused(
    commands: Commands, tmp_path: Path
) -> None:
    card = Card(tmp_path, "device")
    with pytest.raises(RefusedError, match=r"store.unlock is 'hub' .* the file says 'device'"):
        provisioned(commands, card, "--set", "store.unlock=hub")
    assert card.path.exists()
