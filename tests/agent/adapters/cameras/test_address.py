import pytest

from agent.adapters.cameras.address import parse_http, without_credentials
from agent.errors import UsageError


def test_taken_apart():
    address = parse_http("http://cam.example:8080/a/b.mjpg?x=1&y=2#frag")
    assert (address.secure, address.host, address.port) == (False, "cam.example", 8080)
    assert (address.target, address.authorization) == ("/a/b.mjpg?x=1&y=2", "")


def test_defaults():
    assert parse_http("http://cam").port == 80
    secure = parse_http("HTTPS://[::1]")
    assert (secure.port, secure.host, secure.secure, secure.target) == (443, "::1", True, "/")


def test_credentials_go_to_the_header_only():
    address = parse_http("http://us%40er:pa%3Ass@cam/x")
    assert address.authorization == "Basic dXNAZXI6cGE6c3M="
    assert address.name == "http://cam/x"


@pytest.mark.parametrize("url", ["http://", "http:///x", "http://cam:port/", "http://cam:99999/"])
def test_not_an_address(url):
    with pytest.raises(UsageError, match="not an address"):
        parse_http(url)


def test_a_blank_in_the_path():
    with pytest.raises(UsageError, match="%20"):
        parse_http("http://cam/a b")


def test_an_at_sign_in_the_path_is_no_credential():
    assert without_credentials("rtsp://cam/a@b") == "rtsp://cam/a@b"
    assert without_credentials("rtsp://u:p@w@cam/a@b") == "rtsp://cam/a@b"
