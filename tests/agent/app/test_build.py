"""The agent as `run` builds it, with made-up people instead of networks."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agent.adapters.audit_log import AuditLog
from agent.adapters.control_socket import ask
from agent.app import Context
from agent.app.build import RunOptions, build_agent
from agent.app.context import Models
from agent.errors import CameraError, UnavailableError
from agent.messages.control import ControlReply, ControlRequest
from agent.runtime.agent import Agent
from agent.watchlist.columns import StoredList
from tests.support.agents import CURVE, MAN
from tests.support.clocks import FakeClock
from tests.support.http_camera import STREAM_HEAD, HttpCamera
from tests.support.lists import a_meta, columns_of
from tests.support.portraits import (
    SPACE,
    PortraitDetector,
    PortraitEmbedder,
    save_portrait,
    template,
)

ARMED = RunOptions(arm=("patrol", "TEST-1"))


@pytest.fixture(autouse=True)
def no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def context_on(folder: Path, source: object, *settings: str) -> Context:
    models = Models(PortraitDetector(), PortraitEmbedder(), CURVE)
    wanted = (f"camera.source={source}", *settings)
    return Context(folder / "state", None, wanted, models=models)


def enrol(context: Context, *people: int) -> None:
    metas = [a_meta(person) for person in people]
    vectors = np.stack([template(person) for person in people])
    columns = columns_of(metas, [1] * len(people), vectors)
    stored = StoredList("local-1", 1, SPACE, columns)
    context.watchlist().update(lambda _: stored, record=lambda _: None)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of the man at 10 frames/s."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for number in range(20):
        save_portrait(folder / f"{number:03d}.png", MAN)
    return folder


def audit_of(context: Context) -> list[tuple[str, dict[str, object]]]:
    records = [json.loads(line) for line in context.audit().lines()]
    return [(one["kind"], one["fields"]) for one in records if one["kind"] != "checkpoint"]


def test_a_clip_from_start_to_report(tmp_path: Path, clip: Path) -> None:
    context = context_on(tmp_path, clip, "camera.fps=10")
    enrol(context, MAN, 7)
    agent = build_agent(context, ARMED)
    assert agent.run() == 75
    report = agent.report()
    assert report["frames"] == {"read": 20, "processed": 20, "dropped": 0}
    assert report["alerts"] == {"raised": 1, "delivered": 0, "pending": 1}
    assert report["watchlist"]["subjects"] == 2
    assert report["models"]["embedder"] == {
        "name": "portraits", "precision": "fp32", "sha256": "5" * 64,
    }  # fmt: skip
    assert report["faces"] == 20
    assert report["tracks"] == 1
    assert report["armed_seconds"] > 0
    assert set(report["latency_ms"]) == {
        "detect", "track", "embed", "search", "decide", "frame", "alert_to_ack",
    }  # fmt: skip
    kinds = [kind for kind, _ in audit_of(context)]
    assert kinds == ["start", "models", "list", "arm", "alert", "disarm", "stop"]
    assert context.audit().verify().intact


def test_a_restart_does_not_raise_again_what_waits(tmp_path: Path, clip: Path) -> None:
    context = context_on(tmp_path, clip, "camera.fps=10")
    enrol(context, MAN)
    assert build_agent(context, ARMED).run() == 75
    again = build_agent(context, RunOptions())
    assert again.run() == 75
    assert again.report()["frames"] == {"read": 20, "processed": 0, "dropped": 20}
    assert again.report()["alerts"] == {"raised": 0, "delivered": 0, "pending": 1}
    starts = [fields["session"] for kind, fields in audit_of(context) if kind == "start"]
    assert starts == [1, 2]
    assert "config" not in [kind for kind, _ in audit_of(context)]
    other = context.adjusted("decision.margin=0.1")
    build_agent(other, RunOptions()).run()
    configs = [fields["config"] for kind, fields in audit_of(context) if kind == "start"]
    assert ("config", {"before": configs[1], "config": configs[2]}) in audit_of(context)


def test_a_second_agent_on_the_same_state_is_refused(tmp_path: Path, clip: Path) -> None:
    context = context_on(tmp_path, clip)
    first = build_agent(context, RunOptions())
    with pytest.raises(UnavailableError, match="another agent already runs"):
        build_agent(context, RunOptions())
    assert first.run() == 0
    assert build_agent(context, RunOptions()).run() == 0


def test_a_list_that_cannot_be_used_leaves_the_agent_up_and_disarmed(
    tmp_path: Path, clip: Path
) -> None:
    context = context_on(tmp_path, clip, "camera.fps=10")
    enrol(context, MAN)
    context.watchlist().update(lambda before: replace(before, space="other"), record=lambda _: None)
    refused = build_agent(context, ARMED)
    assert refused.run() == 0
    assert refused.report()["armed_seconds"] == 0
    enrol(context, MAN)
    assert build_agent(context, ARMED).run() == 75


@contextmanager
def operated(agent: Agent, script: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Somebody at another terminal; at the end of his script the agent is asked to stop."""
    errors: list[BaseException] = []

    def operate() -> None:
        try:
            script()
        except BaseException as error:  # noqa: BLE001 -- told to the test below
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=operate)
    thread.start()
    yield errors
    thread.join(20)
    assert errors == []


