"""UN/CEFACT SPS certificates (IPPC ePhyto, EU TRACES): plant, animal and food health papers of a consignment.

Owns what a certificate and its status make of a consignment. Reads SPSCertificate in versions 17 and 8, and
others by local name; what carries it is in sps_hub, the acknowledgement in sps_acknowledgement.
Never carries an attachment or a signatory's name.
"""

import re
from datetime import datetime

from adapters.document import (
    Document,
    Element,
    Findings,
    Identifiers,
    Origin,
    child,
    children,
    local_name,
    namespace,
    place_of,
    read_time,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.sps_acknowledgement import SpsAcknowledgement
from adapters.sps_consignment import FAMILY, Consignment, read_consignment, refer, words
from adapters.sps_hub import NAMESPACE, Carried, carried, carries, is_of_hub, read_envelope
from adapters.translator import Draft, Reading, Translator
from adapters.xml_repair import root_of
from schemas import Message, Shipment
from schemas.base import present
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision
from schemas.shipment import Document as Paper

_NAMESPACE = re.compile(r"urn:un:unece:uncefact:data:standard:SPSCertificate:(\d+)")
_KNOWN_VERSIONS = ("17", "8")
# A hub hands over what waits for a country in one go; its pages are far below this.
MAX_CERTIFICATES = 500

# The clause of an EU entry document (CHED) that holds the border post's decision.
_CONCLUSION = "DECISION_CONCLUSION"
# The schemes of identifiers, best first, for the key of the consignment.
KEY_SCHEMES = (
    "ucr", "mrn", "transport-document", "lrn", "certificate", "container", "equipment", "other", "seal",
)  # fmt: skip


class SpsCertificate:
    """Reads certificates presented for a consignment; see docs/FORMATS.md for what becomes what."""

    name = "sps-certificate"
    title = "UN/CEFACT SPS certificate, versions 17 and 8 (ePhyto, TRACES CHED), also in the IPPC hub's envelope"
    can_read = True
    can_write = False
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """By the element SPSCertificate, at the root or in an envelope; less so what the hub sends without one."""
        content = document.content.replace(b"\x00", b"") if document.looks_like_xml else b""
        if b"SPSCertificate" not in content and (NAMESPACE.encode() not in content or b"SPSAcknowledg" in content):
            return 0.0
        try:
            root = document.xml
        except TranslationError:
            return 0.6
        if local_name(root) == "SPSCertificate":
            return 1.0 if _NAMESPACE.fullmatch(namespace(root)) else 0.8
        return 0.9 if carries(root, "SPSCertificate") else 0.6 if is_of_hub(root) else 0.2

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every certificate of the document; the first that is illegible refuses it, with all faults."""
        findings = Findings()
        drafts: list[Draft] = []
        found = 0
        root = root_of(document, findings)
        for one in carried(root, "SPSCertificate", findings):
            found += 1
            if found > MAX_CERTIFICATES:
                findings.fault("too-many", place_of(root), f"more than {MAX_CERTIFICATES} certificates")
                break
            draft = _read(one, origin, findings)
            if draft is not None:
                drafts.append(draft)
        if not found and not findings.faults:
            about = "a message of the hub about deliveries, with no certificate in it"
            detail = about if is_of_hub(root) else "holds no SPSCertificate"
            findings.fault("no-certificate", place_of(root), detail)
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: an authority issues its certificates itself."""
        detail = "certificates are read only; sps-acknowledgement answers them"
        raise TranslationError([Fault("not-expressible", "/type", detail)])


def _read(one: Carried, origin: Origin, findings: Findings) -> Draft | None:
    """Read one certificate."""
    certificate = one.element
    version = _NAMESPACE.fullmatch(namespace(certificate))
    if version is None or version[1] not in _KNOWN_VERSIONS:
        findings.warn_at("version", certificate, "not the namespace of SPSCertificate 17 or 8: read by element names")
    header = child(certificate, "SPSExchangedDocument")
    if header is None:
        findings.fault("missing", place_of(certificate), "a certificate has an SPSExchangedDocument")
        return None
    identifiers = Identifiers()
    issuer = words(header, findings, "IssuerSPSParty", "Name")
    number = words(header, findings, "ID", limit=256)
    if number is None:
        findings.warn_at("missing", header, "a certificate has a number", "ID")
    identifiers.add("certificate", number, issuer)
    if one.envelope is not None:
        read_envelope(one.envelope, number, identifiers, findings)
    kind = text(header, "TypeCode")
    papers = [Paper(**present(type=kind and kind[:64], id=number, issuer=issuer))] if number else []
    papers += _references(header, identifiers, findings, origin.profile)
    consignment = child(certificate, "SPSConsignment")
    if consignment is None:
        findings.warn_at("missing", certificate, "no consignment: only the paper itself is known", "SPSConsignment")
        body = Consignment()
    else:
        body = read_consignment(consignment, identifiers, findings, origin.profile)
    if not identifiers:
        findings.fault("no-identifier", place_of(certificate), "neither number nor container nor any other reference")
        return None
    issued = _issued(header, origin, findings)
    moment, assumed = issued or (origin.received, False)
    event, outcome, classifier = _status(header, findings, origin.profile)
    conclusion = _conclusion(header)
    if conclusion is not None and event == "shipment.declared" and classifier is None:
        event, outcome = "shipment.inspected", conclusion
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            classifier=classifier,
            documents=list(dict.fromkeys([*papers, *body.documents])),
            decision=Decision(**present(authority=issuer, outcome=outcome)) if outcome else None,
            **body.fields,
        )
    )
    subject = identifiers.first(*KEY_SCHEMES) or ""  # type: ignore[arg-type]  # the schemes of the tuple
    return Draft(event, subject, moment, data)


