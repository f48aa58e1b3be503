"""`bodycam-agent watchlist sync|verify`, and `stats` of a synced list."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from agent.cli.common import print_json, say, take_passphrase
from agent.errors import BodycamError, Exit, RefusedError, UnavailableError
from agent.values.sync import Fault, Refused, SyncReport, Unreachable

if TYPE_CHECKING:
    from agent.app import Context
    from agent.app.sync_parts import Progress

_POLL_S: Final = 0.5
_PATIENCE_S: Final = 3600.0
_NOT_FOR_US: Final = frozenset({Fault.REMOVED, Fault.NOT_OURS})
_EXAMPLES = """examples:
  bodycam-agent watchlist sync
  bodycam-agent watchlist sync --json --set sync.bandwidth_kb_s=200
  bodycam-agent watchlist verify --passphrase-file shift.txt

exit codes of sync: 0 the list in use is the newest; 65 what the server offers was refused; 69 no
answer, or none that means anything; 77 no list is for this device, or its store is locked.
"""


def register(actions: Any) -> None:
    sync = actions.add_parser(
        "sync",
        help="look for a newer list of the agency, now",
        description="Fetches, verifies and installs. Where an agent runs, it is asked to do it.",
        epilog=_EXAMPLES,
    )
    verify = actions.add_parser(
        "verify",
        help="check the synced list on disk again, all of it",
        description="Signatures from the trust root on, every shard, every entry against the "
        "policy, and that a sample finds itself. Exit 65 with the reason when something is wrong.",
        epilog=_EXAMPLES,
    )
    for parser in (sync, verify):
        take_passphrase(parser)


def run_sync(args: argparse.Namespace, context: Context) -> int:
    del args
    from agent.adapters.state_dir import StateLock, prepare

    prepare(context.state_dir)
    lock = StateLock(context.state_dir)
    try:
        lock.acquire()
    except UnavailableError:
        return _ask_agent(context)
    try:
        return _sync_here(context)
    finally:
        lock.release()


def run_verify(args: argparse.Namespace, context: Context) -> int:
    del args
    from agent.app.list_check import check_list

    found = check_list(context)
    if context.json:
        print_json(found)
        return int(Exit.OK)
    ref = found["list"]
    sys.stdout.write(
        f"{ref['id']} v{ref['version']}: {found['entries']} entries in {found['shards']} shards "
        f"are what the agency signed; {found['searched']} of {found['templates']} templates were "
        "searched for and found\n"
    )
    if found["expired_metadata"]:
        say(f"expired, so sync soon: {', '.join(found['expired_metadata'])}")
    return int(Exit.OK)


def stats(context: Context) -> dict[str, Any]:
    """The synced list in numbers; how it is searched is for the running agent to say."""
    from agent.app.list_check import figures

    try:
        search = _status(context)["search"]
    except UnavailableError:
        search = None
    return {**figures(context), "search": search}


def _sync_here(context: Context) -> int:
    from agent.adapters.http_fetch import exposure
    from agent.app.following import Follower, open_vault
    from agent.app.rules import rules_desk

    vault = open_vault(context, context.models().embedder.identity.space, mend=True)
    try:
        warning = exposure(context.config.sync.url or vault.keystore.identity.url)
        if warning:
            say(f"warning: {warning}")
        with suppress(BodycamError):  # a damaged file is found by reading it, then fetched again
            vault.store().load(now=context.clock.wall())
        with _bar() as progress:
            never = threading.Event()
            audit = context.audit()
            desk = rules_desk(context, vault, audit)
            report = Follower(context, vault, audit, desk).look(never.wait, progress)
    finally:
        vault.close()
    return _answer(report, context)


def _answer(report: SyncReport, context: Context) -> int:
    from agent.runtime.sync_loop import in_words

    result, line = report.result, in_words(report.result)
    if context.json:
        fault = result.fault.value if isinstance(result, Refused) else None
        kind = type(result).__name__.lower()
        print_json({"result": kind, "fault": fault, "text": line, "bytes": report.received})
    else:
        say(f"{line} ({report.received} bytes)")
    if isinstance(result, Unreachable):
        return int(Exit.UNAVAILABLE)
    if isinstance(result, Refused):
        return int(Exit.REFUSED if result.fault in _NOT_FOR_US else Exit.DATA)
    return int(Exit.OK)


def _ask_agent(
    context: Context,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """The store has one writer: the running agent."""
    status = _status(context)
    if status["state"] == "locked":
        raise RefusedError(f"the running agent cannot look: {status['reason']}")
    before = status["sync"]
    _status(context, "sync")
    until = clock() + _PATIENCE_S
    while clock() < until:
        now = _status(context)["sync"]
        if now["looks"] > before["looks"]:
            return _relay(now, context)
        pause(_POLL_S)
    raise UnavailableError("the agent is still at it; see bodycam-agent ctl status")


def _relay(now: dict[str, Any], context: Context) -> int:
    if context.json:
        keys = {"result": "kind", "fault": "fault", "text": "result", "bytes": "bytes"}
        print_json({key: now[name] for key, name in keys.items()})
    else:
        say(f"the running agent: {now['result']} ({now['bytes']} bytes)")
    if now["kind"] == "unreachable":
        return int(Exit.UNAVAILABLE)
    if now["kind"] == "refused":
        mine = {fault.value for fault in _NOT_FOR_US}
        return int(Exit.REFUSED if now["fault"] in mine else Exit.DATA)
    return int(Exit.OK)


def _status(context: Context, command: str = "status") -> dict[str, Any]:
    from agent.adapters.control_socket import ask
    from agent.messages.control import ControlRequest

    reply = ask(context.control_path, ControlRequest.model_validate({"command": command}))
    if not reply.ok:
        raise RefusedError(reply.error)
    if reply.data.get("sync") is None:
        raise RefusedError(
            "the running agent follows no list: bodycam-agent provision, and restart"
        )
    return reply.data


@contextmanager
def _bar() -> Iterator[Progress]:
    """On a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    console = Console(stderr=True)
    with Progress(
        "shards", BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console,
        transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("shards", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
