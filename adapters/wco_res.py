"""Reads and writes customs responses: WCO Data Model 3.6, RES, in the profile DMS 2.

Owns how a response's function code becomes a shipment event with a decision. The way back is in
`wco_res_write`. Never reads what a response says of payment: banks, duties and guarantees stay with customs.
"""

import re
from collections.abc import Iterator

from adapters.document import (
    Document,
    Element,
    Findings,
    Identifiers,
    Origin,
    child,
    children,
    namespace,
    place_of,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading
from adapters.wco_codes import DEC, EVENT_LIST, EVENT_WORDS, RES, responses_of
from adapters.wco_dec import check_namespaces, read_each, recognise_wco, subject_of
from adapters.wco_error import ErrorLine
from adapters.wco_goods import read_goods
from adapters.wco_parts import payloads, read_equipment, read_identifiers
from adapters.wco_res_data import one_line
from adapters.wco_res_write import ITEM_SECTION, MAX_REASON, write_response
from adapters.wco_values import moment, short, whole
from adapters.xml_repair import root_of
from schemas import Message, Shipment
from schemas.base import present, rfc3339
from schemas.shipment import Decision, Identifier, Scheme

# Where the times stand that a profile names, before Status/EffectiveDateTime (380) and the issue.
_MOMENTS = {
    "acceptance": ("Declaration", "AcceptanceDateTime"),
    "rejection": ("Declaration", "RejectionDateTime"),
    "release": ("Status", "ReleaseDateTime"),
    "cancellation": ("Declaration", "CancellationDateTime"),
}
# References come in the order of their schemes, wherever in a response they stood.
_ORDER: tuple[Scheme, ...] = (
    "mrn", "lrn", "ucr", "transport-document", "certificate", "container", "equipment", "seal", "other",
)  # fmt: skip
_OUTCOME = re.compile(r"[a-z][a-z0-9-]{0,63}")


class Responses:
    """WCO RES. Each Response element becomes one message."""

    name = "wco-res"
    title = "WCO Data Model 3.6 response (RES)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """Go by the Response element and its wrapper; of broken XML by the names in its first part."""
        return recognise_wco(document, "Response", "RES", RES)

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every response; a fault in one refuses the file."""
        findings = Findings()
        root = root_of(document, findings)
        responses = payloads(root, "Response")
        if not responses:
            findings.fault("no-response", place_of(root), "there is no Response in it")
        for response in responses:
            check_namespaces(response, RES, findings)
        return read_each(responses, _draft, findings, origin)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write a decision as one Response in its MetaData wrapper."""
        return write_response(message, profile)


def _draft(response: Element, findings: Findings, origin: Origin) -> Draft | None:
    code, event = _event(response, findings, origin)
    header, data = _declarations(response)
    identifiers = _identifiers(header, data, findings, origin.profile)
    if not identifiers:
        findings.fault("no-identifier", place_of(response), "its Declaration has neither ID nor FunctionalReferenceID")
    issued = moment(child(response, "IssueDateTime"), findings, origin)
    if event is None or not identifiers:
        return None
    told = responses_of(origin.profile).moments.get(code)
    happened = (
        moment(child(response, *_MOMENTS[told]), findings, origin) if told is not None else None
    ) or moment(child(response, "Status", "EffectiveDateTime"), findings, origin) or issued  # fmt: skip
    occurred, assumed = happened or (origin.received, False)
    body = Shipment(
        identifiers=identifiers,
        occurred=occurred,
        **present(
            zone_assumed=assumed or None,
            goods=[item for part in data for item in read_goods(part, findings)],
            equipment=[one for part in data for one in read_equipment(part)],
            decision=_decision(response, header, event[1], findings, origin),
        ),
    )
    keys = Identifiers()
    for one in identifiers:
        keys.add(one.scheme, one.value)
    return Draft(event[0], subject_of(keys), issued[0] if issued else origin.received, body)


def _event(response: Element, findings: Findings, origin: Origin) -> tuple[str, tuple[str, str] | None]:
    """Return the function code and (type, outcome); None with a fault where the code has no meaning here."""
    element = child(response, "FunctionCode")
    code = text(element)
    if element is None or code is None:
        findings.fault("function-missing", place_of(response), "FunctionCode (WCO 017) is mandatory")
        return "", None
    code = code.rjust(2, "0")
    known = responses_of(origin.profile)
    if code not in known.events:
        text_ = f"not a function of the profile's responses: {', '.join(known.events)}"
        findings.fault("function-code", place_of(element), text_)
        return code, None
    type_, outcome = known.events[code]
    own = next(_own_statements(response), None)
    if own is not None:
        name = own.get("name") or ""
        return code, (EVENT_WORDS.get(text(own) or "", type_), name if _OUTCOME.fullmatch(name) else outcome)
    if type_ == "shipment.amended" and child(response, "Amendment") is None and not _declarations(response)[1]:
        # A result that changes nothing is that of a control.
        return code, ("shipment.inspected", "inspected")
    status = text(response, "Status", "NameCode") or ""
    return code, (type_, known.outcomes.get((code, status), outcome))


def _own_statements(response: Element) -> Iterator[Element]:
    """Statement codes out of cbm's own list: the event in its own word."""
    for information in children(response, "AdditionalInformation"):
        statement = child(information, "StatementCode")
        if statement is not None and statement.get("listID") == EVENT_LIST:
            yield statement


def _declarations(response: Element) -> tuple[Element | None, list[Element]]:
    """Tell the response's own Declaration (which one it is about) from declaration data that follows it."""
    header, data = None, []
    for number, one in enumerate(children(response, "Declaration")):
        in_dec = namespace(one) == DEC != namespace(response)
        if in_dec or number > 0 or child(one, "FunctionCode") is not None:
            data.append(one)
        else:
            header = one
    return header, data


def _identifiers(header: Element | None, data: list[Element], findings: Findings, profile: Profile) -> list[Identifier]:
    found: dict[tuple[str, str], Identifier] = {}
    for part in (*([header] if header is not None else []), *data):
        for one in read_identifiers(part, findings, profile).as_list():
            found.setdefault((one.scheme, one.value), one)
    return sorted(found.values(), key=lambda one: _ORDER.index(one.scheme))


def _decision(response: Element, header: Element | None, outcome: str, findings: Findings, origin: Origin) -> Decision:
    wrapper = response.getparent()
    authority = short(text(wrapper, "ResponsibleAgencyName")) if wrapper is not None else None
    return Decision(
        outcome=outcome,
        **present(
            authority=authority or origin.agency,
            item=_item(response, findings),
            reason=_reason(response, findings, origin),
            version=whole(child(header, "VersionID"), findings),
        ),
    )


def _item(response: Element, findings: Findings) -> int | None:
    """The one goods item to which all of the statuses point; None where they differ or none does."""
    items = set()
    for status in children(response, "Status"):
        for pointer in children(status, "Pointer"):
            if text(pointer, "DocumentSectionCode") == ITEM_SECTION:
                items.add(whole(child(pointer, "SequenceNumeric"), findings))
    return items.pop() if len(items) == 1 else None


def _reason(response: Element, findings: Findings, origin: Origin) -> str | None:
    """Every statement (03A) and error (53A), one to a line."""
    lines: list[str] = []
    for information in children(response, "AdditionalInformation"):
        statement = child(information, "StatementCode")
        own = statement is not None and statement.get("listID") == EVENT_LIST
        limit = moment(child(information, "LimitDateTime"), findings, origin)
        parts = [
            None if own else text(statement),
            text(information, "StatementDescription"),
            f"until {rfc3339(limit[0])}" if limit else None,
        ]
        lines.append(": ".join(dict.fromkeys(part for part in parts if part)))
    lines += [str(ErrorLine.of(error)) for error in children(response, "Error")]
    kept, length = [], 0
    for line in (one_line(raw) for raw in lines):
        if line and length + len(line) + 1 <= MAX_REASON:
            kept.append(line)
            length += len(line) + 1
        elif line:
            findings.warn_at("too-long", response, f"of its reasons {MAX_REASON} characters are kept")
            break
    return "\n".join(kept) or None
