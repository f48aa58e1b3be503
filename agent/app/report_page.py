"""The accountability report as one HTML page that needs nothing else: no script, font or link."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from html import escape
from typing import Final

from agent.app.charts import bars, curve
from agent.app.report_words import (
    CHANGED,
    ENDED,
    GLOSSARY,
    MEASURED,
    REFUSED,
    hours,
    number,
    said,
)
from agent.messages.accountability import (
    AccountabilityReport,
    DayOfUse,
    Monitor,
    MonitorNow,
    Network,
    PolicyInForce,
    Reviews,
)

_STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;border-bottom:1px solid #ccc;padding:.25rem .5rem .25rem 0;"
    "vertical-align:top}td.n,th.n{text-align:right}code{word-break:break-all;font-size:.8rem}"
    "svg{width:100%;height:auto}rect,circle{fill:#22577a}text{font-size:11px;fill:#444}"
    "polyline{fill:none;stroke:#22577a;stroke-width:2}.grid{stroke:#ddd}"
    ".mark{stroke:#b23a48;stroke-dasharray:4}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_MOST_DAYS: Final = 366
_ALERTS: Final = (
    "<p>Cameras keep an alert until the agency has it. So fewer may have reached the agency than "
    "were raised: some wait on a camera without a network, or were deleted there. More have only "
    "where the agency counts cameras that this report does not.</p>"
)


def page(report: AccountabilityReport) -> str:
    """The whole page."""
    title = f"Face matching on body-worn cameras: {report.agency}, {report.first} to {report.last}"
    title += _tested(report)
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>Made {escape(report.made)}. {_ran(report)}</p>",
        *_use(report),
        *_outcome(report),
        *_monitor(report.monitor),
        *_lists(report),
        *_networks(report),
        *_rules(report),
        *_section("What is kept, and how long", _sentences(report.retention)),
        *_section("Words", [_table(GLOSSARY)]),
        *_section("What these figures cannot say", _sentences(report.limits)),
        *_log(report),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _tested(report: AccountabilityReport) -> str:
    tests = [one.rules is not None and one.rules.test for one in report.policies]
    if not any(tests):
        return ""
    return " (field test)" if all(tests) else " (in part a field test)"


def _ran(report: AccountabilityReport) -> str:
    if not report.versions:
        return "No camera has a record of these days."
    return f"The cameras ran bodycam-agent {escape(', '.join(report.versions))}."


def _use(report: AccountabilityReport) -> list[str]:
    use, days = report.use, list(_every_day(report))
    rows = [
        ("Cameras", number(len(report.logs))),
        ("Times armed", number(use.uses)),
        ("Hours armed", hours(use.hours_armed, use.uses)),
        *((f"Ended {said(ENDED, cause)}", number(count)) for cause, count in use.ended.items()),
        ("Ended without a disarming (counted to the last sign of life)", number(use.cut_short)),
        ("Revocations of an authorisation that reached a camera", number(report.revoked)),
        ("People who passed, about", f"{number(report.subjects.about)}{_uncounted(report)}"),
        ("Photographs searched by hand", number(report.searches.get("images", 0))),
    ]
    chart = bars("Hours armed per day", [(day.day[5:], day.hours) for day in days], "hours")
    return _section("Use", [_table(rows), "<h3>Hours armed per day</h3>", chart])


def _outcome(report: AccountabilityReport) -> list[str]:
    days = list(_every_day(report))
    rows = [
        ("Alerts raised by the cameras", number(report.alerts)),
        ("Updates of these, while somebody stayed in view", number(report.updates)),
        ("Test alerts, about nobody", number(report.test_alerts)),
        ("Events or records that were lost", number(report.lost)),
        *_reviewed(report.reviews),
    ]
    refused = [
        (f"Refused: {said(REFUSED, what)}", number(count))
        for what, count in report.refusals.items()
    ]
    return _section(
        "Alerts and refusals",
        [
            _ALERTS,
            _table(rows + refused),
            "<h3>Alerts per day</h3>",
            bars("Alerts per day", [(day.day[5:], day.alerts) for day in days], "alerts"),
            "<h3>Refusals per day</h3>",
            bars("Refusals per day", [(day.day[5:], day.refusals) for day in days], "refusals"),
        ],
    )


def _reviewed(reviews: Reviews | None) -> list[tuple[str, str]]:
    if reviews is None:
        return [("Reviews", "not at hand: made without the agency's figures")]
    rows = [
        ("Alerts that reached the agency", number(reviews.alerts)),
        ("Confirmed by reviewers", number(reviews.confirmed)),
        ("Rejected: false alerts", number(reviews.rejected)),
        ("Not reviewed yet", number(reviews.pending)),
        ("Deleted before anybody reviewed them", number(reviews.lapsed)),
        ("Deleted by now, reviewed or not", number(reviews.purged)),
    ]
    if reviews.false_share is not None:
        low, high = reviews.false_share_low or 0.0, reviews.false_share_high or 0.0
        share = f"{reviews.false_share:.1%} (95 % interval {low:.1%} to {high:.1%})"
        rows.append(("False alerts, of those reviewed", share))
    if reviews.false_per_1000 is not None:
        low, high = reviews.false_per_1000_low or 0.0, reviews.false_per_1000_high or 0.0
        rate = f"{reviews.false_per_1000:g} (95 % interval {low:g} to {high:g})"
        rows.append(("False alerts per 1,000 people who passed, about", rate))
    return rows


def _monitor(monitor: Monitor) -> list[str]:
    rows = [
        ("Uses that it ended", str(monitor.stops)),
        ("Resets by the agency", str(monitor.resets)),
        *(() if monitor.now is None else _monitor_now(monitor.now)),
    ]
    about = (
        "<p>While it runs, a camera counts alerts that reviewers rejected against who passed. When "
        "the rate that the policy allows is exceeded it stops, until the agency resets it.</p>"
    )
    return _section("The monitor of false alerts", [about, _table(rows)])


def _monitor_now(now: MonitorNow) -> list[tuple[str, str]]:
    evidence = "cannot be read" if now.evidence is None else f"{now.evidence:g}"
    return [
        ("Has stopped matching", "yes" if now.stopped else "no"),
        ("Alerts rejected since the last reset", number(now.rejected)),
        ("Confirmed; not reviewed yet", f"{now.confirmed}; {now.pending}"),
        ("People who passed since, about", number(now.subjects)),
        ("Tracks per person that it reckons with", f"{now.fragmentation:g}"),
        ("Rejected alerts allowed per person; held against", f"{now.target:g}; {now.alarm:g}"),
        ("Evidence now; it stops at", f"{evidence}; {now.bound:g}"),
        ("Tests that ended with the rate kept", str(now.kept)),
    ]


def _lists(report: AccountabilityReport) -> list[str]:
    numbers = "".join(f"<th class=n>{name}</th>" for name in ("People", "Templates"))
    head = f"<tr><th>List, version</th>{numbers}<th>sha256</th></tr>"
    rows = [
        f"<tr><td>{escape(one.list)} v{one.version}</td><td class=n>{_or_dash(one.subjects)}</td>"
        f"<td class=n>{_or_dash(one.templates)}</td><td><code>{one.sha256 or '-'}</code></td></tr>"
        for one in report.lists
    ]
    return _section("Lists", [f"<table>{head}{''.join(rows)}</table>"])


def _networks(report: AccountabilityReport) -> list[str]:
    parts: list[str] = []
    for one in report.networks:
        parts.append(f"<h3>{escape(one.role)}: {escape(one.name or 'not one of the program')}</h3>")
        measured = [(said(MEASURED, key), value) for key, value in one.measured.items()]
        parts.append(_table([*measured, ("sha256", one.sha256)]))
        parts += _curve(one, report.policies)
    return _section("Networks and their measured accuracy", parts)


def _curve(one: Network, policies: Iterable[PolicyInForce]) -> list[str]:
    if len(one.curve) < 2:  # noqa: PLR2004
        return []
    points = [(point.similarity, point.fmr) for point in one.curve]
    floors = sorted({each.rules.threshold_floor for each in policies if each.rules is not None})
    words = ", ".join(f"{floor:g}" for floor in floors)
    under = f"; dashed: no alert may lie under it ({words})" if floors else ""
    return [
        (f"<p>Share of comparisons of different people that are at least so similar{under}.</p>"),
        curve(f"False match rate of {one.name}", points, floors),
    ]


def _rules(report: AccountabilityReport) -> list[str]:
    parts = [part for one in report.policies for part in _policy(one)]
    changes = [
        (f"How often {said(CHANGED, kind)}", number(count))
        for kind, count in report.changes.items()
    ]
    if not parts:
        parts = ["<p>No policy was in force: there is no record of these days.</p>"]
    return _section("Rules", [*parts, _table(changes)])


def _policy(one: PolicyInForce) -> list[str]:
    rules = one.rules
    when = [
        ("In force", f"{one.first} to {one.last}"),
        ("Times armed under it", number(one.uses)),
        ("sha256", one.sha256),
    ]
    if rules is None:
        why = "<p>Its text was not at hand when this report was made.</p>"
        return [f"<h3>Policy {one.sha256[:12]}</h3>", why, _table(when)]
    kept = "-" if rules.retention_days is None else f"{rules.retention_days:g} days"
    rows = [
        *when,
        ("A field test: every alert says so", "yes" if rules.test else "no"),
        ("False alerts allowed per person passing", f"{rules.target_fpir:g}"),
        ("Longest list, templates", number(rules.longest_list)),
        ("Oldest list, hours", f"{rules.longest_list_age_h:g}"),
        ("Reviewers who must confirm", str(rules.reviews)),
        ("Alerts carry a picture of the matched face", "yes" if rules.evidence else "no"),
        ("Alerts are kept", kept),
    ]
    return [f"<h3>Policy {escape(rules.name)}, version {rules.version}</h3>", _table(rows)]


def _log(report: AccountabilityReport) -> list[str]:
    rows: list[tuple[str, str]] = []
    for log in report.logs:
        held = ", held against the agency's copy of its checkpoints" if log.anchored else ""
        signed = f"{number(log.signed_records)} of them signed for{held}"
        rows += [
            ("Log", f"{number(log.records)} records, {signed}"),
            ("Hash of the last record", log.head),
        ]
    return _section("The audit logs that this was made of", [_table(rows)])


def _every_day(report: AccountabilityReport) -> Iterable[DayOfUse]:
    """Quiet days too; of long periods only those with records."""
    known = {one.day: one for one in report.use.by_day}
    first, last = date.fromisoformat(report.first), date.fromisoformat(report.last)
    if (last - first).days >= _MOST_DAYS:
        yield from report.use.by_day
        return
    for offset in range((last - first).days + 1):
        day = (first + timedelta(days=offset)).isoformat()
        yield known.get(day) or DayOfUse(day=day, hours=0, uses=0, alerts=0, refusals=0)


def _uncounted(report: AccountabilityReport) -> str:
    without = report.subjects.uses_without
    return f" ({without} uses do not say)" if without else ""


def _section(title: str, parts: Iterable[str]) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", *parts]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f"<tr><td>{escape(name)}</td><td>{_value(value)}</td></tr>" for name, value in rows)
    return f"<table>{''.join(cells)}</table>"


def _value(text: str) -> str:
    return f"<code>{escape(text)}</code>" if len(text) == 64 else escape(text)  # noqa: PLR2004


def _sentences(lines: Iterable[str]) -> list[str]:
    return [f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"]


def _or_dash(count: int | None) -> str:
    return "-" if count is None else number(count)
