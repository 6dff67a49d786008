"""What one EPCIS event says of a consignment: what, when, where and why it happened, in canonical words.

Owns the meaning of an event's fields. Never reads a document, and never carries sensor data, master data or
extensions: that there were some is told in a warning.
"""

import re
from collections.abc import Iterator
from datetime import timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.document import Identifiers, Origin
from adapters.epcis_keys import MAX_URI, Key, read_key, write_key
from adapters.epcis_stream import EVENTS, ORDER
from adapters.json_document import Node, clean, moment
from adapters.profile import Profile
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present
from schemas.codes import container_warning, is_locode, normal_identifier
from schemas.shipment import Decision, Document, Equipment, Goods, Means, Party, Place, Transport

FAMILY = "epcis"
# Beyond this a message would near its limit of 1 MiB; the rest is told in a warning.
MAX_THINGS = 2_000
MAX_GOODS = 500
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
# What is written as a URI again, and so is told from the texts of other formats.
PLAIN_URI = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
LOCODE_URI = "https://vocabulary.uncefact.org/unlocode#"
_LOCODE = re.compile(r"(?i:.*locode\S*[#/:])([A-Za-z]{2}[A-Za-z2-9]{3})")
_ACTIONS = ("ADD", "OBSERVE", "DELETE")
# Events after which something is known of the thing itself.
_FINDINGS = frozenset({"inspected", "held"})
_KNOWN = {
    name: frozenset(order.split()) | {"type", "@context", "id", "certificationInfo"} for name, order in ORDER.items()
}
_EPCS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_QUANTITIES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_CBV = re.compile(
    r"(?:urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt|er):"
    r"|(?:https?://(?:ref|ns)\.gs1\.org/(?:standards/)?cbv/|cbv:)(?:BizStep|Disp|BTT|SDT|ER)-)(\w+)",
    re.IGNORECASE | re.ASCII,
)


def draft_of(node: Node, origin: Origin, skipped: set[str]) -> Draft | None:
    """Read one event; None where it is at fault, or skipped with what it is noted in `skipped`."""
    kind = node.text("type") or ""
    if kind not in EVENTS:
        _foreign(node, kind, skipped)
        return None
    before = len(node.findings.faults)
    found = moment(node, "eventTime", origin)
    offset = _offset(node)
    _check(node, kind)
    word = _word(node, kind, origin.profile, skipped)
    disposition = _disposition(node, origin.profile)
    if node.value.get("errorDeclaration") is not None:
        detail = "its sender declares that it did not happen so; not carried as one that did"
        node.warn("declared-erroneous", "errorDeclaration", detail)
        _skip(skipped, "events declared erroneous")
        return None
    things = _Things(node, origin.profile)
    parties = list(_parties(node, origin.profile))
    if word is None or found is None or len(node.findings.faults) > before:
        return None
    occurred = found[0].astimezone(offset) if offset is not None else found[0]
    identifiers, documents, goods = things.settled()
    if not identifiers:
        node.warn("no-identifier", "", "it names no thing, no batch and no business transaction; skipped")
        _skip(skipped, "events that name no thing")
        return None
    decided = Decision(outcome=disposition) if disposition and word in _FINDINGS else None
    body = Shipment(
        identifiers=identifiers,
        occurred=occurred,
        **present(
            zone_assumed=(found[1] and offset is None) or None,
            place=_place(node),
            transport=Transport(means=things.means) if things.means else None,
            parties=parties,
            goods=goods,
            equipment=[Equipment(number=one.value) for one in identifiers if one.scheme == "container"],
            documents=documents,
            decision=decided,
        ),
    )
    recorded = moment(node, "recordTime", origin, needed=False)
    return Draft(f"shipment.{word}", identifiers[0].value, (recorded or found)[0], body)


def _uri(node: Node, name: str) -> str | None:
    """Return a URI; one that is too long is left out, because a cut one is another."""
    value = node.value.get(name)
    if isinstance(value, str) and len(value.strip()) > MAX_URI:
        node.warn("too-long", name, f"a URI of more than {MAX_URI} characters; left out")
        return None
    return node.text(name)


