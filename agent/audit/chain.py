"""Rules of the audit chain: what may be recorded, and how a change is found.

A record is one line of canonical JSON: `{fields, hash, kind, prev, seq, time}`. `hash` is the
sha256 of the record without it, `prev` the hash of the record before. Fields are allow-listed per
kind and bounded: ids, counts and hashes; never a name, a template, a picture or free text about a
person other than the reason an operator gave.

The chain alone could be made anew by whoever changes it; the signed checkpoints in it could not
(`agent.audit.checkpoint`). That its end was cut off, checkpoints kept elsewhere show. How a whole
log is checked: `agent.audit.walk`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agent.messages import iso_utc
from agent.values import Wall

GENESIS: Final = "0" * 64
"""`prev` of the first record."""
MAX_LINE = 16_384
_KEYS = frozenset({"fields", "hash", "kind", "prev", "seq", "time"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{86}==")
_REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,500}")
_NOT_IN_A_REASON = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_COUNT = None
_MAX_COUNT = 2**53

_Rule = re.Pattern[str] | None
_LIST: Mapping[str, _Rule] = {"list": _ID, "version": _COUNT}
_CHANGE: Mapping[str, _Rule] = {
    **_LIST,
    "sha256": _HASH,
    "entries": _COUNT,
    "templates": _COUNT,
}
_RESTS_ON: Mapping[str, _Rule] = {
    "policy": _HASH,
    "sha256": _HASH,
    "detector": _HASH,
    "embedder": _HASH,
}
"""What a use rests on; `sha256` is of the list."""

KINDS: Final[Mapping[str, Mapping[str, _Rule]]] = {
    "start": {"version": _ID, "session": _COUNT, "config": _HASH},
    "stop": {"reason": _REASON, "session": _COUNT},
    "arm": {
        "activation": _ID,
        "authorisation": _ID,
        "reason": _REASON,
        "uid": _COUNT,
        **_RESTS_ON,
        **_LIST,
    },
    "disarm": {
        "activation": _ID,
        "reason": _REASON,
        "cause": _ID,
        "uid": _COUNT,
        "subjects": _COUNT,
    },
    "policy": {"policy": _HASH, "version": _COUNT},
    "rules": {"generation": _COUNT, "key": _ID},
    "authorise": {"authorisation": _ID, "what": _ID, "version": _COUNT},
    "refusal": {"what": _ID, "reason": _REASON, "authorisation": _ID, "uid": _COUNT},
    "command": {"command": _ID, "counter": _COUNT, "signer": _ID, "reason": _REASON},
    "alert": {"event": _ID, "match": _ID, "activation": _ID, "authorisation": _ID, **_LIST},
    "test-alert": {"event": _ID, "uid": _COUNT},
    "gap": {"events": _COUNT, "reason": _REASON},
    "late": {"events": _COUNT, "reason": _REASON},
    "list": {**_CHANGE, "subjects": _COUNT},
    "models": {"detector": _HASH, "embedder": _HASH},
    "config": {"config": _HASH, "before": _HASH},
    "time": {"reason": _REASON, "step_ms": _COUNT},
    "enrol": {**_CHANGE, "authorisation": _ID, "rejected": _COUNT},
    "import": {**_CHANGE, "source": _HASH, "distractors": _COUNT},
    "remove": _CHANGE,
    "identify": {
        **_LIST,
        **_RESTS_ON,
        "authorisation": _ID,
        "uid": _COUNT,
        "images": _COUNT,
        "faces": _COUNT,
        "searched": _COUNT,
        "matches": _COUNT,
    },
    "sync": {**_CHANGE, "added": _COUNT, "removed": _COUNT, "bytes": _COUNT},
    "expire": {**_CHANGE, "reason": _REASON},
    "unlock": {"how": _ID, "uid": _COUNT},
    "provision": {
        "root": _HASH,
        "agency": _ID,
        "device": _ID,
        "how": _ID,
        "uid": _COUNT,
        "key": _HASH,
    },
    "wipe": {"reason": _REASON, "uid": _COUNT},
    "torn": {"bytes": _COUNT, "sha256": _HASH},
    "checkpoint": {
        "agency": _ID,
        "device": _ID,
        "id": _ID,
        "first": _COUNT,
        "key": _HASH,
        "signature": _SIGNATURE,
    },
    "prune": {"first": _COUNT, "last": _COUNT, "reason": _REASON},
    "review": {"event": _ID, "device": _ID, "decision": _ID, "signer": _ID},
    "purge": {
        "events": _COUNT,
        "reviews": _COUNT,
        "held": _COUNT,
        "authorisation": _ID,
        "days": _COUNT,
    },
    "hold": {"event": _ID, "device": _ID, "reason": _REASON},
    "release": {"event": _ID, "device": _ID},
    "reviewer": {"signer": _ID, "change": _ID, "needed": _COUNT},
    "act": {
        "act": _ID,
        "what": _ID,
        "step": _ID,
        "about": _ID,
        "version": _COUNT,
        "sha256": _HASH,
        "uid": _COUNT,
    },
    "fork": {"device": _ID, "first": _COUNT, "last": _COUNT, "sha256": _HASH},
}
"""Every kind of record with the fields it may have; all are optional. A pattern is for text, None
is for a count (0 to 2**53)."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where the chain stands.

    Attributes:
        seq: number of the last record; -1 before the first.
        hash: of the last record.
    """

    seq: int = -1
    hash: str = GENESIS


def make_record(
    last: Link, kind: str, fields: Mapping[str, str | int], *, now: Wall
) -> tuple[bytes, Link]:
    """The next line of the log, with its newline, and where the chain stands after it.

    A `reason` is made one line and cut to 500 characters, so that a long one never prevents the
    record it belongs to.

    Raises:
        ValueError: a kind or field that may not be recorded.
    """
    tidy = {name: _tidy(name, value) for name, value in fields.items()}
    problem = _fields_problem(kind, tidy)
    if problem:
        raise ValueError(f"audit: {problem}")
    record = {
        "fields": tidy,
        "kind": kind,
        "prev": last.hash,
        "seq": last.seq + 1,
        "time": iso_utc(now),
    }
    digest = hashlib.sha256(canonical(record)).hexdigest()
    return canonical({**record, "hash": digest}) + b"\n", Link(last.seq + 1, digest)


def canonical(record: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces, ASCII only: one value, one text."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_record(line: bytes) -> dict[str, Any]:
    """One line without its newline, checked by itself (its place in the chain is not).

    Raises:
        ValueError: what is wrong with it.
    """
    if len(line) > MAX_LINE:
        raise ValueError("longer than a record can be")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(record, dict) or record.keys() != _KEYS:
        raise ValueError("not an audit record")
    if canonical(record) != line:
        raise ValueError("not written by this program (not canonical)")
    if type(record["seq"]) is not int or not _is_time(record["time"]):
        raise ValueError("seq or time is not one")
    body = {key: value for key, value in record.items() if key != "hash"}
    if hashlib.sha256(canonical(body)).hexdigest() != record["hash"]:
        raise ValueError("its hash does not agree with its content")
    problem = _fields_problem(record["kind"], record["fields"])
    if problem:
        raise ValueError(problem)
    return record


def _tidy(name: str, value: str | int) -> str | int:
    if name != "reason" or not isinstance(value, str):
        return value
    return _NOT_IN_A_REASON.sub(" ", value)[:500]


def _fields_problem(kind: object, fields: object) -> str:
    rules = KINDS.get(kind) if isinstance(kind, str) else None
    if rules is None:
        return f"no such kind of record: {kind!r:.60}"
    if not isinstance(fields, Mapping):
        return f"{kind}: fields are not a mapping"
    for name, value in fields.items():
        if name not in rules:
            return f"{kind}: field {name!r:.60} may not be recorded"
        if not _allowed(rules[name], value):
            return f"{kind}: {name} is not what may be recorded"
    return ""


def _allowed(rule: _Rule, value: object) -> bool:
    if rule is _COUNT:
        return type(value) is int and 0 <= value <= _MAX_COUNT
    return _matches(rule, value)


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value[:-1])
    except ValueError:
        return False
    return True


def _matches(pattern: re.Pattern[str] | None, value: object) -> bool:
    return pattern is not None and isinstance(value, str) and bool(pattern.fullmatch(value))
