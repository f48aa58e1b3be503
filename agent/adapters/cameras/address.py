"""Addresses of network cameras."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from agent.errors import UsageError


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """An http(s) address, taken apart.

    Attributes:
        secure: https.
        host, port: where to connect.
        target: path and query to ask for.
        authorization: value of the HTTP header of that name; empty without credentials.
        name: the address for messages, without credentials.
    """

    secure: bool
    host: str
    port: int
    target: str
    authorization: str
    name: str


def parse_http(url: str) -> HttpAddress:
    """Take an http:// or https:// address apart.

    Raises:
        UsageError: it has no host, or its port is no number.
    """
    parts = _split(url)
    secure = parts.scheme.lower() == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if any(ord(c) <= ord(" ") or ord(c) > ord("~") for c in target):
        raise UsageError(f"{without_credentials(url)}: write blanks and accents as %20 and so on")
    return HttpAddress(
        secure,
        parts.hostname or "",
        parts.port or (443 if secure else 80),
        target,
        _basic(parts),
        without_credentials(url),
    )


def without_credentials(url: str) -> str:
    """The address, with user name and password taken out."""
    head, sign, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{head}{sign}{place.rpartition('@')[2]}{slash}{path}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise UsageError(f"{without_credentials(url)}: not an address such as http://host:port/path")


def _basic(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
