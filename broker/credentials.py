"""Passwords of RabbitMQ users: made here, kept in files only their owner reads, never printed by accident.

Owns `state_dir/credentials/`. Never logs and never puts a password into a command line.
"""

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from schemas.errors import NotFound, Unreachable

BROKER_USER = "cbm"
# Query parameters of an AMQP URL that name files.
_FILES = frozenset({"cacertfile", "certfile", "keyfile"})


def http_token(agency: str) -> str:
    """Return the name under which the token of an adapter's HTTP side is kept; no agency's id has it."""
    return f"http.{agency}"


class Credentials:
    """The folder of password files, one a user, each of mode 600."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "credentials"

    def get(self, user: str) -> str:
        """Return a user's password.

        Raises:
            NotFound: none was made here, as with a RabbitMQ whose users an administrator keeps.
        """
        try:
            return (self.folder / user).read_text().strip()
        except FileNotFoundError:
            text = f"no password of {user} is kept in {self.folder}; is the agency in cbm.toml, was the broker started?"
            raise NotFound(text) from None

    def get_or_make(self, user: str) -> str:
        """Return a user's password, making a random one of 192 bits the first time."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / user
        if not path.exists():
            write_private(path, secrets.token_urlsafe(24) + "\n")
        return path.read_text().strip()

    def forget(self, user: str) -> None:
        """Drop the password of a user that is no more."""
        (self.folder / user).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Where the three files of one certificate stand."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def of(cls, name: str, folder: Path) -> "Bundle":
        """Return the files of that name in a folder."""
        return cls(folder / "ca.crt", folder / f"{name}.crt", folder / f"{name}.key")


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def password_hash(password: str) -> str:
    """Return RabbitMQ's `rabbit_password_hashing_sha256` form: base64 of a 4-byte salt and SHA-256 of salt+password.

    The salt comes from the password, so that importing the same definitions again changes nothing.
    """
    salt = hashlib.sha256(b"cbm salt " + password.encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def amqp_url(user: str, password: str, host: str, port: int, vhost: str, *, tls: bool = False) -> str:
    """Return an AMQP URL with every part percent-encoded."""
    scheme = "amqps" if tls else "amqp"
    address = f"[{host}]" if ":" in host else host
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{address}:{port}/{quote(vhost, safe='')}"


def url_with(url: str, *, password: str | None = None, vhost: str | None = None) -> str:
    """Return an AMQP URL with its password filled in and its virtual host set where it names none.

    One that names a client certificate gets no password but a given one: the certificate lets it in.

    Raises:
        Unreachable: it is no AMQP URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port
    except ValueError:
        raise Unreachable("not an AMQP URL") from None
    if parts.scheme not in ("amqp", "amqps"):
        raise Unreachable("not an AMQP URL: it begins with amqp:// or amqps://")
    secret = parts.password if parts.password is not None else (quote(password, safe="") if password else None)
    address = f"[{host}]" if ":" in host else host
    if secret is None and url_files(url).get("certfile"):
        user = f"{parts.username}@" if parts.username else ""
    else:
        user = f"{parts.username or 'guest'}:{'guest' if secret is None else secret}@"
    place = user + address + (f":{port}" if port else "")
    path = parts.path if parts.path not in ("", "/") else f"/{quote(vhost or '/', safe='')}"
    return urlunsplit((parts.scheme, place, path, parts.query, ""))


def url_files(url: str) -> dict[str, str]:
    """Return the files that an AMQP URL names for TLS, by the parameters of RabbitMQ's URI scheme."""
    return {name: value for name, value in parse_qsl(urlsplit(url).query) if name in _FILES}


def with_absolute_files(url: str, folder: Path) -> str:
    """Return an AMQP URL whose files for TLS, where they are relative, stand below a folder."""
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return url  # whoever connects says so
    if not any(name in _FILES for name, _ in query):
        return url
    absolute = [(name, str(folder / value) if name in _FILES else value) for name, value in query]
    return urlunsplit(parts._replace(query=urlencode(absolute, safe="/")))
