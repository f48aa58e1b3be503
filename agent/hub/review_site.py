"""`review --html` without its socket: requests in, answers out.

Whoever opens the one-time link gets a session; there is one session, and one reviewer, at a time.
Other sites cannot reach it: the host of a request must be the loopback address (DNS rebinding),
the cookie is SameSite=Strict, forms bring back a token of the session, and the origin, where a
browser names it, must be our own.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from agent.adapters.signing import Signs
from agent.errors import BodycamError, MissingFileError
from agent.hub.casebook import Case, Casebook
from agent.hub.event_store import StoredEvent
from agent.hub.review_page import (
    CONTENT_SECURITY,
    Card,
    Viewer,
    card_html,
    page,
    pending_body,
    table_body,
)
from agent.hub.review_records import Decision, Reviewer
from agent.messages import MATCH_TYPE
from agent.ports import Clock

LINK_S: Final = 300.0
"""The login link is good for so long, s."""
IDLE_S: Final = 1800.0
"""A session ends when nothing is asked for so long, s."""
MAX_FORM: Final = 16_384
_CARDS: Final = 20
_COOKIE: Final = "bodycam_review"
_WINDOW_S: Final = 600.0
_DECISIONS: Final[dict[str, Decision]] = {"confirmed": "confirmed", "rejected": "rejected"}
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_HEADERS: Final = (
    ("Content-Security-Policy", CONTENT_SECURITY),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """Attributes:
    method, path, query: of the first line.
    headers: names in lower case.
    body: of a form.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """Attributes:
    status: of HTTP.
    body: HTML.
    headers: besides those that every answer has.
    """

    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def all_headers(self) -> tuple[tuple[str, str], ...]:
        length = (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(self.body))),
        )
        return (*_HEADERS, *length, *self.headers)


