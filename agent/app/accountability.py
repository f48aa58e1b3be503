"""The accountability report: an audit log, the models' cards, the policy and the hub's figures put
together. Values in, a value out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.app.report_words import two_figures
from agent.audit.usage import ListUse, Period, PolicyUse, Usage, day_of
from agent.audit.walk import ChainReport
from agent.messages import iso_utc
from agent.messages.accountability import (
    AccountabilityReport,
    DayOfUse,
    HubReport,
    ListInUse,
    LogFacts,
    Monitor,
    MonitorNow,
    Network,
    Point,
    PolicyInForce,
    Reviews,
    Rules,
    Subjects,
    Use,
)
from agent.metrics.intervals import wilson
from agent.modelkit.manifest import Manifest, ModelCard
from agent.policy import Policy
from agent.policy.fpir_monitor import FpirCounts, sprt_for
from agent.stages.threshold import largest_list

_HOUR_S: Final = 3600.0
_COARSE: Final = 10
"""One passer-by more or less must not show."""
CHANGES: Final = (
    "list",
    "sync",
    "enrol",
    "import",
    "remove",
    "expire",
    "config",
    "policy",
    "time",
)
"""Kinds of record that tell of a change, in the order in which they are told."""
_KEPT: Final = """
People who do not match: in memory only, overwritten when they are out of sight, at the latest after
10 seconds. Never stored, never sent, not counted one by one.

Alerts: on the camera, sealed to the agency, until the agency confirms that it has them.

The list: encrypted on the camera; each entry and the list itself end at a time of their own, and
their keys are destroyed then.
"""
_LIMITS: Final = """
Accuracy was measured on published photographs, which are not representative of any street: few
women, few dark-skinned people. It says how versions compare, not how often a camera errs here.

A false alert is one that a reviewer rejected. What nobody reviewed, and people on the list who were
not noticed, no camera can count.

People who passed are counted as tracks, blurred and rounded to tens for each use: who comes back
counts again.

An alert is a lead for a trained person, never an identification.

The report is as honest as the program and the agency that runs it: compare the hash of the log with
what is published elsewhere, and ask for the log.
"""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a report is made of.

    Attributes:
        usage: of all the logs, in the period.
        period: what is reported on.
        logs: what was found when the log of each camera was verified.
        manifest: cards of the networks that the program knows.
        policies: texts that are at hand, by sha256.
        now: the one in force on this camera now; None: not at hand, or of several cameras.
        agency: whose.
        audit_mb: how long the log may get, MB.
        hub: the agency's figures; None: not at hand.
        monitor: counts of the running monitor of false alerts, None where they cannot be read, and
            whether it has stopped matching; None: not at hand.
        fragmentation: tracks per subject, as that monitor reckons.
    """

    usage: Usage
    period: Period
    logs: tuple[ChainReport, ...]
    manifest: Manifest
    policies: Mapping[str, Policy]
    now: Policy | None
    agency: str
    audit_mb: float
    hub: HubReport | None
    monitor: tuple[FpirCounts | None, bool] | None = None
    fragmentation: float = 1.0


def accountability(given: Inputs, *, now: float) -> AccountabilityReport:
    """The report.

    Args:
        given: see `Inputs`.
        now: wall seconds.
    """
    usage = given.usage
    networks = tuple(_networks(usage, given.manifest))
    return AccountabilityReport(
        agency=given.agency,
        first=day_of(given.period.first),
        last=day_of(given.period.end - 1),
        made=iso_utc(now),
        versions=tuple(sorted(usage.versions)),
        networks=networks,
        policies=tuple(_in_force(given)),
        lists=tuple(map(_list, usage.lists.values())),
        use=_use(usage),
        subjects=Subjects(about=usage.subjects, uses_without=usage.uncounted),
        alerts=sum(day.alerts for day in usage.days.values()),
        updates=sum(day.updates for day in usage.days.values()),
        test_alerts=usage.records["test-alert"],
        lost=usage.lost,
        reviews=None if given.hub is None else reviews_of(given.hub, usage.subjects),
        monitor=_monitor(given),
        refusals=dict(sorted(usage.refusals.items())),
        revoked=usage.revoked,
        searches=dict(sorted(usage.searches.items())),
        changes={kind: usage.records[kind] for kind in CHANGES if usage.records[kind]},
        retention=_retention(given),
        limits=_limits(given, networks),
        logs=tuple(map(_log, sorted(given.logs, key=lambda one: one.head.hash))),
    )


def reviews_of(hub: HubReport, subjects: int) -> Reviews:
    """Shares of false alerts with their intervals.

    Args:
        hub: the agency's figures.
        subjects: people who passed, about.
    """
    decided = hub.confirmed + hub.rejected
    counts = {
        "alerts": hub.alerts,
        "confirmed": hub.confirmed,
        "rejected": hub.rejected,
        "pending": hub.pending,
        "lapsed": hub.lapsed,
        "purged": hub.purged,
    }
    shares: dict[str, float] = {}
    if decided:
        low, high = wilson(hub.rejected, decided)
        shares |= {
            "false_share": round(hub.rejected / decided, 4),
            "false_share_low": round(low, 4),
            "false_share_high": round(high, 4),
        }
    if subjects >= max(hub.rejected, 1):
        low, high = wilson(hub.rejected, subjects)
        shares |= {
            "false_per_1000": two_figures(1000 * hub.rejected / subjects),
            "false_per_1000_low": two_figures(1000 * low),
            "false_per_1000_high": two_figures(1000 * high),
        }
    return Reviews.model_validate(counts | shares)


