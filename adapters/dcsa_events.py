"""Reads DCSA Track & Trace events of 2.2 and 3.0: equipment, transport and shipment events.

Owns finding the events in a response and which word each of their codes is. An event for which the profile has no
word of its own (a container stuffed, its door opened) is read by the word that it has for the event's type, and says
so; what is between the carrier and its customer (a booking confirmed) is told in a warning and skipped. A document
with no other events is refused.
"""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from adapters.dcsa_values import FAMILY, MAX_EVENTS, References, last_resort, place, transport
from adapters.document import Findings, Origin
from adapters.json_document import Node, moment
from adapters.observed import DCSA_EVENT, RETRACTED, SKIP, Summary
from adapters.translator import Draft, Reading
from schemas import Shipment
from schemas.base import present, rfc3339
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision, Document

# Events after which an authority has spoken; its reason is told with them.
DECISIONS = frozenset(
    {"held", "released", "rejected", "documents-required", "selected-for-scan", "selected-for-inspection"}
)
# Events that a conveyance's arrival brings about belong to the voyage that came in.
INBOUND = frozenset({"arrived", "discharged"})
_TYPES = ("EQUIPMENT", "TRANSPORT", "SHIPMENT", "IOT", "REEFER")
# What an event and what takes it back have in common is the event's id, as far as an envelope holds it.
_MAX_ID = 256


def read_events(whole: Any, origin: Origin) -> Reading:
    """Read every event of a response, a request, an array or one event by itself."""
    findings = Findings()
    drafts: list[Draft] = []
    seen: dict[str, dict[str, Any]] = {}
    summary = Summary()
    number = 0
    for number, node in enumerate(_events(whole, findings), 1):
        if number > MAX_EVENTS:
            findings.fault("too-many", "", f"more than {MAX_EVENTS} events")
            break
        if _repeated(node, seen):
            continue
        draft = _draft(node, origin, summary)
        if draft is not None:
            drafts.append(draft)
        if node.hopeless:
            break
    settle(drafts, findings, summary.skipped, number)
    return Reading(tuple(drafts), tuple(findings.warnings))


def settle(drafts: list[Draft], findings: Findings, skipped: set[str], number: int) -> None:
    """Refuse what holds faults, or nothing that there is a word for."""
    if not drafts and not findings.faults:
        if number == 0:
            findings.fault("no-event", "", "there is no event in it")
        else:
            what = ", ".join(sorted(skipped)) or "repetitions"
            findings.fault("no-words", "", f"nothing in it that urn:cbm:shipment:1 has a word for: {what[:400]}")
    findings.settle()


def _events(whole: Any, findings: Findings) -> Iterator[Node]:
    """Find the events: bare, in an array, in `events`, or in arrays of such."""
    if isinstance(whole, dict):
        yield from _of_object(Node(whole, "", findings))
    elif isinstance(whole, list):
        for number, member in enumerate(whole):
            if isinstance(member, dict):
                yield from _of_object(Node(member, f"/{number}", findings))
            else:
                findings.fault("structure", f"/{number}", "an event is an object")
                if len(findings.faults) >= MAX_EVENTS:
                    return
    else:
        raise TranslationError([Fault("structure", "", "events stand in an array or in an object")])


def _of_object(node: Node) -> Iterator[Node]:
    if "eventType" in node.value or "eventClassification" in node.value:
        yield node
    elif isinstance(node.value.get("events"), list):
        for number, member in enumerate(node.value["events"]):
            if isinstance(member, dict):
                yield Node(member, f"{node.place}/events/{number}", node.findings)
            else:
                node.fault("structure", f"events/{number}", "an event is an object")
    elif not node.hopeless:
        node.fault("structure", "", "neither an event (eventType, eventClassification) nor a list of them (events)")


def _repeated(node: Node, seen: dict[str, dict[str, Any]]) -> bool:
    """Tell whether this event stood in the document before; the same id with other content is a fault."""
    stated = node.value.get("eventID")
    if stated is None:
        return False
    is_3 = "eventClassification" in node.value
    if not isinstance(stated, str) or not stated.strip() or (not is_3 and not _is_uuid(stated)):
        node.fault("event-id", "eventID", "a text" if is_3 else "a UUID (RFC 9562)")
        return False
    before = seen.setdefault(stated, node.value)
    if before is node.value:
        return False
    try:
        same = json.dumps(before, sort_keys=True) == json.dumps(node.value, sort_keys=True)
    except RecursionError:
        raise TranslationError([Fault("too-deep", node.place, "nested too deep")]) from None
    if same:
        node.warn("repeated", "eventID", "stands in the document before, word for word; skipped")
        return True
    node.fault("event-id", "eventID", "an event of the same id and other content stands before")
    return False


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _draft(node: Node, origin: Origin, summary: Summary) -> Draft | None:
    head = node.node("eventClassification") or node
    is_3 = head is not node
    kind = head.text("eventTypeCode" if is_3 else "eventType") or ""
    if kind not in _TYPES:
        head.fault("event-type", "eventTypeCode" if is_3 else "eventType", f"one of {', '.join(_TYPES)}")
    found = moment(node, "eventDateTime", origin)
    created = moment(node, "eventUpdatedDateTime" if is_3 else "eventCreatedDateTime", origin, needed=not is_3)
    classifier = _classifier(head, origin)
    references = References(origin.profile, node)
    papers = _papers(node, references, is_3)
    word, own = _word(head, node, kind, papers, origin, summary)
    if word is None or found is None or classifier is None:
        return None
    occurred, assumed = found
    equipment = _equipment(node, references, required=kind == "EQUIPMENT")
    call = node.node("transportDetails", "transportCall") or node.node("transportCall")
    moved = transport(call, references, origin.profile, inbound=word in INBOUND)
    if not last_resort(references, moved.means if moved else None):
        node.fault("no-identifier", "", "it names no container, document, reference, call or vessel")
        return None
    if own is not None and own[0] == RETRACTED:
        own = (RETRACTED, f"{own[1]} {rfc3339(occurred)}")
        (occurred, assumed), classifier = created or found, "actual"
    body = Shipment(
        identifiers=references.settled(),
        occurred=occurred,
        **present(
            zone_assumed=assumed or None,
            classifier=classifier if classifier != "actual" else None,
            place=_place(node, call),
            transport=moved,
            equipment=equipment,
            documents=[*references.papers, *([Document(type=own[0], id=own[1])] if own else [])],
            decision=_decision(node, word),
        ),
    )
    id_ = node.text("eventID")
    attributes = {"correlationid": id_} if id_ and len(id_) <= _MAX_ID and id_.isprintable() else {}
    return Draft(f"shipment.{word}", references.subject() or kind, (created or found)[0], body, attributes)


