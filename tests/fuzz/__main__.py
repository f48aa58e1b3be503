"""`python -m tests.fuzz [--minutes M] [--only NAME] [--seed N]`: feed broken input to every parser
of the watchlist.

The inputs run in a child process that a parent watches, because a crash or an endless loop in
compiled code leaves nobody to report it: the input on trial lies in a shared file. Ends with 1 when
an input raised what is not documented, took more than 2 s or 64 MB, or when memory grew; such
inputs are in build/fuzz/. `python -m tests.fuzz --replay FILE --only NAME` runs one again.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import json
import mmap
import random
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.watch import Finding, Progress, Subject, check_seeds, explore, resident

OUT = Path("build/fuzz")
FIGURES = Path("build/fuzz.json")
PROGRAM = (sys.executable, "-m", "tests.fuzz")
SLICE_S = 0.5
"""Subjects take turns."""
ADDRESS_SPACE = 3 << 30
GROWTH_BYTES = 16 << 20
"""From half time, when what is learnt from the inputs has long been learnt, to the end."""
SILENCE_S = 60.0
"""Without a new input for so long, the child hangs."""
_TRIAL = struct.Struct("<QII")
_TRIAL_BYTES = 2 << 20


def main() -> int:
    args = _arguments()
    if args.replay is not None:
        return replay(args.replay, args.only)
    if args.child is not None:
        print(json.dumps(work(args.child, args.minutes * 60, args.only, args.seed)))
        return 0
    OUT.mkdir(parents=True, exist_ok=True)
    figures = supervise(args.minutes * 60, args.only, args.seed)
    FIGURES.write_text(json.dumps(figures, indent=2))
    print_figures(figures)
    return 1 if figures["findings"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", default="", metavar="NAME", help="subjects whose name holds this")
    parser.add_argument("--seed", type=int, default=None, help="default: another every time")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one input again, with --only")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.SystemRandom().randrange(1 << 32)
    return args


def chosen(only: str) -> list[Subject]:
    """The subjects whose name holds this word."""
    from tests.fuzz.subjects import subjects

    found = [one for one in subjects() if only.lower() in one.name.lower()]
    if not found:
        raise SystemExit(f"no subject is called {only!r}")
    return found


def replay(file: Path, only: str) -> int:
    """One input, with the traceback of whatever it raises."""
    [subject] = chosen(only)
    try:
        subject.run(file.read_bytes())
    except subject.expected as error:
        print(f"refused, as it should be: {error}")
    return 0


def supervise(seconds: float, only: str, seed: int) -> dict[str, Any]:
    """Run children until the time is over; a child that dies is a finding and is replaced.

    Raises whatever a seed that is not good raises.
    """
    trial, every = OUT / "trial", chosen(only)
    for subject in every:
        check_seeds(subject)
    end, began, reports, findings = time.monotonic() + seconds, time.monotonic(), [], []
    while not reports or time.monotonic() < end - 1:
        trial.write_bytes(bytes(_TRIAL_BYTES))
        report = _one_child(trial, end - time.monotonic(), only, seed + len(reports))
        if "died" in report:
            count, subject, length = _TRIAL.unpack_from(trial.read_bytes())
            if not count:
                raise SystemExit(f"the child did not come as far as the first input: {report}")
            data = trial.read_bytes()[_TRIAL.size : _TRIAL.size + length]
            findings.append(save(Finding(every[subject].name, report["died"], data)))
        findings += report.get("findings", [])
        reports.append(report)
    figures = _summed(reports) | {"seed": seed, "findings": findings}
    figures["seconds"] = round(time.monotonic() - began, 1)
    figures["per_second"] = round(figures["executions"] / max(figures["seconds"], 1e-9))
    return figures


def _one_child(trial: Path, seconds: float, only: str, seed: int) -> dict[str, Any]:
    command = [*PROGRAM, "--child", str(trial), "--only", only]
    command += ["--minutes", str(seconds / 60), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        last, since = -1, time.monotonic()
        while True:
            try:
                out, _ = child.communicate(timeout=1.0)
            except subprocess.TimeoutExpired:
                count = _TRIAL.unpack_from(trial.read_bytes())[0]
                if count != last:
                    last, since = count, time.monotonic()
                elif time.monotonic() - since > SILENCE_S:
                    child.kill()
                    child.wait()
                    return {"died": f"nothing for {SILENCE_S:g} s: it hangs"}
                continue
            if child.returncode:
                return {"died": f"the process ended with {child.returncode}"}
            report: dict[str, Any] = json.loads(out)
            return report


def work(trial: Path, seconds: float, only: str, seed: int) -> dict[str, Any]:
    """What a child does."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    every = [Progress(subject) for subject in chosen(only)]
    for progress in every:
        check_seeds(progress.subject)
    rng, began, memory = random.Random(seed), time.monotonic(), [0, 0, 0]
    with trial.open("r+b") as file, mmap.mmap(file.fileno(), _TRIAL_BYTES) as shared:
        while (passed := time.monotonic() - began) < seconds:
            for at, progress in enumerate(every):
                turn = _until(SLICE_S * progress.subject.turns)
                explore(progress, rng, turn, tell=_teller(shared, at, every))
            memory[0] = memory[0] or resident()
            if passed > seconds / 2:
                memory[1] = memory[1] or resident()
    memory[2] = resident()
    findings = [save(finding) for progress in every for finding in progress.findings]
    megabytes = [one >> 20 for one in memory]
    if memory[1] and memory[2] - memory[1] > GROWTH_BYTES:
        findings.append(save(Finding("all", f"memory grew: {megabytes} MB", b"")))
    return {"findings": findings, "rss_mb": megabytes, "subjects": _rows(every)}


