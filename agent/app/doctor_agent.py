"""What may be wrong with the agent: its settings, state folder, networks, list, log and service."""

from __future__ import annotations

from typing import Final

from agent.adapters.disk_space import free_mb
from agent.adapters.fpir_file import FpirFile
from agent.app.broker import broker_problems
from agent.app.context import Context
from agent.app.findings import Finding, Level, Machine, failed, running
from agent.app.models import choice, manifest, model_file
from agent.errors import Exit
from agent.modelkit.places import models_dir

_ROOM_MB, _TIGHT_MB = 500, 100
_OTHERS: Final = 0o077


def configuration(context: Context, _: Machine) -> Finding:
    problems = broker_problems(context.config)
    if problems:
        return failed("configuration", problems[0], "bodycam-agent check-config", Exit.CONFIG)
    where = context.config_file or "the built-in one"
    return Finding("configuration", "OK", f"{where}: no problems")


def state_folder(context: Context, machine: Machine) -> Finding:
    folder = context.state_dir
    if not folder.is_dir():
        return Finding(
            "state folder", "WARN", f"{folder}: not there yet", "it is made at the first run"
        )
    status = folder.stat()
    if status.st_mode & _OTHERS:
        mode = oct(status.st_mode & 0o777)
        says = f"{folder}: mode {mode}, others may look into it (what matters there is private)"
        return Finding("state folder", "WARN", says, f"chmod 700 {folder}")
    if status.st_uid != machine.uid:
        return failed(
            "state folder",
            f"{folder}: belongs to user {status.st_uid}",
            f"run as that user (sudo -u '#{status.st_uid}' ...)",
            Exit.REFUSED,
        )
    return Finding("state folder", "OK", f"{folder}: for its owner alone")


def disk(context: Context, _: Machine) -> Finding:
    folder = next(one for one in (context.state_dir, *context.state_dir.parents) if one.exists())
    free = free_mb(folder)
    if free is None:
        return Finding("disk", "WARN", f"{folder}: free space cannot be told")
    says, mend = f"{free} MB free", f"make room on the disk of {folder}"
    if free < _TIGHT_MB:
        return failed("disk", says, mend, Exit.DISK)
    return Finding("disk", "OK", says) if free >= _ROOM_MB else Finding("disk", "WARN", says, mend)


def models(context: Context, _: Machine) -> Finding:
    """Their bytes are checked, as at every start."""
    folder = models_dir(context.config.models.dir, context.state_dir)
    known, chosen = manifest(), choice(context.config, folder)
    names = [
        model_file(known.card(role, precision), folder).identity.name
        for role, precision in chosen.items()
    ]
    return Finding("models", "OK", f"{', '.join(names)}: as the manifest pins them")


def watchlist(context: Context, _: Machine) -> Finding:
    if context.provisioned:
        keystore = context.keystore()
        try:
            name = keystore.identity.device
            now = running(context) if keystore.locked else None
            if now is not None and now.get("state") != "locked":
                says = f"{name}: the running agent has the store open, with {now.get('watchlist')}"
                return Finding("list", "OK", says)
            if keystore.locked:
                return Finding(
                    "list", "WARN", f"{name}: the store is locked", keystore.how_to_unlock
                )
        finally:
            keystore.close()
        says = f"{name}: the store opens; its list: bodycam-agent watchlist verify"
        return Finding("list", "OK", says)
    columns = context.watchlist().load().columns
    valid = int((columns.not_after > context.clock.wall()).sum())
    if not valid:
        return Finding(
            "list", "WARN", "nobody is on the list", "bodycam-agent watchlist enrol, or provision"
        )
    return Finding("list", "OK", f"a local list of {valid} entries, for field tests")


def broker(context: Context, _: Machine) -> Finding:
    mqtt = context.config.mqtt
    if not mqtt.host:
        return Finding("broker", "WARN", "none: alerts wait on disk", "set mqtt.host")
    if not mqtt.tls.enabled and not mqtt.host.startswith(("127.", "localhost")):
        return Finding(
            "broker", "WARN", f"{mqtt.host}: without TLS", "set mqtt.tls.enabled and mqtt.tls.*"
        )
    return Finding("broker", "OK", f"{mqtt.host}:{mqtt.port}")


def audit(context: Context, _: Machine) -> Finding:
    log = context.audit()
    if not log.exists():
        return Finding("audit log", "OK", "none yet")
    report = log.verify()
    if not report.intact:
        mend = "keep a copy, tell the agency: bodycam-agent audit verify --anchors ..."
        return failed("audit log", f"was changed: {report.problem}", mend, Exit.DATA)
    if not report.records:
        mend = "keep a copy, tell the agency: bodycam-agent audit verify --anchors ..."
        return failed("audit log", "no record in it: it was emptied", mend, Exit.DATA)
    signed = f"{report.records} records, {report.unsigned} of them not signed for yet"
    return Finding("audit log", "OK", signed)


def false_alerts(context: Context, _: Machine) -> Finding:
    path = context.state_dir / "fpir.json"
    if not path.exists():
        return Finding("false alerts", "OK", "nothing is counted yet")
    stopped = FpirFile(path).load()[1]
    if stopped:
        mend = "the agency: bodycam-hub command CAMERA reset-monitor --reason ..."
        return failed("false alerts", stopped, mend, Exit.REFUSED)
    return Finding("false alerts", "OK", "within what the policy promises")


def agent(context: Context, _: Machine) -> Finding:
    now = running(context)
    if now is None:
        return Finding("agent", "WARN", "does not run", "systemctl start bodycam-agent")
    state, reason = now.get("state", "unknown"), now.get("reason", "")
    level: Level = "WARN" if state in ("degraded", "locked") else "OK"
    return Finding("agent", level, f"{state}: {reason}", "" if level == "OK" else "ctl status")
