"""`python -m tests.bench.forgetting`: what forgetting and the monitor of false alerts cost.

The same film (five people, one man, nobody; JPEG pictures of 1000x667 and 640x360, 30 a second, the
default settings) is watched again and again, in turns as the agent does it, and with everything
left out that only overwrites or counts subjects: freed memory, frames, crops, templates, networks'
arenas. Processor time of all threads, decoding included. Prints JSON.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from agent.adapters.own_memory import seal_memory
from agent.app.models import open_models
from agent.config import Config, ModelsConfig
from agent.pipeline import Activation, Pipeline, PipelineSettings
from agent.pipeline.settings import DecisionRule
from agent.stages import wiping
from agent.values import Frame, Monotonic, Wall
from tests.bench.timing import Spread, alternate
from tests.support.agents import gallery_of
from tests.support.monitors import a_monitor

HZ = 30.0
ROUNDS = 30
_BUILD = Path(__file__).resolve().parents[2] / "build"
_M_PERTURB = -6


def film() -> list[bytes]:
    """JPEG files, ten seconds."""
    photo = cv2.imread(str(_BUILD / "assets" / "multi_face.jpg"))
    still = cv2.imencode(".jpg", photo)[1].tobytes()
    return [still] * 100 + [
        part for name in ("single_face.mp4", "no_face.mp4") for part in _clip(name, 100)
    ]


def _clip(name: str, most: int) -> Iterator[bytes]:
    capture = cv2.VideoCapture(str(_BUILD / "assets" / name))
    for _ in range(most):
        done, picture = capture.read()
        if not done:
            return
        yield cv2.imencode(".jpg", cv2.resize(picture, (640, 360)))[1].tobytes()


class Watching:
    """A pipeline that never matches anybody."""

    def __init__(self) -> None:
        config = Config(models=ModelsConfig(dir=str(_BUILD / "models")))
        models = open_models(config, _BUILD)
        settings = PipelineSettings.of(config)
        self._pipeline = Pipeline(
            models.detector,
            models.embedder,
            gallery_of(*range(1, 200)),
            settings,
            new_id=str,
            timer=time.perf_counter,
        )
        rule = DecisionRule(3, 0.99, 0.05)
        self._pipeline.arm(Activation("A", lambda _: rule, 60.0, test=True))
        self._monitor = a_monitor()
        self._frames = 0

    def watch(self, pictures: list[bytes], overwrite: Callable[[np.ndarray], object]) -> float:
        """Milliseconds of processor time for each frame."""
        began = time.process_time()
        for jpeg in pictures:
            image: Any = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            at = self._frames / HZ
            result = self._pipeline.step(Frame(image, self._frames, Monotonic(at), Wall(at)))
            overwrite(image)
            self._monitor.seen(result.subjects)
            self._monitor.exceeded()
            self._frames += 1
        return 1000 * (time.process_time() - began) / len(pictures)


@contextmanager
def forgetful(*, off: bool) -> Iterator[None]:
    """Everything that only overwrites or counts, left out."""
    if not off:
        yield
        return
    real, due, count = wiping.wipe, wiping.Traces.due, Pipeline._count_subjects
    users = [one for one in sys.modules.values() if getattr(one, "wipe", None) is real]
    libc = ctypes.CDLL(None)
    for module in users:
        module.wipe = lambda *_: None  # type: ignore[attr-defined]
    wiping.Traces.due = lambda *_, **__: False  # type: ignore[method-assign,assignment]
    Pipeline._count_subjects = lambda *_: 0  # type: ignore[method-assign,assignment]
    libc.mallopt(_M_PERTURB, 0)
    try:
        yield
    finally:
        for module in users:
            module.wipe = real  # type: ignore[attr-defined]
        wiping.Traces.due, Pipeline._count_subjects = due, count  # type: ignore[method-assign]
        libc.mallopt(_M_PERTURB, 0xFF)


def main() -> int:
    seal_memory()
    pictures, watching = film(), Watching()

    def measure(*, off: bool) -> float:
        with forgetful(off=off):
            keep: Callable[[np.ndarray], object] = (lambda _: None) if off else wiping.wipe
            return watching.watch(pictures, keep)

    spreads = alternate(
        {"as it is": lambda: measure(off=False), "left out": lambda: measure(off=True)},
        rounds=ROUNDS,
        warm_up=1,
    )
    print(json.dumps({name: _told(one) for name, one in spreads.items()}, indent=2))
    for figure in ("low", "median"):
        share = getattr(spreads["as it is"], figure) / getattr(spreads["left out"], figure) - 1
        print(f"{100 * share:+.1f} % of a frame's processor time ({figure})", file=sys.stderr)
    return 0


def _told(spread: Spread) -> dict[str, float]:
    return {"low": spread.low, "median": spread.median, "high": spread.high}


if __name__ == "__main__":
    sys.exit(main())
