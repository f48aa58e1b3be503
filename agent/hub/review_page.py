"""The pages of `review --html`: plain HTML, no script, nothing from elsewhere.

Everything that comes from events, lists or people is escaped; pictures are data: URLs.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from agent.hub.casebook import Case, Grounds
from agent.hub.event_store import StoredEvent
from agent.messages import iso_utc

_STYLE: Final = """
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;
color:#111;background:#fafafa}
nav a{margin-right:1rem}
section{background:#fff;border:1px solid #ccc;border-radius:6px;padding:1rem;margin:1rem 0}
.faces{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0}figcaption{font-size:13px;color:#444}
img{height:220px;border:1px solid #999;image-rendering:auto}
.none{display:flex;align-items:center;justify-content:center;width:220px;height:220px;
border:1px dashed #999;color:#555}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#444}dd{margin:0}
.notice{background:#fff4d6;border:1px solid #e0b94a;border-radius:6px;padding:.6rem 1rem}
.bad{color:#a00000;font-weight:600}
meter{width:16rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}
textarea{width:100%;max-width:40rem}button{padding:.4rem 1rem;margin-right:.6rem}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class Card:
    """An alert with all that is shown of it.

    Attributes:
        case: the alert.
        photographs: (sha256, JPEG) of the enrolled faces.
        grounds: why the person is listed; None: on no list of this hub now.
        beside: the same subject from other cameras about that time.
        updates: later sightings.
    """

    case: Case
    photographs: Sequence[tuple[str, bytes]]
    grounds: Grounds | None
    beside: Sequence[StoredEvent] = ()
    updates: Sequence[StoredEvent] = ()


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks.

    Attributes:
        name: of the reviewer; empty: may look only.
        token: that a form must bring back.
    """

    name: str
    token: str


def page(title: str, body: str, viewer: Viewer) -> bytes:
    """A whole page."""
    who = f"reviewer: {escape(viewer.name)}" if viewer.name else "looking only"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{_STYLE}</style></head><body><nav><strong>bodycam-hub review</strong> "
        f'<a href="/">pending</a><a href="/all">all</a> {who}</nav>'
        f"<h1>{escape(title)}</h1>{body}</body></html>"
    ).encode()


def pending_body(cards: Sequence[Card], waiting: int, viewer: Viewer) -> str:
    """The first pending alerts, and how many more there are."""
    if not waiting:
        return "<p>Nothing waits for a decision.</p>"
    more = f"<p>{waiting - len(cards)} more wait after these.</p>" if waiting > len(cards) else ""
    return "".join(card_html(one, viewer) for one in cards) + more


def table_body(cases: Sequence[Case]) -> str:
    """Every alert, a line each."""
    rows = "".join(
        f'<tr><td><a href="/event/{one.stored.number}">{escape(one.stored.id)}</a></td>'
        f"<td>{escape(str(one.event['time']))}</td><td>{escape(one.stored.device)}</td>"
        f"<td>{escape(str(one.event['subject']))}</td><td>{escape(one.status)}</td></tr>"
        for one in cases
    )
    heads = "".join(f"<th>{one}</th>" for one in ("event", "time", "camera", "subject", "status"))
    return f"<table><tr>{heads}</tr>{rows}</table>"


def card_html(card: Card, viewer: Viewer) -> str:
    """One alert."""
    case = card.case
    return (
        f'<section><h2><a href="/event/{case.stored.number}">{escape(case.stored.id)}</a> '
        f"&mdash; {escape(case.status)}</h2>"
        f'<p class="notice">{escape(case.data["notice"])}</p>'
        f'<div class="faces">{_faces(card)}</div>{_facts(card)}{_reviews(case)}'
        f"{_form(case, viewer)}</section>"
    )


def _faces(card: Card) -> str:
    enrolled = [
        _figure(picture, f"enrolled photograph {digest[:12]}")
        for digest, picture in card.photographs
    ] or [_nothing("no enrolled photograph here", "enrolled")]
    evidence = card.case.evidence
    seen = _nothing("no evidence sent", "seen by the camera")
    if evidence is not None:
        seen = _figure(evidence, "seen by the camera")
    return "".join([*enrolled, seen])


def _figure(picture: bytes, caption: str) -> str:
    data = base64.b64encode(picture).decode()
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _nothing(text: str, caption: str) -> str:
    return f'<figure><div class="none">{text}</div><figcaption>{caption}</figcaption></figure>'


def _facts(card: Card) -> str:
    case, data = card.case, card.case.data
    facts = [
        ("subject", f"{case.event['subject']}, entry {data['entry']}"),
        ("camera", case.stored.device),
        ("seen", f"{data['first_seen']} to {data['last_seen']}, {data['shots']} shots"),
        ("received", iso_utc(case.stored.received)),
        *_grounds(card),
        ("location", _location(case)),
        ("face", f"{data['face']['width_px']:.0f} px wide, quality {data['face']['quality']:.2f}"),
        ("marks", _marks(case)),
    ]
    if card.beside:
        facts.append(("same subject", ", ".join(f"{one.device} {one.id}" for one in card.beside)))
    if card.updates:
        facts.append(("seen again", ", ".join(iso_utc(one.time) for one in card.updates)))
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl><dt>similarity</dt><dd>{_similarity(case)}</dd>{rows}</dl>"


def _similarity(case: Case) -> str:
    value, least = case.data["similarity"], case.data["threshold"]
    return (
        f'<meter min="0" max="1" low="{least}" value="{value}"></meter> '
        f"{value:.3f}, threshold {least:.3f}, margin to the next subject {case.data['margin']:.3f}"
    )


def _grounds(card: Card) -> list[tuple[str, str]]:
    ids = [("authorisation", str(card.case.data["authorisation"]))]
    if card.grounds is None:
        return [*ids, ("basis", "on no list of this hub now")]
    end = iso_utc(card.grounds.not_after)
    return [*ids, ("basis", f"{card.grounds.basis}, {card.grounds.purpose}"), ("expiry", end)]


def _location(case: Case) -> str:
    where = case.data["location"]
    if where is None:
        return "unknown"
    return f"{where['lat']:.5f}, {where['lon']:.5f} (±{where['accuracy_m']:.0f} m)"


def _marks(case: Case) -> str:
    names = [name for name in ("test", "historical") if case.data[name]]
    names += [f"held: {case.stored.hold}"] if case.stored.hold else []
    return ", ".join(names) or "none"


def _reviews(case: Case) -> str:
    lines = [
        f"<li>{escape(one.time)}: {escape(one.decision)} by {escape(one.reviewer)}: "
        f"{escape(one.reason)}</li>"
        for one in case.reviews
    ]
    told = f"<ul>{''.join(lines)}</ul>" if lines else ""
    if case.broken:
        told += f'<p class="bad">{case.broken} reviews do not verify and are not counted</p>'
    if case.needed > 1 and case.status == "pending":
        told += f"<p>{case.needed} different reviewers must confirm.</p>"
    return told


def _form(case: Case, viewer: Viewer) -> str:
    if not viewer.name:
        return ""
    return (
        f'<form method="post" action="/event/{case.stored.number}">'
        f'<input type="hidden" name="token" value="{escape(viewer.token)}">'
        '<p><label>Reason<br><textarea name="reason" rows="2" maxlength="500" required>'
        "</textarea></label></p>"
        '<button name="decision" value="confirmed">Same person: confirm</button>'
        '<button name="decision" value="rejected">Not the same: reject</button></form>'
    )
