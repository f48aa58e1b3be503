"""Where the model data lives: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_INSTALLED = _PACKAGE / "_models"
_CHECKOUT = _PACKAGE.parent


def data_dir() -> Path:
    """The folder with the asset lock, manifest, activation ranges and calibration curves."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT / "models"


def models_dir(configured: str, state_dir: Path) -> Path:
    """The folder of the built models.

    Args:
        configured: `models.dir` of the configuration; empty for the usual place: `build/models`
            of a checkout, `models` of the state folder of an installed agent.
        state_dir: the agent's own folder.
    """
    if configured:
        return Path(configured)
    return state_dir / "models" if _INSTALLED.is_dir() else _CHECKOUT / "build" / "models"


def assets_dir(models: Path) -> Path:
    """The folder of the fetched assets, beside the built models."""
    return models.parent / "assets"
