"""Decision notifications: what an authority decided, written as Defra tells it to HMRC's customs service.

Owns the SOAP and the JSON form, as Defra's gateway and processor write them: the gateway's order of
elements, the lengths of sendALVSClearanceRequest.xsd. The same bytes every time. Never writes a credential:
that is added by whoever makes the call.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from adapters.defra_decision import MAX_REASON, Ruling, event_of, ruling_of
from adapters.defra_request import DECISIONS_A_VERSION
from adapters.defra_values import codes
from adapters.document import xml_text
from adapters.profile import Profile
from schemas import Message, ShipmentMessage
from schemas.codes import normal_identifier
from schemas.errors import Fault, TranslationError
from schemas.shipment import Shipment

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_OUTER = "http://uk.gov.hmrc.ITSW2.ws"
_INNER = "http://www.hmrc.gov.uk/webservices/itsw/ws/decisionnotification"
# sendALVSClearanceRequest.xsd: CorrelationId, EntryReference, EntryVersionNumber, ItemNumber.
_CALL = re.compile(r"[0-9]{1,20}")
_ENTRY_LENGTH = range(18, 23)
_VERSIONS = range(1, 100)
_ITEMS = range(1, 1000)
_DECISIONS = range(1, DECISIONS_A_VERSION)


@dataclass(frozen=True, slots=True)
class Notification:
    """What both forms say."""

    call: str
    sent: str
    entry: str
    version: int
    number: int
    items: tuple[int, ...]
    ruling: Ruling


def notification_of(message: Message, profile: Profile) -> Notification:
    """Return what a message says in the words of a notification.

    Raises:
        TranslationError: with every reason why it cannot.
    """
    event = message.type
    written = codes(profile, "written")
    if not isinstance(message, ShipmentMessage) or event not in written:
        known = ", ".join(written)
        raise TranslationError([Fault("not-expressible", "/type", f"a notification says {known}")])
    faults: list[Fault] = []
    data = message.data
    entry = next((one.value for one in data.identifiers if one.scheme == "mrn"), "")
    if len(entry) not in _ENTRY_LENGTH:
        text = "a notification names the declaration by an entry reference of 18 to 22 characters"
        faults.append(Fault("not-expressible", "/data/identifiers", text))
    items = _items(data)
    if not items:
        text = "a notification decides item by item: neither the decision nor the goods have a number from 1 to 999"
        faults.append(Fault("not-expressible", "/data/decision/item", text))
    ruling = _ruling(message, event, profile)
    if ruling is None:
        known = ", ".join(codes(profile, "check"))
        text = f"a notification names the check: the authority is none of {known}, and no document tells it"
        faults.append(Fault("not-expressible", "/data/decision/authority", text))
    if faults or ruling is None:
        raise TranslationError(faults)
    number = data.decision.version if data.decision is not None else None
    version = (message.sequence or 0) // DECISIONS_A_VERSION
    return Notification(
        call=_call(message),
        sent=_sent(data.occurred, bool(data.zone_assumed)),
        entry=entry,
        version=version if version in _VERSIONS else 1,
        number=number if number is not None and number in _DECISIONS else 1,
        items=items,
        ruling=ruling,
    )


def _items(data: Shipment) -> tuple[int, ...]:
    if data.decision is not None and data.decision.item is not None:
        return (data.decision.item,) if data.decision.item in _ITEMS else ()
    numbers = [goods.item for goods in data.goods or [] if goods.item is not None and goods.item in _ITEMS]
    # Goods without a number cannot be decided on, and what decides on the others alone would say too little.
    return tuple(dict.fromkeys(numbers)) if len(numbers) == len(data.goods or []) else ()


def _ruling(message: ShipmentMessage, event: str, profile: Profile) -> Ruling | None:
    """The check and code that the message itself keeps, where they say what it says; else those of the tables."""
    data = message.data
    reason = data.decision.reason if data.decision is not None else None
    kept = ruling_of(reason)
    if kept is not None and (event_of(kept.check, kept.code, profile) or _by_letter(kept.code, profile)) == event:
        return kept
    check = _check(message, profile)
    if check is None:
        return None
    automatic = data.decision is not None and data.decision.automatic
    written = codes(profile, "written")
    code = codes(profile, "written-automatically").get(event) if automatic else None
    lines = (" ".join(line.split()) for line in (reason or "").split("\n"))
    return Ruling(check, code or written[event], reasons=tuple(line for line in lines if line))


def _by_letter(code: str, profile: Profile) -> str | None:
    found = codes(profile, "decision-of-letter").get(code[:1])
    return str(found) if found else None


def _check(message: ShipmentMessage, profile: Profile) -> str | None:
    """The check of the authority that decided; else of the documents, where they agree."""
    data = message.data
    of_authority = codes(profile, "check")
    named = (data.decision.authority if data.decision is not None else None, message.source)
    for authority in named:
        found = of_authority.get(normal_identifier(authority)) if authority else None
        if found:
            return str(found)
    of_document = codes(profile, "check-of-document")
    checks = {of_document[paper.type] for paper in data.documents or [] if paper.type and paper.type in of_document}
    return str(checks.pop()) if len(checks) == 1 else None


def _call(message: ShipmentMessage) -> str:
    """The number of the call: the message's own if it has one, else one that is always the same for it."""
    if message.correlationid is not None and _CALL.fullmatch(message.correlationid):
        return message.correlationid
    digest = hashlib.sha256(f"{message.source} {message.id}".encode()).digest()
    return str(int.from_bytes(digest[:8], "big"))


