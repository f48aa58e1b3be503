"""Whoever has not the key changes nothing before the last checkpoint unseen: neither by the
command nor by the script for third parties.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.adapters.audit_log import AuditLog
from agent.adapters.signing import verify as signature
from agent.audit.chain import canonical
from agent.audit.walk import ChainReport, Trust, verify
from tests.support.auditing import SCRIPT, key_of, sample_log, script, whole
from tests.support.clocks import FakeClock

ORACLE = script()
KEY = key_of().public.hex()


def agent_finds(data: bytes, trust: Trust | None = None) -> bool:
    return not report(data, trust).intact


def report(data: bytes, trust: Trust | None = None) -> ChainReport:
    return verify(data.splitlines(keepends=True), signature, trust or Trust(KEY))


def script_finds(data: bytes, trust: Trust | None = None) -> bool:
    anchors = (trust or Trust()).anchors
    told = [{"data": {"last": last, "hash": digest}} for last, digest in anchors.items()]
    try:
        ORACLE.check(data, KEY, told)
    except (Exception, SystemExit):  # noqa: BLE001 -- whatever it raises, it was found
        return True
    return False


BOTH = pytest.mark.parametrize("finds", [agent_finds, script_finds])
Finds = Callable[..., bool]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> AuditLog:
    return sample_log(tmp_path_factory.mktemp("log") / "audit")


@pytest.fixture(scope="module")
def data(log: AuditLog) -> bytes:
    return whole(log)


def protected(data: bytes) -> int:
    """Bytes up to the end of the last checkpoint's line."""
    return data.index(b"\n", data.rindex(b'"kind":"checkpoint"')) + 1


@BOTH
def test_the_untouched_log_is_whole(finds: Finds, data: bytes) -> None:
    assert not finds(data)
    found = report(data)
    assert (found.first, found.records, found.protected, found.signer) == (0, 7, 4, KEY)


@BOTH
@pytest.mark.parametrize("mask", [1, 0x20, 0x80])
def test_any_one_byte_changed_is_found(finds: Finds, data: bytes, mask: int) -> None:
    missed = []
    for place in range(protected(data)):
        changed = bytearray(data)
        changed[place] ^= mask
        if not finds(bytes(changed)):
            missed.append(place)
    assert missed == []


@BOTH
def test_any_line_removed_doubled_swapped_or_cut_is_found(finds: Finds, data: bytes) -> None:
    lines = data.splitlines(keepends=True)
    signed = data[: protected(data)].count(b"\n")
    others = []
    for at in range(signed):
        others.append([*lines[:at], *lines[at + 1 :]])
        others.append([*lines[: at + 1], *lines[at:]])
        others.append([*lines[:at], lines[at][: len(lines[at]) // 2] + b"\n", *lines[at + 1 :]])
        for other in range(at + 1, signed):
            swapped = list(lines)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            others.append(swapped)
        if at:
            others.append(lines[at:])
    assert len(others) == 38
    missed = [one for one in others if not finds(b"".join(one))]
    assert missed == []


def forged(lines: list[bytes], change: int) -> list[bytes]:
    """The log with one record changed, and every hash after it made anew, signatures left."""
    records = [json.loads(line) for line in lines]
    records[change]["fields"]["reason"] = "nothing happened"
    prev = records[change]["prev"]
    for record in records[change:]:
        record["prev"] = prev
        body = {key: value for key, value in record.items() if key != "hash"}
        prev = record["hash"] = hashlib.sha256(canonical(body)).hexdigest()
    return [canonical(record) + b"\n" for record in records]


@BOTH
def test_hashes_made_anew_do_not_help(finds: Finds, data: bytes) -> None:
    lines = data.splitlines(keepends=True)
    for change in (0, 1, 3, 4):
        assert finds(b"".join(forged(lines, change)))
    assert not finds(b"".join(forged(lines, 6)))  # what comes after the checkpoint is not protected


@BOTH
def test_a_log_made_anew_under_another_key_is_found_with_the_key(
    finds: Finds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = AuditLog(tmp_path_factory.mktemp("other"), FakeClock())
    other.append("start")
    other.checkpoint(key_of(2))
    assert finds(whole(other))


@BOTH
def test_a_cut_end_and_a_restored_disk_are_found_with_the_anchors(
    finds: Finds, data: bytes
) -> None:
    lines = data.splitlines(keepends=True)
    hashes = [json.loads(line)["hash"] for line in lines]
    trust = Trust(KEY, {1: hashes[1], 4: hashes[4]})
    assert not finds(data, trust)
    assert report(data, trust).anchored == 4
    for left in range(1, 5):
        cut = b"".join(lines[:left])
        assert finds(cut, trust), left
        assert not finds(cut), "without anchors nobody can tell"
    went_on = b"".join(forged(lines, 3)[:6])  # the hub knows another record 4
    assert finds(went_on, trust)


@BOTH
@given(length=st.integers(1, 200))
@settings(deadline=None)
def test_a_torn_line_is_told_apart(finds: Finds, data: bytes, length: int) -> None:
    torn = data[:-length] if length < len(data.splitlines()[-1]) else data[:-1]
    assert not finds(torn)
    assert report(torn).torn


@BOTH
def test_a_beginning_given_up_is_no_tampering_when_it_is_signed_for(
    finds: Finds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = pruned(tmp_path_factory)
    assert not finds(whole(log))
    first = report(whole(log)).first
    assert first > 0
    unsigned = whole(log).replace(b'"kind":"prune"', b'"kind":"enrol"')
    assert finds(unsigned)


@BOTH
def test_a_beginning_cut_off_at_a_checkpoint_is_found(
    finds: Finds, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Though a checkpoint vouches for its own place, and though a `prune` is put behind it."""
    log = pruned(tmp_path_factory)
    lines = whole(log).splitlines(keepends=True)
    later = [at for at, line in enumerate(lines) if b'"kind":"checkpoint"' in line][1:]
    for at in later[:-1]:
        assert finds(b"".join(lines[at:]))
    first = json.loads(lines[later[0]])["seq"]
    log.append("prune", first=0, last=first - 1)
    assert finds(b"".join(whole(log).splitlines(keepends=True)[later[0] :]))


def pruned(factory: pytest.TempPathFactory) -> AuditLog:
    log = AuditLog(factory.mktemp("pruned"), FakeClock())
    for _ in range(6):
        log.append("disarm", reason="x" * 300)
        log.checkpoint(key_of(), file_bytes=1)
    assert log.prune(3000, 1 << 40, key_of()) is not None
    return log


def test_the_script_shares_nothing_with_the_agent_and_is_short() -> None:
    text = SCRIPT.read_text()
    tree = ast.parse(text)
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert not {name for name in names if name.startswith(("agent", "tests"))}
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 55
