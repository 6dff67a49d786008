"""What a document of Defra's border systems holds: requests, decisions, finalisations, errors, CHEDs, GMRs.

Owns finding them in what carries them: SOAP 1.1 and 1.2, wrapped or escaped as text, bare XML, the JSON of
the queues, of the trade imports data API and of its resource events. Never reads what they say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

from adapters.document import Document, Findings, child, local_name, parse_xml
from adapters.records import Record, fold, has_byte_order_mark, json_of, looks_like_json, parse_json
from schemas.errors import TranslationError

Kind = Literal["request", "decision", "finalisation", "error", "ched", "gmr"]
# More than an authority would put into one document; a page of the data API has far fewer.
MAX_PARTS = 1000
# Escaped text inside escaped text is no envelope that any of the systems writes.
_MAX_UNWRAPPING = 3

_XML_KINDS: dict[str, Kind] = {
    "ALVSClearanceRequest": "request",
    "DecisionNotification": "decision",
    "DecisionNotificationRequest": "decision",
    "FinalisationNotificationRequest": "finalisation",
    "ALVSErrorNotificationRequest": "error",
    "HMRCErrorNotification": "error",
}
# Names of the parts inside the data API's objects, folded.
_API_KINDS: dict[str, Kind] = {
    "clearancerequest": "request",
    "clearancedecision": "decision",
    "finalisation": "finalisation",
    "externalerrors": "error",
    "processingerrors": "error",
}
# What the header of a message on the queues has, folded.
_HEADER = {"entryreference", "entryversionnumber", "decisionnumber", "finalstate", "sourcecorrelationid"}
_WRAPPERS = (
    "alvsclearancerequest", "decisionnotification", "finalisationnotificationrequest", "alvserrornotificationrequest",
    "hmrcerrornotification", "importprenotification", "importnotification", "gmr",
)  # fmt: skip
# What the data API calls the thing that an event is about, folded, and its part.
_RESOURCES: dict[str, Kind] = _API_KINDS | {
    "externalerror": "error",
    "processingerror": "error",
    "importprenotification": "ched",
}
_XML_SIGN = re.compile(rb"ALVSClearanceRequest|DecisionNotification|FinalisationNotification|ErrorNotification")
_JSON_SIGN = re.compile(
    rb'"(serviceHeader|resourceType|clearance(Request|Decision)|finalisation|finalState|externalErrors|decisionNumber'
    rb"|importPreNotification|importNotificationType|partOne|gmr|gmrs|gmrId|haulierEori|externalVersion"
    rb'|externalCorrelationId|ALVS\w+)"\s*:',
    re.IGNORECASE,
)
_KINDS: "WeakKeyDictionary[Document, frozenset[tuple[Kind, bool]]]" = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Part:
    """One message within a document; `reference` is the entry's where only what is around it gives it."""

    kind: Kind
    record: Record | None
    """None where the document tells of it and does not hold it."""
    around: Record
    reference: str | None = None


def kinds_of(document: Document) -> frozenset[tuple[Kind, bool]]:
    """Return the kinds of parts that a document holds, each with whether it is XML. Never raises."""
    found = _KINDS.get(document)
    if found is None:
        try:
            parts = list(parts_of(document, Findings())) if _has_sign(document) else []
        except TranslationError:
            parts = []
        found = frozenset((part.kind, part.around.is_xml) for part in parts)
        _KINDS[document] = found
    return found


def _has_sign(document: Document) -> bool:
    sign = _XML_SIGN if document.looks_like_xml else _JSON_SIGN if looks_like_json(document) else None
    return sign is not None and sign.search(document.content.replace(b"\x00", b"")) is not None


def parts_of(document: Document, findings: Findings) -> list[Part]:
    """Return the parts of a document in order, at most `MAX_PARTS`.

    Raises:
        TranslationError: it is neither XML nor JSON, or not well-formed.
    """
    if document.looks_like_xml:
        found = _from_xml(Record(document.xml, findings), 0)
    else:
        if has_byte_order_mark(document):
            findings.warn("byte-order-mark", "/", "JSON is UTF-8 without a byte-order mark (RFC 8259, section 8.1)")
        found = _from_json(Record(json_of(document), findings), None, 0)
    result: list[Part] = []
    for part in found:
        if len(result) == MAX_PARTS:
            findings.fault("too-many", "", f"more than {MAX_PARTS} messages in one document")
            break
        result.append(part)
    return result


def _from_xml(root: Record, depth: int) -> Iterator[Part]:
    for element in root.value.iter(*(f"{{*}}{name}" for name in _XML_KINDS)):
        if child(element, "ServiceHeader") is not None or child(element, "Header", "EntryReference") is not None:
            record = Record(element, root.findings)
            yield Part(_XML_KINDS[local_name(element)], record, record)
        elif (element.text or "").lstrip("\ufeff \t\r\n").startswith("<"):
            yield from _escaped(Record(element, root.findings), element.text, depth)


