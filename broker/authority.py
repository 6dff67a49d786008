"""A small certificate authority for trials: the private node's certificate, and those of agencies.

Owns `state_dir/authority`, its key above all, which never leaves that folder. It withdraws no single
certificate: an agency that leaves loses its RabbitMQ user, and its certificates open nothing any more.
A service that is open to other machines has certificates of the authority that its operator trusts
already. Slow to import: only what issues or checks certificates does.
"""

import contextlib
import fcntl
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.credentials import Bundle, write_private
from schemas.codes import AGENCY_PATTERN
from schemas.errors import NotFound

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
# An agency's certificate for processes on the broker's machine is made anew when less than this is left.
RENEWAL = timedelta(days=30)
# Clocks differ: a certificate made here must be good on a machine that is a little behind.
_BACKDATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a certificate is to say. `days` is cut to what is left of the authority's own term."""

    name: str
    usage: x509.ObjectIdentifier
    days: int
    alternative: tuple[x509.GeneralName, ...] = ()


class Authority:
    """The authority of one node, made the first time it is used. `clock` is for tests of validity."""

    def __init__(self, state_dir: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = state_dir / "authority"
        self.certificate_path = self.folder / "ca.crt"
        self._local = state_dir / "certificates"
        self._key_path = self.folder / "ca.key"
        self._clock = clock

    def server(self, names: Iterable[str]) -> Bundle:
        """Return a certificate of the RabbitMQ node for these host names and addresses, made anew where it must be.

        It ends with the authority: its key lies beside the authority's, so that a shorter term would
        protect nobody, and a node that runs for long would one day turn everybody away.
        """
        alternative = tuple(_general_name(name) for name in dict.fromkeys(names))
        wanted = _Wanted("RabbitMQ of cbm", ExtendedKeyUsageOID.SERVER_AUTH, AUTHORITY_DAYS, alternative)
        with self._open() as (key, authority):
            bundle = Bundle(self.certificate_path, self.folder / "server.crt", self.folder / "server.key")
            if not self._still_good(bundle, authority, wanted, timedelta()):
                self._issue(bundle, key, authority, wanted)
            return bundle

    def agency(self, agency: str, folder: Path, days: int = CERTIFICATE_DAYS) -> Bundle:
        """Write a new key and certificate of an agency, and the authority's certificate, into a folder.

        Called again it renews: a new key, a new term. The earlier certificate stays good until its own end.
        """
        with self._open() as (key, authority):
            bundle = _prepared(agency, folder, authority)
            self._issue(bundle, key, authority, _Wanted(agency, ExtendedKeyUsageOID.CLIENT_AUTH, days))
            return bundle

    def local(self, agency: str) -> Bundle:
        """Return the certificate by which processes on this machine act as an agency, renewed where it must be."""
        wanted = _Wanted(agency, ExtendedKeyUsageOID.CLIENT_AUTH, CERTIFICATE_DAYS)
        with self._open() as (key, authority):
            bundle = _prepared(agency, self._local, authority)
            if not self._still_good(bundle, authority, wanted, RENEWAL):
                self._issue(bundle, key, authority, wanted)
            return bundle

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[ec.EllipticCurvePrivateKey, x509.Certificate]]:
        """Yield the authority's key and certificate; one process at a time, or two might found it twice.

        Raises:
            NotFound: its term is over, or one of its two files is gone; only people may decide to begin anew.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._key_path.exists() and not self.certificate_path.exists():
                self._found()
            yield self._read()

    def _read(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        text = f"the certificate authority in {self.folder} %s; without the folder a new one is made"
        try:
            key = serialization.load_pem_private_key(self._key_path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        except (OSError, ValueError, TypeError):
            raise NotFound(text % "cannot be read") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise NotFound(text % "has a key that is not its certificate's")
        if certificate.not_valid_after_utc <= self._clock():
            raise NotFound(text % "ended")
        return key, certificate

    def _found(self) -> None:
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
        write_private(self.certificate_path, _pem(certificate))

    def _still_good(self, bundle: Bundle, authority: x509.Certificate, wanted: _Wanted, least: timedelta) -> bool:
        """Whether a certificate is this authority's, says what is wanted, fits its key and has time left."""
        try:
            certificate = x509.load_pem_x509_certificate(bundle.certificate.read_bytes())
            key = serialization.load_pem_private_key(bundle.key.read_bytes(), None)
            certificate.verify_directly_issued_by(authority)
            extensions = certificate.extensions
        except (OSError, ValueError, InvalidSignature, TypeError):
            return False
        found: tuple[x509.GeneralName, ...] = ()
        with contextlib.suppress(x509.ExtensionNotFound):
            found = tuple(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        return (
            (certificate.subject, found) == (_name(wanted.name), wanted.alternative)
            # A stop between the writing of the two leaves a new key beside an old certificate.
            and key.public_key() == certificate.public_key()
            and certificate.not_valid_after_utc - self._clock() > least
        )

    def _issue(
        self, bundle: Bundle, signer: ec.EllipticCurvePrivateKey, authority: x509.Certificate, wanted: _Wanted
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock()
        # No certificate outlives its authority.
        term = min(timedelta(days=wanted.days), authority.not_valid_after_utc - now)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = (
            _builder(_name(wanted.name), authority.subject, key.public_key(), now, term)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            # An agency's certificate must not pass for the server's.
            .add_extension(x509.ExtendedKeyUsage([wanted.usage]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(issuer, critical=False)
        )
        if wanted.alternative:
            builder = builder.add_extension(x509.SubjectAlternativeName(wanted.alternative), critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        write_private(bundle.key, _private_pem(key))
        write_private(bundle.certificate, _pem(certificate))


def _prepared(agency: str, folder: Path, authority: x509.Certificate) -> Bundle:
    """Make an agency's folder, with the authority's certificate in it, and name the files.

    Raises:
        NotFound: there can be no agency of that name. The common name alone says who somebody is: one of the
            broker's own user would be the key to everything.
    """
    if re.fullmatch(AGENCY_PATTERN, agency) is None:
        raise NotFound(f"{agency!r} is no agency id: certificates are issued to agencies only")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundle = Bundle.of(agency, folder)
    write_private(bundle.authority, _pem(authority))
    return bundle


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


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
