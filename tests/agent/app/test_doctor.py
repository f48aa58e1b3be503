"""Each thing that can be wrong with a device is said, with its mend and its code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.adapters.fpir_file import FpirFile
from agent.app.context import Context
from agent.app.doctor import examine
from agent.app.doctor_machine import UNIT
from agent.app.findings import Finding, Machine
from agent.cli import main
from agent.errors import Exit
from agent.messages.control import ControlReply, ControlRequest
from agent.policy.fpir_monitor import FpirCounts

UNIT_FILE = Path(__file__).resolve().parents[3] / "systemd" / UNIT


SEE = "not looked at: see configuration"


class Patient:
    """A device with nothing wrong but what a test makes wrong."""

    def __init__(self, folder: Path) -> None:
        self.state, self.root = folder / "state", folder / "root"
        self.state.mkdir(mode=0o700)
        self.overrides: tuple[str, ...] = (f"models.dir={folder / 'models'}",)

    def put(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def looked_at(self) -> dict[str, Finding]:
        context = Context(self.state, None, self.overrides)
        machine = Machine(self.root, os.getuid())
        return {one.check: one for one in examine(context, machine)}

    def says(self, check: str) -> tuple[str, Exit, str]:
        found = self.looked_at()[check]
        assert found.level == "OK" or found.mend or found.says
        return found.level, found.code, f"{found.says} -> {found.mend}"


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def test_every_check_answers_though_others_fail(patient: Patient) -> None:
    patient.overrides += ("mqtt.port=70000",)
    found = patient.looked_at()
    assert len(found) == 15
    assert found["configuration"].code is Exit.CONFIG
    assert "mqtt.port" in found["configuration"].says
    for name in ("models", "broker", "hardware"):
        assert (found[name].level, found[name].says) == ("WARN", SEE), name
    assert found["state folder"].level == "OK"


def test_a_state_folder_that_others_may_read(patient: Patient) -> None:
    assert patient.says("state folder")[0] == "OK"
    patient.state.chmod(0o755)
    level, code, says = patient.says("state folder")
    assert (level, code) == ("WARN", Exit.OK)
    assert f"chmod 700 {patient.state}" in says


def test_models_that_are_not_there_or_not_the_pinned_ones(
    patient: Patient, models_dir: Path
) -> None:
    assert patient.says("models")[:2] == ("FAIL", Exit.NO_INPUT)
    patient.overrides = (f"models.dir={models_dir}",)
    assert patient.says("models")[0] == "OK"
    copies = patient.root / "models"
    copies.mkdir(parents=True)
    for path in models_dir.glob("*.onnx"):
        (copies / path.name).write_bytes(path.read_bytes()[:-1] + b"!")
    patient.overrides = (f"models.dir={copies}",)
    assert patient.says("models")[:2] == ("FAIL", Exit.DATA)


def test_an_audit_log_that_was_changed(patient: Patient) -> None:
    log = Context(patient.state).audit()
    log.append("gap", events=0, reason="one")
    log.append("gap", events=0, reason="two")
    assert patient.says("audit log")[0] == "OK"
    log.path.write_bytes(log.path.read_bytes().replace(b"one", b"eno"))
    assert patient.says("audit log")[:2] == ("FAIL", Exit.DATA)


def test_an_audit_log_that_was_emptied(patient: Patient) -> None:
    log = Context(patient.state).audit()
    log.append("gap", events=0, reason="one")
    log.path.write_bytes(b"")
    assert patient.says("audit log")[:2] == ("FAIL", Exit.DATA)


class Answering:
    """A running agent, as far as doctor asks it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **data: Any) -> None:
        def ask(path: Path, request: ControlRequest) -> ControlReply:
            assert request.command == "status"
            return ControlReply(ok=True, data=data)

        monkeypatch.setattr("agent.app.findings.ask", ask)


