"""Audit logs with checkpoints, and the script for third parties that checks them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.adapters.audit_log import AuditLog
from agent.audit.checkpoint import CheckpointKey
from tests.support.clocks import FakeClock

SCRIPT = Path(__file__).resolve().parents[2] / "agent" / "docs" / "verify_audit.py"


def key_of(seed: int = 1, device: str = "CAM-7") -> CheckpointKey:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    public = private.public_key().public_bytes_raw()
    return CheckpointKey("example-pd", device, public, private.sign)


def sample_log(folder: Path, stretches: tuple[int, ...] = (2, 2), tail: int = 1) -> AuditLog:
    """A log with so many records before each checkpoint, and after the last one."""
    clock = FakeClock()
    log = AuditLog(folder, clock)
    for count in stretches:
        for _ in range(count):
            _record(log, clock)
        log.checkpoint(key_of())
    for _ in range(tail):
        _record(log, clock)
    return log


def _record(log: AuditLog, clock: FakeClock) -> None:
    clock.advance(1.0)
    log.append("disarm", activation="A-1", reason="Schichtende, ü", uid=7)


def whole(log: AuditLog) -> bytes:
    """All bytes of all files."""
    return b"".join(line + b"\n" for line in log.lines())


def script() -> ModuleType:
    """The script, loaded; it shares no code with the agent."""
    spec = importlib.util.spec_from_file_location("verify_audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