def _sent(moment: datetime, zone_assumed: bool) -> str:
    """xs:dateTime; without a zone where none was given."""
    return moment.replace(tzinfo=None).isoformat() if zone_assumed else moment.isoformat()


def _reasons(ruling: Ruling) -> list[str]:
    return [
        said if len(said) <= MAX_REASON else said[: MAX_REASON - 3] + "..."
        for reason in ruling.reasons
        if (said := xml_text(reason).strip())
    ]


def as_soap(found: Notification) -> bytes:
    """Write the SOAP form: the notification stands in its envelope as escaped text, as HMRC's interface has it."""
    inner: Any = etree.Element(f"{{{_INNER}}}DecisionNotification", nsmap={"NS2": _INNER})
    service = _add(inner, "ServiceHeader")
    _add(service, "SourceSystem", "ALVS")
    _add(service, "DestinationSystem", "CDS")
    _add(service, "CorrelationId", found.call)
    _add(service, "ServiceCallTimestamp", found.sent)
    header = _add(inner, "Header")
    _add(header, "EntryReference", found.entry)
    _add(header, "EntryVersionNumber", str(found.version))
    _add(header, "DecisionNumber", str(found.number))
    for number in found.items:
        item = _add(inner, "Item")
        _add(item, "ItemNumber", str(number))
        check = _add(item, "Check")
        _add(check, "CheckCode", found.ruling.check)
        _add(check, "DecisionCode", found.ruling.code)
        if found.ruling.until is not None:
            _add(check, "DecisionValidUntil", f"{found.ruling.until:%Y%m%d%H%M}")
        for reason in _reasons(found.ruling):
            _add(check, "DecisionReason", reason)
    envelope: Any = etree.Element(f"{{{_SOAP}}}Envelope", nsmap={"NS1": _SOAP})
    etree.SubElement(envelope, f"{{{_SOAP}}}Header")
    body = etree.SubElement(envelope, f"{{{_SOAP}}}Body")
    outer = etree.SubElement(body, f"{{{_OUTER}}}DecisionNotification", nsmap={"NS3": _OUTER})
    outer.text = etree.tostring(inner, encoding="unicode")
    content: bytes = etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
    return content + b"\n"


def _add(parent: Any, name: str, value: str | None = None) -> Any:
    element = etree.SubElement(parent, f"{{{_INNER}}}{name}")
    element.text = None if value is None else xml_text(value)
    return element


def as_json(found: Notification) -> bytes:
    """Write the JSON form of the queues."""
    check: dict[str, Any] = {"checkCode": found.ruling.check, "decisionCode": found.ruling.code}
    if found.ruling.until is not None:
        check["decisionValidUntil"] = f"{found.ruling.until:%Y%m%d%H%M}"
    if reasons := _reasons(found.ruling):
        check["decisionReasons"] = reasons
    content = {
        "serviceHeader": {
            "sourceSystem": "ALVS",
            "destinationSystem": "CDS",
            "correlationId": found.call,
            "serviceCallTimestamp": found.sent,
        },
        "header": {
            "entryReference": found.entry,
            "entryVersionNumber": found.version,
            "decisionNumber": found.number,
        },
        "items": [{"itemNumber": number, "checks": [check]} for number in found.items],
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"
