"""What went wrong between us and a web server, in words that say what to do about it."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
from typing import Final

from urllib3.exceptions import HTTPError

from agent.errors import MissingFileError

_EXPIRED, _WRONG_NAME = frozenset({9, 10}), frozenset({62, 63, 64})
"""X509_V_ERR codes of OpenSSL's x509_vfy.h: not valid yet, expired; wrong host, e-mail, address."""
_BY_ERRNO: Final = {
    errno.ECONNREFUSED: "refused the connection; is the server running, is the port right?",
    errno.ENETUNREACH: "no way there; is the network up?",
    errno.EHOSTUNREACH: "no way there; is the network up?",
}


def explain(error: Exception) -> str:
    """One line, without the name of the host."""
    inner: object = error
    while isinstance(inner, HTTPError) and inner.args:
        inner = inner.args[-1]
    if isinstance(inner, ssl.SSLCertVerificationError):
        return _distrust(inner)
    if isinstance(inner, ssl.SSLError):
        return _tls_trouble(inner)
    if isinstance(inner, OSError):
        return _system_trouble(inner)
    if isinstance(inner, http.client.HTTPException):
        return "does not speak HTTP, or broke off in the middle"
    return "broke off in the middle"


def bad_file(key: str, path: str, error: OSError) -> MissingFileError:
    """A file that the configuration names under `key` and that cannot be used."""
    why = "is no PEM file of that kind" if isinstance(error, ssl.SSLError) else error.strerror
    return MissingFileError(f"{key}: {path}: {(why or 'cannot be read').lower()}")


def _system_trouble(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "unknown host; check sync.url and the network's DNS"
    known = _BY_ERRNO.get(error.errno or 0)
    return known or (error.strerror or "the connection broke off").lower()


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _EXPIRED:
        return "its certificate has expired, or is not valid yet; check this device's clock too"
    if error.verify_code in _WRONG_NAME:
        return "its certificate is for another host name"
    return "its certificate is from an authority that is not trusted here; check sync.ca_file"


def _tls_trouble(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLEOFError):  # in TLS 1.3 its refusal may be overtaken by the end
        return "hung up at once; does it want a client certificate (sync.client_cert)?"
    reason = (error.reason or "").upper()
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return "refuses our client certificate, or wants one; check sync.client_cert"
    if "WRONG_VERSION_NUMBER" in reason:
        return "does not speak TLS there; is it http, or another port?"
    return f"TLS failed ({reason.replace('_', ' ').lower() or 'broken off'})"
