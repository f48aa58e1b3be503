from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import DataError, MissingFileError
from agent.hub.case_keys import FILE, CaseKeys
from agent.hub.vault import Vault

VAULT = Vault(bytes(range(32)))
A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[CaseKeys]:
    with closing(CaseKeys(tmp_path / FILE, VAULT)) as keys:
        yield keys


def test_an_authorisation_has_one_key_and_another_has_another(keys, tmp_path) -> None:
    locked = keys.made(A).lock(b"who", "event")
    assert keys.made(A).unlock(locked, "event") == b"who"
    with closing(CaseKeys(tmp_path / FILE, VAULT)) as again:
        assert again.of(A).unlock(locked, "event") == b"who"
    with pytest.raises(DataError):
        keys.made(B).unlock(locked, "event")
    with pytest.raises(DataError):
        VAULT.unlock(locked, "event")


def test_a_key_is_locked_in_the_vault_and_to_its_authorisation(keys, tmp_path) -> None:
    key = keys.made(A).key
    assert key not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with keys.transaction() as db:
        db.execute("UPDATE key SET mark = ?", (B,))
    with pytest.raises(DataError):
        keys.of(B)


def test_what_is_destroyed_is_gone_from_the_file_and_a_new_one_is_another(keys, tmp_path) -> None:
    old, kept = keys.made(A).key, keys.made(B).key
    ((blob,),) = keys.read("SELECT locked FROM key WHERE mark = ?", A)
    assert keys.keep_only({B}) == 1
    assert keys.keep_only({B}) == 0
    assert blob not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(MissingFileError, match="was destroyed"):
        keys.of(A)
    assert keys.of(B).key == kept
    assert keys.made(A).key != old
