"""`ctl` as an operator sees it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.adapters.control_socket import ControlServer
from agent.cli import main
from agent.cli.ctl_test_alert import follow
from agent.cli.facts import lines
from agent.messages.control import ControlReply, ControlRequest
from tests.support.alerts import ulid
from tests.support.clocks import FakeClock

EVENT = ulid(1)


class Agent:
    """Answers as a running one does; a test alert is confirmed when asked so many times."""

    def __init__(self, confirmed_at: int = 2, by: str = "hub") -> None:
        self.requests: list[ControlRequest] = []
        self.confirmed_at = confirmed_at
        self.by = by
        self.refusal: ControlReply | None = None

    def __call__(self, request: ControlRequest, uid: int = 0) -> ControlReply:
        self.requests.append(request)
        if self.refusal is not None:
            return self.refusal
        if request.command == "status":
            return ControlReply(ok=True, data={"delivery": "no broker configured", "parked": 0})
        done = len(self.requests) > self.confirmed_at
        data = {"event": EVENT, "confirmed": done, "by": self.by, "s": 0.123 if done else None}
        return ControlReply(ok=True, data=data)


@contextmanager
def running(agent: Callable[..., ControlReply], folder: Path) -> Iterator[list[str]]:
    """The agent listens; what is given are the options that find it."""
    server = ControlServer(folder / "control.sock", 0)
    server.open()
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            server.serve(agent, 0.02)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield ["--socket", str(folder / "control.sock")]
    finally:
        done.set()
        thread.join(5)
        server.close()


def test_a_confirmed_test_alert_is_0_and_says_how_long(tmp_path, capsys) -> None:
    with running(agent := Agent(), tmp_path) as options:
        assert main(["ctl", "test-alert", *options]) == 0
    said = capsys.readouterr().err
    assert said == f"test alert {EVENT} confirmed after 0.12 s: the agency's receiver has it\n"
    assert [request.event for request in agent.requests] == ["", EVENT, EVENT]


def test_the_brokers_word_is_called_what_it_is(tmp_path, capsys) -> None:
    with running(Agent(by="broker"), tmp_path) as options:
        assert main(["ctl", "test-alert", *options]) == 0
    assert "whether anybody received it, nobody says" in capsys.readouterr().err


def test_an_order_is_answered_with_what_it_is_about(tmp_path, capsys) -> None:
    data = {"state": "armed", "reason": "patrol", "authorisation": "W-1", "authorised_until": "…Z",
            "watchlist": "l-1 v2", "frames": 7, "parked": 0, "pending": 3}  # fmt: skip
    with running(lambda request, uid: ControlReply(ok=True, data=data), tmp_path) as options:
        arm = ["ctl", "arm", "--reason", "patrol", "--authorisation", "W-1"]
        for words, known in ((arm, 5), (["ctl", "disarm"], 2), (["ctl", "unpark"], 2)):
            assert main([*words, *options]) == 0
            assert len(capsys.readouterr().out.splitlines()) == known
        assert main(["ctl", "status", *options]) == 0
        assert len(capsys.readouterr().out.splitlines()) == len(data)


def test_not_in_time_is_69_with_the_trouble(tmp_path, capsys) -> None:
    with running(Agent(confirmed_at=10_000), tmp_path) as options:
        assert main(["ctl", "test-alert", "--timeout", "0.2", *options]) == 69
        said = capsys.readouterr()
        assert said.out == ""
        assert "was not confirmed within 0.2 s: no broker configured; it stays" in said.err
        assert main(["ctl", "test-alert", "--timeout", "0.2", "--json", *options]) == 69
    told = json.loads(capsys.readouterr().out)
    assert (told["confirmed"], told["trouble"]) == (False, "no broker configured")


def test_refused_by_policy_is_77(tmp_path, capsys) -> None:
    agent = Agent()
    agent.refusal = ControlReply(ok=False, error="the policy allows no test alerts", code=77)
    with running(agent, tmp_path) as options:
        assert main(["ctl", "test-alert", *options]) == 77
    assert capsys.readouterr().err == "bodycam-agent: the policy allows no test alerts\n"


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "3601"])
def test_timeouts_that_make_no_sense(tmp_path, capsys, timeout) -> None:
    assert main(["ctl", "test-alert", f"--timeout={timeout}", "--state-dir", str(tmp_path)]) == 64
    assert "--timeout" in capsys.readouterr().err


def test_it_is_asked_until_the_time_is_over_and_no_longer() -> None:
    clock, agent = FakeClock(), Agent(confirmed_at=10_000)
    reply = follow(agent, 1.05, clock.monotonic, clock.advance)
    assert clock.now == pytest.approx(1001.05)
    assert len(agent.requests) == 13, "raised, asked every 0.1 s, and for the trouble at the end"
    assert reply.data["trouble"] == "no broker configured"


def test_an_agent_that_goes_away_meanwhile_is_the_last_word() -> None:
    clock, agent = FakeClock(), Agent(confirmed_at=10_000)

    def dying(request: ControlRequest) -> ControlReply:
        if len(agent.requests) > 2:
            agent.refusal = ControlReply(ok=False, error="no test alert", code=66)
        return agent(request)

    assert follow(dying, 5.0, clock.monotonic, clock.advance).code == 66


STATUS: dict[str, Any] = {
    "armed": True,
    "sync": None,
    "parked": 0,
    "given_up": 2,
    "delivery": "",
    "inbound": {"confirmed": 3, "refused": {}},
    "broker": {
        "certificate_days": 88,
        "broker_certificate_days": None,
        "unheard": ["ack"],
        "heard": 4,
    },
}


def test_status_is_one_fact_a_line() -> None:
    assert [line.strip().split("  ") for line in lines(STATUS)] == [
        ["armed", "yes"],
        ["sync", "-"],
        ["parked", "0"],
        ["given up", "2"],
        ["delivery trouble", "-"],
        ["inbound confirmed", "3"],
        ["inbound refused", "none"],
        ["own certificate", "88 days"],
        ["broker's certificate", "-"],
        ["broker unheard", "ack"],
        ["broker heard", "4"],
    ]


def test_the_status_that_is_printed_has_no_braces(tmp_path, capsys) -> None:
    reply = ControlReply(ok=True, data=STATUS)
    with running(lambda request, uid: reply, tmp_path) as options:
        assert main(["ctl", "status", *options]) == 0
    said = capsys.readouterr().out
    assert "own certificate  88 days\n" in said
    assert "broker's certificate  -\n" in said
    assert not set("{}[]") & set(said)