def test_a_store_that_the_running_agent_has_open(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = SimpleNamespace(device="CAM-7")
    locked = SimpleNamespace(
        identity=device, locked=True, how_to_unlock="ctl unlock", close=lambda: None
    )
    monkeypatch.setattr(Context, "provisioned", True)
    monkeypatch.setattr(Context, "keystore", lambda _: locked)
    assert patient.says("list") == ("WARN", Exit.OK, "CAM-7: the store is locked -> ctl unlock")
    Answering(monkeypatch, state="locked")
    assert patient.says("list")[0] == "WARN"
    Answering(monkeypatch, state="disarmed", watchlist="L-1 v2")
    level, _, says = patient.says("list")
    assert (level, "the running agent has the store open, with L-1 v2" in says) == ("OK", True)


def test_a_clock_that_gpsd_speaks_for(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.app.doctor_machine.clock_state", lambda: "free-running")
    assert "or let gpsd give the time" in patient.says("clock")[2]
    patient.overrides += ("gps.enabled=true",)
    assert "once the agent runs" in patient.says("clock")[2]
    for age, level in ((None, "WARN"), (31.0, "WARN"), (1.5, "OK")):
        Answering(monkeypatch, gps={"fix_age_s": age})
        assert patient.says("clock")[0] == level, age


def test_a_monitor_that_stopped_matching(patient: Patient) -> None:
    assert "nothing is counted yet" in patient.says("false alerts")[2]
    FpirFile(patient.state / "fpir.json").save(FpirCounts(), "too many false alerts")
    level, code, says = patient.says("false alerts")
    assert (level, code) == ("FAIL", Exit.REFUSED)
    assert "reset-monitor" in says


def test_swap_that_the_service_may_use(patient: Patient) -> None:
    assert patient.says("swap")[0] == "OK"
    head = "Filename Type Size Used Priority\n"
    patient.put("proc/swaps", head)
    assert patient.says("swap")[0] == "OK"
    patient.put("proc/swaps", f"{head}/swapfile file 1 0 -2\n")
    assert patient.says("swap")[0] == "WARN"
    group = f"sys/fs/cgroup/system.slice/{UNIT}/memory.swap.max"
    patient.put(group, "max\n")
    level, _, says = patient.says("swap")
    assert level == "FAIL"
    assert "MemorySwapMax=0" in says
    patient.put(group, "0\n")
    assert patient.says("swap")[0] == "OK"


@pytest.mark.parametrize("line", ["MemorySwapMax=0", "LimitCORE=0", "WatchdogSec=30"])
def test_a_unit_that_was_weakened(patient: Patient, line: str) -> None:
    assert patient.says("service")[0] == "WARN"
    shipped = UNIT_FILE.read_text()
    patient.put(f"etc/systemd/system/{UNIT}", shipped)
    assert patient.says("service")[0] == "OK"
    patient.put(f"etc/systemd/system/{UNIT}", shipped.replace(f"\n{line}", f"\n#{line}"))
    level, _, says = patient.says("service")
    assert level == "FAIL"
    assert line in says


def test_a_broker_without_tls(patient: Patient) -> None:
    assert "alerts wait on disk" in patient.says("broker")[2]
    patient.overrides += ("mqtt.host=broker.example",)
    assert patient.says("broker")[0] == "WARN"
    patient.overrides += ("mqtt.host=127.0.0.1",)
    assert patient.says("broker")[0] == "OK"


def test_the_command_answers_in_lines_and_in_json(
    patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    FpirFile(patient.state / "fpir.json").save(FpirCounts(), "too many false alerts")
    common = ["doctor", "--state-dir", str(patient.state), "--set", patient.overrides[0]]
    assert main(common) == Exit.NO_INPUT  # the models, which are looked at before
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert {line.split()[0] for line in lines} <= {"OK", "WARN", "FAIL"}
    assert main([*common, "--json"]) == Exit.NO_INPUT
    told = {one["check"]: one for one in json.loads(capsys.readouterr().out)}
    assert told["false alerts"]["level"] == "FAIL"
    assert told["false alerts"]["code"] == Exit.REFUSED


def test_battery_and_heat_and_a_lamp_that_is_not_ours(patient: Patient, tmp_path: Path) -> None:
    root = tmp_path / "sys"
    for name, text in {
        "power_supply/b/type": "Battery", "power_supply/b/capacity": "7",
        "thermal/thermal_zone0/temp": "61400", "leds/lamp/brightness": "0",
    }.items():  # fmt: skip
        file = root / "class" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    patient.overrides += (f"hardware.sysfs_root={root}",)
    assert patient.looked_at()["hardware"] == Finding("hardware", "OK", "battery 7 %, 61 °C")
    patient.overrides += ("hardware.led=lamp",)
    found = patient.looked_at()["hardware"]
    assert found.level == "WARN"
    assert "lamp/trigger" in found.says
    (root / "class/leds/lamp/trigger").write_text("none")
    assert patient.looked_at()["hardware"].level == "OK"