def _references(header: Element, identifiers: Identifiers, findings: Findings, profile: Profile) -> list[Paper]:
    """Read the papers a certificate refers to, and the certificates it replaces (IPPC note ADRPN)."""
    found = refer(header, identifiers, findings, profile)
    for note in children(header, "IncludedSPSNote"):
        replaced = text(note, "Content")
        if (text(note, "Subject") or "").upper() == "ADRPN" and replaced and len(replaced) <= 256:
            identifiers.add("certificate", replaced)
            found.append(Paper(type="851", id=replaced))
    return found


def _issued(header: Element, origin: Origin, findings: Findings) -> tuple[datetime, bool] | None:
    """The time of issue, or else of signature; as text, or in DateTimeString (ePhyto) or DateTime (TRACES)."""
    for path in (("IssueDateTime",), ("SignatorySPSAuthentication", "ActualDateTime")):
        element = child(header, *path)
        if element is None:
            continue
        given = text(element) or text(element, "DateTimeString") or text(element, "DateTime")
        if given is None:
            continue
        found = read_time(given, origin.zone)
        if found is not None:
            return found
        findings.warn_at("time-form", element, "not a date-time of ISO 8601: not carried")
    findings.warn_at("missing", header, "no legible time; when it was received stands in", "IssueDateTime")
    return None


def _status(header: Element, findings: Findings, profile: Profile) -> tuple[str, str | None, str | None]:
    """Return the event, the outcome and the classifier that the certificate's status says."""
    code = text(header, "StatusCode")
    known = profile.table(FAMILY, "status").get(code.lstrip("0") or "0") if code else None
    if known is None:
        findings.warn_at("status", header, "not a known status of a certificate: read as presented", "StatusCode")
        return "shipment.declared", None, None
    classifier = known.get("classifier")
    if classifier is not None:
        findings.warn_at("not-in-force", header, "the certificate is not issued yet: read as planned", "StatusCode")
    return known["event"], known["outcome"], classifier


def _conclusion(header: Element) -> str | None:
    """The decision on an EU entry document, as a token; its words differ from list to list and are kept."""
    for authentication in children(header, "SignatorySPSAuthentication"):
        for clause in children(authentication, "IncludedSPSClause"):
            if (text(clause, "ID") or "").upper() == _CONCLUSION:
                token = re.sub(r"[^a-z0-9]+", "-", (text(clause, "Content") or "").lower()).strip("-")[:64]
                return token if re.match(r"[a-z]", token) else None
    return None


TRANSLATORS: tuple[Translator, ...] = (SpsCertificate(), SpsAcknowledgement())
