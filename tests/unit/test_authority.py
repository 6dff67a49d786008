"""The authority for trials: what it issues verifies, ends, renews; its key and those of agencies are private."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.authority import Authority
from schemas.errors import NotFound

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER = ("localhost", "127.0.0.1", "kr-busan")


def at(moment: datetime, folder: Path) -> Authority:
    return Authority(folder, clock=lambda: moment)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    authority = at(NOW, tmp_path)
    server, agency = authority.server(SERVER), authority.agency("kr.customs", tmp_path / "out")
    for key in (tmp_path / "authority" / "ca.key", server.key, agency.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "authority").stat().st_mode) == 0o700


def test_an_agencys_certificate_names_the_agency_and_nothing_else_signs_for_it(tmp_path: Path) -> None:
    bundle = at(NOW, tmp_path).agency("kr.customs", tmp_path / "out")
    found = certificate(bundle.certificate)
    assert [a.value for a in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["kr.customs"]
    found.verify_directly_issued_by(certificate(bundle.authority))
    stranger = certificate(at(NOW, tmp_path / "other").agency("kr.customs", tmp_path / "other").authority)
    with pytest.raises(InvalidSignature):
        found.verify_directly_issued_by(stranger)


def test_an_agencys_certificate_cannot_pass_for_the_server_nor_sign_further_ones(tmp_path: Path) -> None:
    found = certificate(at(NOW, tmp_path).agency("kr.customs", tmp_path / "out").certificate)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert found.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_a_certificate_is_good_in_its_term_and_not_a_moment_longer(tmp_path: Path) -> None:
    bundle = at(NOW, tmp_path).agency("kr.customs", tmp_path / "out", days=30)
    assert certificate(bundle.certificate).not_valid_after_utc == NOW + timedelta(days=30)
    assert certificate(bundle.certificate).not_valid_before_utc < NOW


def test_no_certificate_outlives_its_authority(tmp_path: Path) -> None:
    at(NOW, tmp_path).agency("kr.customs", tmp_path / "out")
    late = NOW + timedelta(days=3600)
    bundle = at(late, tmp_path).agency("kr.customs", tmp_path / "out", days=365)
    end = certificate(bundle.authority).not_valid_after_utc
    assert certificate(bundle.certificate).not_valid_after_utc == end


def test_the_servers_certificate_lasts_as_long_as_its_authority(tmp_path: Path) -> None:
    bundle = at(NOW, tmp_path).server(SERVER)
    first = certificate(bundle.certificate)
    assert first.not_valid_after_utc == certificate(bundle.authority).not_valid_after_utc
    assert certificate(at(NOW + timedelta(days=3600), tmp_path).server(SERVER).certificate) == first


def test_a_server_whose_key_does_not_fit_its_certificate_gets_both_anew(tmp_path: Path) -> None:
    bundle = at(NOW, tmp_path).server(SERVER)
    first = certificate(bundle.certificate)
    bundle.key.write_bytes(at(NOW, tmp_path).agency("kr.customs", tmp_path / "out").key.read_bytes())
    at(NOW, tmp_path).server(SERVER)
    key = serialization.load_pem_private_key(bundle.key.read_bytes(), None)
    assert certificate(bundle.certificate) != first
    assert certificate(bundle.certificate).public_key() == key.public_key()


def test_the_certificate_for_this_machine_is_made_once_and_lasts_as_long_as_its_authority(tmp_path: Path) -> None:
    bundle = at(NOW, tmp_path).local("kr.customs")
    first = certificate(bundle.certificate)
    assert first.not_valid_after_utc == certificate(bundle.authority).not_valid_after_utc
    at(NOW + timedelta(days=3600), tmp_path).local("kr.customs")
    assert certificate(bundle.certificate) == first


@pytest.mark.parametrize(
    "name", ["cbm", "guest", "", "*", "kr.*", "KR.customs", "kr.customs\n", "kr.customs,kr.border"]
)
def test_nobody_but_an_agency_gets_a_certificate(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="no agency id"):
        at(NOW, tmp_path).agency(name, tmp_path / "out")
    with pytest.raises(NotFound, match="no agency id"):
        at(NOW, tmp_path).withdraw(name)
    assert not (tmp_path / "out").exists()


def test_those_who_come_at_once_get_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: at(NOW, tmp_path).agency("kr.customs", tmp_path / str(n)), range(8)))
    assert len({bundle.authority.read_bytes() for bundle in made}) == 1
    assert len({certificate(bundle.certificate).serial_number for bundle in made}) == 8


def test_the_authority_signs_certificates_alone_and_only_of_ends(tmp_path: Path) -> None:
    found = certificate(at(NOW, tmp_path).server(SERVER).authority)
    limits = found.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage)
    assert (limits.critical, limits.value.ca, limits.value.path_length) == (True, True, 0)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.digital_signature) == (True, True, False)


def test_the_servers_certificate_is_renewed_when_the_node_gets_another_name(tmp_path: Path) -> None:
    at(NOW, tmp_path).server(SERVER)
    found = certificate(at(NOW, tmp_path).server(("localhost", "kr-incheon")).certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "kr-incheon"]


def test_renewing_an_agencys_certificate_makes_a_new_key_and_a_new_term(tmp_path: Path) -> None:
    bundle = at(NOW, tmp_path).agency("kr.customs", tmp_path / "out")
    key, first = bundle.key.read_bytes(), certificate(bundle.certificate)
    again = at(NOW + timedelta(days=200), tmp_path).agency("kr.customs", tmp_path / "out")
    assert again.key.read_bytes() != key
    assert certificate(again.certificate).not_valid_after_utc > first.not_valid_after_utc
    assert certificate(again.authority) == certificate(bundle.authority)


def test_an_authority_that_ended_or_lost_its_key_says_so_and_is_not_replaced_unasked(tmp_path: Path) -> None:
    at(NOW, tmp_path).server(SERVER)
    with pytest.raises(NotFound, match="ended"):
        at(NOW + timedelta(days=3651), tmp_path).server(SERVER)
    (tmp_path / "authority" / "ca.key").write_bytes((tmp_path / "authority" / "server.key").read_bytes())
    with pytest.raises(NotFound, match="not its certificate's"):
        at(NOW, tmp_path).server(SERVER)
    (tmp_path / "authority" / "ca.key").unlink()
    with pytest.raises(NotFound, match="cannot be read"):
        at(NOW, tmp_path).agency("kr.customs", tmp_path / "out")


def test_what_is_withdrawn_is_what_the_agency_was_issued_before_and_is_listed_for_good(tmp_path: Path) -> None:
    authority = at(NOW, tmp_path)
    first, other = authority.agency("kr.customs", tmp_path / "a"), authority.agency("kr.border", tmp_path / "b")
    local = authority.local("kr.customs")
    serials = {certificate(bundle.certificate).serial_number for bundle in (first, local)}
    assert authority.withdraw("kr.customs") == 2
    later = authority.agency("kr.customs", tmp_path / "c")
    assert authority.withdraw("kr.nobody") == 0
    (file,) = authority.crl_folder.iterdir()
    listed = x509.load_pem_x509_crl(file.read_bytes())
    assert {entry.serial_number for entry in listed} == serials
    issuer = certificate(other.authority)
    key = issuer.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert listed.is_signature_valid(key)
    assert listed.next_update_utc == issuer.not_valid_after_utc
    for bundle in (other, later):
        assert listed.get_revoked_certificate_by_serial_number(certificate(bundle.certificate).serial_number) is None
    # What this machine itself uses was made anew, and nobody had to ask for it.
    renewed = certificate(local.certificate)
    assert listed.get_revoked_certificate_by_serial_number(renewed.serial_number) is None
    assert renewed.public_key() == serialization.load_pem_private_key(local.key.read_bytes(), None).public_key()


def test_a_list_that_cannot_be_read_is_said_and_not_begun_anew(tmp_path: Path) -> None:
    """It would let those in again who were kept out."""
    authority = at(NOW, tmp_path)
    authority.agency("kr.customs", tmp_path / "a")
    (file,) = authority.crl_folder.iterdir()
    authority.server(SERVER)
    for spoil in (lambda: file.write_text("no list"), file.unlink):
        spoil()
        with pytest.raises(NotFound, match="withdrawn"):
            authority.withdraw("kr.customs")
        with pytest.raises(NotFound, match="withdrawn"):
            authority.server(SERVER)
    assert not file.exists()


def test_a_command_that_has_nothing_to_do_with_certificates_does_not_wait_for_them_to_be_loaded() -> None:
    program = "import sys, broker.cli.main, broker.service, broker.node; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_agency_is_told_to_renew_in_time_and_not_for_what_was_replaced_or_withdrawn(tmp_path: Path) -> None:
    assert at(NOW, tmp_path).ending(["kr.customs"]) == {}
    assert not (tmp_path / "authority").exists()
    end = NOW + timedelta(days=60)
    for agency in ("kr.customs", "kr.border", "kr.renewed"):
        at(NOW, tmp_path).agency(agency, tmp_path / "out", days=60)
    at(NOW, tmp_path).local("kr.customs")
    at(NOW, tmp_path).withdraw("kr.border")
    at(NOW, tmp_path).agency("kr.renewed", tmp_path / "out", days=90)
    agencies = ["kr.customs", "kr.border", "kr.renewed", "kr.nobody"]
    assert at(NOW + timedelta(days=29), tmp_path).ending(agencies) == {}
    assert at(NOW + timedelta(days=31), tmp_path).ending(agencies) == {"kr.customs": end}
    assert at(NOW + timedelta(days=70), tmp_path).ending(agencies)["kr.customs"] == end


def test_what_was_issued_and_cannot_be_read_is_named(tmp_path: Path) -> None:
    """To pass it over would leave it good while its owner believes it withdrawn."""
    authority = at(NOW, tmp_path)
    authority.agency("kr.customs", tmp_path / "out")
    (spoilt,) = (authority.folder / "issued" / "kr.customs").iterdir()
    spoilt.write_text("no certificate")
    for call in (lambda: authority.withdraw("kr.customs"), lambda: authority.ending(["kr.customs"])):
        with pytest.raises(NotFound, match=spoilt.name):
            call()