def _skip(skipped: set[str], what: str) -> None:
    if len(skipped) < 50:
        skipped.add(what)


def _foreign(node: Node, kind: str, skipped: set[str]) -> None:
    if URI.fullmatch(kind):
        node.warn("no-words", "type", "an event of an extension; skipped")
        _skip(skipped, "events of extensions")
    else:
        node.fault("event-type", "type", f"one of {', '.join(EVENTS)}, or a URI")


def _offset(node: Node) -> timezone | None:
    stated = node.text("eventTimeZoneOffset")
    if stated is None:
        node.warn("missing", "eventTimeZoneOffset", "the standard requires the offset at the place of the event")
        return None
    match = re.fullmatch(r"([+-])([01][0-9]):?([0-5][0-9])|Z()()", stated, re.ASCII)
    if match is None:
        node.warn("offset", "eventTimeZoneOffset", "an offset is written as +09:00; left out")
        return None
    ahead = timedelta(hours=int(match[2] or 0), minutes=int(match[3] or 0))
    return timezone(-ahead if match[1] == "-" else ahead)


def _check(node: Node, kind: str) -> None:
    """Note what the standard requires and the event lacks, and what is in it and not carried."""
    if kind not in ("TransformationEvent", "QuantityEvent"):
        action = node.text("action")
        if action not in _ACTIONS:
            code = "missing" if action is None else "action"
            node.fault(code, "action", f"one of {', '.join(_ACTIONS)}")
    lists = (*_EPCS, *_QUANTITIES, "sensorElementList", "bizTransactionList", "parentID", "epcClass")
    if not any(node.value.get(name) is not None for name in lists):
        node.fault("missing", "epcList", f"{kind} has neither a list of EPCs nor one of quantities")
    foreign = [name for name in node.value if ":" in name]
    unknown = [name for name in node.value if name not in _KNOWN[kind] and ":" not in name]
    if foreign:
        node.warn("extension", "", f"{len(foreign)} members of extensions are not carried: {_names(foreign)}")
    if unknown:
        detail = f"{kind} has no such member, and one of another's needs a prefix: {_names(unknown)}"
        node.warn("unknown-member", "", detail)
    sensors = node.value.get("sensorElementList")
    if sensors:
        count = len(sensors) if isinstance(sensors, list) else 1
        node.warn("sensor-data", "sensorElementList", f"{count} sensor elements are not carried")
    ilmd = node.value.get("ilmd")
    if isinstance(ilmd, dict) and any(":" not in name for name in ilmd):
        node.warn("unknown-member", "ilmd", "members of ilmd need a prefix; ilmd is not carried")


def _names(names: list[str]) -> str:
    return ", ".join(clean(name)[:80] for name in names[:5])


def cbv_word(value: str) -> str | None:
    """Return the short form of a word of the vocabulary (URN, URI, CURIE or bare); None where it is another's."""
    match = _CBV.fullmatch(value)
    if match:
        return match[1].lower()
    return value if re.fullmatch(r"\w+", value, re.ASCII) else None


def _known(node: Node, name: str, table: Any) -> str | None:
    """Return a member's word that is in a table. A bare word that is in none is a fault, a URI is another's."""
    stated = node.text(name)
    if stated is None:
        return None
    word = cbv_word(stated)
    if word in table:
        return word
    if stated in table:
        return stated
    if word == stated:
        node.fault(_CODES[name], name, "no word of the Core Business Vocabulary, and no URI of another")
    elif word is not None:
        node.warn(_CODES[name], name, "no word of the Core Business Vocabulary; left out")
    return None


_CODES = {"bizStep": "biz-step", "disposition": "disposition", "type": "transaction-type"}