def patient(context: Context, request: ControlRequest) -> ControlReply:
    deadline = time.monotonic() + 15
    while True:
        try:
            return ask(context.control_path, request)
        except UnavailableError:  # noqa: PERF203
            assert time.monotonic() < deadline


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_armed_disarmed_and_given_a_new_list_while_running(tmp_path: Path, clip: Path) -> None:
    """A clip of 2,000 s in real time stands in for a camera that never ends."""
    context = context_on(tmp_path, clip, "camera.fps=0.05", "camera.pace=live")
    enrol(context, 7)
    agent = build_agent(context, RunOptions())

    def script() -> None:
        first = patient(context, ControlRequest(command="status"))
        assert (first.data["state"], first.data["armed"]) == ("disarmed", False)
        arm = ControlRequest(command="arm", reason="patrol", authorisation="TEST-1")
        assert ask(context.control_path, arm).data["state"] == "armed"
        enrol(context, 7, MAN)
        until(lambda: " v2" in str(status()["watchlist"]))
        report = ask(context.control_path, ControlRequest(command="report")).data
        assert report["watchlist"]["subjects"] == 2
        refused = ask(context.control_path, ControlRequest(command="arm", reason="no paper"))
        assert (refused.ok, refused.code) == (False, 64)
        off = ControlRequest(command="disarm", reason="end of shift")
        assert ask(context.control_path, off).data["state"] == "disarmed"

    def status() -> dict[str, object]:
        return ask(context.control_path, ControlRequest(command="status")).data

    with operated(agent, script):
        assert agent.run() == 0
    records = audit_of(context)
    assert [kind for kind, _ in records] == [
        "start", "models", "list", "arm", "list", "disarm", "stop",
    ]  # fmt: skip
    assert records[3][1]["uid"] == os.getuid()
    assert records[-2][1]["reason"] == "end of shift"
    assert records[-1][1]["reason"] == "signal"
    assert not context.control_path.exists()


def test_a_camera_that_is_not_there(tmp_path: Path) -> None:
    context = context_on(tmp_path, f"http://127.0.0.1:{closed_port()}/stream.mjpg")
    with pytest.raises(CameraError, match="connection refused"):
        build_agent(context, RunOptions(camera_timeout_s=0.0)).run()
    agent = build_agent(context, RunOptions())

    def script() -> None:
        until(lambda: "connection refused" in str(status()["reason"]))
        assert status()["state"] == "degraded"

    def status() -> dict[str, object]:
        return patient(context, ControlRequest(command="status")).data

    with operated(agent, script):
        assert agent.run() == 0


def test_a_camera_that_says_nothing_does_not_hold_up_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with HttpCamera(STREAM_HEAD, silent=True) as camera:
        agent = build_agent(context_on(tmp_path, camera.url), RunOptions())
        with operated(agent, lambda: until(lambda: bool(camera.requests))):
            assert agent.run() == 0
    assert "did not end in time" not in capsys.readouterr().err


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_service_manager_hears_ready_states_pings_and_the_end(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        agent = build_agent(
            context_on(tmp_path, clip, "camera.fps=0.05", "camera.pace=live"), ARMED
        )

        def script() -> None:
            while heard.count("WATCHDOG=1") < 3:
                heard.append(manager.recv(1000).decode())

        with operated(agent, script):
            assert agent.run() == 0
        manager.settimeout(0.1)
        while "STOPPING=1" not in heard:
            heard.append(manager.recv(1000).decode())
    assert "READY=1" in heard
    assert "STATUS=degraded: armed; the watchlist is empty: no alert is possible" in heard
    assert heard.index("READY=1") < heard.index("STOPPING=1")


def test_a_clock_set_back_while_the_power_was_off_is_recorded(tmp_path: Path, clip: Path) -> None:
    context = context_on(tmp_path, clip, "camera.fps=10")
    tomorrow = FakeClock(wall=context.clock.wall() + 86_400.0)
    AuditLog(context.state_dir / "audit", tomorrow).append("stop", reason="signal")
    assert build_agent(context, RunOptions()).run() == 0
    kinds = [kind for kind, _ in audit_of(context)]
    assert kinds[:3] == ["stop", "time", "start"]
    assert audit_of(context)[1][1]["step_ms"] == pytest.approx(86_400_000, rel=0.001)
