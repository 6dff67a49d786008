"""Which RabbitMQ a configuration means, and how the broker and its agencies get in there."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from broker.provision import agency_address, configured_place
from broker.settings import Settings
from schemas.errors import NotFound

AGENCY = "kr.customs"


def settings(state: Path, url: str, *, certificate_only: bool = False, **further: Any) -> Settings:
    agency = {"id": AGENCY, "name": "Customs", "sector": "customs", "certificate_only": certificate_only}
    return Settings.model_validate(
        {"node": {"state_dir": state}, "rabbitmq": {"url": url} | further, "agency": [agency]}
    )


@pytest.mark.parametrize(
    ("url", "management"),
    [
        ("amqp://u@rabbitmq.example", "http://rabbitmq.example:15672"),
        ("amqps://u@rabbitmq.example:5700", "https://rabbitmq.example:15671"),
        ("amqps://u@[::1]", "https://[::1]:15671"),
    ],
)
def test_the_administrators_password_goes_by_tls_where_messages_do(tmp_path: Path, url: str, management: str) -> None:
    place = configured_place(settings(tmp_path, url, password="p"))
    assert place.management is not None
    assert place.management.url == management


def test_the_management_api_is_trusted_by_the_same_authority(tmp_path: Path) -> None:
    place = configured_place(settings(tmp_path, "amqps://u@h?cacertfile=/ca.pem", password="p"))
    assert place.management is not None
    assert place.management.cafile == "/ca.pem"


def test_a_broker_that_gets_in_by_certificate_has_a_secret_of_its_own_for_blind_copies(tmp_path: Path) -> None:
    url = "amqps://cbm@h?certfile=/c.pem&keyfile=/k.pem"
    place, again = (configured_place(settings(tmp_path / "a", url)) for _ in range(2))
    other = configured_place(settings(tmp_path / "b", url))
    assert place.management is None
    assert urlsplit(place.url).password is None
    assert place.addresses.of(AGENCY) == again.addresses.of(AGENCY) != other.addresses.of(AGENCY)


def test_an_agency_with_a_certificate_only_is_let_in_by_the_one_its_operator_put_there(tmp_path: Path) -> None:
    configured = settings(tmp_path, "amqps://u@h:5700/v?cacertfile=/ca.pem", password="p", certificate_only=True)
    with pytest.raises(NotFound, match=r"certificates as kr\.customs\.crt and kr\.customs\.key"):
        agency_address(configured, AGENCY)
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / f"{AGENCY}.crt").touch()
    (folder / f"{AGENCY}.key").touch()
    parts = urlsplit(agency_address(configured, AGENCY))
    assert (parts.scheme, parts.netloc, parts.path) == ("amqps", f"{AGENCY}@h:5700", "/v")
    assert parse_qs(parts.query) == {
        "cacertfile": ["/ca.pem"],
        "certfile": [str(folder / f"{AGENCY}.crt")],
        "keyfile": [str(folder / f"{AGENCY}.key")],
    }
    assert not (tmp_path / "credentials" / AGENCY).exists()


def test_the_brokers_own_certificate_is_no_agencys(tmp_path: Path) -> None:
    url = "amqps://u@h?cacertfile=/ca.pem&certfile=/c.pem&keyfile=/k.pem"
    place = configured_place(settings(tmp_path, url, password="p"))
    assert place.agency_url(AGENCY, "secret") == f"amqps://{AGENCY}:secret@h/cbm?cacertfile=/ca.pem"
