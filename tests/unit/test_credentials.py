"""Passwords and AMQP URLs."""

import base64
import hashlib
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.credentials import Credentials, amqp_url, password_hash, url_with, with_absolute_files
from schemas.errors import NotFound, Unreachable

# RabbitMQ's own example (documentation of passwords, "Computing a password hash"): salt 908DC60A, "test12".
DOCUMENTED = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"


def verifies(hashed: str, password: str) -> bool:
    """What RabbitMQ does at a login: take the salt off and compare."""
    raw = base64.b64decode(hashed)
    return hashlib.sha256(raw[:4] + password.encode()).digest() == raw[4:]


def test_the_check_used_here_takes_rabbitmqs_own_example() -> None:
    assert base64.b64decode(DOCUMENTED)[:4].hex().upper() == "908DC60A"
    assert verifies(DOCUMENTED, "test12")
    assert not verifies(DOCUMENTED, "test13")


@given(st.text(max_size=64))
def test_a_hash_is_one_that_rabbitmq_verifies(password: str) -> None:
    hashed = password_hash(password)
    assert len(base64.b64decode(hashed)) == 36
    assert verifies(hashed, password)
    assert not verifies(hashed, password + "x")


@given(st.text(max_size=64))
def test_the_same_password_gives_the_same_hash_so_that_importing_again_changes_nothing(password: str) -> None:
    assert password_hash(password) == password_hash(password)


def test_the_salt_differs_from_password_to_password() -> None:
    salts = {base64.b64decode(password_hash(str(number)))[:4] for number in range(100)}
    assert len(salts) > 95


def test_a_password_is_made_once_is_long_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "state")
    made = credentials.get_or_make("kr.customs")
    assert credentials.get_or_make("kr.customs") == credentials.get("kr.customs") == made
    assert len(made) >= 32
    assert credentials.get_or_make("kr.border") != made
    assert stat.S_IMODE((credentials.folder / "kr.customs").stat().st_mode) == 0o600
    assert stat.S_IMODE(credentials.folder.stat().st_mode) == 0o700


def test_a_password_that_was_never_made_or_is_forgotten_is_not_found(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    with pytest.raises(NotFound):
        credentials.get("kr.customs")
    credentials.get_or_make("kr.customs")
    credentials.forget("kr.customs")
    credentials.forget("kr.customs")
    with pytest.raises(NotFound):
        credentials.get("kr.customs")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@given(texts, texts, texts)
def test_every_part_of_an_amqp_url_comes_back_as_it_was_given(user: str, password: str, vhost: str) -> None:
    parts = urlsplit(amqp_url(user, password, "host", 5672, vhost))
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert (parts.hostname, parts.port, unquote(parts.path[1:])) == ("host", 5672, vhost)


def test_an_ipv6_address_and_tls_are_written_as_urls_want_them() -> None:
    assert amqp_url("u", "p", "::1", 5671, "cbm", tls=True) == "amqps://u:p@[::1]:5671/cbm"


@pytest.mark.parametrize(
    ("url", "filled"),
    [
        ("amqp://u@h", "amqp://u:s%2Ft@h/cbm"),
        ("amqp://u@h:5673/", "amqp://u:s%2Ft@h:5673/cbm"),
        ("amqp://u:own@h/other", "amqp://u:own@h/other"),
        ("amqps://h", "amqps://guest:s%2Ft@h/cbm"),
        ("amqp://u@[::1]:5672", "amqp://u:s%2Ft@[::1]:5672/cbm"),
        ("amqp://u@h/%2f?heartbeat=5", "amqp://u:s%2Ft@h/%2f?heartbeat=5"),
    ],
)
def test_a_configured_url_gets_the_password_and_the_virtual_host_it_lacks(url: str, filled: str) -> None:
    assert url_with(url, password="s/t", vhost="cbm") == filled


@pytest.mark.parametrize(
    ("url", "filled"),
    [
        ("amqps://h/?certfile=c.pem", "amqps://h/cbm?certfile=c.pem"),
        ("amqps://u@h:5671?certfile=c&keyfile=k", "amqps://u@h:5671/cbm?certfile=c&keyfile=k"),
        ("amqps://u:own@h?certfile=c", "amqps://u:own@h/cbm?certfile=c"),
        ("amqps://h?cacertfile=c", "amqps://guest:guest@h/cbm?cacertfile=c"),
    ],
)
def test_who_has_a_certificate_gets_no_password_that_nobody_gave(url: str, filled: str) -> None:
    assert url_with(url, vhost="cbm") == filled


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("amqps://h/v?cacertfile=tls/ca.pem&heartbeat=5", "amqps://h/v?cacertfile=/etc/cbm/tls/ca.pem&heartbeat=5"),
        ("amqps://u@h?certfile=/c.pem&keyfile=k", "amqps://u@h?certfile=/c.pem&keyfile=/etc/cbm/k"),
        ("amqp://u@h/v?heartbeat=5", "amqp://u@h/v?heartbeat=5"),
        ("amqp://[::1", "amqp://[::1"),
    ],
)
def test_files_that_a_url_names_stand_below_the_folder_of_who_names_them(url: str, absolute: str) -> None:
    assert with_absolute_files(url, Path("/etc/cbm")) == absolute


@pytest.mark.parametrize("url", ["http://h", "h:5672", "", "amqp://[::1", "amqp://h:port"])
def test_what_is_no_amqp_url_is_said_so_without_repeating_it(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        url_with(url, password="secret")
    assert "secret" not in str(caught.value)
