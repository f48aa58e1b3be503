"""`python -m tests.support.photo_run FOLDER WORKERS`: templates of the portraits in a folder.

Says a line for each photograph it looks at, so that a test knows when to kill it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from agent.app.context import Models
from agent.hub.photo_sources import Photograph
from agent.values import BgrImage, FaceDetections
from tests.support.hub_photos import PhotoWorld
from tests.support.lists import a_meta
from tests.support.portraits import PortraitDetector, PortraitModels


@dataclass
class TalkingDetector(PortraitDetector):
    def detect(self, image: BgrImage) -> FaceDetections:
        os.write(1, b"looked\n")  # one piece, though several processes write
        return super().detect(image)


def talking_models() -> Models:
    made = PortraitModels(detector=TalkingDetector())
    return Models(made.detector, made.embedder, made.curve)


def photographs(folder: Path) -> list[Photograph]:
    paths = sorted(folder.glob("*.png"))
    return [Photograph(path, a_meta(at)) for at, path in enumerate(paths, 1)]


if __name__ == "__main__":
    where = Path(sys.argv[1])
    world = PhotoWorld(where)
    done = world.run(*photographs(where), workers=int(sys.argv[2]), models=talking_models)
    print(f"made {done.embedded}")
