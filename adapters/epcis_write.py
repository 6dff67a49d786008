"""Writes messages as EPCIS 2.0 JSON-LD documents of one event.

Owns which of CBV's steps says it and how references become keys again. EPCIS tells what has happened, of things
that have a GS1 key, a container number or a business transaction: what is planned, and what has none, is refused.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from adapters.epcis_event import DISPOSITION, LOCODE_URI, word_of
from adapters.epcis_keys import read_key, write_key
from adapters.epcis_things import FAMILY, PLAIN_URI, cbv_word, transaction_reference
from adapters.observed import NO_STEP, STEP, own_word
from adapters.profile import Profile
from schemas import Message, Shipment
from schemas.base import present, rfc3339
from schemas.codes import has_container_form
from schemas.errors import Fault, TranslationError
from schemas.shipment import Document, Identifier

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
# What ObjectEvent's eventTimeZoneOffset holds.
_MAX_OFFSET = timedelta(hours=14)
_EVENT = "ObjectEvent"
# Documents in which an event's own words go along; they are no transactions.
_WORDS = ("epc", STEP, DISPOSITION)
_ISSUER = re.compile(r"GS1 ([A-Z]{3,5})")
_AMOUNT = re.compile(r"([a-z][a-z0-9+.-]*:[!-~]+)(?: (-?[0-9]+(?:\.[0-9]+)?)(?: ([A-Z0-9]{2,3}))?)?", re.ASCII)


def write_event(message: Message, profile: Profile) -> bytes:
    """Write one message as a document with one event.

    Raises:
        TranslationError: EPCIS has no step for it, it has not happened, or nothing in it has a key.
    """
    body = message.data
    if not isinstance(body, Shipment):
        raise TranslationError([Fault("not-expressible", "/type", "EPCIS has events of things only")])
    word = message.type.removeprefix("shipment.")
    step = _step(word, body, profile)
    faults: list[Fault] = []
    if step is None:
        faults.append(Fault("not-expressible", "/type", f"the Core Business Vocabulary has no step for {word}"))
    if body.classifier not in (None, "actual"):
        faults.append(Fault("not-expressible", "/data/classifier", "EPCIS tells what has happened, not what is to"))
    papers = [one for one in body.documents or [] if _is_transaction(one, profile)]
    amounts = [found for one in body.goods or [] if (found := _amount(one.description or ""))]
    epcs = _epcs(body, papers, amounts, profile)
    if not (epcs or papers or amounts):
        detail = (
            "an event is of things with a GS1 key or a container number, or of a business transaction: none here has"
        )
        faults.append(Fault("missing", "/data/identifiers", detail))
    if faults:
        raise TranslationError(faults)
    moment = _moment(body.occurred)
    event = {
        "type": _EVENT,
        "eventTime": rfc3339(moment),
        "eventTimeZoneOffset": moment.strftime("%z")[:3] + ":" + moment.strftime("%z")[3:5],
        "recordTime": rfc3339(message.time),
        "epcList": epcs,
        "quantityList": amounts,
        "action": "OBSERVE",
        "bizStep": step if step != NO_STEP else None,
        "disposition": _disposition(body, profile),
        **_places(body),
        "bizTransactionList": [
            present(type=one.type, bizTransaction=one.id) for one in papers
        ],
        **_parties(body, profile),
    }  # fmt: skip
    document = {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": rfc3339(message.time),
        "epcisBody": {"eventList": [{n: v for n, v in event.items() if n == "epcList" or v not in (None, [])}]},
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def _step(word: str, body: Shipment, profile: Profile) -> str | None:
    """The step that says it, `NO_STEP` where an event without one does; the message's own if it has one."""
    table = profile.table(FAMILY, "biz_step")
    if own_word(body) is None:
        found = profile.table(FAMILY, "write_biz_step").get(word)
        return str(found) if found else None
    own = own_word(body, STEP)
    if own is None or (own != NO_STEP and own not in table and not _is_foreign(own)):
        return None
    again = table.get(own) != word and word_of(own, _EVENT, profile) == word
    return own if again else None


def _moment(occurred: datetime) -> datetime:
    """The moment with an offset that EPCIS can write."""
    offset = occurred.utcoffset() or timedelta()
    return occurred if abs(offset) <= _MAX_OFFSET else occurred.astimezone(UTC)


def _is_transaction(document: Document, profile: Profile) -> bool:
    """Whether a document is one that a business transaction can be: a URI, of a type that EPCIS can name."""
    if document.type in _WORDS or not PLAIN_URI.fullmatch(document.id):
        return False
    types = profile.table(FAMILY, "biz_transaction")
    type_ = document.type
    return type_ is None or type_ in types or _is_foreign(type_)


