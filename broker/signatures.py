"""Signatures: an agency's own over its messages, verified by the broker and again by who receives them. Pure.

Owns the detached JWS (RFC 7515, appendix F) and what is signed: the event as canonical JSON, or the payload that
commits to it field by field (`disclosures`). Never trusts the header of a signature for more than naming a key of
the sender's.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from broker.disclosures import (
    SEPARATOR,
    UNSIGNED,
    canonical,
    check_complete,
    commit,
    decoded,
    disclosed,
    encoded,
    unfit,
)
from broker.keys import Keyring, PublicKey, SigningKey
from broker.views import is_mark
from schemas.envelope import MAX_BYTES, Message
from schemas.errors import Fault, InvalidMessage

# Ed25519 under its name of RFC 8037, which libraries know, and under the one that RFC 9864 gives it.
ALGORITHM = "EdDSA"
_ALGORITHMS = (ALGORITHM, "Ed25519")
# Types keep one kind of signature from being taken for the other, or for one made for something else.
TYPE_WHOLE, TYPE_BY_FIELD = "cbm-event", "cbm-event+sd-jwt"
PLACE = "/signature"
_SIGNATURE_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Verified:
    """What a recipient may hold against the sender."""

    sender: str
    key: str
    """The id of the sender's key."""
    event: dict[str, Any]
    """What was signed, as far as this recipient may see it."""
    unsigned: tuple[str, ...] = ()
    """JSON pointers of what stands in the view for something withheld: tokens and marks, the broker's own."""


def signature_of(event: Mapping[str, Any], key: SigningKey, *, by_field: bool = False) -> dict[str, str]:
    """Return the attributes that make an event a signed one; the same for the same event and key.

    `by_field` lets it be verified even where agreements withhold parts of it; it makes the message larger.

    Raises:
        InvalidMessage: it holds what canonical JSON cannot express, such as an integer beyond 2^53.
    """
    if not by_field:
        return {"signature": jws(key, signed_bytes(event), TYPE_WHOLE)}
    payload, disclosures = commit(event, key.salts(event))
    return {
        "signature": jws(key, payload, TYPE_BY_FIELD),
        "digests": encoded(payload),
        "disclosures": SEPARATOR.join(disclosures),
    }


def jws(key: SigningKey, payload: bytes, type_: str) -> str:
    """Return the compact JWS of a payload, without the payload."""
    header = encoded(canonical({"alg": ALGORITHM, "kid": key.id, "typ": type_}))
    return f"{header}..{encoded(key.sign(f'{header}.{encoded(payload)}'.encode()))}"


def sign_message(message: Message, key: SigningKey, *, by_field: bool = False) -> Message:
    """Return a message signed; one that is signed already stays as it is.

    Raises:
        InvalidMessage: it cannot be signed, or is too large then.
    """
    if message.signature is not None:
        return message
    attributes = signature_of(json.loads(message.to_bytes()), key, by_field=by_field)
    signed = message.model_copy(update=attributes)
    _check_size(len(signed.to_bytes()))
    return signed


def sign_bytes(body: bytes, key: SigningKey, *, by_field: bool = False) -> bytes:
    """Return a message's bytes with a signature at their end; all others stay as they are.

    Raises:
        InvalidMessage: it is no JSON object, is signed already, cannot be signed, or is too large then.
    """
    event = _event_of(body)
    if present := sorted(event.keys() & {"signature", "digests", "disclosures"}):
        raise unfit("signed-already", f"/{present[0]}", "is there already: a message is signed once")
    if "data" not in event:
        raise unfit("missing", "/data", "a message without data cannot be signed")
    attributes = json.dumps(signature_of(event, key, by_field=by_field))
    signed = body.rstrip()[:-1] + b"," + attributes[1:].encode()
    _check_size(len(signed))
    return signed


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        text = f"{size} bytes with its signature; a message has at most {MAX_BYTES}. Signed as a whole it is smaller"
        raise unfit("too-large", "", text)


def signed_bytes(event: Mapping[str, Any]) -> bytes:
    """Return what a signature of the whole covers: the event in canonical JSON, without `signature`."""
    return canonical({name: value for name, value in event.items() if name != "signature"})


def check(body: bytes, keys: Mapping[str, PublicKey], day: date) -> tuple[Fault, ...]:
    """Check the signature of a valid message as its sender published it: no fault, it is good. For the broker.

    Costly steps come after the signature is known to be the sender's.
    """
    try:
        event = _event_of(body)
        form = _Form.of(event)
        key = form.key_among(keys, day)
        if form.payload is None:
            form.verify(key, signed_bytes(event))
        else:
            form.verify(key, form.payload)
            check_complete(event, form.payload)
    except InvalidMessage as error:
        return error.faults
    return ()


def verify(body: bytes, keys: Keyring, *, at: datetime | date | None = None) -> Verified:
    """Verify what was delivered against its sender's public keys. For recipients; the broker need not be trusted.

    `at` is when the key must be good: the moment at which the broker received the message, since by it the broker
    checked too; the message's own `time` unless given.

    Raises:
        InvalidMessage: not signed, or not by these keys, or something in it was not signed.
    """
    try:
        event = _event_of(body)
        form = _Form.of(event)
        sender = event.get("source")
        key = form.key_among(keys.of(sender), _day(at if at is not None else event.get("time")))
        if form.payload is None:
            form.verify(key, signed_bytes(event))
            del event["signature"]
            return Verified(str(sender), key.id, event)
        form.verify(key, form.payload)
        signed = disclosed(form.payload, event.get("disclosures", ""))
        shown = {name: value for name, value in event.items() if name not in UNSIGNED}
        unsigned = tuple(_differences(shown, signed, ""))
    except RecursionError:
        raise unfit("too-deep", "", "nested too deep") from None
    if unsigned and "withheld" not in event:
        raise unfit("not-signed", unsigned[0], "was not signed, and nothing is said to be withheld")
    return Verified(str(sender), key.id, signed, unsigned)


