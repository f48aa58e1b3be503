"""What an audit log says about how a device was used: counts, hours and hashes by day.

Nothing here names anybody or anything that stands for one person: no ids of alerts, entries,
activations or authorisations, no reasons, no users.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

DAY_S: Final = 86_400.0
_ENDS: Final = ("disarm", "stop", "start")


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` up to, not including, `end`: wall seconds."""

    first: float
    end: float


@dataclass(slots=True)
class Day:
    """Attributes:
    armed_s: seconds armed.
    uses: armings.
    alerts: raised, without updates.
    updates: of alerts: somebody is still there.
    refusals: of any kind.
    """

    armed_s: float = 0.0
    uses: int = 0
    alerts: int = 0
    updates: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class ListUse:
    """A version of a list that was in service.

    Attributes:
        id, version: of the list.
        templates, subjects: in it; None where the log does not say.
        sha256: of what was installed; empty where the log does not say.
    """

    id: str
    version: int
    templates: int | None
    subjects: int | None
    sha256: str


@dataclass(slots=True)
class PolicyUse:
    """A policy that was in force.

    Attributes:
        first, last: days, UTC, of the first and the last record under it.
        uses: armings under it.
    """

    first: str
    last: str
    uses: int = 0

    def add(self, other: PolicyUse) -> None:
        """Of another camera."""
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.uses += other.uses


@dataclass(slots=True)
class Usage:
    """Attributes:
    days: by date (UTC); days on which nothing happened are not in it.
    cut_short: uses that ended without a disarming: counted up to the last sign of life.
    subjects: people who passed, as the uses say, each blurred and in tens.
    uncounted: uses that do not say.
    refusals: by what was refused.
    records: by kind.
    networks: sha256 of detectors and embedders.
    policies: by sha256, in the order in which they came into force.
    lists: in the order of their first use.
    versions: of the program.
    searches: photographs searched by hand: uses, images, faces, matches.
    lost: events and records that gaps tell of.
    ends: disarmings, by cause.
    revoked: authorisations whose end reached the camera.
    agency: whose camera it was last; empty where the log does not say.
    stops: times that the monitor of false alerts ended a use.
    resets: times that the agency reset it.
    """

    days: dict[str, Day] = field(default_factory=dict)
    cut_short: int = 0
    subjects: int = 0
    uncounted: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    networks: dict[str, set[str]] = field(default_factory=dict)
    policies: dict[str, PolicyUse] = field(default_factory=dict)
    lists: dict[tuple[str, int], ListUse] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)
    searches: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    revoked: int = 0
    agency: str = ""
    stops: int = 0
    resets: int = 0

    def add(self, other: Usage) -> None:
        """Of another camera, in the same period."""
        for name, theirs in other.days.items():
            day = self.days.setdefault(name, Day())
            day.armed_s += theirs.armed_s
            day.uses += theirs.uses
            day.alerts += theirs.alerts
            day.updates += theirs.updates
            day.refusals += theirs.refusals
        self.cut_short += other.cut_short
        self.subjects += other.subjects
        self.uncounted += other.uncounted
        self.lost += other.lost
        self.stops += other.stops
        self.revoked += other.revoked
        self.resets += other.resets
        for mine, counts in (
            (self.refusals, other.refusals),
            (self.records, other.records),
            (self.searches, other.searches),
            (self.ends, other.ends),
        ):
            mine.update(counts)
        for role, digests in other.networks.items():
            self.networks.setdefault(role, set()).update(digests)
        for digest, policy in other.policies.items():
            self.policies.setdefault(digest, PolicyUse(policy.first, policy.last)).add(policy)
        self.versions |= other.versions
        for key, used in other.lists.items():
            known = self.lists.get(key)
            if known is None or known.templates is None or not known.sha256:
                self.lists[key] = used

    @property
    def armed_s(self) -> float:
        return sum(day.armed_s for day in self.days.values())

    @property
    def uses(self) -> int:
        return sum(day.uses for day in self.days.values())


def usage_of(records: Iterable[Mapping[str, Any]], period: Period) -> Usage:
    """Fold a log into figures.

    What was set before the period and holds in it (networks, list, an arming) counts in it.

    Args:
        records: of a log that was verified, oldest first.
        period: what is counted.
    """
    fold = _Fold(period)
    for record in records:
        fold.take(record)
    return fold.end()