def _until(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _teller(shared: mmap.mmap, subject: int, every: Sequence[Progress]) -> Callable[[bytes], None]:
    def tell(data: bytes) -> None:
        count = sum(progress.executions for progress in every) + 1
        _TRIAL.pack_into(shared, 0, count, subject, len(data))
        shared[_TRIAL.size : _TRIAL.size + len(data)] = data

    return tell


def _rows(every: Sequence[Progress]) -> dict[str, dict[str, float]]:
    return {
        progress.subject.name: {
            "executions": progress.executions,
            "endings": len(progress.endings),
            "slowest_ms": round(progress.slowest_s * 1e3, 1),
        }
        for progress in every
    }


def save(finding: Finding) -> dict[str, str]:
    """Keep the input of a finding under a name of its own."""
    OUT.mkdir(parents=True, exist_ok=True)
    name = f"{finding.subject.replace(' ', '-')}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
    (OUT / name).write_bytes(finding.data)
    return {"subject": finding.subject, "what": finding.what, "input": str(OUT / name)}


def _summed(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    whole = [report for report in reports if "subjects" in report]
    rows: dict[str, dict[str, float]] = {}
    for report in whole:
        for name, row in report["subjects"].items():
            old = rows.setdefault(name, dict.fromkeys(row, 0))
            rows[name] = {
                "executions": old["executions"] + row["executions"],
                "endings": max(old["endings"], row["endings"]),
                "slowest_ms": max(old["slowest_ms"], row["slowest_ms"]),
            }
    return {
        "executions": int(sum(row["executions"] for row in rows.values())),
        "rss_mb": max((report["rss_mb"] for report in whole), default=[0, 0, 0]),
        "subjects": rows,
    }


def print_figures(figures: dict[str, Any]) -> None:
    """A table for people."""
    print(f"{'read by':22}{'inputs':>10}{'ways it ended':>16}{'slowest ms':>12}")
    for name, row in figures["subjects"].items():
        ways, slowest = row["endings"], row["slowest_ms"]
        print(f"{name:22}{row['executions']:>10}{ways:>16}{slowest:>12}")
    start, half, end = figures["rss_mb"]
    print(
        f"{figures['executions']} inputs in {figures['seconds']:.0f} s, "
        f"{figures['per_second']} a second; memory {start} MB after the first turns, "
        f"{half} MB at half time, {end} MB at the end; seed {figures['seed']}"
    )
    for finding in figures["findings"]:
        print(f"FOUND in {finding['subject']}, {finding['input']}:\n{finding['what']}")
    print(f"{len(figures['findings'])} findings")


if __name__ == "__main__":
    sys.exit(main())