def _escaped(outer: Record, text: str, depth: int) -> Iterator[Part]:
    """Read a message that stands in its envelope as escaped text, as HMRC's interface has it."""
    if depth == _MAX_UNWRAPPING:
        outer.fault("too-deep", "escaped text inside escaped text")
        return
    inner = re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff")).strip()
    try:
        root = parse_xml(inner.encode("utf-8", "replace"))
    except TranslationError as error:
        for fault in error.faults:
            outer.fault(fault.code, fault.detail)
        return
    yield from _from_xml(Record(root, outer.findings), depth + 1)


def _from_json(record: Record, reference: str | None, depth: int) -> Iterator[Part]:
    if depth > _MAX_UNWRAPPING:
        return
    if isinstance(record.value, list):
        for member in record.members():
            yield from _from_json(member, reference, depth + 1)
        return
    names = record.names()
    if {"resourcetype", "operation"} <= names:
        yield from _from_event(record, depth)
    elif "serviceheader" in names:
        header = record.first("header")
        if header is not None and header.names() & _HEADER:
            yield Part(_kind_of_call(record), record, record)
    elif names & _API_KINDS.keys():
        yield from _from_declaration(record, reference)
    elif (kind := _kind_of_object(names)) is not None:
        yield Part(kind, record, record, reference)
    elif (wrapped := record.first(*_WRAPPERS)) is not None and isinstance(wrapped.value, dict):
        yield from _from_json(wrapped, reference or record.text("mrn", "movementReferenceNumber"), depth + 1)
    else:
        for member in record.all("gmrs", "importPreNotifications", "customsDeclarations"):
            if isinstance(member.value, dict):
                yield from _from_json(member, None, depth + 1)


def _kind_of_call(record: Record) -> Kind:
    """Tell which message a queue's JSON is: it has no name, only fields."""
    header = record.first("header")
    named = header.names() if header is not None else set()
    if "finalstate" in named:
        return "finalisation"
    if record.names() & {"errors", "error"} or "sourcecorrelationid" in named:
        return "error"
    return "decision" if "decisionnumber" in named else "request"


def _kind_of_object(names: set[str]) -> Kind | None:
    """Tell which object of the data API, of IPAFFS or of GVMS these fields belong to."""
    if "finalstate" in names and names & {"externalversion", "ismanualrelease", "messagesentat"}:
        return "finalisation"
    if "decisionnumber" in names and names & {"items", "results"}:
        return "decision"
    if "commodities" in names and names & {"externalcorrelationid", "declarationucr", "messagesentat"}:
        return "request"
    if "errors" in names and names & {"externalversion", "externalcorrelationid", "sourceexternalcorrelationid"}:
        return "error"
    if "referencenumber" in names and names & {"partone", "importnotificationtype", "chedtypeversion"}:
        return "ched"
    if "gmrid" in names or {"hauliereori", "state"} <= names:
        return "gmr"
    return None


def _from_declaration(record: Record, reference: str | None) -> Iterator[Part]:
    """Read the parts of a customs declaration of the data API; some of their names others have too."""
    found = record.text("movementReferenceNumber", "mrn") or reference
    for name, kind in _API_KINDS.items():
        for part in record.all(name):
            own = isinstance(part.value, dict) and (
                name.startswith("clearance") or _kind_of_object(part.names()) == kind
            )
            if own:
                yield Part(kind, part, record, found)


def _from_event(event: Record, depth: int) -> Iterator[Part]:
    """Read a resource event: of a declaration, that part alone which was changed."""
    kind = _RESOURCES.get((event.text("subResourceType") or event.text("resourceType") or "").lower())
    if kind is None and fold(event.text("resourceType") or "") != "customsdeclaration":
        return
    reference = event.text("resourceId")
    resource = event.first("resource")
    if resource is None:
        said = event.first("message")
        text = said.value if said is not None and isinstance(said.value, str) else ""
        if text.lstrip().startswith("{"):
            try:
                inner = parse_json(text)
            except TranslationError:
                inner = None
            if inner is not None:
                yield from _from_json(Record(inner, event.findings, "/message"), reference, depth + 1)
                return
        if kind is not None:
            yield Part(kind, None, event, reference)
        return
    parts = list(_from_json(resource, reference, depth + 1))
    chosen = [part for part in parts if kind is None or part.kind == kind]
    if not chosen and kind is not None:
        yield Part(kind, None, event, reference)
    yield from chosen