def _monitor(given: Inputs) -> Monitor:
    now = None
    if given.monitor is not None and given.now is not None:
        now = _monitor_now(*given.monitor, given.now.target_fpir, given.fragmentation)
    return Monitor(stops=given.usage.stops, resets=given.usage.resets, now=now)


def _monitor_now(
    counts: FpirCounts | None, stopped: bool, target_fpir: float, fragmentation: float
) -> MonitorNow:
    """All of it from coarse counts, so that no figure tells what another one hides."""

    def coarse(tracks: int) -> int:
        return round(tracks / fragmentation / _COARSE) * _COARSE

    sprt, known = sprt_for(target_fpir), counts or FpirCounts()
    subjects = coarse(known.tracks)
    judged = sprt.judge(subjects, [coarse(place) for place in known.rejected])
    return MonitorNow(
        subjects=subjects,
        rejected=len(known.rejected),
        confirmed=len(known.confirmed),
        pending=len(known.raised) - len(known.confirmed),
        target=sprt.p0,
        alarm=sprt.p0 * sprt.worse,
        errors=(sprt.alpha, sprt.beta),
        evidence=None if counts is None else round(judged.evidence, 1),
        bound=round(sprt.upper, 3),
        kept=judged.passed,
        fragmentation=fragmentation,
        stopped=stopped,
    )


def _log(found: ChainReport) -> LogFacts:
    return LogFacts(
        records=found.records,
        head=found.head.hash,
        signed_records=max(0, found.protected + 1),
        anchored=found.anchored >= 0,
    )


def _networks(usage: Usage, manifest: Manifest) -> Iterable[Network]:
    cards = {card.sha256: card for card in manifest.models}
    for role, digests in sorted(usage.networks.items()):
        for digest in sorted(digests):
            yield _network(role, digest, cards.get(digest))


def _network(role: str, digest: str, card: ModelCard | None) -> Network:
    if card is None:
        return Network.model_validate({"role": role, "sha256": digest})
    return Network(
        role=card.role,
        sha256=digest,
        name=card.name,
        precision=card.precision,
        measured=card.measured,
        curve=tuple(Point(similarity=one.similarity, fmr=one.fmr) for one in card.curve),
    )


def _in_force(given: Inputs) -> Iterable[PolicyInForce]:
    def order(one: tuple[str, PolicyUse]) -> tuple[str, str]:
        return one[1].first, one[1].last

    for digest, use in sorted(given.usage.policies.items(), key=order):
        policy = given.policies.get(digest)
        yield PolicyInForce(
            sha256=digest,
            first=use.first,
            last=use.last,
            uses=use.uses,
            rules=None if policy is None else _rules(policy),
        )


def _rules(policy: Policy) -> Rules:
    return Rules(
        name=policy.name,
        version=policy.version,
        test=policy.test,
        target_fpir=policy.target_fpir,
        threshold_floor=policy.floor,
        longest_list=policy.max_templates,
        longest_list_age_h=round(policy.max_list_age_s / _HOUR_S, 1),
        reviews=policy.reviews,
        evidence=policy.evidence,
        retention_days=policy.retention_days,
    )


def _list(used: ListUse) -> ListInUse:
    return ListInUse(
        list=used.id,
        version=used.version,
        templates=used.templates,
        subjects=used.subjects,
        sha256=used.sha256 or None,
    )


def _use(usage: Usage) -> Use:
    return Use(
        uses=usage.uses,
        hours_armed=round(usage.armed_s / _HOUR_S, 1),
        cut_short=usage.cut_short,
        ended=dict(sorted(usage.ends.items())),
        by_day=tuple(
            DayOfUse(
                day=day,
                hours=round(each.armed_s / _HOUR_S, 1),
                uses=each.uses,
                alerts=each.alerts,
                refusals=each.refusals,
            )
            for day, each in sorted(usage.days.items())
        ),
    )


def _retention(given: Inputs) -> tuple[str, ...]:
    said = dict.fromkeys(map(_kept, _used(given)))
    kept = next(iter(said)) if len(said) == 1 else "as its policy of the time says"
    return (
        *_sentences(_KEPT),
        f"Alerts at the agency: {kept}, unless under a legal hold.",
        f"The audit log: on the camera up to {given.audit_mb:g} MB, the oldest given up first.",
    )


def _kept(policy: Policy | None) -> str:
    if policy is None or policy.retention_days is None:
        return "as its policy says"
    return f"{policy.retention_days:g} days"


def _used(given: Inputs) -> list[Policy | None]:
    """Those in force in the period; None for a text that is not at hand."""
    return [given.policies.get(digest) for digest in given.usage.policies]


def _limits(given: Inputs, networks: Iterable[Network]) -> tuple[str, ...]:
    said = _sentences(_LIMITS)
    targets = sorted({policy.target_fpir for policy in _used(given) if policy is not None})
    for one in networks:
        if not one.name:
            said.append(f"No accuracy is known for the {one.role} {one.sha256[:12]}.")
        if not one.curve:
            continue
        curve = [(point.similarity, point.fmr) for point in one.curve]
        for target in targets:
            longest = largest_list(curve, target_fpir=target)
            said.append(
                f"{one.name}: measured down to a false match rate of {one.curve[-1].fmr:g}, which "
                f"supports lists of {longest} templates at a target of {target:g} false alerts "
                "per person; thresholds of longer lists are extrapolated."
            )
    return tuple(said)


def _sentences(text: str) -> list[str]:
    """Paragraphs, each on one line."""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
