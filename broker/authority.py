"""A small certificate authority for trials: the private node's certificate, and those of agencies.

Owns `state_dir/authority`: its key above all, which never leaves that folder, what it issued, and the
list of what it withdrew (RFC 5280's CRL), which RabbitMQ looks into at every handshake. A service that
is open to other machines has certificates of the authority that its operator trusts already. Slow to
import: only what issues or withdraws certificates does.
"""

import contextlib
import fcntl
import hashlib
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
# So long before its end an agency is told to renew.
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
        self.crl_folder = self.folder / "crls"
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
            if not self._still_good(bundle, authority, wanted):
                self._issue(bundle, key, authority, wanted)
            return bundle

    def agency(self, agency: str, folder: Path, days: int = CERTIFICATE_DAYS) -> Bundle:
        """Write a new key and certificate of an agency, and the authority's certificate, into a folder.

        Called again it renews: a new key, a new term. The earlier certificate stays good until its own end,
        or until `withdraw`.
        """
        with self._open() as (key, authority):
            bundle = _prepared(agency, folder, authority)
            self._issue(bundle, key, authority, _Wanted(agency, ExtendedKeyUsageOID.CLIENT_AUTH, days))
            return bundle

    def local(self, agency: str) -> Bundle:
        """Return the certificate by which processes on this machine act as an agency, made anew where it must be.

        It ends with the authority, as the server's does and for the same reasons.
        """
        with self._open() as (key, authority):
            return self._local_bundle(agency, key, authority)

    def _local_bundle(self, agency: str, key: ec.EllipticCurvePrivateKey, authority: x509.Certificate) -> Bundle:
        wanted = _Wanted(agency, ExtendedKeyUsageOID.CLIENT_AUTH, AUTHORITY_DAYS)
        bundle = _prepared(agency, self._local, authority)
        if not self._still_good(bundle, authority, wanted):
            self._issue(bundle, key, authority, wanted)
        return bundle

    def withdraw(self, agency: str) -> int:
        """Withdraw all certificates that an agency was issued so far; returns how many of them were still good.

        RabbitMQ refuses them from the next handshake on; connections that are open stay open. What this
        machine itself uses for the agency is replaced.
        """
        _check(agency)
        now = self._clock()
        with self._open() as (key, authority):
            before = self._withdrawn(authority)
            known = {entry.serial_number for entry in before}
            found = (_loaded(path) for path in self._issued(agency).glob("*.crt"))
            good = [c.serial_number for c in found if c.not_valid_after_utc > now and c.serial_number not in known]
            entries = [x509.RevokedCertificateBuilder(serial, now - _BACKDATED).build() for serial in good]
            self._write_list(key, authority, [*before, *entries])
            # The adapter of the agency goes on, with another.
            if Bundle.of(agency, self._local).certificate.exists():
                self._local_bundle(agency, key, authority)
        return len(good)

    def ending(self, agencies: Iterable[str]) -> dict[str, datetime]:
        """Return the agencies that must renew: those whose last certificate ends within `RENEWAL`, or has ended.

        With its end. One that was withdrawn counts as none, as does this machine's own.
        """
        if not self.certificate_path.exists():
            return {}
        with self._open() as (_, authority):
            passed_over = {entry.serial_number for entry in self._withdrawn(authority)}
            found: dict[str, datetime] = {}
            for agency in agencies:
                local = Bundle.of(agency, self._local).certificate
                own = {_loaded(local).serial_number} if local.exists() else set()
                issued = (_loaded(path) for path in self._issued(agency).glob("*.crt"))
                ends = [c.not_valid_after_utc for c in issued if c.serial_number not in own | passed_over]
                if ends and max(ends) < self._clock() + RENEWAL:
                    found[agency] = max(ends)
            return found

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
        self._write_list(key, certificate, [])
        write_private(self._key_path, _private_pem(key))
        write_private(self.certificate_path, _pem(certificate))

    def _issued(self, agency: str) -> Path:
        return self.folder / "issued" / agency

    def _list_path(self, authority: x509.Certificate) -> Path:
        """Return where RabbitMQ looks: OpenSSL's hash of the issuer's name, `.r0`.

        The hash is of the name in lower case, without the length that comes before it.
        """
        lowered = x509.Name([x509.NameAttribute(a.oid, str(a.value).lower()) for a in authority.subject])
        digest = hashlib.sha1(lowered.public_bytes()[2:], usedforsecurity=False).digest()
        return self.crl_folder / f"{int.from_bytes(digest[:4], 'little'):08x}.r0"

    def _withdrawn(self, authority: x509.Certificate) -> list[x509.RevokedCertificate]:
        try:
            found = x509.load_pem_x509_crl(self._list_path(authority).read_bytes())
        except (OSError, ValueError):
            # To begin it anew would let those in again who were kept out.
            text = f"the list of withdrawn certificates in {self.crl_folder} cannot be read; without the folder"
            raise NotFound(
                f"{text} {self.folder} a new authority is made, and all certificates are issued anew"
            ) from None
        return list(found)

    def _write_list(
        self,
        key: ec.EllipticCurvePrivateKey,
        authority: x509.Certificate,
        entries: Iterable[x509.RevokedCertificate],
    ) -> None:
        now = self._clock()
        builder = (
            # Good as long as the authority: where a list is out of date RabbitMQ refuses everybody.
            x509.CertificateRevocationListBuilder(authority.subject, now - _BACKDATED, authority.not_valid_after_utc)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        self.crl_folder.mkdir(mode=0o700, exist_ok=True)
        data = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        write_private(self._list_path(authority), data.decode())

    def _still_good(self, bundle: Bundle, authority: x509.Certificate, wanted: _Wanted) -> bool:
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
            and certificate.not_valid_after_utc > self._clock()
            and certificate.serial_number not in {entry.serial_number for entry in self._withdrawn(authority)}
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
        # Known before it is anybody's: what nobody knows of cannot be withdrawn.
        if wanted.usage == ExtendedKeyUsageOID.CLIENT_AUTH:
            self._issued(wanted.name).mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._issued(wanted.name) / f"{certificate.serial_number:x}.crt", _pem(certificate))
        write_private(bundle.key, _private_pem(key))
        write_private(bundle.certificate, _pem(certificate))


def _check(agency: str) -> None:
    """Refuse who can be no agency.

    Raises:
        NotFound: there can be no agency of that name. The common name alone says who somebody is: one of the
            broker's own user would be the key to everything.
    """
    if re.fullmatch(AGENCY_PATTERN, agency) is None:
        raise NotFound(f"{agency!r} is no agency id: certificates are issued to agencies only")


def _prepared(agency: str, folder: Path, authority: x509.Certificate) -> Bundle:
    """Make an agency's folder, with the authority's certificate in it, and name the files; raises as `_check`."""
    _check(agency)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    bundle = Bundle.of(agency, folder)
    write_private(bundle.authority, _pem(authority))
    return bundle


def _loaded(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise NotFound(f"there is no certificate in {path} that can be read") from None


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
