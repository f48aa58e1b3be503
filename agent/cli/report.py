"""`bodycam-agent report`: how this camera was used, for publication."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent.adapters.audit_log import AuditLog
from agent.adapters.checkpoint_events import trust_in
from agent.adapters.control_socket import ask
from agent.adapters.device_identity import read_identity
from agent.adapters.fpir_file import FpirFile
from agent.adapters.state_dir import write_whole
from agent.app import Context
from agent.app.accountability import Inputs, accountability
from agent.app.models import manifest
from agent.app.report_page import page
from agent.app.report_words import hours
from agent.app.serving import rules_in_force
from agent.audit.usage import Period, Usage, usage_of
from agent.audit.walk import ChainReport, Trust
from agent.cli.common import read_at_most, say, take_passphrase
from agent.cli.dates import days
from agent.errors import BodycamError, DataError, Exit, MissingFileError, UsageError
from agent.messages.accountability import AccountabilityReport, HubReport
from agent.messages.control import ControlRequest
from agent.policy import FIELD_TEST, Policy
from agent.policy.documents import read_policy
from agent.policy.fpir_monitor import FpirCounts

_MOST: Final = 1 << 29
_EXAMPLES: Final = """examples:
  bodycam-agent report --from 2026-03-01 --to 2026-03-31
  bodycam-agent report --from 2026-03-01 --to 2026-03-31 --html march.html --out march.json
  bodycam-hub report --events --device CAM-7 --from 2026-03-01 --to 2026-03-31 --json > hub.json
  bodycam-agent report --from 2026-03-01 --to 2026-03-31 --hub hub.json --html march.html
  bodycam-agent report --from 2026-03-01 --to 2026-03-31 --folder CAM-7/audit --folder CAM-8/audit

