"""Keys: those by which signatures are verified, with their terms, and the private ones that make them.

Owns the files in which both stand. Never shows a private key, and writes it nowhere but into the file it is told.
"""

import functools
import hmac
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from broker.credentials import write_private
from broker.disclosures import decoded, encoded, salts_of
from schemas.errors import ConfigError, Fault, NotFound

# cryptography is slow to load, and most commands verify nothing: it is imported where it is used.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_KEY_BYTES = 32

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P


def _point(public: str) -> str:
    """Refuse what is no public key, and the few points with which anybody can sign anything (RFC 8032, 5.1)."""
    y = int.from_bytes(decoded(public), "little") % 2**255

    def square_of_x(y: int) -> int:
        return (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P

    square = square_of_x(y)
    if y >= _P or pow(square, (_P - 1) // 2, _P) not in (0, 1):
        raise ValueError("is no point of the curve: not copied whole, or no Ed25519 key")
    for _ in range(3):
        # Doubled three times, a point of small order is the neutral one.
        y = (y * y + square) * pow(2 + square - y * y, -1, _P) % _P
        square = square_of_x(y)
    if y == 1:
        raise ValueError("is a key of small order: anybody could sign with it")
    return public


class PublicKey(BaseModel):
    """[[agency.key]]: a public key by which an agency's signatures are verified."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = Field(
        description="the key id in the signature's header"
    )
    public: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"), AfterValidator(_point)
    ] = Field(description="Ed25519, 32 bytes, base64url; `cbm credentials AGENCY --signing-key FILE` prints one")
    valid_from: date | None = Field(None, description="first day, UTC, by the message's arrival")
    valid_until: date | None = Field(None, description="last day, UTC; a key that is out of use stays in the file")

    def why_not(self, day: date) -> str | None:
        """Return why the key is not good on a day; None where it is."""
        if self.valid_from is not None and day < self.valid_from:
            return f"is by a key that is good from {self.valid_from} only"
        if self.valid_until is not None and day > self.valid_until:
            return f"is by a key that was good until {self.valid_until}"
        return None

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Tell whether a signature over this content is by this key, whatever its term."""
        from cryptography.exceptions import InvalidSignature

        try:
            _loaded(self.public).verify(signature, content)
        except InvalidSignature:
            return False
        return True


@functools.lru_cache(maxsize=4096)
def _loaded(public: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(decoded(public))


class Keyring:
    """Public keys by agency and id: a key of one agency never counts for another's message."""

    def __init__(self, keys: Mapping[str, Iterable[PublicKey]]) -> None:
        self._keys = {agency: {key.id: key for key in of} for agency, of in keys.items()}

    @classmethod
    def read(cls, path: Path) -> "Keyring":
        """Read the keys in the `[[agency]]` tables of a TOML file; whatever else stands there is passed over.

        Raises:
            ConfigError: there is no such file, or a key in it is none.
        """
        try:
            agencies = tomllib.loads(path.read_text())["agency"]
            return cls({one["id"]: [PublicKey(**key) for key in one.get("key", ())] for one in agencies})
        except OSError as error:
            raise ConfigError([Fault("no-file", str(path), error.strerror or "cannot be read")]) from None
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            places = [f"agency.key.{found['loc'][0]}" if found["loc"] else "agency.key" for found in faults]
            raise ConfigError(
                [Fault(found["type"], place, found["msg"]) for place, found in zip(places, faults, strict=True)]
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError([Fault("not-toml", str(path), "has no [[agency]] tables with id and key")]) from None

    def of(self, agency: object) -> Mapping[str, PublicKey]:
        """Return an agency's keys by their ids, whether they are good today or not."""
        return self._keys.get(agency, {}) if isinstance(agency, str) else {}


class SigningKey:
    """The private half, which its agency alone has. Never shown: its `repr` is the id."""

    def __init__(self, id_: str, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.id = id_
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        # A secret of its own, so that no salt tells anything of the key.
        self._salting = hmac.digest(seed, b"cbm salts", "sha256")

    def __repr__(self) -> str:
        return f"SigningKey({self.id!r})"

    @classmethod
    def new(cls, id_: str) -> "SigningKey":
        """Make a key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(id_, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """Read a key from its file, a JWK (RFC 8037).

        Raises:
            NotFound: there is no such file, or no such key in it. The text holds nothing of the content.
        """
        try:
            content = json.loads(path.read_bytes())
            seed, id_ = decoded(content["d"]), content["kid"]
            known = (content["kty"], content["crv"]) == ("OKP", "Ed25519")
        except OSError as error:
            raise NotFound(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            known, seed, id_ = False, b"", None
        if not known or len(seed) != _KEY_BYTES or not isinstance(id_, str):
            raise NotFound(f"{path} is no private key: a JWK with kid, kty OKP and crv Ed25519")
        return cls(id_, seed)

    def write(self, path: Path) -> None:
        """Write the key to a file that only its owner can read."""
        content = {"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": self.public, "d": encoded(self._seed)}
        write_private(path, json.dumps(content) + "\n")

    @property
    def public(self) -> str:
        """The half that everybody may know, base64url."""
        return encoded(self._private.public_key().public_bytes_raw())

    def salts(self, event: Mapping[str, Any]) -> Iterator[str]:
        """Return the salts of an event; see `disclosures.salts_of`."""
        return salts_of(event, self._salting)

    def sign(self, content: bytes) -> bytes:
        """Return the signature, 64 bytes; the same for the same content."""
        return self._private.sign(content)
