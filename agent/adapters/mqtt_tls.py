"""TLS to the broker: trust, our own certificate, and until when both are good.

Everything is read anew for every connection, so that a certificate that was renewed on disk is
used at the next one.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

from agent.adapters.mqtt_rules import MqttSettings, TlsSettings
from agent.adapters.mqtt_trouble import TroubleError, explain_handshake
from agent.adapters.private_files import read_passphrase, why
from agent.errors import BodycamError
from agent.values import Wall

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_EVERYBODY: Final = 0o007
_LARGEST: Final = 1 << 20
"""A certificate or key file is never so long, bytes."""

Stamp = tuple[object, ...]
"""Changes whenever a file does."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connected socket, and until when the certificates on it are good.

    Attributes:
        raw: in TLS when the settings say so.
        own_end: end of our certificate, wall seconds; None without one.
        broker_end: end of the broker's; None in clear.
        stamp: of our certificate files when they were read.
    """

    raw: socket.socket
    own_end: Wall | None = None
    broker_end: Wall | None = None
    stamp: Stamp = ()


def dial(settings: MqttSettings) -> Dialled:
    """Connect, and shake hands when TLS is wanted.

    Raises:
        TroubleError: a file is wrong, or the handshake failed.
        OSError: nobody is there.
    """
    tls = settings.tls
    stamp = stamp_of(tls) if tls else ()
    context = open_context(tls) if tls else None
    own_end = certificate_end(tls) if tls and tls.cert_file else None
    address = (settings.host, settings.port)
    raw = socket.create_connection(address, timeout=settings.connect_timeout_s)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None or tls is None:
            return Dialled(raw)
        secured = _shake_hands(raw, context, tls, settings.host)
    except BaseException:
        raw.close()
        raise
    return Dialled(secured, own_end, _end_of(secured.getpeercert(binary_form=True)), stamp)


def open_context(tls: TlsSettings) -> ssl.SSLContext:
    """Trust and identity, from the files.

    Raises:
        TroubleError: one of them is missing or wrong, in one line that names its setting.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[tls.min_version]
    if tls.ca_file:
        _trust(context, tls.ca_file)
    else:
        context.load_default_certs()
    if tls.cert_file:
        _identify(context, tls)
    if tls.alpn:
        context.set_alpn_protocols([tls.alpn])
    return context


def problems_of(settings: MqttSettings) -> tuple[str, ...]:
    """Everything that is wrong with the files now, one line each."""
    tls = settings.tls
    checks: list[Callable[[], object]] = [lambda: read_password(settings)]
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        checks += [lambda: _trust(context, tls.ca_file)] if tls.ca_file else []
        checks += [lambda: _identify(context, tls)] if tls.cert_file else []
    return tuple(line for check in checks if (line := _complaint(check)))


def certificate_end(tls: TlsSettings) -> Wall:
    """Until when our own certificate is good.

    Raises:
        TroubleError: it cannot be read.
    """
    data = _read("mqtt.tls.cert_file", tls.cert_file)
    try:
        certificate = x509.load_pem_x509_certificate(data)
    except ValueError:
        raise TroubleError(f"mqtt.tls.cert_file {tls.cert_file}: no certificate in PEM") from None
    return Wall(certificate.not_valid_after_utc.timestamp())


def stamp_of(tls: TlsSettings) -> Stamp:
    """What tells whether a file has changed since."""
    return tuple(
        _stat(name) for name in (tls.cert_file, tls.key_file, tls.key_passphrase_file) if name
    )


def read_password(settings: MqttSettings) -> str | None:
    """The password, if there is to be one.

    Raises:
        TroubleError: the file is missing, empty, or others could read it.
    """
    if not settings.password_file:
        return None
    try:
        return read_passphrase(Path(settings.password_file))
    except BodycamError as error:
        raise TroubleError(f"mqtt.password_file {error}") from None


def _complaint(check: Callable[[], object]) -> str:
    try:
        check()
    except TroubleError as trouble:
        return str(trouble)
    return ""


def _shake_hands(
    raw: socket.socket, context: ssl.SSLContext, tls: TlsSettings, host: str
) -> ssl.SSLSocket:
    try:  # the socket's time-out bounds the whole handshake
        return context.wrap_socket(raw, server_hostname=tls.hostname or host)
    except OSError as error:
        raise TroubleError(explain_handshake(error, tls)) from None
    except ValueError as error:
        raise TroubleError(f"mqtt.tls.hostname {tls.hostname or host}: {error}") from None


def _trust(context: ssl.SSLContext, name: str) -> None:
    _read("mqtt.tls.ca_file", name)
    try:
        context.load_verify_locations(cafile=name)
    except ssl.SSLError:
        raise TroubleError(f"mqtt.tls.ca_file {name}: no certificate in PEM") from None


def _identify(context: ssl.SSLContext, tls: TlsSettings) -> None:
    _read("mqtt.tls.cert_file", tls.cert_file)
    setting, name = "mqtt.tls.key_file", tls.key_file
    if not name:
        setting, name = "mqtt.tls.cert_file", tls.cert_file
    key = _read(setting, name)
    if Path(name).stat().st_mode & _EVERYBODY:
        raise TroubleError(f"{setting} {name}: everybody may read the key; chmod 600 it")
    passphrase = _passphrase(tls, setting, name) if b"ENCRYPTED" in key else ""
    try:
        context.load_cert_chain(tls.cert_file, name, lambda: passphrase)
    except ssl.SSLError as error:
        raise TroubleError(_unfit(error, setting, name, encrypted=bool(passphrase))) from None


def _passphrase(tls: TlsSettings, setting: str, name: str) -> str:
    if not tls.key_passphrase_file:
        raise TroubleError(
            f"{setting} {name}: the key is encrypted; set mqtt.tls.key_passphrase_file"
        )
    try:
        return read_passphrase(Path(tls.key_passphrase_file))
    except BodycamError as error:
        raise TroubleError(f"mqtt.tls.key_passphrase_file {error}") from None


def _unfit(error: ssl.SSLError, setting: str, name: str, *, encrypted: bool) -> str:
    if "MISMATCH" in (error.reason or ""):
        return f"{setting} {name}: the key does not belong to mqtt.tls.cert_file"
    if encrypted:
        return f"{setting} {name}: mqtt.tls.key_passphrase_file does not open the key"
    return f"{setting} {name}: no certificate with its key in PEM"


def _read(setting: str, name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise TroubleError(f"{setting} {name}: {why(error)}") from None


def _stat(name: str) -> object:
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _end_of(certificate: bytes | None) -> Wall | None:
    if certificate is None:
        return None
    try:
        return Wall(x509.load_der_x509_certificate(certificate).not_valid_after_utc.timestamp())
    except ValueError:  # OpenSSL reads some that are not quite as the standard says
        return None
