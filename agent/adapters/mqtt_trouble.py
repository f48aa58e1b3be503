"""What went wrong between us and a broker, in one line that says which and what to do."""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

from agent.adapters.mqtt_rules import TlsSettings
from agent.messages import iso_utc
from agent.values import Wall

_NOT_YET: Final = 9
_EXPIRED: Final = 10
_WRONG_NAME: Final = frozenset({62, 63, 64})
"""X509_V_ERR codes of OpenSSL's x509_vfy.h."""
_OURS: Final = "the broker refuses our client certificate: "
_ALERTS: Final = (
    ("CERTIFICATE_EXPIRED", _OURS + "it has expired; renew mqtt.tls.cert_file"),
    ("CERTIFICATE_REVOKED", _OURS + "it was revoked; get a new mqtt.tls.cert_file"),
    ("UNKNOWN_CA", _OURS + "it does not trust who issued it; check mqtt.tls.cert_file"),
    ("CERTIFICATE_REQUIRED", "the broker wants a client certificate; set mqtt.tls.cert_file"),
    ("CERTIFICATE", _OURS + "check mqtt.tls.cert_file"),
    ("HANDSHAKE_FAILURE", "the broker refuses the TLS handshake; set mqtt.tls.cert_file?"),
    ("APPLICATION_PROTOCOL", "the broker does not know this protocol; check mqtt.tls.alpn"),
    ("UNRECOGNIZED_NAME", "the broker does not know this name (SNI); check mqtt.tls.hostname"),
)
"""Parts of OpenSSL's reasons, the first that fits; alerts of RFC 8446, 6.2."""
_PLACE: Final = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
_OLD: Final = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "NO_PROTOCOLS")


class TroubleError(Exception):
    """Why there is no connection, in one line."""


def explain(error: OSError, tls: TlsSettings | None) -> str:
    """One line, without the name of the host."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error)
    if isinstance(error, ssl.SSLError):
        return _tls_trouble(error, tls or TlsSettings())
    if isinstance(error, socket.gaierror):
        return "unknown host; check mqtt.host and the network's DNS"
    return error.strerror or str(error) or type(error).__name__


def explain_handshake(error: OSError, tls: TlsSettings) -> str:
    """The same for what ended a TLS handshake."""
    if isinstance(error, TimeoutError):
        return "the broker does not answer the TLS handshake; does it speak TLS on this port?"
    if isinstance(error, (ssl.SSLEOFError, ConnectionError)):
        return "the broker hung up in the TLS handshake; does it speak TLS on this port?"
    return explain(error, tls)


def explain_silence(tls: TlsSettings, own_end: Wall | None, now: Wall) -> str:
    """For a broker that hung up after the handshake and before it answered: in TLS 1.3 what it
    thinks of our certificate comes that late, and may be overtaken by the end.
    """
    if not tls.cert_file:
        return "the broker hung up at once; does it want a client certificate (mqtt.tls.cert_file)?"
    if own_end is not None and own_end < now:
        return f"the broker hung up at once; mqtt.tls.cert_file expired at {iso_utc(own_end)}"
    return "the broker hung up at once; does it refuse our mqtt.tls.cert_file?"


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code == _EXPIRED:
        return (
            "the broker's certificate has expired: it must be renewed (or this device's clock "
            "is wrong)"
        )
    if error.verify_code == _NOT_YET:
        return "the broker's certificate is not valid yet; check this device's clock"
    if error.verify_code in _WRONG_NAME:
        return "the broker's certificate is for another name; check mqtt.host, mqtt.tls.hostname"
    return (
        "the broker's certificate is from an authority that is not trusted here; check "
        "mqtt.tls.ca_file"
    )


def _tls_trouble(error: ssl.SSLError, tls: TlsSettings) -> str:
    said = _PLACE.sub("", str(error))  # Python names not every alert in `reason`
    reason = said.upper().replace(" ", "_")
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER" in reason or "HTTP_REQUEST" in reason:
        return "the broker does not speak TLS on this port; is it 8883?"
    if any(part in reason for part in _OLD):
        return f"the broker speaks no TLS {tls.min_version} or later"
    for part, line in _ALERTS:
        if part in reason:
            return line
    return f"TLS failed: {said or 'broken off'}"