@dataclass
class ReviewSite:
    """Attributes:
    casebook: what is shown and decided.
    hosts: that a request may be for, such as `127.0.0.1:8123`.
    clock: wall time of decisions; monotonic for the session.
    secret: makes a fresh random text.
    reviewer, signer: who decides; None: nobody, pages are for looking only.
    """

    casebook: Casebook
    hosts: tuple[str, ...]
    clock: Clock
    secret: Callable[[], str]
    reviewer: Reviewer | None = None
    signer: Signs | None = None
    _session: str = ""
    _link: str = ""
    _link_end: float = 0.0
    _idle_end: float = 0.0

    def login_link(self) -> str:
        """A new link; an older one, and the session, are over."""
        self._session, self._link = "", self.secret()
        self._link_end = self.clock.monotonic() + LINK_S
        return f"http://{self.hosts[0]}/login?token={self._link}"

    def answer(self, request: Request) -> Answer:
        """Never raises for what is asked; errors of the hub become a page."""
        if request.headers.get("host", "") not in self.hosts:
            return self._plain(HTTPStatus.MISDIRECTED_REQUEST, "not for this host")
        if request.path == "/login" and request.method == "GET":
            return self._login(request)
        if not self._is_in(request):
            line = "log in with the link on the terminal; it is good once"
            return self._plain(HTTPStatus.FORBIDDEN, line)
        try:
            return self._routed(request)
        except MissingFileError as error:
            return self._plain(HTTPStatus.NOT_FOUND, str(error))
        except BodycamError as error:
            return self._plain(HTTPStatus.CONFLICT, str(error))

    @property
    def _viewer(self) -> Viewer:
        name = self.reviewer.name if self.reviewer else ""
        return Viewer(name, hmac.digest(self._session.encode(), b"form", "sha256").hex())

    def _login(self, request: Request) -> Answer:
        given = parse_qs(request.query).get("token", [""])[0]
        right = self._link and hmac.compare_digest(given.encode(), self._link.encode())
        if not right or self.clock.monotonic() >= self._link_end:
            return self._plain(HTTPStatus.FORBIDDEN, "this link was used, or is over")
        self._link, self._session = "", self.secret()
        self._idle_end = self.clock.monotonic() + IDLE_S
        cookie = f"{_COOKIE}={self._session}; HttpOnly; SameSite=Strict; Path=/"
        return Answer(HTTPStatus.SEE_OTHER, b"", (("Location", "/"), ("Set-Cookie", cookie)))

    def _is_in(self, request: Request) -> bool:
        now = self.clock.monotonic()
        sent = [one.strip() for one in request.headers.get("cookie", "").split(";")]
        mine = f"{_COOKIE}={self._session}".encode()
        known = any(hmac.compare_digest(one.encode(), mine) for one in sent)
        if not self._session or not known or now >= self._idle_end:
            return False
        self._idle_end = now + IDLE_S
        return True

    def _routed(self, request: Request) -> Answer:
        if request.method == "POST":
            return self._decide(request)
        if request.method != "GET":
            return self._plain(HTTPStatus.METHOD_NOT_ALLOWED, "GET or POST")
        if request.path == "/":
            return self._pending()
        if request.path == "/all":
            body = table_body(self.casebook.cases(every=True))
            return Answer(HTTPStatus.OK, page("All alerts", body, self._viewer))
        case = self.casebook.case(self._stored(request.path))
        body = card_html(self._card(case), self._viewer)
        return Answer(HTTPStatus.OK, page(f"Alert from {case.stored.device}", body, self._viewer))

    def _pending(self) -> Answer:
        cases = self.casebook.cases()
        cards = [self._card(one) for one in cases[:_CARDS]]
        body = pending_body(cards, len(cases), self._viewer)
        return Answer(HTTPStatus.OK, page(f"{len(cases)} pending", body, self._viewer))

    def _decide(self, request: Request) -> Answer:
        origin = request.headers.get("origin")
        if origin is not None and origin not in [f"http://{one}" for one in self.hosts]:
            return self._plain(HTTPStatus.FORBIDDEN, "not from this page")
        try:
            form = parse_qs(request.body.decode(), max_num_fields=10)
        except ValueError:
            return self._plain(HTTPStatus.BAD_REQUEST, "that is no form of this page")
        token = form.get("token", [""])[0]
        if not hmac.compare_digest(token.encode(), self._viewer.token.encode()):
            return self._plain(HTTPStatus.FORBIDDEN, "not from this page")
        if self.reviewer is None or self.signer is None:
            return self._plain(HTTPStatus.FORBIDDEN, "looking only; start with --reviewer NAME")
        decision = _DECISIONS.get(form.get("decision", [""])[0])
        if decision is None:
            return self._plain(HTTPStatus.BAD_REQUEST, "confirmed or rejected?")
        case = self.casebook.case(self._stored(request.path))
        reason, now = form.get("reason", [""])[0], self.clock.wall()
        self.casebook.decide(case, self.reviewer, self.signer, decision, reason, now=now)
        where = f"/event/{case.stored.number}"
        return Answer(HTTPStatus.SEE_OTHER, b"", (("Location", where),))

    def _stored(self, path: str) -> StoredEvent:
        _, _, number = path.rpartition("/event/")
        if path == f"/event/{number}" and _NUMBER.fullmatch(number):
            found = self.casebook.store.events(
                "WHERE number = ? AND type = ?", int(number), MATCH_TYPE
            )
            if found:
                return found[0]
        raise MissingFileError("there is no such page")

    def _card(self, case: Case) -> Card:
        book = self.casebook
        return Card(
            case,
            book.photographs(case),
            book.grounds(case, now=self.clock.wall()),
            book.store.beside(case.stored, _WINDOW_S),
            book.store.updates(case.stored),
        )

    def _plain(self, status: HTTPStatus, line: str) -> Answer:
        return Answer(status, page(status.phrase, f"<p>{escape(line)}</p>", Viewer("", "")))