Version, networks with their measured accuracy, lists, hours armed, people who passed in coarse
numbers, alerts, reviews, refusals, retention: counts and hashes, nothing about a person. It is made
of audit logs, which are verified first; reviews come from the agency's hub. Every policy that was
in force is told with its days; texts that this camera does not have are given with --policy. In one
report of many cameras nobody sees who worked when. Exit codes: 65 a log was changed, FILE is not of
the hub, or a policy was not in force then; 66 no audit log; 74 the disk.
"""


def register(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "report",
        help="how this camera was used, for publication",
        description="The accountability report. Days are UTC, both included.",
        epilog=_EXAMPLES,
    )
    add = parser.add_argument
    add("--from", dest="first", metavar="DAY", required=True, help="first day: 2026-03-01")
    add("--to", dest="last", metavar="DAY", required=True, help="last day")
    add("--out", metavar="FILE", type=Path, help="as JSON into a file; --json: on stdout")
    add("--html", metavar="FILE", type=Path, help="as one page that needs nothing else")
    add("--hub", metavar="FILE", type=Path, help="from `bodycam-hub report --events --json`")
    take_passphrase(parser)
    for name, kind, what in (
        ("--policy", "FILE", "signed text of one that was in force; may be repeated"),
        ("--anchors", "FILE", "hold a log against `bodycam-hub anchors`; may be repeated"),
        ("--folder", "DIR", "of a copied audit log; repeated: of several cameras together"),
    ):
        add(name, metavar=kind, type=Path, action="append", help=what)


def run(args: argparse.Namespace, context: Context) -> int:
    first, end = days(args.first, args.last, "report")
    period = Period(first, end)
    folders = args.folder or [context.audit().path.parent]
    logs = [AuditLog(folder, context.clock) for folder in folders]
    known = _known(args, context)
    found, usage = [_verified(log, known) for log in logs], Usage()
    _require_different(logs, found)
    unused = set(known) - {one.signer for one in found} - {""}
    if args.anchors and unused:
        raise DataError("--anchors: a file is of another camera than these logs")
    agencies: dict[str, AuditLog] = {}
    for log in logs:
        one = usage_of((json.loads(line) for line in log.lines()), period)
        usage.add(one)
        agencies.setdefault(one.agency, log)
    agency = _agency(agencies, context)
    policies, now = _policies(args, context, usage)
    given = Inputs(
        usage=usage,
        period=period,
        logs=tuple(found),
        manifest=manifest(),
        policies=policies,
        now=now,
        agency=agency,
        audit_mb=context.config.audit.total_mb,
        hub=None if args.hub is None else _hub(args, agency),
        monitor=None if args.folder else _monitor(context),
        fragmentation=context.config.monitor.fragmentation,
    )
    _write(accountability(given, now=context.clock.wall()), args, context)
    return int(Exit.OK)


def _known(args: argparse.Namespace, context: Context) -> dict[str, Trust]:
    """What is known of logs besides, by the key that signs them; under "" what holds for any."""
    anchors = [trust_in(read_at_most(path, _MOST)) for path in args.anchors or ()]
    known = {one.key: one for one in anchors}
    if not (anchors or args.folder) and context.provisioned:
        known[""] = Trust(read_identity(context.keys_dir).sign_key.hex())
    return known


def _verified(log: AuditLog, known: Mapping[str, Trust]) -> ChainReport:
    """Nothing is published of a log that was changed."""
    if not log.exists():
        raise MissingFileError(f"{log.path}: no audit log here; check --state-dir or --folder")
    found = log.verify(known.get(""))
    if found.intact and found.signer in known:
        found = log.verify(known[found.signer])
    if not found.intact:
        raise DataError(f"{log.path}: the audit log was changed: {found.problem}")
    if not found.records:
        raise DataError(f"{log.path}: no record in it: it was emptied, or never written")
    return found


def _require_different(logs: Sequence[AuditLog], found: Sequence[ChainReport]) -> None:
    """Each camera counts once."""
    seen: dict[str, AuditLog] = {}
    for log, report in zip(logs, found, strict=True):
        first = json.loads(next(iter(log.lines())))["hash"]
        for mark in {report.signer, first} - {""}:
            other = seen.setdefault(mark, log)
            if other is not log:
                raise DataError(
                    f"{log.path.parent} is a log of the same camera as {other.path.parent}: the "
                    "same one, an older copy or a fork; give one of them, with --anchors of it"
                )


def _policies(
    args: argparse.Namespace, context: Context, usage: Usage
) -> tuple[dict[str, Policy], Policy | None]:
    """Texts by sha256: those given, the built-in one, and the one in force on this camera where
    it can be read; and the latter.
    """
    texts = {FIELD_TEST.sha256(): FIELD_TEST}
    for path in args.policy or ():
        policy = read_policy(read_at_most(path, _MOST))
        _require_used(policy, path, usage)
        texts[policy.sha256()] = policy
    now = None if args.folder else _in_force_now(context, texts)
    if now is not None:
        texts[now.sha256()] = now
    for digest in usage.policies:
        if digest not in texts:
            say(f"without the text of policy {digest[:12]}, which --policy FILE can give")
    return texts, now


def _in_force_now(context: Context, texts: Mapping[str, Policy]) -> Policy | None:
    """A locked store holds it too; then the log names one that may have been given."""
    latest = context.audit().latest("policy")
    given = texts.get("" if latest is None else latest["fields"].get("policy", ""))
    if given is not None:
        return given
    try:
        return _of_the_running_agent(context) or rules_in_force(context).policy
    except BodycamError as error:
        say(f"without the policy in force now, which --policy FILE can give: {error}")
        return None


def _of_the_running_agent(context: Context) -> Policy | None:
    """It has the keys of a locked store in its memory, and so the policy."""
    if not context.provisioned:
        return None
    try:
        reply = ask(context.control_path, ControlRequest(command="policy"))
    except BodycamError:
        return None
    text = reply.data.get("policy") if reply.ok else None
    return read_policy(text.encode()) if text else None


def _require_used(policy: Policy, path: Path, usage: Usage) -> None:
    digest = policy.sha256()
    if digest in usage.policies:
        return
    used = ", ".join(one[:12] for one in usage.policies) or "none"
    raise DataError(
        f"{path}: this text ({policy.name} version {policy.version}, sha256 {digest[:12]}) was "
        f"not in force in these days; in force, by sha256: {used}"
    )


def _monitor(context: Context) -> tuple[FpirCounts | None, bool]:
    """Of this camera. Counts that cannot be read forbid matching."""
    try:
        counts, crossed = FpirFile(context.state_dir / "fpir.json").load()
    except BodycamError as error:
        say(f"the counts of false alerts cannot be read: {error}")
        return None, True
    return counts, bool(crossed)


def _agency(logs: Mapping[str, AuditLog], context: Context) -> str:
    """The one that the logs name; else that of this camera."""
    first, *others = sorted(set(logs) - {""}) or [""]
    if others:
        raise DataError(
            f"{logs[first].path.parent} is of {first}, {logs[others[0]].path.parent} of "
            f"{others[0]}: a report is of one agency"
        )
    if first:
        return first
    if context.provisioned:
        return read_identity(context.keys_dir).agency
    return context.config.device.agency


def _hub(args: argparse.Namespace, agency: str) -> HubReport:
    path = args.hub
    try:
        hub = HubReport.model_validate_json(read_at_most(path, _MOST))
    except ValidationError:
        raise DataError(f"{path}: not a report of `bodycam-hub report --events --json`") from None
    if (hub.first, hub.last) != (args.first, args.last):
        raise UsageError(f"{path}: is of {hub.first} to {hub.last}; make one of the same days")
    if hub.agency != agency:
        raise DataError(f"{path}: is of {hub.agency}, and the logs are of {agency}")
    return hub


def _write(report: AccountabilityReport, args: argparse.Namespace, context: Context) -> None:
    text = report.model_dump_json(indent=2) + "\n"
    if args.html:
        write_whole(args.html, page(report))
        say(f"wrote {args.html}")
    if args.out:
        write_whole(args.out, text)
        say(f"wrote {args.out}")
    if context.json:
        sys.stdout.write(text)
    elif not (args.out or args.html):
        sys.stdout.write("\n".join(_lines(report)) + "\n")


def _lines(report: AccountabilityReport) -> list[str]:
    use, reviews = report.use, report.reviews
    ran = f"version {', '.join(report.versions)}" if report.versions else "no record of these days"
    lines = [
        f"{report.agency}, {report.first} to {report.last}, {ran}",
        (
            f"armed {use.uses} times, {hours(use.hours_armed, use.uses)} hours; "
            f"about {report.subjects.about} people passed; {report.alerts} alerts, "
            f"{report.updates} updates; {sum(report.refusals.values())} refusals"
        ),
    ]
    lines += [f"{one.role} {one.name or '?'} {one.sha256[:12]}" for one in report.networks]
    lines += [f"list {one.list} v{one.version}: {one.templates} templates" for one in report.lists]
    if reviews is not None:
        lines.append(
            f"reviews: {reviews.confirmed} confirmed, {reviews.rejected} rejected, "
            f"{reviews.pending} pending, {reviews.lapsed} deleted before a review"
        )
    if report.monitor.now is not None and report.monitor.now.stopped:
        lines.append("the monitor of false alerts has stopped matching")
    return lines + [f"log: {one.records} records, head {one.head}" for one in report.logs]