def _day(moment: object) -> date:
    """Return the day of UTC on which a key must be good."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            moment = None
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).date()
    if not isinstance(moment, date):
        raise unfit("key-term", "/time", "is withheld or none: say when the message was received")
    return moment


@dataclass(frozen=True, slots=True)
class _Form:
    """A signature taken apart."""

    header: str
    key: str
    signature: bytes
    payload: bytes | None
    """What a signature by field is over; None where it is over the whole."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "_Form":
        """Take an event's signature apart.

        Raises:
            InvalidMessage: there is none, or none of the two forms.
        """
        text, digests, by_field = event.get("signature"), event.get("digests"), "digests" in event
        if not isinstance(text, str):
            if PLACE in str(event.get("withheld", "")).split():
                raise unfit("unsigned", PLACE, "is withheld: it was over the whole, of which this is a part")
            raise unfit("unsigned", PLACE, "is missing")
        if by_field and not isinstance(digests, str):
            raise unfit("signature-form", "/digests", "are base64url")
        if not isinstance(event.get("disclosures", ""), str) or ("disclosures" in event and not by_field):
            raise unfit("signature-form", "/disclosures", "are base64url with ~ between, and go with digests")
        header, _, signature = text.partition("..")
        try:
            content = json.loads(decoded(header), object_pairs_hook=_once)
            raw = decoded(signature)
            payload = decoded(digests) if isinstance(digests, str) else None
        except (ValueError, RecursionError):
            content = None
        # Exactly these: what is not understood (crit, b64, jku …) must not be passed over in silence.
        if (
            len(text) > _SIGNATURE_CHARACTERS
            or not isinstance(content, dict)
            or content.keys() != {"alg", "kid", "typ"}
        ):
            raise unfit("signature-form", PLACE, "is no detached JWS whose header has alg, kid and typ alone")
        if content["alg"] not in _ALGORITHMS:
            raise unfit("signature-form", PLACE, f"is not of the algorithm {ALGORITHM} (Ed25519)")
        expected = TYPE_BY_FIELD if by_field else TYPE_WHOLE
        if content["typ"] != expected or not isinstance(content["kid"], str):
            text = f"is not of the type {expected}, as one {'with' if by_field else 'without'} digests is"
            raise unfit("signature-form", PLACE, text)
        return cls(header, content["kid"], raw, payload)

    def key_among(self, keys: Mapping[str, PublicKey], day: date) -> PublicKey:
        """Return the key that the signature names.

        Raises:
            InvalidMessage: it is none of these, or not good on that day.
        """
        key = keys.get(self.key)
        if key is None:
            raise unfit("unknown-key", PLACE, "is by a key that is not among its sender's")
        if (reason := key.why_not(day)) is not None:
            raise unfit("key-term", PLACE, reason)
        return key

    def verify(self, key: PublicKey, payload: bytes) -> None:
        """Check that the key signed this payload.

        Raises:
            InvalidMessage: it did not.
        """
        if not key.signed(f"{self.header}.{encoded(payload)}".encode(), self.signature):
            text = "does not fit: the message was changed after it was signed, or another key signed it"
            raise unfit("bad-signature", PLACE, text)


def _event_of(body: bytes) -> dict[str, Any]:
    """Read an event; a name twice would let two readers see two messages under one signature."""
    try:
        event = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise unfit("not-an-event", "", "a CloudEvent is a JSON object, with no name twice")
    return event


def _once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) != len(items):
        raise ValueError
    return found


def _differences(shown: Any, signed: Any, place: str) -> Iterator[str]:
    """Yield where a view shows the broker's tokens and marks in place of what was signed.

    Raises:
        InvalidMessage: it shows anything else that was not signed, or leaves out what is disclosed.
    """
    if isinstance(shown, dict) and isinstance(signed, dict):
        for name, value in shown.items():
            inner = f"{place}/{_escaped(name)}"
            if name in signed:
                yield from _differences(value, signed[name], inner)
            elif inner == "/recipients":
                # The one text that the broker shortens without a mark.
                yield inner
            else:
                yield from _marks(value, inner)
        for name in signed.keys() - shown.keys():
            raise unfit("not-shown", f"{place}/{_escaped(name)}", "was signed and disclosed, and is not there")
    elif isinstance(shown, list) and isinstance(signed, list):
        rest = iter(signed)
        due = next(rest, _END)
        for index, value in enumerate(shown):
            if due is not _END and not (is_mark(value) and value != due):
                yield from _differences(value, due, f"{place}/{index}")
                due = next(rest, _END)
            else:
                yield from _marks(value, f"{place}/{index}")
        if due is not _END:
            raise unfit("not-shown", place, "lacks an element that was signed and disclosed")
    elif shown != signed or isinstance(shown, bool) is not isinstance(signed, bool):
        raise unfit("not-signed", place, "is not what was signed")


_END = object()


def _marks(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in items:
            yield from _marks(inner, f"{place}/{_escaped(str(step))}")
    elif is_mark(value):
        yield place
    else:
        raise unfit("not-signed", place, "was not signed")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
