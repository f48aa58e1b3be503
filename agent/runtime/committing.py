"""Alerts onto the disk, and off it again when what they rest on is revoked."""

from __future__ import annotations

from dataclasses import replace

from agent.errors import RefusedError
from agent.runtime.surroundings import Surroundings
from agent.stages.wiping import wipe
from agent.values import Alert, Monotonic, Wall


def commit(
    alert: Alert, around: Surroundings, *, until: Monotonic, told: tuple[str, Wall] | None
) -> None:
    """On disk first; delivery, audit and log hear of it afterwards.

    Args:
        alert: its picture is wiped.
        around: see `Surroundings`.
        until: end of the cool-down that a first alert begins.
        told: what counts it by subject and day.
    """
    mark = None
    if alert.match is None:
        mark = (around.events.mark(alert.activation, alert.ref.subject), until)
        around.monitor.raised(alert.id)
    event = around.events.match(replace(alert, place=around.here()))
    kept = around.outbox.put(event, cooldown=mark, told=told)
    if alert.evidence is not None:
        wipe(alert.evidence)
    if not kept:
        around.log.error("an alert was given up: there is no room for it", id=alert.id)
        return
    around.notify(alert.id)
    around.ledger.append(
        "alert",
        event=alert.id,
        activation=alert.activation,
        authorisation=alert.ref.authorisation,
        list=alert.watchlist.id,
        version=alert.watchlist.version,
        **({} if alert.match is None else {"match": alert.match}),
    )
    around.log.info("alert" if alert.match is None else "alert updated", id=alert.id)


def purge(authorisation: str, around: Surroundings, *, keep: str, fresh: bool) -> None:
    """Nothing that was found under an authorisation is left here, and the log shows it.

    Args:
        authorisation: its id.
        around: see `Surroundings`.
        keep: what the cool-down marks of the activation in force begin with; empty: there is none.
        fresh: it was revoked just now, and not before the start of this run.
    """
    gone = 0
    try:
        for part, at in around.events.of_authorisation(authorisation):
            gone += around.outbox.purge(part, at=at)
    except RefusedError as error:  # locked: it is done as soon as the keys are there
        around.log.warning("not purged yet", reason=str(error))
        return
    if not (gone or fresh):
        return
    around.outbox.forget_marks(but=keep)
    around.ledger.append("purge", authorisation=authorisation, events=gone)
    around.log.info("authorisation revoked", id=authorisation, dropped=gone)
