"""UN/CEFACT SPSAcknowledgement 17: what other authorities decided, told to a quarantine system, and back.

Owns the status codes (UNTDID 4405) by which a decision is said. What it writes is valid under the
schema of the IPPC hub, and the same bytes every time.
"""

import re
from typing import Any

from lxml import etree

from adapters.document import (
    Document,
    Element,
    Findings,
    Identifiers,
    Origin,
    child,
    local_name,
    long_text,
    place_of,
    read_time,
    text,
    xml_text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.sps_consignment import RELATION_OF, refer
from adapters.sps_hub import carried, carries, read_envelope
from adapters.translator import Draft, Reading
from adapters.xml_repair import root_of
from schemas import Message, Shipment, ShipmentMessage
from schemas.base import present, rfc3339
from schemas.codes import normal_identifier
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision

_DOCUMENT = "urn:un:unece:uncefact:data:standard:SPSAcknowledgement:17"
_PARTS = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:21"
_TYPES = "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:21"
# UNTDID 1001 has no code for most references: mutually defined, as the hub's own samples have it.
_MUTUAL = "ZZZ"
_PHYTOSANITARY = "851"

# UNTDID 4405 for each decision; the word before the reason says which of those with one code it is.
_CODES = {
    "released": 39,  # approved
    "refused": 41,  # rejected
    "held": 42,  # approval pending
    "inspected": 87,  # under consideration
    "selected-for-inspection": 228,  # inspection required by authority
    "selected-for-scan": 228,
    "documents-required": 241,  # missing document
    "rejected": 334,  # document refused
}
_EVENTS = {code: event for event, code in reversed(_CODES.items())}
_REASON = re.compile(rf"({'|'.join(sorted(_CODES, reverse=True))})(?: by ([^:]+))?(?:: (.+))?", re.DOTALL)


class SpsAcknowledgement:
    """Answers certificates with what was decided on the consignment; see docs/FORMATS.md for the codes."""

    name = "sps-acknowledgement"
    title = "UN/CEFACT SPS acknowledgement, version 17 (IPPC hub)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """By the element SPSAcknowledgement, at the root or in an envelope."""
        if not document.looks_like_xml or b"SPSAcknowledgement" not in document.content.replace(b"\x00", b""):
            return 0.0
        try:
            root = document.xml
        except TranslationError:
            return 0.6
        if local_name(root) == "SPSAcknowledgement":
            return 1.0
        return 0.9 if carries(root, "SPSAcknowledgement") else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read the acknowledgements of a document; a status that names no decision is refused, never guessed."""
        findings = Findings()
        root = root_of(document, findings)
        found = [
            (inner, one.envelope)
            for one in carried(root, "SPSAcknowledgement", findings)
            if (inner := child(one.element, "SPSAcknowledgementDocument")) is not None
        ]
        if not found and not findings.faults:
            findings.fault("missing", place_of(root), "holds no SPSAcknowledgementDocument")
        drafts = [draft for told in found if (draft := _read(*told, origin, findings)) is not None]
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write a decision on a consignment.

        Raises:
            TranslationError: it is no decision of an authority.
        """
        event = message.type.partition(".")[2]
        if not isinstance(message, ShipmentMessage) or event not in _CODES:
            detail = f"an acknowledgement says {', '.join(_CODES)}; not {message.type}"
            raise TranslationError([Fault("not-expressible", "/type", detail)])
        return _write(message, event)


def _read(element: Element, envelope: Element | None, origin: Origin, findings: Findings) -> Draft | None:
    code = text(element, "StatusCode") or ""
    said = long_text(element, "ReasonInformation") or ""
    match = _REASON.fullmatch(said)
    event = _EVENTS.get(int(code)) if code.isdecimal() and len(code) < 10 else None
    if event is None:
        findings.fault("status", f"{place_of(element)}/StatusCode", f"one of {', '.join(map(str, _EVENTS))}")
    elif match is not None and _CODES[match[1]] == int(code):
        event = match[1]
    identifiers = Identifiers()
    documents = refer(element, identifiers, findings)
    if envelope is not None:
        # An answer's envelope names the certificate that it answers.
        identifiers.add("certificate", text(envelope, "NPPOCertificateNumber"))
        read_envelope(envelope, None, identifiers, findings)
    if not identifiers:
        findings.fault("no-identifier", place_of(element), "refers to nothing: no ReferenceSPSReferencedDocument")
    if event is None or not identifiers:
        return None
    issued = child(element, "IssueDateTime")
    given = text(issued) or text(issued, "DateTimeString") or text(issued, "DateTime")
    found = read_time(given, origin.zone) if given else None
    if found is None:
        findings.warn_at("missing", element, "no legible time; when it was received stands in", "IssueDateTime")
    moment, assumed = found or (origin.received, False)
    authority, reason = (match[2], match[3]) if match is not None else (None, said)
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            documents=documents,
            decision=Decision(**present(authority=authority and authority[:512], outcome=event, reason=reason)),
        )
    )
    subject = identifiers.first("ucr", "mrn", "transport-document", "lrn", "certificate", "container", "other", "seal")
    return Draft(f"shipment.{event}", subject or identifiers.as_list()[0].value, moment, data)


def _write(message: ShipmentMessage, event: str) -> bytes:
    data = message.data
    prefixes: Any = {None: _DOCUMENT, "ram": _PARTS, "udt": _TYPES}
    root: Any = etree.Element(f"{{{_DOCUMENT}}}SPSAcknowledgement", nsmap=prefixes)
    document = etree.SubElement(root, f"{{{_DOCUMENT}}}SPSAcknowledgementDocument")
    issued = etree.SubElement(document, f"{{{_PARTS}}}IssueDateTime")
    etree.SubElement(issued, f"{{{_TYPES}}}DateTimeString").text = rfc3339(data.occurred)
    _add(document, "StatusCode", str(_CODES[event]))
    authority = (data.decision.authority if data.decision else None) or message.source
    reason = f"{event} by {authority.replace(':', ' ')}"
    if data.decision is not None and data.decision.reason:
        reason += f": {data.decision.reason}"
    _add(document, "ReasonInformation", reason)
    kinds = {normal_identifier(paper.id): paper.type for paper in data.documents or [] if paper.type}
    for identifier in data.identifiers:
        reference = etree.SubElement(document, f"{{{_PARTS}}}ReferenceSPSReferencedDocument")
        default = _PHYTOSANITARY if identifier.scheme == "certificate" else _MUTUAL
        _add(reference, "TypeCode", kinds.get(identifier.value, default))
        _add(reference, "RelationshipTypeCode", RELATION_OF.get(identifier.scheme, _MUTUAL))
        _add(reference, "ID", identifier.value)
    etree.indent(root)
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return content + b"\n"


def _add(parent: Any, name: str, value: str) -> None:
    etree.SubElement(parent, f"{{{_PARTS}}}{name}").text = xml_text(value)