def _word(node: Node, kind: str, profile: Profile, skipped: set[str]) -> str | None:
    table = profile.table(FAMILY, "biz_step")
    step = _known(node, "bizStep", table)
    word = table.get(step or "")
    if not word:
        own = "of an own" if node.value.get("bizStep") else "without a"
        told = step if step and cbv_word(step) == step else f"{kind} {own} bizStep"
        node.warn("no-words", "bizStep", f"urn:cbm:shipment:1 has no word for {told}; skipped")
        _skip(skipped, told)
        return None
    return str(word)


def _disposition(node: Node, profile: Profile) -> str | None:
    table = profile.table(FAMILY, "disposition")
    found = table.get(_known(node, "disposition", table) or "")
    return str(found) if found else None


class _Things:
    """What an event is about: things by their keys, batches by quantity, and the papers of a transaction."""

    def __init__(self, node: Node, profile: Profile) -> None:
        self.means: Means | None = None
        self._identifiers = Identifiers()
        self._classes: list[Key] = []
        self._documents: list[Document] = []
        self._kept: set[tuple[str, str]] = set()
        self._goods: list[Goods] = []
        self._schemes = profile.table(FAMILY, "key_scheme")
        self._read(node)
        self._transactions(node, profile)

    def settled(self) -> tuple[list[Any], list[Document], list[Goods]]:
        """Return identifiers, documents and goods; a batch identifies where nothing better does."""
        if not self._identifiers:
            for key in self._classes:
                self._identifiers.add("other", key.value, f"GS1 {key.kind.upper()}")
        if not self._identifiers and self.means is not None:
            self._identifiers.add("other", f"IMO{self.means.value}")
        return self._identifiers.as_list(), self._documents, self._goods

    def _read(self, node: Node) -> None:
        parent = _uri(node, "parentID")
        uris = [(parent, "parentID")] if parent else []
        for name in _EPCS:
            listed = node.value.get(name)
            if listed is not None and not isinstance(listed, list):
                node.warn("shape", name, "is a list in the standard; left out")
                continue
            for number, uri in enumerate(listed or []):
                fits = isinstance(uri, str) and len(uri) <= MAX_URI
                uris.append((uri.strip() if fits else "", f"{name}/{number}"))
        if len(uris) > MAX_THINGS:
            node.warn("more-things", "", f"{len(uris) - MAX_THINGS} of {len(uris)} EPCs are not carried")
        for uri, name in uris[:MAX_THINGS]:
            self._thing(uri, name, node)
        amounts = [one for name in _QUANTITIES for one in node.nodes(name)]
        if node.value.get("type") == "QuantityEvent":
            amounts.append(node)
        for one in amounts[:MAX_GOODS]:
            self._amount(one)
        if len(amounts) > MAX_GOODS:
            node.warn("more-things", "", f"{len(amounts) - MAX_GOODS} of {len(amounts)} quantities are not carried")

    def _thing(self, uri: str, name: str, node: Node) -> None:
        if not PLAIN_URI.fullmatch(uri):
            node.warn("epc", name, "an EPC is a URI of at most 512 characters; left out")
            return
        key = read_key(uri)
        if not key.sound:
            node.warn("check-digit", name, "the check digit of the GS1 key does not match")
        if key.kind == "bic" and (odd := container_warning(key.value)):
            node.warn("container", name, odd)
        if key.kind == "imovn":
            self.means = self.means or Means(scheme="imo", value=key.value)
        elif key.of_class:
            self._classes.append(key)
            self._goods.append(Goods(description=uri))
        elif len(key.value) > 256:
            node.warn("epc", name, "an identifier has at most 256 characters; left out")
        else:
            issuer = None if key.kind in ("bic", "uri") else f"GS1 {key.kind.upper()}"
            self._identifiers.add(self._schemes.get(key.kind, "other"), key.value, issuer)
            # Identifiers are in upper case, and a key with small letters is another one in capitals: it is kept as it
            # was, and so is what could not be written again.
            again = write_key(key.kind, normal_identifier(key.value))
            if again is None or read_key(again).value != key.value:
                self._keep(Document(type="epc", id=uri))

    def _keep(self, document: Document) -> None:
        known = (document.type or "", document.id)
        if known not in self._kept:
            self._kept.add(known)
            self._documents.append(document)

    def _amount(self, one: Node) -> None:
        uri = _uri(one, "epcClass")
        if uri is None or not PLAIN_URI.fullmatch(uri):
            one.warn("epc", "epcClass", "a class of EPCs is a URI; left out")
            return
        key = read_key(uri)
        if key.of_class:
            self._classes.append(key)
        words = [uri, _quantity(one), one.text("uom")]
        if words[1] is None or not re.fullmatch(r"[A-Z0-9]{2,3}", words[2] or "", re.ASCII):
            words = words[:2]
        self._goods.append(Goods(description=" ".join(word for word in words if word)))

    def _transactions(self, node: Node, profile: Profile) -> None:
        schemes = profile.table(FAMILY, "biz_transaction")
        for one in node.nodes("bizTransactionList")[:MAX_GOODS]:
            uri = _uri(one, "bizTransaction")
            stated = one.text("type")
            type_ = _known(one, "type", schemes) or (stated if stated and cbv_word(stated) is None else None)
            if uri is None or not PLAIN_URI.fullmatch(uri):
                one.warn("transaction", "bizTransaction", "a business transaction is a URI; left out")
                continue
            self._keep(Document(type=type_, id=uri) if type_ else Document(id=uri))
            self._identifiers.add(schemes.get(type_ or "", "other"), *transaction_reference(uri))


