"""The whole agent in its own process, on real models and footage, killed when it hurts most."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.demo.stage import AGENT, Stage, enrol_commands, run_command
from tests.support.receiver import lines

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("models_dir")]
UNTIL = "2999-12-31"


@pytest.fixture
def stage(tmp_path: Path, footage: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as stage:
        photo = footage / "single_face.jpg"
        for command in enrol_commands(tmp_path / "state", photo, 50, UNTIL):
            stage.once("enrol", command)
        stage.broker.reserve()
        yield stage


def agent_on(stage: Stage, source: str, *options: str) -> subprocess.Popen[bytes]:
    state, report = stage.folder / "state", stage.folder / "report.json"
    return stage.start("agent", run_command(state, source, report, *stage.to_broker(), *options))


def waiting_in(outbox: Path) -> int:
    """Events on disk, read from outside the agent."""
    if not outbox.exists():
        return 0
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db:
        try:
            count: int = db.execute("SELECT count(*) FROM entry").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
    return count


def wait_for(holds: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.01)


def match_ids(stage: Stage) -> list[str]:
    events = lines(stage.alerts)
    assert all(event["data"]["entry"] == "E-1" for event in events)
    return [event["id"] for event in events if event["type"] == "bodycam.match.v1"]


def assert_one_alert_for_each_activation(stage: Stage) -> None:
    """A run that came to its end is over, and the next one is another activation; a run that
    was killed goes on under the same one. Nothing that the audit log knows of is lost.
    """
    events = {event["id"]: event["data"] for event in lines(stage.alerts)}
    first = [event["activation"] for event in events.values() if "match" not in event]
    assert len(first) == len(set(first)) >= 1
    audit = lines(stage.folder / "state" / "audit" / "audit.jsonl")
    raised = {record["fields"]["event"] for record in audit if record["kind"] == "alert"}
    assert raised <= events.keys()
    last = next(record for record in reversed(audit) if record["kind"] == "arm")
    assert last["fields"]["activation"] in first


def finish(stage: Stage, source: str) -> None:
    """Run once more, undisturbed, with broker and receiver there."""
    before = len(lines(stage.states))
    assert agent_on(stage, source).wait(60) == 0, stage.last_words("agent")
    wait_for(lambda: stage.offline_seen(before), "the agent's last words")


def test_killed_with_the_alert_on_disk_and_no_broker(stage: Stage, footage: Path) -> None:
    clip = [footage / "single_face.mp4"]
    options = ("--pace", "max", "--wait-client")
    outbox = stage.folder / "state" / "outbox.sqlite"
    agent = agent_on(stage, stage.start_camera(clip, *options))
    wait_for(lambda: waiting_in(outbox) == 1, "an alert on disk")
    agent.kill()
    agent.wait()
    stage.broker.start()
    stage.start_receiver()
    finish(stage, stage.start_camera(clip, *options))
    assert len(match_ids(stage)) == 1
    assert waiting_in(outbox) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments(stage: Stage, footage: Path, seed: int) -> None:
    clip = str(footage / "single_face.mp4")
    chance = random.Random(seed)
    stage.broker.start()
    stage.start_receiver()
    for _ in range(4):
        agent = agent_on(stage, clip)
        try:
            agent.wait(chance.uniform(0.5, 3.0))
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
    finish(stage, clip)
    assert_one_alert_for_each_activation(stage)


def test_no_broker_is_a_queue_and_exit_75(stage: Stage, footage: Path) -> None:
    clip = str(footage / "single_face.mp4")
    assert agent_on(stage, clip, "--set", "delivery.drain_s=0.5").wait(60) == 75
    report = json.loads((stage.folder / "report.json").read_text())
    assert report["alerts"] == {"raised": 1, "delivered": 0, "pending": 1}
    assert report["frames"] == {"read": 72, "processed": 72, "dropped": 0}
    assert report["threshold"] > 0.4
    assert report["watchlist"]["templates"] == 51


def test_disarmed_nobody_is_looked_at(stage: Stage, footage: Path) -> None:
    report = stage.folder / "report.json"
    state = ["--state-dir", str(stage.folder / "state"), "--report", str(report)]
    clip = str(footage / "single_face.mp4")
    assert (
        stage.start("agent", [*AGENT, "run", "--source", clip, "--disarmed", *state]).wait(60) == 0
    )
    got = json.loads(report.read_text())
    assert got["frames"] == {"read": 72, "processed": 0, "dropped": 72}
    assert (got["faces"], got["embeddings"], got["alerts"]["raised"]) == (0, 0, 0)
    assert got["armed_seconds"] == 0


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("gone.mp4", None, 66, "no such file"),
        ("text.mp4", b"this is no video", 65, "not a video"),
        ("empty.mp4", b"", 65, "empty"),
    ],
)
def test_sources_that_are_none(
    stage: Stage, name: str, content: bytes | None, code: int, message: str
) -> None:
    path = stage.folder / name
    if content is not None:
        path.write_bytes(content)
    assert agent_on(stage, str(path)).wait(60) == code
    said = (stage.folder / "agent.log").read_text()
    assert f"bodycam-agent: {path}: " in said
    assert message in said
    assert "Traceback" not in said


def test_memory_is_flat_over_ten_repetitions(stage: Stage, footage: Path) -> None:
    """The same footage ten times through one agent: no growth from frame to frame."""
    peaks = []
    for times in (2, 10):
        url = stage.start_camera(
            [footage / "single_face.mp4"], "--pace", "max", "--wait-client", "--loop", str(times)
        )
        assert agent_on(stage, url, "--set", "delivery.drain_s=0").wait(120) == 75
        report = json.loads((stage.folder / "report.json").read_text())
        assert report["frames"]["processed"] == 72 * times
        peaks.append(report["rss_peak_mb"])
    assert peaks[1] < 300
    assert peaks[1] < peaks[0] * 1.1
