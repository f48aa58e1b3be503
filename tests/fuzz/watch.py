"""Runs inputs and watches: exceptions nobody documented, time, memory."""

from __future__ import annotations

import gc
import re
import resource
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

MAX_CORPUS = 200
_VARIABLE = re.compile(r"[0-9a-f]{8,}|[0-9]+|'[^']*'")


@dataclass(frozen=True, slots=True)
class Subject:
    """One way in.

    Attributes:
        name: for people.
        seeds: good inputs.
        mutate: an input from an input.
        run: reads one; returns when it is good.
        expected: what it may raise when it is not.
        turns: share of the time; a slow one needs more for as many inputs.
    """

    name: str
    seeds: tuple[bytes, ...]
    mutate: Callable[[Random, bytes], bytes]
    run: Callable[[bytes], object]
    expected: tuple[type[Exception], ...]
    turns: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What one input may cost.

    Attributes:
        cpu_s: seconds of processor time.
        growth_bytes: of the largest resident set so far.
    """

    cpu_s: float = 2.0
    growth_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that did what none may do.

    Attributes:
        subject: where it went in.
        what: happened.
        data: the input.
    """

    subject: str
    what: str
    data: bytes


@dataclass(slots=True)
class Progress:
    """How far a subject has come. Inputs that end in a new way become seeds."""

    subject: Subject
    corpus: list[bytes] = field(default_factory=list)
    endings: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    executions: int = 0
    slowest_s: float = 0.0

    def next_input(self, rng: Random) -> bytes:
        """Half of the inputs come from the good ones."""
        known: Sequence[bytes] = self.subject.seeds
        if self.corpus and rng.random() < 0.5:
            known = self.corpus
        return self.subject.mutate(rng, rng.choice(known))

    def feed(self, data: bytes, limits: Limits) -> None:
        """Run one input."""
        began, before = time.process_time(), _peak()
        ending = self._ending(data)
        cpu = time.process_time() - began
        grown = _peak() - before
        self.executions += 1
        self.slowest_s = max(self.slowest_s, cpu)
        if cpu > limits.cpu_s:
            self._found(f"took {cpu:.1f} s", data)
        if grown > limits.growth_bytes:
            self._found(f"took {grown >> 20} MB", data)
        if ending not in self.endings and len(self.corpus) < MAX_CORPUS:
            self.endings.add(ending)
            self.corpus.append(data)

    def _ending(self, data: bytes) -> str:
        try:
            self.subject.run(data)
        except self.subject.expected as error:
            said = str(error)
            if "\n" in said and type(error).__module__.startswith("agent."):
                self._found(f"an error of more than one line: {said!r}"[:400], data)
            return type(error).__name__ + _VARIABLE.sub("#", said)[:80]
        except Exception as error:  # noqa: BLE001 - any other is what we are here for
            self._found("".join(traceback.format_exception(error)[-3:]), data)
            return f"! {type(error).__name__}"
        return "good"

    def _found(self, what: str, data: bytes) -> None:
        kinds = {_VARIABLE.sub("#", finding.what) for finding in self.findings}
        if _VARIABLE.sub("#", what) not in kinds:
            self.findings.append(Finding(self.subject.name, what, data))


def check_seeds(subject: Subject) -> None:
    """Every seed must be good, or the fuzzing is of the first check alone."""
    for seed in subject.seeds:
        subject.run(seed)


def explore(
    progress: Progress,
    rng: Random,
    go_on: Callable[[], bool],
    *,
    limits: Limits | None = None,
    tell: Callable[[bytes], None] = lambda _: None,
) -> None:
    """Feed inputs as long as `go_on` says so; each is told before it is run."""
    bounds = limits or Limits()
    while go_on():
        data = progress.next_input(rng)
        tell(data)
        progress.feed(data, bounds)


def resident() -> int:
    """Bytes of this process in memory, after a collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
