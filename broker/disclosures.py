"""Disclosures: a message committed to field by field, so that a view of it can still be verified. Pure.

Selective disclosure as in SD-JWT (RFC 9901): each attribute that a view may change, and within `data` each
member and each element at every level, is one salted digest; its disclosure reveals it. Owns that form and its
reading; never signs, which `signatures` does, and never decides what is withheld.
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import rfc8785

from schemas.errors import Fault, InvalidMessage

Path = tuple[str | int, ...]

# What no view ever changes stands in the payload as it is.
CLEAR = frozenset({"specversion", "source", "type", "datacontenttype", "dataschema", "tlp", "test"})
# What carries the signature, and what the broker adds, is not signed.
UNSIGNED = frozenset({"signature", "digests", "disclosures", "withheld", "receivedtime"})
SEPARATOR = "~"

_SAFE_INTEGER = 2**53
_ALGORITHM = "sha-256"
_OBJECT, _ELEMENT, _NAMED = "_sd", "...", "_sd_alg"
_SALT_BYTES = 16
# A disclosure begins with its salt: 128 bits or more, and nothing long enough to carry another message.
_SALT = re.compile(rb'\["([A-Za-z0-9_-]{22,64})",')
# So many characters of a disclosure, a multiple of four, hold the longest salt.
_SALT_CHARACTERS = 92


def unfit(code: str, pointer: str, detail: str) -> InvalidMessage:
    """Return the error of one fault; the detail says which rule is broken, and nothing of the content."""
    return InvalidMessage([Fault(code, pointer, detail)])


def encoded(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Read base64url without padding, in its one canonical spelling.

    Raises:
        ValueError: it is none.
    """
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encoded(data) != text:
        raise ValueError("not base64url in its canonical form")
    return data


def canonical(value: Any) -> bytes:
    """Return the canonical JSON (RFC 8785, JCS).

    Raises:
        InvalidMessage: it holds what JCS cannot express, such as an integer beyond 2^53.
    """
    try:
        return orjson.dumps(_prepared(value), option=orjson.OPT_SORT_KEYS)
    except (rfc8785.CanonicalizationError, orjson.JSONEncodeError, UnicodeError, RecursionError):
        text = "holds a number or text that canonical JSON (RFC 8785) cannot express, and so cannot be signed"
        raise unfit("not-canonical", "", text) from None


def _prepared(value: Any) -> Any:
    """Leave to rfc8785 what orjson writes otherwise: fractions, and names that UTF-16 sorts in another order.

    rfc8785 alone takes half a second for what the largest message may hold: one agency's messages would delay
    all others.
    """
    kind = type(value)
    if kind is dict:
        if not all(name.isascii() for name in value):
            return orjson.Fragment(rfc8785.dumps(value))
        return {name: _prepared(inner) for name, inner in value.items()}
    if kind is list:
        return [_prepared(inner) for inner in value]
    if kind is float or (kind is int and not -_SAFE_INTEGER < value < _SAFE_INTEGER):
        return orjson.Fragment(rfc8785.dumps(value))
    return value


def salts_of(event: Mapping[str, Any], secret: bytes) -> Iterator[str]:
    """Return salts of 128 bits without end: nobody without the secret can tell one, not even from all others.

    They follow from the event, so that the same one signed again after a crash is the same to the last byte,
    and any other one has other salts.
    """
    content = {name: value for name, value in event.items() if name not in UNSIGNED}
    about = hashlib.sha256(canonical(content)).digest()
    for number in itertools.count():
        yield encoded(hmac.digest(secret, about + number.to_bytes(8, "big"), "sha256")[:_SALT_BYTES])


