"""Walking a whole audit log: is every record there, unchanged, in order, and signed for?

- Records are numbered without a hole, each names the hash of the one before.
- Every checkpoint carries a valid signature over the record before it, and begins where the one
  before ended. The newest one is signed by the key that is known to be the device's, if one is.
- A log that does not begin with record 0 begins with a checkpoint, and a record that a later
  checkpoint covers says that what came before was given up (`prune`). More may be left of that
  than it says: the device may have been killed while it deleted.
- The hub's anchors, where given, are in it.

So whoever has not the device's key changes nothing before the last checkpoint unseen; what comes
after it is only linked, which whoever can write the file can do anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.audit.chain import Link, read_record
from agent.audit.checkpoint import KIND, Verify, event_of, signed_by


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known besides the log.

    Attributes:
        key: the device's Ed25519 public key, hexadecimal; empty: not known, and then the newest
            checkpoint's own key is reported, to be compared.
        anchors: hashes that the hub was told, by number of the record.
    """

    key: str = ""
    anchors: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What `verify` found.

    Attributes:
        first: number of the first record that is there.
        records: intact records from there on.
        head: the last of them.
        problem: why the log is not whole; empty when it is.
        linked: every record that is there follows from the one before; what is wrong, if anything
            is, is what is not there, or who signed it.
        torn: the log ends in an unfinished line, as a loss of power leaves it. By itself that is
            no sign of tampering.
        protected: the last record that a checkpoint covers; -1: none.
        protected_at: time of that checkpoint, as the record has it; empty without one.
        signer: public key of that checkpoint, hexadecimal; empty without one.
        anchored: the last record that an anchor covers; -1: none.
    """

    first: int
    records: int
    head: Link
    problem: str
    torn: bool
    protected: int = -1
    protected_at: str = ""
    signer: str = ""
    anchored: int = -1
    linked: bool = True

    @property
    def intact(self) -> bool:
        return not self.problem

    @property
    def unsigned(self) -> int:
        """Records after the last checkpoint: linked only."""
        checkpoint = self.protected + 1 if self.protected >= 0 else self.first - 1
        return self.head.seq - checkpoint


def verify(lines: Iterable[bytes], check: Verify, trust: Trust | None = None) -> ChainReport:
    """Walk a log from the first record that is left of it.

    Args:
        lines: of all its files, oldest first, each with its newline.
        check: Ed25519 signatures.
        trust: what is known besides.
    """
    walk = _Walk(check, trust or Trust())
    torn = False
    for line in lines:
        if torn:
            return walk.report("it has no end, yet more follows")
        torn = not line.endswith(b"\n")
        if torn:
            continue
        try:
            walk.take(read_record(line[:-1]))
        except ValueError as error:
            return walk.report(str(error))
    return walk.end(torn=torn)


class _Walk:
    """Where we are, and what has been seen."""

    def __init__(self, check: Verify, trust: Trust) -> None:
        self._check = check
        self._trust = trust
        self._first: int | None = None
        self._head = Link()
        self._next_stretch = 0
        self._protected = -1
        self._signer = self._signed_at = ""
        self._anchored = -1
        self._given_up = self._given_up_unsigned = -1

    def take(self, record: Mapping[str, Any]) -> None:
        """The next record; ValueError says why it cannot be."""
        if self._first is None:
            self._begin(record)
        if record["seq"] != self._head.seq + 1:
            raise ValueError(f"record {self._head.seq + 1} is missing, {record['seq']} follows")
        if record["prev"] != self._head.hash:
            raise ValueError("it does not follow from the record before it")
        if record["kind"] == KIND:
            self._checkpoint(record)
        if record["kind"] == "prune":
            last = record["fields"].get("last", -1)
            self._given_up_unsigned = max(self._given_up_unsigned, last)
        self._head = Link(record["seq"], record["hash"])
        self._anchor()

    def end(self, *, torn: bool) -> ChainReport:
        """Nothing follows: what holds for the whole."""
        first = self._first or 0
        if first - 1 > self._given_up:
            return self._said(f"records 0 to {first - 1} are missing, and nothing says why")
        if self._trust.key and self._signer not in ("", self._trust.key):
            return self._said("the newest checkpoint is not signed with the key of this device")
        latest = max(self._trust.anchors, default=-1)
        if latest > self._head.seq:
            return self._said(
                f"the hub knows it up to record {latest}, but it ends with {self._head.seq}: its "
                "end was cut off, or an older copy put back"
            )
        return self._said("", torn=torn)

    def report(self, why: str) -> ChainReport:
        """The record after the head is not what must come there."""
        return self._said(f"record {self._head.seq + 1}: {why}", linked=False)

    def _begin(self, record: Mapping[str, Any]) -> None:
        """Usually record 0; after a `prune`, a checkpoint, whose place must be taken on trust
        until the end.
        """
        if record["seq"] > 0 and record["kind"] == KIND:
            self._head = Link(record["seq"] - 1, record["prev"])
            self._next_stretch = record["fields"].get("first", 0)
        self._first = self._head.seq + 1
        self._anchor()

    def _checkpoint(self, record: Mapping[str, Any]) -> None:
        key = signed_by(event_of(record), self._check)
        if not key:
            raise ValueError("the signature of this checkpoint does not hold")
        if record["fields"]["first"] != self._next_stretch:
            raise ValueError("this checkpoint does not begin where the one before it ended")
        self._next_stretch = record["seq"]
        self._protected, self._signer = record["seq"] - 1, key
        self._signed_at = record["time"]
        self._given_up = self._given_up_unsigned

    def _anchor(self) -> None:
        known = self._trust.anchors.get(self._head.seq)
        if known is None:
            return
        if known != self._head.hash:
            raise ValueError(f"record {self._head.seq} is not the one that the hub knows")
        self._anchored = self._head.seq

    def _said(self, problem: str, *, torn: bool = False, linked: bool = True) -> ChainReport:
        first = self._first or 0
        return ChainReport(
            first=first,
            records=self._head.seq + 1 - first,
            head=self._head,
            problem=problem,
            torn=torn,
            protected=self._protected,
            protected_at=self._signed_at,
            signer=self._signer,
            anchored=self._anchored,
            linked=linked,
        )
