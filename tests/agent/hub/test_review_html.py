"""The review page: what is on it, and who may use it."""

from __future__ import annotations

import base64
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from urllib.parse import urlencode, urlsplit

import pytest

from agent.hub.review_server import ReviewServer
from agent.hub.review_site import IDLE_S, LINK_S, Request, ReviewSite
from tests.support.casework import Casework
from tests.support.field_cameras import JPEG, FieldCamera
from tests.support.hub_process import ROOT

HOST = "127.0.0.1:8123"


class Browser:
    """Keeps a cookie."""

    def __init__(self, site: ReviewSite) -> None:
        self._site = site
        self.headers = {"host": HOST}

    def get(self, path: str, **headers: str):
        parts = urlsplit(path)
        request = Request("GET", parts.path, parts.query, {**self.headers, **headers})
        return self._site.answer(request)

    def post(self, path: str, **form: str):
        return self._site.answer(Request("POST", path, "", self.headers, urlencode(form).encode()))

    def log_in(self, link: str):
        answer = self.get(link.partition(HOST)[2])
        cookie = dict(answer.headers).get("Set-Cookie", "")
        self.headers["cookie"] = cookie.partition(";")[0]
        return answer

    def token(self) -> str:
        found = re.search(rb'name="token" value="([0-9a-f]+)"', self.get("/").body)
        return found[1].decode() if found else ""


@pytest.fixture
def work(world):
    return Casework(world, FieldCamera(world))


@pytest.fixture
def made(work):
    """(site, browser that is logged in)"""
    work.reviewer("ann")
    with work.book() as book:
        site = _site(work, book)
        browser = Browser(site)
        assert browser.log_in(site.login_link()).status == 303
        yield site, browser


def _site(work, book, name: str = "ann") -> ReviewSite:
    from agent.hub.keyfiles import KeyFiles
    from agent.hub.passphrases import Passphrases
    from agent.hub.reviewers import key_path
    from tests.support.hubs import FAST, QuickDisk

    numbers = iter(range(1000))
    reviewer = signer = None
    if name:
        words = work.world.folder / f"{name}.words"
        files = KeyFiles(Passphrases((words,), ask=None), FAST, QuickDisk())
        reviewer = book.reviewers.get(name)
        signer = book.reviewers.signer(name, key_path(work.world.context().keys_dir, name), files)
    clock = work.world.clock
    return ReviewSite(book, (HOST,), clock, lambda: f"secret-{next(numbers)}", reviewer, signer)


def test_photograph_and_evidence_stand_side_by_side(work, made) -> None:
    work.enrol()
    work.alert()
    body = made[1].get("/").body.decode()
    pictures = re.findall(r'<img alt="([^"]+)" src="data:image/jpeg;base64,([^"]+)"', body)
    assert [alt.split()[0] for alt, _ in pictures] == ["enrolled", "seen"]
    assert pictures[1][1] == JPEG
    assert base64.b64decode(pictures[0][1]).startswith(b"\xff\xd8")
    for words in ("0.641, threshold 0.500", "consent, test", "expiry", "location", "1 pending"):
        assert words in body
    assert "Investigative lead, not an identification" in body


def test_without_evidence_or_photograph_it_says_so(work, made) -> None:
    work.alert(evidence=None)
    body = made[1].get("/").body.decode()
    assert "no evidence sent" in body
    assert "no enrolled photograph here" in body
    assert "on no list of this hub now" in body


def test_a_decision_on_the_page_is_signed(work, made) -> None:
    site, browser = made
    stored = work.alert()
    path = f"/event/{stored.number}"
    form = {"token": browser.token(), "decision": "confirmed", "reason": "same scar"}
    answer = browser.post(path, **form)
    assert (answer.status, dict(answer.headers)["Location"]) == (303, path)
    (review,) = site.casebook.case(stored).reviews
    assert (review.decision, review.reviewer, review.reason) == ("confirmed", "ann", "same scar")
    assert "confirmed by ann: same scar" in browser.get(path).body.decode()
    assert "Nothing waits" in browser.get("/").body.decode()
    assert stored.id in browser.get("/all").body.decode()
    assert browser.post(path, **form).status == 409  # the same again


@pytest.mark.parametrize(
    "change", [{"token": ""}, {"token": "0" * 64}, {"decision": ""}, {"decision": "maybe"}]
)
def test_a_form_from_elsewhere_decides_nothing(work, made, change) -> None:
    site, browser = made
    stored = work.alert()
    form = {"token": browser.token(), "decision": "confirmed", "reason": "x"} | change
    assert browser.post(f"/event/{stored.number}", **form).status in (400, 403)
    assert site.casebook.case(stored).status == "pending"


