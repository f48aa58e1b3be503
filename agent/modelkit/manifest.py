"""What models there are: hashes, cards and the similarity-to-FMR curves, in `manifest.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import DataError, MissingFileError
from agent.modelkit.assets import PlainName, Sha256, read_yaml, sha256_of


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CurvePoint(_Part):
    """At this similarity, this share of comparisons of different people is as similar or more."""

    similarity: float = Field(ge=-1, le=1)
    fmr: float = Field(gt=0, le=1)


class ModelCard(_Part):
    """One network file.

    Attributes:
        space: embedders only: models whose vectors may be compared with each other.
        int8_share: of the multiply-adds, fed by 8-bit inputs.
        measured: what was measured on this very file, and on what.
        curve: embedders only.
    """

    name: PlainName
    file: PlainName
    role: Literal["detector", "embedder"]
    precision: Literal["fp32", "int8"]
    sha256: Sha256
    asset: PlainName
    licence: str
    input: str
    output: str
    quantisation: str
    int8_share: float = Field(ge=0, le=1)
    space: str = ""
    measured: dict[str, str] = {}
    curve: tuple[CurvePoint, ...] = ()


class Manifest(_Part):
    """The whole of `models/manifest.yaml`."""

    version: Literal[1]
    models: Annotated[tuple[ModelCard, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Manifest:
        for names in ([card.name for card in self.models], [card.file for card in self.models]):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{name} is there twice")
        return self

    def card(self, role: str, precision: str) -> ModelCard:
        """The model of a role and precision."""
        for card in self.models:
            if (card.role, card.precision) == (role, precision):
                return card
        raise DataError(f"the manifest has no {precision} {role}")


def read_manifest(path: Path) -> Manifest:
    """Read the manifest.

    Raises:
        MissingFileError, DataError: it is not there, or not one.
    """
    return read_yaml(path, Manifest, "a manifest")


def verified(card: ModelCard, folder: Path) -> Path:
    """The file of a model, once its bytes are known to be the pinned ones.

    Raises:
        MissingFileError: it was not built, or cannot be read.
        DataError: it has another hash.
    """
    path = folder / card.file
    if not path.is_file():
        raise MissingFileError(f"{path}: not built yet; run `bodycam-agent models build`")
    if sha256_of(path) != card.sha256:
        raise DataError(
            f"{path}: is not the model that the manifest pins; refused. "
            "Run `bodycam-agent models build --force`"
        )
    return path
