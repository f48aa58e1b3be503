"""Many photographs at once: one process for each core, each with one thread.

Each worker hangs on a pipe of its own. When the hub is killed the pipes close and the workers end;
when a picture kills its worker, that picture is reported and another worker takes its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from agent.app.context import Models
from agent.errors import BodycamError, UnavailableError
from agent.hub.photo_judge import Judged, OpenModels, judge, unreadable
from agent.watchlist.enrolment import EnrolmentLimits


@dataclass(frozen=True, slots=True)
class Studio:
    """What judges photographs.

    Attributes:
        open_models: gives each worker networks of its own.
        limits: what a photograph must reach.
        workers: processes; 0 to do without.
    """

    open_models: OpenModels
    limits: EnrolmentLimits
    workers: int

    def judge_all(self, paths: Sequence[Path]) -> Iterator[tuple[int, Judged]]:
        """Each photograph's number and judgement, in the order in which they are ready.

        Raises:
            MissingFileError, DataError: the networks are not built, or not the right ones.
            UnavailableError: the workers die before they begin.
        """
        if not self.workers or not paths:
            yield from self._alone(paths)
            return
        crew = _Crew(self)
        try:
            yield from crew.work(paths, min(self.workers, len(paths)))
        finally:
            crew.dismiss()

    def _alone(self, paths: Sequence[Path]) -> Iterator[tuple[int, Judged]]:
        models = self.open_models() if paths else None
        for number, path in enumerate(paths):
            if models is not None:
                yield number, _judged(path, models, self.limits)


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    ready: bool = False
    number: int | None = None


class _Crew:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._workers: list[_Worker] = []

    def work(self, paths: Sequence[Path], size: int) -> Iterator[tuple[int, Judged]]:
        todo = iter(range(len(paths)))
        for _ in range(size):
            self._hire()
        while self._workers:
            pipes = {worker.pipe: worker for worker in self._workers}
            for pipe in wait(list(pipes)):
                worker = pipes[pipe]  # type: ignore[index]
                done = self._hear(worker, paths)
                if done is not None:
                    yield done
                self._next(worker, paths, todo)

    def dismiss(self) -> None:
        for worker in list(self._workers):
            self._let_go(worker)

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(
            target=_work,
            args=(theirs, self._studio.open_models, self._studio.limits),
            daemon=True,
        )
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, mine))

    def _hear(self, worker: _Worker, paths: Sequence[Path]) -> tuple[int, Judged] | None:
        """What a worker says; a dead one is replaced."""
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            return self._died(worker, paths)
        if isinstance(said, BodycamError):
            raise said
        number, worker.number, worker.ready = worker.number, None, True
        return None if number is None else (number, said)

    def _died(self, worker: _Worker, paths: Sequence[Path]) -> tuple[int, Judged] | None:
        self._let_go(worker)
        if not worker.ready or worker.number is None:
            raise UnavailableError(
                "a process that makes templates died at its start; is there memory enough? "
                "Try fewer with --workers"
            )
        self._hire()
        name = paths[worker.number].name
        return worker.number, unreadable("", f"{name}: its decoding was killed; convert it anew")

    def _next(self, worker: _Worker, paths: Sequence[Path], todo: Iterator[int]) -> None:
        if worker not in self._workers:
            return
        worker.number = next(todo, None)
        if worker.number is None:
            self._let_go(worker)
        else:
            with contextlib.suppress(OSError):  # it died: its pipe says so at the next wait
                worker.pipe.send(paths[worker.number])

    def _let_go(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.terminate()
        worker.process.join()
        worker.process.close()


def _work(pipe: Connection, open_models: OpenModels, limits: EnrolmentLimits) -> None:
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the hub itself is told, and ends us
    cv2.setNumThreads(1)
    try:
        models = open_models()
        pipe.send(None)
        while True:
            pipe.send(_judged(pipe.recv(), models, limits))
    except BodycamError as error:
        pipe.send(error)
    except (EOFError, OSError):
        return


def _judged(path: Path, models: Models, limits: EnrolmentLimits) -> Judged:
    """A picture that trips a library costs only itself, such as one too large for the memory."""
    try:
        return judge(path, models, limits)
    except Exception as error:  # noqa: BLE001 -- whatever a library raises at a picture
        return unreadable("", f"{path.name}: cannot be judged ({type(error).__name__})")
