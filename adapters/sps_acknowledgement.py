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
from adapters.sps_consignment import FAMILY, refer
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

# The event and its authority before the reason: the word says which of those with one code it is.
_REASON = re.compile(r"([a-z]+(?:-[a-z]+)*)(?: by ([^:]+))?(?:: (.+))?", re.DOTALL)


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
        codes = profile.table(FAMILY, "answer")
        if not isinstance(message, ShipmentMessage) or message.type not in codes:
            words = ", ".join(type_.removeprefix("shipment.") for type_ in codes)
            raise TranslationError(
                [Fault("not-expressible", "/type", f"an acknowledgement says {words}; not {message.type}")]
            )
        return _write(message, profile)


def _read(element: Element, envelope: Element | None, origin: Origin, findings: Findings) -> Draft | None:
    code = text(element, "StatusCode") or ""
    said = long_text(element, "ReasonInformation") or ""
    codes = origin.profile.table(FAMILY, "answer")
    match = _REASON.fullmatch(said)
    told = codes.get(f"shipment.{match[1]}") if match is not None else None
    if told is None:
        match = None
    plain = code.lstrip("0")
    event = next((type_ for type_, known in codes.items() if known == plain), None)
    if event is None:
        known = ", ".join(dict.fromkeys(codes.values()))
        findings.fault("status", f"{place_of(element)}/StatusCode", f"one of {known}")
    elif match is not None and told == plain:
        event = f"shipment.{match[1]}"
    identifiers = Identifiers()
    documents = refer(element, identifiers, findings, origin.profile)
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
    outcome = event.removeprefix("shipment.")
    decision = Decision(**present(authority=authority and authority[:512], outcome=outcome, reason=reason))
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            documents=documents,
            decision=decision,
        )
    )
    subject = identifiers.first("ucr", "mrn", "transport-document", "lrn", "certificate", "container", "other", "seal")
    return Draft(event, subject or identifiers.as_list()[0].value, moment, data)


def _write(message: ShipmentMessage, profile: Profile) -> bytes:
    data = message.data
    relations = {scheme: code for code, scheme in reversed(list(profile.table(FAMILY, "relation").items()))}
    prefixes: Any = {None: _DOCUMENT, "ram": _PARTS, "udt": _TYPES}
    root: Any = etree.Element(f"{{{_DOCUMENT}}}SPSAcknowledgement", nsmap=prefixes)
    document = etree.SubElement(root, f"{{{_DOCUMENT}}}SPSAcknowledgementDocument")
    issued = etree.SubElement(document, f"{{{_PARTS}}}IssueDateTime")
    etree.SubElement(issued, f"{{{_TYPES}}}DateTimeString").text = rfc3339(data.occurred)
    _add(document, "StatusCode", profile.table(FAMILY, "answer")[message.type])
    authority = (data.decision.authority if data.decision else None) or message.source
    reason = f"{message.type.removeprefix('shipment.')} by {authority.replace(':', ' ')}"
    if data.decision is not None and data.decision.reason:
        reason += f": {data.decision.reason}"
    _add(document, "ReasonInformation", reason)
    kinds = {normal_identifier(paper.id): paper.type for paper in data.documents or [] if paper.type}
    for identifier in data.identifiers:
        reference = etree.SubElement(document, f"{{{_PARTS}}}ReferenceSPSReferencedDocument")
        default = _PHYTOSANITARY if identifier.scheme == "certificate" else _MUTUAL
        _add(reference, "TypeCode", kinds.get(identifier.value, default))
        _add(reference, "RelationshipTypeCode", relations.get(identifier.scheme, _MUTUAL))
        _add(reference, "ID", identifier.value)
    etree.indent(root)
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return content + b"\n"


def _add(parent: Any, name: str, value: str) -> None:
    etree.SubElement(parent, f"{{{_PARTS}}}{name}").text = xml_text(value)