class _Commitment:
    """Replaces values by digests, children before parents, members by name, elements in their order."""

    def __init__(self, salts: Iterator[str]) -> None:
        self._salts = salts
        self.disclosures: list[str] = []

    def inside(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {_OBJECT: self.of_members(value, sorted(value))} if value else {}
        if isinstance(value, list):
            return [{_ELEMENT: self._digest(self.inside(inner))} for inner in value]
        return value

    def of_members(self, value: Mapping[str, Any], names: Iterable[str]) -> list[str]:
        if _OBJECT in value or _ELEMENT in value:
            raise unfit("not-signable", "", f"has a name that RFC 9901 keeps for itself: {_OBJECT} or {_ELEMENT}")
        # Sorted by digest, so that their order tells nothing of the names.
        return sorted(self._digest(self.inside(value[name]), name) for name in names)

    def _digest(self, value: Any, *name: str) -> str:
        disclosure = encoded(canonical([next(self._salts), *name, value]))
        self.disclosures.append(disclosure)
        return _digest_of(disclosure)


def _digest_of(disclosure: str) -> str:
    return encoded(hashlib.sha256(disclosure.encode()).digest())


def commit(event: Mapping[str, Any], salts: Iterator[str]) -> tuple[bytes, list[str]]:
    """Return the payload to be signed, and the disclosures in their order.

    Raises:
        InvalidMessage: it cannot be written canonically.
    """
    commitment = _Commitment(salts)
    payload: dict[str, Any] = {name: event[name] for name in event.keys() & CLEAR}
    payload["data"] = commitment.inside(event["data"])
    payload[_OBJECT] = commitment.of_members(event, _covered(event))
    payload[_NAMED] = _ALGORITHM
    return canonical(payload), commitment.disclosures


def _covered(event: Mapping[str, Any]) -> list[str]:
    return sorted(event.keys() - CLEAR - UNSIGNED - {"data"})


def places(event: Mapping[str, Any]) -> list[Path]:
    """Return what each disclosure of an event is about, in the order of `commit`."""

    def within(value: Any, path: Path) -> Iterator[Path]:
        steps: Sequence[str | int] = ()
        if isinstance(value, dict):
            steps = sorted(value)
        elif isinstance(value, list):
            steps = range(len(value))
        for step in steps:
            yield from within(value[step], (*path, step))
            yield (*path, step)

    found = list(within(event["data"], ("data",)))
    for name in _covered(event):
        found += [*within(event[name], (name,)), (name,)]
    return found


def check_complete(event: Mapping[str, Any], payload: bytes) -> None:
    """Check that a payload and its disclosures are an event's own, every field of it on its own.

    The form is made again with the sender's salts: so nothing is in clear, or in a coarser piece, that an
    agreement might withhold, and nothing is in the disclosures that is not in the event. A view is made by
    leaving out disclosures by their position, which is safe only after this.

    Raises:
        InvalidMessage: they are not, or a salt does not hide anything.
    """
    disclosures = str(event.get("disclosures", "")).split(SEPARATOR)
    if len(disclosures) != len(places(event)):
        raise unfit("disclosures", "/disclosures", "are not one for each field of the message")
    salts = [_salt(disclosure) for disclosure in disclosures]
    if len(set(salts)) != len(salts):
        # Who knows a salt from one field can try values of another that has the same (RFC 9901, section 9.3).
        raise unfit("disclosures", "/disclosures", "have a salt twice: each field has its own")
    expected, own = commit(event, iter(salts))
    if own != disclosures:
        raise unfit("disclosures", "/disclosures", "are not those of the message, or in another order or spelling")
    if expected != payload:
        raise unfit("digests", "/digests", "are not those of the message and its disclosures")


def _salt(disclosure: str) -> str:
    """Read the beginning of a disclosure; that it is well spelt is seen when all of it is made again."""
    start = disclosure[:_SALT_CHARACTERS]
    try:
        match = _SALT.match(base64.urlsafe_b64decode(start + "=" * (-len(start) % 4)))
    except ValueError:
        match = None
    if match is None:
        text = "do not each begin with a salt of 128 bits or more, 22 to 64 characters of base64url"
        raise unfit("disclosures", "/disclosures", text)
    return match[1].decode()


class _Disclosed:
    """The payload with what its disclosures reveal put in its place, and the rest left out (RFC 9901, 7.1)."""

    def __init__(self, disclosures: Sequence[str]) -> None:
        self._by_digest = {_digest_of(one): one for one in disclosures}
        if len(self._by_digest) != len(disclosures):
            raise unfit("disclosures", "/disclosures", "have one twice")
        self._seen: set[str] = set()

    def inside(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            found = [self._element(inner) for inner in value]
            return [inner[0] for inner in found if inner]
        return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        result = {name: self.inside(inner) for name, inner in value.items() if name != _OBJECT}
        digests = value.get(_OBJECT, [])
        for digest in digests if isinstance(digests, list) else [digests]:
            content = self._reveal(digest)
            if content is None:
                continue
            if len(content) != 3 or not isinstance(content[1], str) or content[1] in (_OBJECT, _ELEMENT):
                raise unfit("disclosures", "/disclosures", "have one in a place that it is not made for")
            if content[1] in result or content[1] in UNSIGNED:
                raise unfit("disclosures", "/disclosures", "have one of a field that is there already")
            result[content[1]] = self.inside(content[2])
        return result

    def _element(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, dict) or value.keys() != {_ELEMENT}:
            return (self.inside(value),)
        content = self._reveal(value[_ELEMENT])
        if content is None:
            return ()
        if len(content) != 2:
            raise unfit("disclosures", "/disclosures", "have one in a place that it is not made for")
        return (self.inside(content[1]),)

    def _reveal(self, digest: Any) -> list[Any] | None:
        if not isinstance(digest, str) or digest in self._seen:
            raise unfit("digests", "/digests", "have one twice, or something that is none")
        self._seen.add(digest)
        disclosure = self._by_digest.pop(digest, None)
        return None if disclosure is None else _content(disclosure)

    def ended(self) -> None:
        if self._by_digest:
            raise unfit("disclosures", "/disclosures", "have one that no digest stands for")


def _content(disclosure: str) -> list[Any]:
    try:
        content = json.loads(decoded(disclosure))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, list) or len(content) not in (2, 3) or not isinstance(content[0], str):
        raise unfit("disclosures", "/disclosures", "have one that cannot be read")
    return content


def disclosed(payload: bytes, disclosures: str) -> dict[str, Any]:
    """Return the event that a payload and some of its disclosures tell of.

    Raises:
        InvalidMessage: they do not go together.
    """
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.pop(_NAMED, None) != _ALGORITHM:
        raise unfit("digests", "/digests", f"are not a JSON object with {_NAMED} {_ALGORITHM}")
    reading = _Disclosed(disclosures.split(SEPARATOR) if disclosures else [])
    event: dict[str, Any] = reading.inside(content)
    reading.ended()
    return event
