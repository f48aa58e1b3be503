"""What a file server and the network before it can do to a download."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)

from agent.adapters.clock import SystemClock
from agent.adapters.http_fetch import (
    HttpFetcher,
    HttpSettings,
    StoppedError,
    WebPageError,
    exposure,
)
from agent.errors import ConfigError, MissingFileError
from tests.support import file_server as bad
from tests.support.certificates import Authority
from tests.support.clocks import FakeClock
from tests.support.file_server import FileServer

BODY = bytes(range(256)) * 1000
MOST = len(BODY)


@pytest.fixture
def server():
    with FileServer() as running:
        running.files["metadata/a.json"] = BODY
        yield running


@contextlib.contextmanager
def fetching(url, *, stop=None, clock=None, wait=None, **settings):
    stop = stop or threading.Event()
    fetcher = HttpFetcher(
        HttpSettings(url, **{"timeout_s": 5.0, **settings}),
        clock=clock or SystemClock(),
        wait=wait or stop.wait,
    )
    try:
        yield fetcher
    finally:
        fetcher.close()


def get(url, path="metadata/a.json", most=MOST, **how):
    with fetching(url, **how) as fetcher:
        return fetcher.download_bytes(f"{url}/{path}", most)


def test_a_file_comes_whole_and_is_counted(server):
    with fetching(server.url) as fetcher:
        assert fetcher.download_bytes(f"{server.url}/metadata/a.json", len(BODY)) == BODY
        assert fetcher.download_bytes(f"{server.url}/metadata/a.json", len(BODY)) == BODY
        assert fetcher.received == 2 * len(BODY)


def test_one_connection_serves_many_files(server):
    ports = set()
    server.faults.append(("", lambda h, body: (ports.add(h.client_address), h.answer(200, body))))
    with fetching(server.url) as fetcher:
        for _ in range(3):
            fetcher.download_bytes(f"{server.url}/metadata/a.json", len(BODY))
    assert len(ports) == 1


def test_a_server_that_hangs_up_between_two_files_is_called_again(server):
    def goodbye(handler, body):
        handler.close_connection = True
        handler.answer(200, body)

    server.faults.append(("", goodbye))
    with fetching(server.url) as fetcher:
        for _ in range(2):
            assert len(fetcher.download_bytes(f"{server.url}/metadata/a.json", len(BODY)))


def test_files_below_a_path_are_asked_for_there(server):
    server.files["agency/lists/metadata/a.json"] = b"deep"
    with fetching(f"{server.url}/agency/lists/") as fetcher:
        url = f"{server.url}/agency/lists/metadata/a.json"
        assert fetcher.download_bytes(url, 4) == b"deep"


def test_nothing_is_asked_of_another_server(server):
    with fetching(server.url) as fetcher, pytest.raises(DownloadError, match="not below"):
        fetcher.download_bytes("http://127.0.0.1:1/metadata/a.json", 10)
    assert not server.requests


@pytest.mark.parametrize("trouble", [bad.longer, bad.endless])
def test_never_more_than_was_asked_for(server, trouble):
    server.faults.append(("a.json", trouble))
    with fetching(server.url) as fetcher:
        with pytest.raises(DownloadLengthMismatchError):
            fetcher.download_bytes(f"{server.url}/metadata/a.json", len(BODY))
        assert fetcher.received <= len(BODY) + 1


@pytest.mark.parametrize("code", [403, 404, 500, 503])
def test_an_error_of_the_server_keeps_its_number(server, code):
    server.faults.append(("a.json", bad.status(code)))
    with pytest.raises(DownloadHTTPError) as caught:
        get(server.url)
    assert caught.value.status_code == code


@pytest.mark.parametrize("trouble", [bad.html, bad.redirect])
def test_a_network_that_wants_a_log_in_is_recognised(server, trouble):
    server.faults.append(("a.json", trouble))
    with pytest.raises(WebPageError, match="log-in"):
        get(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", [bad.drip, bad.drip_headers])
def test_a_drip_is_given_up(server, trouble):
    server.faults.append(("a.json", trouble))
    with pytest.raises(SlowRetrievalError, match="less than 256 bytes a second"):
        get(server.url, timeout_s=0.3)


def test_silence_is_given_up(server):
    server.faults.append(("a.json", bad.silent))
    with pytest.raises(SlowRetrievalError, match=r"silent for 0\.2 s"):
        get(server.url, timeout_s=0.2)


def test_a_cut_in_the_middle_is_no_file(server):
    server.faults.append(("a.json", bad.cut))
    with pytest.raises(DownloadError, match="broke off"):
        get(server.url)


@pytest.mark.parametrize("trouble", [bad.silent, bad.drip_headers, bad.endless])
def test_it_stops_in_the_middle_when_told_to(server, trouble):
    server.faults.append(("a.json", trouble))
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(StoppedError):
        get(server.url, stop=stop, timeout_s=300, most=1 << 40)
    assert time.monotonic() - began < 2


def test_a_cap_on_bandwidth_is_kept(server):
    clock, pauses = FakeClock(), []

    def rest(seconds: float) -> bool:
        if seconds:
            pauses.append(seconds)
            clock.advance(seconds)
        return False

    get(server.url, clock=clock, wait=rest, bytes_per_s=64_000.0)
    assert sum(pauses) == pytest.approx(len(BODY) / 64_000)
    assert max(pauses) < 0.5


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(DownloadError, match="refused the connection"):
        get(f"http://127.0.0.1:{port}")


def test_an_unknown_host():
    with pytest.raises(DownloadError, match="unknown host"):
        get("http://files.invalid")


def test_no_http_at_all():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk():
            peer, _ = server.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"220 mail ready\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with pytest.raises(DownloadError, match="does not speak HTTP"):
            get(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join(5)


@pytest.mark.parametrize("url", ["", "files.example", "ftp://files.example/", "https://"])
def test_an_address_that_is_none(url):
    with pytest.raises(ConfigError, match=r"sync\.url"), fetching(url):
        pass


@pytest.mark.parametrize("key", ["ca_file", "client_cert"])
def test_a_certificate_that_is_none(tmp_path, key):
    (tmp_path / "x.pem").write_text("nothing")
    for name in ("x.pem", "missing.pem"):
        files = {key: str(tmp_path / name)}
        with pytest.raises(MissingFileError, match=name), fetching("https://a.invalid", **files):
            pass


def test_plain_http_gives_sizes_away_except_to_ourselves():
    assert "use https" in exposure("http://files.example/a")
    assert exposure("http://127.0.0.1:8000/a") == exposure("https://files.example") == ""


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ours"))


@contextlib.contextmanager
def serving(authority, certificate, *, clients=False):
    with FileServer(authority.server(certificate, clients=clients)) as server:
        server.files["metadata/a.json"] = BODY
        yield server


class TestTls:
    def test_a_certificate_of_our_own_authority(self, ours):
        with (
            serving(ours, ours.issue("good")) as server,
            fetching(server.url, ca_file=str(ours.file)) as fetcher,
        ):
            for _ in range(2):
                url = f"{server.url}/metadata/a.json"
                assert fetcher.download_bytes(url, len(BODY)) == BODY

    def test_a_device_with_a_certificate(self, ours):
        with serving(ours, ours.issue("good"), clients=True) as server:
            mine = str(ours.issue("device"))
            assert get(server.url, ca_file=str(ours.file), client_cert=mine) == BODY

    def test_a_device_without_one_is_turned_away(self, ours):
        with (
            serving(ours, ours.issue("good"), clients=True) as server,
            pytest.raises(DownloadError, match=r"client certificate.*sync\.client_cert"),
        ):
            get(server.url, ca_file=str(ours.file))

    def test_an_authority_that_nobody_told_us_of(self, ours):
        with (
            serving(ours, ours.issue("good")) as server,
            pytest.raises(DownloadError, match="authority that is not trusted"),
        ):
            get(server.url)
        assert not server.requests

    def test_another_authority(self, ours, tmp_path):
        theirs = Authority(tmp_path, "theirs")
        with (
            serving(theirs, theirs.issue("good")) as server,
            pytest.raises(DownloadError, match="authority that is not trusted"),
        ):
            get(server.url, ca_file=str(ours.file))

    def test_an_expired_certificate(self, ours):
        with (
            serving(ours, ours.issue("old", expired=True)) as server,
            pytest.raises(DownloadError, match="expired"),
        ):
            get(server.url, ca_file=str(ours.file))

    def test_a_certificate_for_another_name(self, ours):
        with (
            serving(ours, ours.issue("other", address="127.0.0.2")) as server,
            pytest.raises(DownloadError, match="another host name"),
        ):
            get(server.url, ca_file=str(ours.file))

    def test_no_tls_there(self):
        with FileServer() as server, pytest.raises(DownloadError, match="does not speak TLS"):
            get(server.url.replace("http:", "https:"))

    @pytest.mark.parametrize("trouble", [bad.drip, bad.silent])
    def test_it_is_watched_inside_tls_too(self, ours, trouble):
        with serving(ours, ours.issue("good")) as server:
            server.faults.append(("a.json", trouble))
            with pytest.raises(SlowRetrievalError):
                get(server.url, ca_file=str(ours.file), timeout_s=0.3)

    def test_a_handshake_that_never_ends_is_given_up(self):
        with (
            socket.create_server(("127.0.0.1", 0)) as mute,
            pytest.raises(SlowRetrievalError, match="silent"),
        ):
            get(f"https://127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.2)
