from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent.adapters.sealing import ScryptCost, passphrase_key
from agent.errors import DataError, MissingFileError, RefusedError
from agent.hub.files import Disk
from agent.hub.keyfiles import KeyFiles
from agent.hub.passphrases import Passphrases
from tests.support.hubs import FAST, WORDS, secret

KEY = Ed25519PrivateKey.generate()


def typing(*answers: str) -> Callable[[str], str]:
    """A person who types these, in turn."""
    rest = iter(answers)
    return lambda question: next(rest)


@pytest.fixture
def files(tmp_path: Path) -> KeyFiles:
    return KeyFiles(Passphrases([secret(tmp_path / "words", WORDS)], ask=None), FAST)


@pytest.fixture
def path(files: KeyFiles, tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "lists-1.pem"
    files.save(path, KEY, offline=False, when=0.0)
    return path


def test_a_key_comes_back(files: KeyFiles, path: Path) -> None:
    assert files.load(path).private_bytes_raw() == KEY.private_bytes_raw()


def test_only_its_owner_may_read_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_key_is_not_in_the_file(path: Path) -> None:
    assert KEY.private_bytes_raw() not in path.read_bytes()
    assert b"ENCRYPTED PRIVATE KEY" in path.read_bytes()


def test_guessing_costs_scrypt_by_default() -> None:
    cost = KeyFiles(Passphrases(ask=None)).cost
    assert 128 * cost.n * cost.r >= 32 << 20


def test_the_pkcs8_password_is_scrypt_of_the_passphrase(path: Path) -> None:
    head, _, block = path.read_bytes().partition(b"\n")
    with pytest.raises(ValueError, match=r"(?i)decrypt|password"):
        load_pem_private_key(block, WORDS.encode())
    found = re.fullmatch(
        rb"bodycam-hub key: scrypt n=2 r=1 p=1 salt=([0-9a-f]{32}) check=[0-9a-f]{8}", head
    )
    assert found is not None
    password = passphrase_key(WORDS, bytes.fromhex(found[1].decode()), FAST).hex().encode()
    opened = load_pem_private_key(block, password)
    assert isinstance(opened, Ed25519PrivateKey)
    assert opened.private_bytes_raw() == KEY.private_bytes_raw()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_use_is_refused(files: KeyFiles, path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(RefusedError, match=f"others may read it.*chmod 600 {path}"):
        files.load(path)


class FatStick(Disk):
    """Knows no permissions: every file is readable by everybody."""

    def write(self, path: Path, data: bytes, *, when: float, mode: int = 0o644) -> None:
        super().write(path, data, when=when, mode=mode)
        path.chmod(0o755)


def test_on_a_stick_without_permissions_no_key_is_left(tmp_path: Path) -> None:
    words = Passphrases([secret(tmp_path / "words", WORDS)], ask=None)
    with pytest.raises(RefusedError, match="umask=077"):
        KeyFiles(words, FAST, FatStick()).save(tmp_path / "k.pem", KEY, offline=True, when=0.0)
    assert not (tmp_path / "k.pem").exists()


def test_the_wrong_passphrase_from_a_file(path: Path, tmp_path: Path) -> None:
    wrong = Passphrases([secret(tmp_path / "wrong", "not the words")], ask=None)
    with pytest.raises(RefusedError, match="none of the passphrases given opens it"):
        KeyFiles(wrong).load(path)


def test_a_wrong_passphrase_is_never_taken_for_damage(path: Path, tmp_path: Path) -> None:
    """For one in 256 the padding of the block comes out right."""
    for number in range(1500):
        wrong = Passphrases([secret(tmp_path / "wrong", f"not the words {number}")], ask=None)
        with pytest.raises(RefusedError):
            KeyFiles(wrong).load(path)


def test_a_file_from_before_the_check_opens(files: KeyFiles, path: Path) -> None:
    head, _, block = path.read_bytes().partition(b"\n")
    path.write_bytes(head.partition(b" check=")[0] + b"\n" + block)
    assert files.load(path).private_bytes_raw() == KEY.private_bytes_raw()


def test_the_right_passphrase_of_a_damaged_block_is_not_called_wrong(
    files: KeyFiles, path: Path
) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[-3] = lines[-3][::-1]  # the last of the block
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DataError, match="damaged"):
        files.load(path)


def test_a_person_may_mistype_twice(path: Path) -> None:
    person = Passphrases(ask=typing("wrong one", "wrong two", WORDS))
    assert KeyFiles(person).load(path).private_bytes_raw() == KEY.private_bytes_raw()


def test_a_person_may_not_mistype_three_times(path: Path) -> None:
    person = Passphrases(ask=typing("wrong one", "wrong two", "wrong three", WORDS))
    with pytest.raises(RefusedError, match="wrong passphrase"):
        KeyFiles(person).load(path)


def test_what_was_typed_once_opens_the_next_file_too(path: Path) -> None:
    files = KeyFiles(Passphrases(ask=typing(WORDS)))
    assert files.load(path).private_bytes_raw() == files.load(path).private_bytes_raw()


def test_a_key_in_plain_is_refused(files: KeyFiles, path: Path) -> None:
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(DataError, match="not an encrypted private key"):
        files.load(path)


def test_a_key_made_by_another_program_opens(files: KeyFiles, path: Path) -> None:
    locked = BestAvailableEncryption(WORDS.encode())
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    assert files.load(path).private_bytes_raw() == KEY.private_bytes_raw()


def test_a_key_of_another_kind_is_refused(files: KeyFiles, path: Path) -> None:
    locked = BestAvailableEncryption(WORDS.encode())
    key = generate_private_key(SECP256R1())
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    with pytest.raises(DataError, match="expected an Ed25519 key"):
        files.load(path)


@pytest.mark.parametrize(
    "cost", [b"n=3 r=1 p=1", b"n=1 r=1 p=1", b"n=2 r=0 p=1", b"n=67108864 r=8 p=1"]
)
def test_a_first_line_that_asks_for_nonsense_is_refused(
    files: KeyFiles, path: Path, cost: bytes
) -> None:
    path.write_bytes(path.read_bytes().replace(b"n=2 r=1 p=1", cost))
    with pytest.raises(DataError, match="first line is damaged"):
        files.load(path)


def test_a_damaged_block_is_never_a_key(files: KeyFiles, path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"-----END", b"----END"))
    with pytest.raises(DataError, match="damaged"):
        files.load(path)


def test_a_file_without_a_block_is_no_key(files: KeyFiles, path: Path) -> None:
    path.write_bytes(b"ENCRYPTED PRIVATE KEY\n")
    with pytest.raises(DataError, match="not an encrypted private key"):
        files.load(path)


def test_no_such_file(files: KeyFiles, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file"):
        files.load(tmp_path / "gone.pem")


def test_new_keys_have_the_documented_cost(tmp_path: Path) -> None:
    words = Passphrases([secret(tmp_path / "words", WORDS)], ask=None)
    KeyFiles(words, ScryptCost(n=4, r=2, p=1)).save(
        tmp_path / "k.pem", KEY, offline=False, when=0.0
    )
    assert (tmp_path / "k.pem").read_bytes().startswith(b"bodycam-hub key: scrypt n=4 r=2 p=1 ")