def _amount(description: str) -> dict[str, Any] | None:
    """A quantity, where a description is one: the class's URI, how many, in which unit."""
    match = _AMOUNT.fullmatch(description)
    if match is None:
        return None
    number = Decimal(match[2]) if match[2] else None
    if number is not None and len(number.normalize().as_tuple().digits) > 15:
        return None
    value = None if number is None else int(number) if number == number.to_integral_value() else float(number)
    found: dict[str, Any] = {"epcClass": match[1]}
    if value is not None:
        found["quantity"] = value
    if match[3]:
        found["uom"] = match[3]
    return found


def _epcs(body: Shipment, papers: list[Document], amounts: list[dict[str, Any]], profile: Profile) -> list[str]:
    """The things, in the order of their identifiers; those that the event names elsewhere are left to that."""
    spelled: dict[tuple[str, str], list[str]] = {}
    schemes = profile.table(FAMILY, "key_scheme")
    for one in body.documents or []:
        if one.type == "epc" and PLAIN_URI.fullmatch(one.id):
            key = read_key(one.id)
            spelled.setdefault((str(schemes.get(key.kind, "other")), _normal(key.value)), []).append(one.id)
    found: dict[str, None] = {}
    for identifier in _things(body, papers, amounts, frozenset(spelled), profile):
        written = _written(identifier)
        for uri in spelled.get((identifier.scheme, identifier.value)) or ([written] if written else []):
            found[uri] = None
    means = body.transport.means if body.transport else None
    vessel = write_key("imovn", means.value) if means is not None and means.scheme == "imo" else None
    return [*found, *([vessel] if vessel and vessel not in found else [])]


def _things(
    body: Shipment,
    papers: list[Document],
    amounts: list[dict[str, Any]],
    spelled: frozenset[tuple[str, str]],
    profile: Profile,
) -> list[Identifier]:
    """The identifiers that are no reference of a transaction, nor of a batch that stands in for a thing."""
    schemes = profile.table(FAMILY, "biz_transaction")
    references = [
        (str(schemes.get(one.type or "", "other")), _normal(transaction_reference(one.id)[0])) for one in papers
    ]
    references = list(dict.fromkeys(references))
    stated = [(one.scheme, one.value) for one in body.identifiers]
    classes = [key for one in amounts if (key := read_key(one["epcClass"])).of_class]
    if stated == list(dict.fromkeys(("other", _normal(key.value)) for key in classes)):
        return []
    # An event that was read has its things first and its transactions after them; one may be both. What is spelled
    # out as a thing is one.
    least = max((place for place, one in enumerate(stated, 1) if one in spelled), default=0)
    for split in range(max(least, len(stated) - len(references)), len(stated) + 1):
        first = set(stated[:split])
        if stated[split:] == [one for one in references if one not in first]:
            return body.identifiers[:split]
    return [one for one in body.identifiers if (one.scheme, one.value) not in references]


def _normal(value: str) -> str:
    return "".join(value.split()).upper()


def _written(identifier: Identifier) -> str | None:
    if identifier.scheme == "container":
        return write_key("bic", identifier.value) if has_container_form(identifier.value) else None
    match = _ISSUER.fullmatch(identifier.issuer or "")
    return write_key(match[1].lower(), identifier.value) if match else None


def _disposition(body: Shipment, profile: Profile) -> str | None:
    table = profile.table(FAMILY, "disposition")
    for one in body.documents or []:
        if one.type == DISPOSITION and (one.id in table or _is_foreign(one.id)):
            return one.id
    if body.decision is None:
        return None
    for word, outcome in table.items():
        if outcome == body.decision.outcome:
            return word
    return None


def _is_foreign(uri: str) -> bool:
    """Whether it is a word of another vocabulary than GS1's."""
    return PLAIN_URI.fullmatch(uri) is not None and cbv_word(uri) is None


def _places(body: Shipment) -> dict[str, Any]:
    where = body.place
    if where is None:
        return {}
    uri = _location(where.facility, "sgln")
    found = [f"{LOCODE_URI}{where.locode}"] if where.locode else []
    found += [uri] if uri else []
    return {name: {"id": one} for name, one in zip(("readPoint", "bizLocation"), found, strict=False)}


def _location(stated: str | None, kind: str) -> str | None:
    if stated is None:
        return None
    if stated.startswith("GLN "):
        return write_key(kind, stated[4:])
    return stated if PLAIN_URI.fullmatch(stated) else None


def _parties(body: Shipment, profile: Profile) -> dict[str, Any]:
    found: dict[str, list[dict[str, str]]] = {}
    kinds = {role: name for name, role in profile.table(FAMILY, "party").items()}
    for party in body.parties or []:
        name, _, type_ = str(kinds.get(party.role, "")).partition(".")
        # A location has its own application identifier, and so has a number with an extension.
        kind = "sgln" if type_ == "location" or "/" in (party.id or "") else "pgln"
        uri = _location(party.id, kind)
        if name and uri:
            found.setdefault(f"{name}List", []).append({"type": type_, name: uri})
    return found