def _classifier(head: Node, origin: Origin) -> str | None:
    code = head.text("eventClassifierCode")
    found = origin.profile.table(FAMILY, "classifier").get(code or "")
    if found is None:
        head.fault("classifier", "eventClassifierCode", "one of PLN, EST, ACT: whether it has happened yet")
    return found


def _papers(node: Node, references: References, is_3: bool) -> list[str]:
    """Take the references of an event; return the types of its documents, the event's own first."""
    details = node.node("shipmentDetails") if is_3 else None
    if details is not None:
        papers = [one for one in (details.node("documentReference"),) if one]
        papers += details.nodes("additionalDocumentReferences")
        pairs = [(one.text("typeCode"), one.text("reference")) for one in papers]
        given = [(one, one.text("typeCode"), one.text("reference")) for one in details.nodes("shipmentReferences")]
    else:
        pairs = [(node.text("documentTypeCode"), node.text("documentID"))] if not is_3 else []
        pairs += [
            (one.text("documentReferenceType"), one.text("documentReferenceValue"))
            for one in node.nodes("documentReferences")
        ]
        given = [(one, one.text("referenceType"), one.text("referenceValue")) for one in node.nodes("references")]
    own = node.node("equipmentDetails") or node
    references.container(own.text("equipmentReference"), own, "equipmentReference")
    for one, type_, value in given:
        if type_ == "EQ":
            references.container(value, one, "reference" if is_3 else "referenceValue")
    types = [found for type_, value in pairs if (found := references.paper(type_, value))]
    for _, type_, value in given:
        if type_ != "EQ":
            references.reference(type_, value)
    return types


def _word(
    head: Node, node: Node, kind: str, papers: list[str], origin: Origin, summary: Summary
) -> tuple[str | None, tuple[str, str] | None]:
    """Return the word for an event, and its own code as a document where that word says less; None without one."""
    if kind not in _TYPES:
        return None, None
    member = f"{kind.lower()}EventTypeCode"
    code = head.text(member) or (head.text("eventTypeCode") if head.value.get("eventType") else None)
    if not code:
        head.fault("missing", member, "the standard requires the event's code")
        return None, None
    said = key = code
    if kind == "SHIPMENT":
        if not papers:
            head.fault("missing", "documentReference", "a shipment event is about a document")
            return None, None
        said = f"{code} of {papers[0]}"
        key = f"{origin.profile.table(FAMILY, 'document_kind').get(papers[0], 'commercial')}.{code}"
    meaning = origin.profile.table(FAMILY, f"{kind.lower()}_event").get(key)
    at_large = origin.profile.table(FAMILY, "event_type")
    taken_back = node.value.get("isRetracted") is True
    word = None if meaning is None else at_large.get("isRetracted") if taken_back else meaning or at_large.get(kind)
    if not word or SKIP in (word, meaning):
        told = said if len(said) <= 16 and said.isascii() else "a code of no list"
        summary.warn(head, "no-words", member, f"the profile does not carry {told}; skipped")
        summary.skip("retracted events" if taken_back else told)
        return None, None
    if taken_back:
        detail = f"{kind} {said}: its sender took the event back; told as {word}"
        summary.warn(node, "retracted", "isRetracted", detail)
        return str(word), (RETRACTED, f"{kind} {code}")
    if meaning:
        return str(word), None
    detail = f"{kind} {said}: read as {word}, the profile's word for events at large"
    summary.warn(head, "fall-back", member, detail)
    return str(word), (DCSA_EVENT, " ".join([kind, code, *_detected(node)]))


def _detected(node: Node) -> list[str]:
    """What a device at the container detected: its door opened, closed, its position."""
    code = (node.node("iotDetails") or node).text("iotEventCode")
    return [code] if code and re.fullmatch(r"[A-Z]{2,4}", code, re.ASCII) else []


def _equipment(node: Node, references: References, *, required: bool) -> list[Any]:
    own = node.node("equipmentDetails") or node
    number = references.container(own.text("equipmentReference"), own, "equipmentReference")
    if number is None:
        if required:
            own.fault("missing", "equipmentReference", "an equipment event names its container")
        return []
    return [references.equipment(number, own.text("ISOEquipmentCode"), own.nodes("seals"))]


def _place(node: Node, call: Node | None) -> Any:
    found = place(node.node("eventLocation"))
    if found is None and call is not None:
        found = place(call, call.node("location"))
    return found


def _decision(node: Node, word: str) -> Decision | None:
    if word not in DECISIONS:
        return None
    details = node.node("shipmentDetails") or node
    return Decision(outcome=word, **present(reason=details.text("reason")))
