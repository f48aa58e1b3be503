from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent.adapters.activation_file import ActivationFile
from agent.errors import DiskError
from agent.values import Monotonic, Wall
from agent.values.activation import KeptActivation

KEPT = KeptActivation("01J", "patrol", "TEST-1", 1000, "boot-1", Monotonic(12.5), Wall(99.0))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    file = ActivationFile(tmp_path / "activation.json")
    assert file.load() is None
    file.save(KEPT)
    assert file.load() == KEPT
    assert stat.S_IMODE((tmp_path / "activation.json").stat().st_mode) == 0o600
    file.clear()
    file.clear()
    assert file.load() is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"null", b"\xff", b'{"id":"a","uid":"x"}']
)
def test_what_is_not_whole_counts_as_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "activation.json").write_bytes(content)
    assert ActivationFile(tmp_path / "activation.json").load() is None


def test_a_boot_has_an_id_and_without_one_nothing_is_resumable(tmp_path: Path) -> None:
    assert ActivationFile(tmp_path / "a").boot
    assert ActivationFile(tmp_path / "a", boot_id=tmp_path / "gone").boot == ""


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    file = ActivationFile(tmp_path / "gone" / "activation.json")
    with pytest.raises(DiskError, match="no such file"):
        file.save(KEPT)
