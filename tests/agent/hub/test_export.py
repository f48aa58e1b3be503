"""Exports: the same bytes every time, checked by standard tools, and no byte may change."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.adapters.sealing import key_id
from agent.errors import BodycamError, DataError, MissingFileError, UsageError
from agent.hub.verify_export import SIGNATURE, SUMS, sums_of, verify_files, verify_folder
from tests.support.casework import Casework
from tests.support.field_cameras import FieldCamera


@pytest.fixture
def work(world):
    return Casework(world, FieldCamera(world))


@pytest.fixture
def reviewed(work):
    """An alert that somebody confirmed."""
    stored = work.alert()
    work.reviewer("ann")
    with work.book() as book:
        work.decide(book, stored, "ann", "confirmed")
    return stored


def read(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def exported(world, stored, name: str = "case") -> Path:
    out = world.folder / name
    world("export", stored.id, "--out", out)
    return out


def test_an_export_verifies_and_says_whose_keys(world, work, reviewed) -> None:
    found = verify_folder(exported(world, reviewed))
    assert (found.event, found.agency, found.device) == (reviewed.id, "example-pd", "CAM-7")
    assert found.device_signer == key_id(work.camera.identity.sign_key)
    assert found.hub_signer == key_id(work.camera.identity.ack_key)
    assert [one[:2] for one in found.reviews] == [("ann", "confirmed")]
    said = world("export", "--verify", world.folder / "case").out
    assert "whole and unchanged, of camera CAM-7" in said
    assert "confirmed by ann" in said


def test_it_holds_what_arrived_and_what_was_in_it(world, reviewed) -> None:
    files = read(exported(world, reviewed))
    assert files["event.json"] == reviewed.payload
    assert json.loads(files["event.opened.json"])["data"]["subject"] == "S-1"
    assert json.loads(files["ack.json"])["ids"] == [reviewed.id]


def test_the_same_event_gives_the_same_bytes(world, reviewed) -> None:
    first = read(exported(world, reviewed, "one"))
    world.clock.advance(86_400.0)
    assert read(exported(world, reviewed, "two")) == first


def test_after_the_hubs_keys_were_renewed_it_is_still_proved(world, reviewed) -> None:
    first = read(exported(world, reviewed, "one"))
    world("keys", "rotate", "acks")
    world("devices", "remove", "CAM-7")
    second = read(exported(world, reviewed, "two"))
    assert second["hub.pub.pem"] == first["hub.pub.pem"]
    assert json.loads(second["device.json"])["removed"] is not None
    verify_files(second)


def test_every_changed_byte_is_found(world, reviewed) -> None:
    files = read(exported(world, reviewed))
    for name, data in files.items():
        for at in {0, len(data) // 2, len(data) - 2}:
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            with pytest.raises(BodycamError):
                verify_files(files | {name: changed})
    verify_files(files)  # the control


def test_a_file_more_or_less_is_found(world, reviewed) -> None:
    files = read(exported(world, reviewed))
    for name in files:
        with pytest.raises((DataError, MissingFileError)):
            verify_files({one: data for one, data in files.items() if one != name})
    with pytest.raises(DataError, match=r"more\.txt"):
        verify_files(files | {"more.txt": b""})


def test_who_signs_the_sums_anew_does_not_get_past_the_cameras_signature(world, reviewed) -> None:
    """A forger with a key of their own; the name of the key gives them away, too."""
    files = read(exported(world, reviewed))
    thief = Ed25519PrivateKey.generate()
    pem = thief.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def resigned(**changes: bytes) -> dict[str, bytes]:
        rest = {name: data for name, data in files.items() if name not in (SUMS, SIGNATURE)}
        rest |= {"hub.pub.pem": pem} | changes
        sums = sums_of(rest)
        return rest | {SUMS: sums, SIGNATURE: thief.sign(sums)}

    with pytest.raises(DataError, match=r"ack\.json: signed with another key"):
        verify_files(resigned())
    event = json.loads(files["event.json"]) | {"time": "2020-01-01T00:00:00.000Z"}
    with pytest.raises(DataError, match=r"event\.signed, event\.sig: not those of event\.json"):
        verify_files(resigned(**{"event.json": json.dumps(event).encode()}))


def test_reviews_of_another_event_cannot_be_put_in(world, work, reviewed) -> None:
    other = work.alert()
    with work.book() as book:
        book.store.database._db.execute("UPDATE review SET event = ?", (other.number,))
    with pytest.raises(DataError, match=r"review-1\.json: of another event"):
        verify_folder(exported(world, other))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
def test_the_commands_of_the_readme_work(world, reviewed) -> None:
    out = exported(world, reviewed)
    text = (out / "README.txt").read_text()
    commands = [
        line.strip() for line in text.splitlines() if line.startswith(("  sha", "  openssl"))
    ]
    assert len(commands) == 4
    for command in commands:
        subprocess.run(command.split(), cwd=out, check=True, capture_output=True)
    (out / "event.signed").write_bytes(b"x" + (out / "event.signed").read_bytes()[1:])
    for command in (commands[0], commands[2]):
        done = subprocess.run(command.split(), cwd=out, check=False, capture_output=True)
        assert done.returncode != 0


def test_the_fingerprint_in_the_readme_is_how_keys_are_named(world, work, reviewed) -> None:
    pem = (exported(world, reviewed) / "device.pub.pem").read_text()
    import base64

    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    assert hashlib.sha256(der[-32:]).hexdigest()[:32] == key_id(work.camera.identity.sign_key)


def test_usage(world, work, reviewed, tmp_path) -> None:
    exported(world, reviewed)
    with pytest.raises(UsageError, match="is there already"):
        exported(world, reviewed)
    for words in ((), (reviewed.id,), ("--out", "x"), (reviewed.id, "--verify", "x")):
        with pytest.raises(UsageError):
            world("export", *words)
    with pytest.raises(MissingFileError, match="no such folder"):
        world("export", "--verify", tmp_path / "nothing")
    with pytest.raises(MissingFileError, match="no event"):
        world("export", "01JD2Q8X4M0000000000000000", "--out", tmp_path / "x")


def test_a_gap_can_be_exported_too(world, work) -> None:
    verify_folder(exported(world, work.arrive(work.camera.gap())))


def test_without_the_acknowledging_key_nothing_is_exported(world, reviewed) -> None:
    (key,) = world.key_files("acks")
    key.unlink()
    with pytest.raises(MissingFileError, match="acks-"):
        exported(world, reviewed)
    with closing(world.open()):
        pass
