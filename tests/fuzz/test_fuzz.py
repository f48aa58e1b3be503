"""A short run of every subject, and the watch watched: each kind of finding is planted once."""

from __future__ import annotations

import json
import resource
import sys
import time
from random import Random

import pytest

from agent.errors import DataError
from tests.fuzz import __main__ as program
from tests.fuzz.mutate import MAX_INPUT, joined, parted, scramble, twist
from tests.fuzz.subjects import subjects
from tests.fuzz.watch import Limits, Progress, Subject, check_seeds, explore, resident

EVERY = {subject.name: subject for subject in subjects()}
COUNT = 60


@pytest.mark.parametrize("name", EVERY)
def test_broken_input_is_refused_as_documented(name):
    progress, rng = Progress(EVERY[name]), Random(3)
    check_seeds(progress.subject)
    explore(progress, rng, lambda: progress.executions < COUNT)
    assert progress.findings == []
    assert len(progress.endings) > 1


def planted(run, expected=(DataError,)) -> Progress:
    return Progress(Subject("planted", (b"seed",), scramble, run, expected))


def told(progress: Progress, limits: Limits | None = None) -> list[str]:
    explore(progress, Random(0), lambda: progress.executions < 3, limits=limits)
    return [finding.what for finding in progress.findings]


def test_an_exception_nobody_documented_is_found_once():
    def run(data: bytes) -> None:
        raise IndexError(len(data))

    [what] = told(planted(run))
    assert "IndexError" in what
    assert told(planted(run, (IndexError,))) == []


def test_a_refusal_of_two_lines_is_found():
    def run(data: bytes) -> None:
        raise DataError("one\ntwo")

    assert "more than one line" in told(planted(run))[0]


def test_an_input_that_takes_long_is_found():
    def run(data: bytes) -> None:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass

    assert told(planted(run), Limits(cpu_s=0.01))[0].startswith("took 0.0")
    assert told(planted(run), Limits(cpu_s=5.0)) == []


def test_an_input_that_takes_much_memory_is_found():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    size = peak - resident() + (48 << 20)

    def run(data: bytes) -> None:
        assert len(b"\1" * size) == size

    assert told(planted(run), Limits(growth_bytes=16 << 20))[0].endswith("MB")


def test_a_seed_that_is_not_good_is_told():
    def run(data: bytes) -> None:
        raise DataError("no")

    with pytest.raises(DataError):
        check_seeds(planted(run).subject)


def test_new_endings_become_seeds_and_the_corpus_is_bounded():
    def run(data: bytes) -> None:
        raise DataError("x" * (len(data) % 40))

    progress = planted(run)
    explore(progress, Random(0), lambda: progress.executions < 400)
    assert 10 < len(progress.corpus) == len(progress.endings) <= 200


@pytest.mark.parametrize("mutate", [scramble, twist])
def test_mutations_repeat_with_their_seed_and_stay_bounded(mutate):
    seed = json.dumps({"a": [1, 2, {"b": "text"}], "c": None, "d": 1.5}).encode()

    def some(number: int) -> list[bytes]:
        rng = Random(number)
        return [mutate(rng, seed) for _ in range(300)]

    assert some(1) == some(1) != some(2)
    assert len(set(some(1))) > 150
    assert max(map(len, some(1))) <= MAX_INPUT


def test_parts_come_back():
    assert parted(joined(b"", b"one", b"two")) == [b"", b"one", b"two"]


CHILD = """
import os, sys
from tests.fuzz import __main__ as program
from tests.fuzz.mutate import scramble
from tests.fuzz.watch import Subject

def run(data):
    if data != b"seed":
        os.abort()

program.chosen = lambda only: [Subject("planted", (b"seed",), scramble, run, ())]
sys.argv[0] = "tests.fuzz"
sys.exit(program.main())
"""


@pytest.mark.slow
def test_an_input_that_kills_the_process_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(program.Path.cwd()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setattr(program, "PROGRAM", (sys.executable, str(tmp_path / "child.py")))
    monkeypatch.setattr(program, "chosen", lambda only: [planted(len).subject])
    program.OUT.mkdir(parents=True)
    figures = program.supervise(1.0, "", 1)
    assert "ended with -6" in figures["findings"][0]["what"]
    kept = program.Path(figures["findings"][0]["input"]).read_bytes()
    assert kept != b"seed"


@pytest.mark.slow
def test_a_run_prints_its_figures_and_ends_with_0(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PYTHONPATH", str(program.Path.cwd()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--minutes", "0.02", "--only", "sealing"])
    assert program.main() == 0
    assert "0 findings" in capsys.readouterr().out
    figures = json.loads((tmp_path / "build/fuzz.json").read_text())
    assert figures["executions"] > 100
    assert figures["subjects"].keys() == {"sealing"}