def test_another_origin_or_host_is_turned_away(work, made) -> None:
    _, browser = made
    stored = work.alert()
    form = {"token": browser.token(), "decision": "confirmed", "reason": "x"}
    browser.headers["origin"] = "https://evil.example"
    assert browser.post(f"/event/{stored.number}", **form).status == 403
    assert browser.get("/", host="evil.example:8123").status == 421


def test_the_link_is_good_once_and_not_for_long(work, made, world) -> None:
    site, browser = made
    link = site.login_link()
    assert browser.get("/").status == 403  # a new link ends the old session
    assert Browser(site).log_in("http://" + HOST + "/login?token=wrong").status == 403
    world.clock.advance(LINK_S)
    assert browser.log_in(link).status == 403
    link = site.login_link()
    assert browser.log_in(link).status == 303
    assert Browser(site).log_in(link).status == 403
    assert browser.get("/").status == 200


def test_a_session_ends_when_nobody_is_there(made, world) -> None:
    _, browser = made
    world.clock.advance(IDLE_S - 1)
    assert browser.get("/").status == 200
    world.clock.advance(IDLE_S)
    assert browser.get("/").status == 403


def test_strangers_learn_nothing(work, made) -> None:
    site, _ = made
    stored = work.alert()
    for path in ("/", "/all", f"/event/{stored.number}", "/etc/passwd"):
        answer = Browser(site).get(path)
        assert answer.status == 403
        assert stored.id.encode() not in answer.body


def test_every_answer_is_locked_down(made) -> None:
    _, browser = made
    for answer in (browser.get("/"), browser.get("/nothing"), browser.get("/", host="x")):
        headers = dict(answer.all_headers)
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; style-src 'sha256-"
        )
        assert headers["Cache-Control"] == "no-store"
        body = answer.body.decode()
        assert "<script" not in body
        assert not re.search(r'(src|href|action)="(?!data:|/)', body)


def test_what_is_written_in_events_and_reviews_is_escaped(work, made) -> None:
    _, browser = made
    stored = work.alert()
    reason = "<script>alert(1)</script>"
    form = {"token": browser.token(), "decision": "rejected", "reason": reason}
    browser.post(f"/event/{stored.number}", **form)
    body = browser.get(f"/event/{stored.number}").body.decode()
    assert "&lt;script&gt;alert(1)" in body
    assert "<script" not in body


def test_looking_only(work, world) -> None:
    stored = work.alert()
    with work.book() as book:
        site = _site(work, book, name="")
        browser = Browser(site)
        browser.log_in(site.login_link())
        assert b"<form" not in browser.get("/").body
        form = {"token": site._viewer.token, "decision": "confirmed", "reason": "x"}
        assert browser.post(f"/event/{stored.number}", **form).status == 403


@pytest.mark.parametrize("path", ["/event/0", "/event/x", "/event/99", "/event/" + "9" * 99, "/x"])
def test_pages_that_do_not_exist(work, made, path) -> None:
    assert made[1].get(path).status == 404


def test_over_a_socket(work, made) -> None:
    site, _ = made
    with ReviewServer(0) as server:
        server.site = site
        site.hosts = server.hosts
        answers = []

        def ask() -> None:
            connection = http.client.HTTPConnection(server.hosts[0], timeout=10)
            connection.request("GET", urlsplit(site.login_link()).path + "?token=wrong")
            answers.append(connection.getresponse())
            connection.close()

        asking = threading.Thread(target=ask)
        asking.start()
        server.handle_request()
        asking.join(10)
        assert server.server_address[0] == "127.0.0.1"
    assert (answers[0].status, answers[0].headers["Cache-Control"]) == (403, "no-store")


@pytest.mark.slow
def test_as_a_process(work, world) -> None:
    stored = work.alert()
    command = [sys.executable, "-m", "agent.hub", "review", "--html", "--state-dir"]
    command += [str(world.state_dir), "--passphrase-file", str(world.words)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    link = urlsplit(process.stdout.readline().strip())
    connection = http.client.HTTPConnection(link.netloc, timeout=10)
    connection.request("GET", f"{link.path}?{link.query}")
    cookie = connection.getresponse().headers["Set-Cookie"].partition(";")[0]
    connection.close()
    connection.request("GET", "/", headers={"Cookie": cookie})
    body = connection.getresponse().read().decode()
    connection.close()
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert stored.id in body
    assert process.returncode == 0
