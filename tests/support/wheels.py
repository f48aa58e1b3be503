"""Made-up wheels and asset locks that pin them."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from agent.modelkit.assets import Asset, AssetLock, Package

NAME = "made-up-networks"
WHEEL = "made_up_networks-1.0-py3-none-any.whl"
MEMBERS = {"networks/one.onnx": b"the first network", "films/two.mp4": b"a film"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def save_wheel(folder: Path, members: dict[str, bytes] | None = None) -> Path:
    """A wheel that pip accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    about = "made_up_networks-1.0.dist-info"
    texts = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (MEMBERS if members is None else members).items():
            archive.writestr(name, data)
        for name, text in texts.items():
            archive.writestr(name, text)
    return path


def lock_of(wheel: Path, members: dict[str, bytes] | None = None) -> AssetLock:
    """Pins this very wheel, and the members as they should be."""
    package = Package(
        name=NAME, version="1.0", file=wheel.name, sha256=sha256(wheel.read_bytes()), licence="MIT"
    )
    assets = [
        Asset(
            file=Path(name).name,
            package=NAME,
            member=name,
            sha256=sha256(data),
            kind="model" if name.endswith(".onnx") else "footage",
            licence="MIT",
            upstream="nowhere",
            elsewhere="nowhere",
        )
        for name, data in (MEMBERS if members is None else members).items()
    ]
    return AssetLock(version=1, packages=(package,), assets=tuple(assets))