def transaction_reference(uri: str) -> tuple[str, str | None]:
    """Return what a business transaction is known by, and who gave the number (CBV 2.0, 8.5)."""
    found = re.fullmatch(r"urn:epcglobal:cbv:bt:([0-9]{13}):(\S+)", uri, re.IGNORECASE | re.ASCII)
    if found:
        return found[2], f"GLN {found[1]}"
    key = read_key(uri)
    return key.value, None if key.kind == "uri" else f"GS1 {key.kind.upper()}"


def _quantity(one: Node) -> str | None:
    value = one.value.get("quantity")
    if value is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    # What a JSON number holds everywhere; more digits come back as others.
    if not number.is_finite() or not -15 < number.adjusted() < 15 or len(number.normalize().as_tuple().digits) > 15:
        one.warn("quantity", "quantity", "not a number of at most fifteen digits; left out")
        return None
    return format(number.normalize(), "f") if number else "0"


def _place(node: Node) -> Place | None:
    """Where it happened: a UN/LOCODE from either of readPoint and bizLocation, else the first of them."""
    locode = facility = None
    for name in ("readPoint", "bizLocation"):
        where = node.node(name)
        uri = _uri(where, "id") if where else None
        if where is None or uri is None:
            continue
        match = _LOCODE.fullmatch(uri)
        if match and is_locode(match[1].upper()):
            locode = locode or match[1].upper()
        elif not PLAIN_URI.fullmatch(uri):
            where.warn("place", "id", "a place is a URI; left out")
        else:
            facility = facility or location(uri)
    fields = present(locode=locode, country=locode[:2] if locode else None, facility=facility)
    return Place(**fields) if fields else None


def location(uri: str) -> str:
    """Return a place or party by its Global Location Number, else by its URI."""
    key = read_key(uri)
    return f"GLN {key.value}" if key.of_place else uri


def _parties(node: Node, profile: Profile) -> Iterator[Party]:
    roles = profile.table(FAMILY, "party")
    for list_, name in (("sourceList", "source"), ("destinationList", "destination")):
        for one in node.nodes(list_)[:MAX_GOODS]:
            stated, uri = one.text("type") or "", _uri(one, name)
            word = cbv_word(stated)
            role = roles.get(f"{name}.{word}")
            if role is None and word == stated:
                one.fault("source-type", "type", "no word of the Core Business Vocabulary, and no URI of another")
            elif role is None or uri is None or not PLAIN_URI.fullmatch(uri):
                one.warn("party", name, "not a party of a type that is known; left out")
            else:
                yield Party(role=role, id=location(uri))
