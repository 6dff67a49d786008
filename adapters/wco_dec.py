"""Reads customs declarations: WCO Data Model 3.6, DEC, in the profile DMS 2.

Owns what a declaration's function makes of it (declared, amended, withdrawn, arrived) and its subject.
Never judges a declaration: whether codes and amounts are right is the customs office's business.
"""

import re
from collections.abc import Callable

from adapters.document import (
    Document,
    Element,
    Findings,
    Identifiers,
    Origin,
    child,
    local_name,
    namespace,
    place_of,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading
from adapters.wco_codes import (
    DEC,
    FAMILY,
    METADATA,
)
from adapters.wco_goods import read_goods
from adapters.wco_parts import (
    WRAPPERS,
    add_vehicles,
    payloads,
    read_documents,
    read_equipment,
    read_identifiers,
    read_parties,
    read_place,
    read_transport,
)
from adapters.wco_values import moment
from adapters.xml_repair import root_of
from schemas import Message, Shipment
from schemas.base import present
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, TranslationError
from schemas.shipment import Scheme

# The name spaces of the model, in any version and any nation's profile.
_WCO = "urn:wco:datamodel:"
# The consignment's key, best first: what most documents about it share.
KEYS: tuple[Scheme, ...] = (
    "ucr", "mrn", "transport-document", "lrn", "certificate", "container", "other", "equipment", "seal",
)  # fmt: skip


class Declarations:
    """WCO DEC. A file may hold several declarations; each becomes one message."""

    name = "wco-dec"
    title = "WCO Data Model 3.6 declaration (DEC)"
    can_read = True
    can_write = False
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """Go by the Declaration element and its wrapper; of broken XML by the names in its first part."""
        return recognise_wco(document, "Declaration", "DEC", DEC)

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every declaration; a fault in one refuses the file, as its sender will send it whole again."""
        findings = Findings()
        root = root_of(document, findings)
        declarations = payloads(root, "Declaration")
        if not declarations:
            findings.fault("no-declaration", place_of(root), "there is no Declaration in it")
        for declaration in declarations:
            check_namespaces(declaration, DEC, findings)
        return read_each(declarations, _draft, findings, origin)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: a declaration is the trader's to make."""
        raise TranslationError([Fault("cannot-write", "", "wco-dec is read only")])


def recognise_wco(document: Document, payload: str, type_name: str, uri: str) -> float:
    """Say how sure it is that a document is MetaData with such a payload, or the bare payload."""
    if not document.looks_like_xml:
        return 0.0
    try:
        root = document.xml
    except TranslationError:
        start = document.content[:8192].replace(b"\x00", b"")
        wrapped = b"urn:wco:datamodel:" in start or b"WCODataModelVersionCode" in start
        return 0.7 if wrapped and re.search(rf"<(\w+:)?{payload}[\s>]".encode(), start) else 0.0
    if local_name(root) == payload:
        if namespace(root) == uri:
            return 1.0
        if payload == "Declaration" and namespace(root).startswith(_WCO):
            return 0.7
        return 0.6 if not namespace(root) and child(root, "FunctionCode") is not None else 0.0
    found = payloads(root, payload)
    if found:
        return 1.0 if namespace(found[0]) in (uri, "") else 0.9
    named = namespace(root) == METADATA and text(root, "WCOTypeName") == type_name
    return 0.8 if named else 0.0


def check_namespaces(element: Element, uri: str, findings: Findings) -> None:
    """Warn of a payload or wrapper whose namespace is not the profile's: read by local name all the same."""
    given = namespace(element)
    if given != uri:
        said = "another namespace than" if given else "no namespace instead of"
        findings.warn_at("namespace", element, f"{said} {uri}")
    wrapper = element.getparent()
    if wrapper is not None and local_name(wrapper) not in WRAPPERS:
        findings.warn_at("wrapper", wrapper, "the prefix has run into the name MetaData")


def read_each(
    elements: list[Element], draft_of: Callable[[Element, Findings, Origin], Draft | None], findings: Findings,
    origin: Origin,
) -> Reading:  # fmt: skip
    """Read the documents within a file, each into one draft; where there are faults all of them are raised."""
    drafts = []
    for element in elements:
        drafts.append(draft_of(element, findings, origin))
        if len(findings.faults) > MAX_FAULTS:
            break
    findings.settle()
    return Reading(tuple(draft for draft in drafts if draft is not None), tuple(findings.warnings))


def subject_of(identifiers: Identifiers) -> str:
    """Return the consignment's key, best scheme first."""
    return (identifiers.first(*KEYS) or "")[:256]


def _draft(declaration: Element, findings: Findings, origin: Origin) -> Draft | None:
    type_ = _type(declaration, findings, origin)
    identifiers = read_identifiers(declaration, findings, origin.profile)
    add_vehicles(identifiers, declaration, findings)
    if not identifiers:
        findings.fault(
            "no-identifier", place_of(declaration), "none of UCR, ID, FunctionalReferenceID, document or equipment"
        )
    issued = moment(child(declaration, "IssueDateTime"), findings, origin)
    happened = moment(child(declaration, "AcceptanceDateTime"), findings, origin) or issued
    occurred, assumed = happened or (origin.received, False)
    if not identifiers or type_ is None:
        return None
    body = Shipment(
        identifiers=identifiers.as_list(),
        occurred=occurred,
        **present(
            zone_assumed=assumed or None,
            place=read_place(declaration, findings),
            transport=read_transport(declaration, findings, origin.profile),
            parties=read_parties(declaration, findings),
            goods=read_goods(declaration, findings),
            equipment=read_equipment(declaration),
            documents=read_documents(declaration),
        ),
    )
    return Draft(type_, subject_of(identifiers), issued[0] if issued else origin.received, body)


def _type(declaration: Element, findings: Findings, origin: Origin) -> str | None:
    element = child(declaration, "FunctionCode")
    code = text(element)
    if element is None or code is None:
        findings.warn_at("function-missing", declaration, "FunctionCode (WCO 017) is mandatory; read as an original")
        return "shipment.declared"
    if re.fullmatch(r"0*[1-9][0-9]?", code) is None:
        findings.fault("function-code", place_of(element), "FunctionCode (WCO 017) is a number of UNTDID 1225")
        return None
    meaning = origin.profile.table(FAMILY, "declaration").get(code.lstrip("0"), "shipment.amended")
    if meaning == "request":
        return _request_type(declaration, element, findings, origin)
    if meaning == "repeated":
        findings.warn_at("repeated", element, f"function {code.lstrip('0')}: a copy of what was sent before")
        return "shipment.declared"
    return str(meaning)


def _request_type(declaration: Element, element: Element, findings: Findings, origin: Origin) -> str:
    kind = (text(declaration, "TypeCode") or "").upper()
    types = origin.profile.table(FAMILY, "request")
    if kind in types:
        return str(types[kind])
    # An additional message of a kind unknown here still changes what was declared.
    findings.warn_at(
        "request-type",
        element,
        f"function 13 with a TypeCode other than {', '.join(types)}; read as an amendment",
    )
    return "shipment.amended"
