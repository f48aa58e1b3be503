"""Certificates of brokers and cameras, good and bad."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from agent.adapters.mqtt import TlsSettings

DAY = timedelta(days=1)
OWNER_ONLY = 0o600


class Issuer:
    """An authority with a certificate file and a list of what it revoked."""

    def __init__(self, folder: Path, name: str) -> None:
        self.file = folder / f"{name}.pem"
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._now = datetime.now(timezone.utc)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        certificate = (
            self._builder(self._name, self._key, self._now - DAY, self._now + 3650 * DAY)
            .add_extension(constraints, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        alternatives: list[x509.GeneralName],
        days: float,
        *,
        begin: timedelta = -10 * DAY,
        serial: int | None = None,
    ) -> x509.Certificate:
        end = self._now + timedelta(days=days)
        builder = self._builder(_named(name), key, self._now + begin, end, serial)
        if alternatives:
            names = x509.SubjectAlternativeName(alternatives)
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def revocations(self, *serials: int) -> bytes:
        """A revocation list, PEM."""
        builder = x509.CertificateRevocationListBuilder(self._name)
        builder = builder.last_update(self._now - DAY).next_update(self._now + 365 * DAY)
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder(serial, self._now - DAY).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(self, subject, key, begin, end, serial=None) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
        )


class PkiWorld:
    """An authority, a stranger, and what either signs for broker and camera.

    Attributes:
        authority: trusted by both sides, unless they are told otherwise.
        stranger: nobody trusts it.
        client_key: file of the camera's key.
        names_asked_for: server names (SNI) that clients sent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = Issuer(folder, "authority")
        self.stranger = Issuer(folder, "stranger")
        self.client_key = str(folder / "camera.key")
        self.names_asked_for: list[str | None] = []
        self._serial = x509.random_serial_number()

    def server(
        self,
        *,
        name: str = "",
        address: str | None = "127.0.0.1",
        days: float = 365,
        begin: timedelta = -10 * DAY,
        newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
        revoked: bool = False,
        clients: bool = True,
    ) -> ssl.SSLContext:
        """A broker's side, which with `clients` wants certificates of the authority, and with
        `revoked` refuses ours.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name)] if name else []
        names += [x509.IPAddress(ip_address(address))] if address else []
        certificate = self.authority.issue("broker", key, names, days + 0.5, begin=begin)
        path = self._folder / "broker.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + _pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.maximum_version = newest
        context.load_verify_locations(self.authority.file)
        context.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE
        context.sni_callback = lambda _socket, asked, _context: self.names_asked_for.append(asked)
        if revoked:
            revocations = self._folder / "crl.pem"
            revocations.write_bytes(self.authority.revocations(self._serial))
            context.load_verify_locations(revocations)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        return context

    def client(
        self,
        *,
        days: float = 90,
        by: Issuer | None = None,
        passphrase: str = "",
        mode: int = OWNER_ONLY,
        **settings: object,
    ) -> TlsSettings:
        """A camera's side, in the same files every time."""
        path = self._folder / "camera.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (by or self.authority).issue("cam-7", key, [], days, serial=self._serial)
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        Path(self.client_key).write_bytes(_pem(key, passphrase))
        Path(self.client_key).chmod(mode)
        files = {
            "ca_file": str(self.authority.file),
            "cert_file": str(path),
            "key_file": self.client_key,
        }
        return TlsSettings(**{**files, **settings})

    def another_key(self) -> str:
        path = self._folder / "another.key"
        path.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1())))
        path.chmod(OWNER_ONLY)
        return str(path)

    def secret(self, name: str, text: str, mode: int = OWNER_ONLY) -> str:
        path = self._folder / name
        path.write_text(text + "\n")
        path.chmod(mode)
        return str(path)


def _pem(key: ec.EllipticCurvePrivateKey, passphrase: str = "") -> bytes:
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
