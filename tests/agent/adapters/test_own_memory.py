"""In processes of their own: what is set here is for good."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SEALED = "from agent.adapters.own_memory import *; seal_memory(); "
RUNNING = "import sys; print('up', flush=True); sys.stdin.read()"


def told(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_sealed_there_is_no_dump_and_what_is_freed_is_overwritten() -> None:
    facts = "print(dumpable(), core_limit(), overwrites())"
    assert told(SEALED + facts) == "False 0 True"
    unsealed = told(f"from agent.adapters.own_memory import *; {facts}").split()
    assert (unsealed[0], unsealed[2]) == ("True", "False")


def test_exec_takes_it_away_and_the_program_sets_it_again() -> None:
    """What `bodycam-agent` begins with, before anything else; and no other program inherits it."""
    after = "from agent.adapters.own_memory import dumpable; print(dumpable())"
    again = f"import os, sys; os.execv(sys.executable, [sys.executable, '-c', {after!r}])"
    assert told(SEALED + again) == "True"
    begun = "import sys; sys.argv = ['bodycam-agent', '--version']; from agent.cli import main; "
    assert told(begun + "main(); " + after).splitlines()[-1] == "False"


def test_a_forked_child_keeps_it() -> None:
    code = "import os; child = os.fork(); print(dumpable()) if not child else os.waitpid(child, 0)"
    assert told(SEALED + code) == "False"


def killed(code: str) -> int:
    """Ended by SIGABRT, with no limit on dumps but the system's; the wait status."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    most = resource.prlimit(process.pid, resource.RLIMIT_CORE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_CORE, (most, most))
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.stdin.close()  # type: ignore[union-attr]
    process.stdout.close()
    process.returncode = 0
    return status


def test_a_crash_leaves_no_dump_even_where_no_limit_forbids_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    if not os.WCOREDUMP(killed(RUNNING)):
        pytest.skip("this machine dumps nobody's core, see /proc/sys/kernel/core_pattern")
    unlimited = "import resource; resource.setrlimit = lambda *_: None; "
    assert not os.WCOREDUMP(killed(unlimited + SEALED + RUNNING))
    assert len(list(tmp_path.iterdir())) <= 1