class _Fold:
    def __init__(self, period: Period) -> None:
        self._period = period
        self._usage = Usage()
        self._since: float | None = None
        self._alive = 0.0
        self._before: dict[str, Mapping[str, Any]] = {}
        self._policy = ""
        self._known: dict[tuple[str, int], ListUse] = {}

    def take(self, record: Mapping[str, Any]) -> None:
        """The next record."""
        at, kind, fields = wall_of(record["time"]), record["kind"], record["fields"]
        if kind in ("list", "sync", "enrol", "import", "remove"):
            self._note_list(fields)
        if kind in _ENDS or (kind == "arm" and self._since is not None):
            self._close(self._alive if kind == "start" else at, fields, clean=kind == "disarm")
        if kind == "arm":
            self._since = at
        self._alive = at
        before = self._policy
        if kind in ("arm", "policy"):
            self._policy = fields.get("policy", before)
        if kind in ("provision", "checkpoint") and at < self._period.end:
            self._usage.agency = fields.get("agency", self._usage.agency)
        if kind in ("start", "models", "arm", "list"):
            self._before[kind] = fields
        if not self._period.first <= at < self._period.end:
            return
        if not self._usage.records:
            self._carried(before)
        self._note_policy(before, at)  # until now
        self._note_policy(self._policy, at, uses=int(kind == "arm"))
        self._count(kind, fields, self._day(at))

    def end(self) -> Usage:
        """Nothing follows."""
        if self._since is not None:
            self._close(self._alive, {}, clean=False)
        return self._usage

    def _count(self, kind: str, fields: Mapping[str, Any], day: Day) -> None:
        usage = self._usage
        usage.records[kind] += 1
        if kind == "arm":
            day.uses += 1
        elif kind == "alert":
            day.updates += "match" in fields
            day.alerts += "match" not in fields
        elif kind == "refusal":
            day.refusals += 1
            usage.refusals[str(fields.get("what", "other"))] += 1
        elif kind == "disarm":
            usage.ends[str(fields.get("cause", "other"))] += 1
            usage.stops += fields.get("cause") == "fpir"
        elif kind == "authorise":
            usage.revoked += fields.get("what") == "revoked"
        elif kind == "command":
            usage.resets += fields.get("command") == "reset-monitor"
        elif kind == "gap":
            usage.lost += fields.get("events", 0)
        elif kind == "identify":
            usage.searches["uses"] += 1
            for name in ("images", "faces", "matches"):
                usage.searches[name] += fields.get(name, 0)
        self._in_force(kind, fields)

    def _carried(self, policy: str) -> None:
        """What held already when the period began."""
        self._note_policy(policy, self._period.first)
        for kind, fields in self._before.items():
            if kind != "arm" or self._since is not None:
                self._in_force(kind, fields)

    def _in_force(self, kind: str, fields: Mapping[str, Any]) -> None:
        usage = self._usage
        if kind == "start" and "version" in fields:
            usage.versions.add(fields["version"])
        if kind == "models":
            for role, digest in fields.items():
                usage.networks.setdefault(role, set()).add(digest)
        if kind == "arm" and "list" in fields:
            key = (fields["list"], fields.get("version", 0))
            usage.lists.setdefault(key, self._known.get(key, ListUse(*key, None, None, "")))

    def _note_policy(self, digest: str, at: float, *, uses: int = 0) -> None:
        if digest:
            day = day_of(at)
            now = PolicyUse(day, day, uses)
            self._usage.policies.setdefault(digest, PolicyUse(day, day)).add(now)

    def _note_list(self, fields: Mapping[str, Any]) -> None:
        """Sizes come with `list`, the hash with whatever changed the list."""
        if "list" not in fields:
            return
        key = (fields["list"], fields.get("version", 0))
        known = self._known.get(key, ListUse(*key, None, None, ""))
        whole = "subjects" in fields
        self._known[key] = now = ListUse(
            *key,
            templates=fields.get("templates") if whole else known.templates,
            subjects=fields.get("subjects") if whole else known.subjects,
            sha256=fields.get("sha256", known.sha256),
        )
        if key in self._usage.lists:
            self._usage.lists[key] = now
        elif whole and self._since is not None and self._usage.records:
            self._usage.lists[key] = now  # swapped in while armed

    def _close(self, at: float, fields: Mapping[str, Any], *, clean: bool) -> None:
        """A use ends: its seconds go to the days on which they were, as far as they count."""
        if self._since is None:
            return
        began = max(self._since, self._period.first)
        ended = min(max(at, self._since), self._period.end)
        self._since = None
        if ended < began or (ended == began and not self._period.first <= began < self._period.end):
            return
        self._usage.cut_short += not clean
        self._usage.subjects += fields.get("subjects", 0)
        self._usage.uncounted += "subjects" not in fields
        while began < ended:
            midnight = (began // DAY_S + 1) * DAY_S
            self._day(began).armed_s += min(ended, midnight) - began
            began = min(ended, midnight)

    def _day(self, at: float) -> Day:
        return self._usage.days.setdefault(day_of(at), Day())


def wall_of(time: str) -> float:
    """Wall seconds of a record's time."""
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def day_of(at: float) -> str:
    """`2026-03-01`, UTC."""
    return datetime.fromtimestamp(at, tz=timezone.utc).strftime("%Y-%m-%d")
