"""`python -m tests.bench.forgetting`: what forgetting and the monitor of false alerts cost.

The whole agent watches the same film (five people, one man, nobody; JPEG files of 1000x667 and
640x360, dated 30 a second, the default settings, as fast as it can) in processes that take turns:
as it is, and with everything left out that only overwrites or counts subjects, and memory as the C
library gives it. Prints milliseconds of processor time a frame, start and decoding included, as
JSON: processor time, since that is what is spent, and other work on the machine does not count.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from agent.adapters import own_memory
from agent.cli import main as run_agent
from agent.pipeline import Pipeline
from agent.stages import wiping
from tests.bench.timing import Spread, alternate

ROUNDS = 10
PERIOD_MS = 1000.0 / 30.0
"""From one frame of the camera to the next."""
_TIMES = 4
_BUILD = Path(__file__).resolve().parents[2] / "build"


def film(folder: Path) -> None:
    """JPEG files of nine seconds, again and again."""
    photo = cv2.imread(str(_BUILD / "assets" / "multi_face.jpg"))
    pictures = [cv2.imencode(".jpg", photo)[1].tobytes()] * 100
    for name in ("single_face.mp4", "no_face.mp4"):
        pictures += _clip(name, 100)
    for number, jpeg in enumerate(pictures * _TIMES):
        (folder / f"{number:05}.jpg").write_bytes(jpeg)


def _clip(name: str, most: int) -> Iterator[bytes]:
    capture = cv2.VideoCapture(str(_BUILD / "assets" / name))
    for _ in range(most):
        done, picture = capture.read()
        if not done:
            return
        yield cv2.imencode(".jpg", cv2.resize(picture, (640, 360)))[1].tobytes()


@contextmanager
def forgetful() -> Iterator[None]:
    """Everything that only overwrites or counts, left out, in a process that ends with it."""
    real = wiping.wipe
    for module in [one for one in sys.modules.values() if getattr(one, "wipe", None) is real]:
        module.wipe = lambda *_: None  # type: ignore[attr-defined]
    wiping.Traces.due = lambda *_, **__: False  # type: ignore[method-assign,assignment]
    Pipeline._count_subjects = lambda *_: 0  # type: ignore[method-assign,assignment]
    own_memory.seal_memory = lambda: None
    yield


def child(mode: str, source: str) -> int:
    """The agent's run report goes to standard output."""
    import agent.app.build  # noqa: F401 -- with every module that wipes

    with tempfile.TemporaryDirectory() as state:
        command = ["run", "--source", source, "--pace", "max", "--json", "--state-dir", state]
        command += ["--set", "camera.fps=30", "--set", f"models.dir={_BUILD / 'models'}"]
        if mode == "as it is":
            return run_agent(command)
        with forgetful():
            return run_agent(command)


def main() -> int:
    if sys.argv[1:]:
        return child(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as source:
        film(Path(source))

        def measure(mode: str) -> float:
            command = [sys.executable, "-m", "tests.bench.forgetting", mode, source]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
            return 1000.0 * spent_s / int(json.loads(done.stdout)["frames"]["processed"])

        spreads = alternate(
            {
                "as it is": lambda: measure("as it is"),
                "left out": lambda: measure("left out"),
            },
            rounds=ROUNDS,
            warm_up=1,
        )
    print(json.dumps({name: _told(one) for name, one in spreads.items()}, indent=2))
    for figure in ("low", "median"):
        cost, work = (getattr(spreads[one], figure) for one in ("as it is", "left out"))
        cost -= work
        print(
            f"{figure}: {cost:+.3f} ms a frame, {cost / PERIOD_MS:+.1%} of the time between two, "
            f"{cost / work:+.1%} of the work without",
            file=sys.stderr,
        )
    return 0


def _told(spread: Spread) -> dict[str, float]:
    return {"low": spread.low, "median": spread.median, "high": spread.high}


if __name__ == "__main__":
    sys.exit(main())
