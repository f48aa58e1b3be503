"""Photographs for the hub's tests: portraits of numbered people, and models that know them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.app.context import Models
from agent.hub.lists_database import ListsDatabase
from agent.hub.photo_judge import recipe
from agent.hub.photo_ledger import Ledger
from agent.hub.photo_sources import Photograph
from agent.hub.photo_workers import Studio
from agent.hub.photographs import Enroller, Enrolment, Maker
from agent.hub.progress import silent
from agent.hub.vault import Vault
from agent.ports import ModelIdentity
from agent.values import BgrImage, FaceDetections
from agent.watchlist.enrolment import EnrolmentLimits
from tests.support.lists import a_meta
from tests.support.portraits import PortraitDetector, PortraitModels, save_portrait

NOW = 1_800_000_000.0
LIMITS = EnrolmentLimits()


class PowerCut(BaseException):
    """The program ends here, with no chance to clean up in the usual way."""


LOOKS = 5
"""At each photograph: as it is, and at the one face in it, four ways round."""


@dataclass
class CountingDetector(PortraitDetector):
    """Counts what it is shown; ends the program at one of them."""

    looks: int = 0
    cut_at: int | None = None
    identity: ModelIdentity = field(default=ModelIdentity("portraits", "fp32", "d" * 64))

    def detect(self, image: BgrImage) -> FaceDetections:
        self.looks += 1
        if self.looks == self.cut_at:
            raise PowerCut
        return super().detect(image)


class FatalDetector(PortraitDetector):
    """Kills its process at a picture of person 66."""

    def detect(self, image: BgrImage) -> FaceDetections:
        if image[56, 56, 0] == 66:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect(image)


def portrait_models() -> Models:
    made = PortraitModels()
    return Models(made.detector, made.embedder, made.curve)


def fatal_models() -> Models:
    made = PortraitModels(detector=FatalDetector())
    return Models(made.detector, made.embedder, made.curve)


@dataclass
class PhotoWorld:
    """A folder with photographs and a ledger.

    Attributes:
        detector: of the models in this process.
    """

    folder: Path
    detector: CountingDetector = field(default_factory=CountingDetector)

    def __post_init__(self) -> None:
        self.database = ListsDatabase(self.folder / "lists.sqlite")
        self.ledger = Ledger(self.database, Vault(b"k" * 32))

    def models(self) -> Models:
        made = PortraitModels(detector=self.detector)
        return Models(made.detector, made.embedder, made.curve)

    def photograph(self, number: int, *people: int, **changes: object) -> Photograph:
        """Number `number` shows these people; it is for entry and subject of the first."""
        path = self.folder / f"photo-{number}.png"
        if people:
            save_portrait(path, *people)
        return Photograph(path, a_meta(people[0] if people else number, **changes))

    def run(
        self,
        *photos: Photograph,
        workers: int = 0,
        models: Callable[[], Models] | None = None,
    ) -> Enrolment:
        opened = self.models()
        maker = a_maker(opened)
        studio = Studio(models or self.models, LIMITS, workers)
        return Enroller(studio, self.ledger, maker, NOW, silent).enrol(photos)


def a_maker(models: Models, limits: EnrolmentLimits = LIMITS) -> Maker:
    detector, embedder = models.detector.identity, models.embedder.identity
    return Maker(embedder.sha256, recipe(detector, embedder, limits))
