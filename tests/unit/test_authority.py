"""The authority for trials: what it issues verifies, ends, renews; its key and those of agencies are private."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.authority import Authority
from schemas.errors import NotFound

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


def test_the_servers_certificate_stays_until_it_must_be_renewed(tmp_path: Path) -> None:
    first = certificate(at(NOW, tmp_path).server(SERVER).certificate)
    assert certificate(at(NOW + timedelta(days=300), tmp_path).server(SERVER).certificate) == first
    renewed = certificate(at(NOW + timedelta(days=340), tmp_path).server(SERVER).certificate)
    assert renewed != first
    assert renewed.not_valid_after_utc == NOW + timedelta(days=340 + 365)


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
    (tmp_path / "authority" / "ca.key").unlink()
    with pytest.raises(NotFound, match="cannot be read"):
        at(NOW, tmp_path).agency("kr.customs", tmp_path / "out")
