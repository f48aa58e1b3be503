"""Checkpoints on the wire, and whole audit logs: damaged, and made anew without the key.

The agent and the script for third parties must never disagree about a log: what the agent takes for
whole, the script does too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from agent.adapters.checkpoint_events import check_checkpoint, trust_in
from agent.adapters.signing import KeySigner, signed, verify
from agent.audit.chain import canonical
from agent.audit.usage import Period, usage_of
from agent.audit.walk import Trust
from agent.audit.walk import verify as walk
from agent.errors import DataError, RefusedError
from tests.fuzz.mutate import scramble, twist
from tests.fuzz.watch import Subject
from tests.support.auditing import key_of, sample_log, script, whole

KEY = key_of()
_ORACLE = script()


class _Device(KeySigner):
    """Signs nonsense with the key of the device."""

    def __init__(self) -> None:
        pass

    @property
    def sign_key(self) -> bytes:
        return KEY.public

    def sign(self, data: bytes) -> bytes:
        return KEY.sign(data)


def log_subjects() -> tuple[Subject, ...]:
    """Logs, checkpoints, and files of anchors."""
    with TemporaryDirectory() as folder:
        log = sample_log(Path(folder) / "audit")
        data, made = whole(log), log.checkpoint(KEY)
    assert made is not None
    event = json.dumps(dict(made.event)).encode()
    anchors = {"format": "bodycam.anchors.v1", "agency": "example-pd", "device": "CAM-7"}
    anchors |= {"key": KEY.public.hex(), "anchors": [dict(made.event)]}
    wrong = (DataError, RefusedError)
    return (
        Subject("audit logs", (data,), scramble, _read_log, wrong),
        Subject("audit logs made anew", (data,), _anew, _read_log, wrong),
        Subject("checkpoints", (event,), twist, _hear, wrong),
        Subject("anchors", (json.dumps(anchors).encode(),), twist, trust_in, wrong),
    )


def _read_log(data: bytes) -> None:
    report = walk(data.splitlines(keepends=True), verify, Trust(KEY.public.hex()))
    if not report.intact:
        raise DataError(report.problem)
    try:
        _ORACLE.check(data, KEY.public.hex())
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever it says, it says no
        raise AssertionError(f"whole for the agent alone: {error}") from None
    records = [json.loads(line) for line in data.split(b"\n")[:-1]]
    usage_of(records, Period(0.0, 4e9))


def _anew(rng: Random, data: bytes) -> bytes:
    """One record changed, and the hashes from there on made anew."""
    lines = data.split(b"\n")[:-1]
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        records = [json.loads(line) for line in lines]
        at = rng.randrange(len(records))
        records[at] = json.loads(twist(rng, json.dumps(records[at]).encode()))
        prev = records[at - 1]["hash"] if at else "0" * 64
        for record in records[at:]:
            record["prev"] = prev
            body = {key: value for key, value in record.items() if key != "hash"}
            prev = record["hash"] = hashlib.sha256(canonical(body)).hexdigest()
        return b"".join(canonical(record) + b"\n" for record in records)
    return scramble(rng, data)


def _hear(data: bytes) -> None:
    try:
        tree = json.loads(data)
        again = signed(tree, _Device())
    except (ValueError, TypeError, RecursionError):
        raise DataError("no JSON object") from None
    for one in (again, tree):
        check_checkpoint(one, "example-pd", "CAM-7", KEY.public)
