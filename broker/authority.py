"""A small certificate authority for trials: the private node's certificate, and those of agencies.

Owns `state_dir/authority`, its key above all, which never leaves that folder. It revokes nothing: an
agency that leaves loses its RabbitMQ user, and its certificate opens nothing any more. A service that
is open to other machines has certificates of the authority that its operator trusts already.
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.credentials import write_private
from schemas.errors import NotFound

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
# A certificate with less than this left is made anew at the next start.
RENEWAL = timedelta(days=30)
# Clocks differ: a certificate made here must be good on a machine that is a little behind.
_BACKDATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Where the three files of one certificate stand."""

    authority: Path
    certificate: Path
    key: Path


class Authority:
    """The authority of one node, made the first time it is used. `clock` is for tests of validity."""

    def __init__(self, state_dir: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = state_dir / "authority"
        self.certificate_path = self.folder / "ca.crt"
        self._key_path = self.folder / "ca.key"
        self._clock = clock

    def server(self, names: Iterable[str]) -> Bundle:
        """Return a certificate of the RabbitMQ node for these host names and addresses, renewed where it must be."""
        wanted = [_general_name(name) for name in dict.fromkeys(names)]
        bundle = Bundle(self.certificate_path, self.folder / "server.crt", self.folder / "server.key")
        key, authority = self._open()
        if not self._still_good(bundle, authority, wanted):
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RabbitMQ of cbm")])
            self._issue(bundle, key, authority, subject, ExtendedKeyUsageOID.SERVER_AUTH, CERTIFICATE_DAYS, wanted)
        return bundle

    def agency(self, agency: str, folder: Path, days: int = CERTIFICATE_DAYS) -> Bundle:
        """Write a new key and certificate of an agency, and the authority's certificate, into a folder.

        Called again it renews: a new key, a new term. The earlier certificate stays good until its own end.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        bundle = Bundle(folder / "ca.crt", folder / f"{agency}.crt", folder / f"{agency}.key")
        key, authority = self._open()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agency)])
        self._issue(bundle, key, authority, subject, ExtendedKeyUsageOID.CLIENT_AUTH, days, [])
        bundle.authority.write_bytes(_pem(authority))
        return bundle

    def _open(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """Return the authority's key and certificate.

        Raises:
            NotFound: its term is over, or one of its two files is gone; only people may decide to begin anew.
        """
        if not self._key_path.exists() and not self.certificate_path.exists():
            self._found()
        try:
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        except (OSError, ValueError):
            text = f"the certificate authority in {self.folder} cannot be read; without the folder a new one is made"
            raise NotFound(text) from None
        if certificate.not_valid_after_utc <= self._clock():
            text = f"the certificate authority in {self.folder} ended; without the folder a new one is made"
            raise NotFound(text)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key, certificate

    def _found(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock()
        # The date tells two authorities of one node apart, where people look.
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"cbm trial authority {now:%Y-%m-%d %H:%M}")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            _builder(name, name, key.public_key(), now, timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_path, _private_pem(key))
        self.certificate_path.write_bytes(_pem(certificate))

    def _still_good(self, bundle: Bundle, authority: x509.Certificate, names: list[x509.GeneralName]) -> bool:
        """Whether a certificate is of this authority, for these names, and has time left."""
        try:
            certificate = x509.load_pem_x509_certificate(bundle.certificate.read_bytes())
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            certificate.verify_directly_issued_by(authority)
        except (OSError, ValueError, x509.ExtensionNotFound, InvalidSignature, TypeError):
            return False
        left = certificate.not_valid_after_utc - self._clock()
        return bundle.key.exists() and list(found) == names and left > RENEWAL

    def _issue(
        self,
        bundle: Bundle,
        signer: ec.EllipticCurvePrivateKey,
        authority: x509.Certificate,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        days: int,
        names: list[x509.GeneralName],
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock()
        # No certificate outlives its authority.
        term = min(timedelta(days=days), authority.not_valid_after_utc - now)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = (
            _builder(subject, authority.subject, key.public_key(), now, term)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            # An agency's certificate must not pass for the server's.
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        write_private(bundle.key, _private_pem(key))
        bundle.certificate.write_bytes(_pem(certificate))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, term: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + term)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
