"""Writes a shipment decision as a WCO response (RES 3.6, profile DMS 2) that is valid under its schema.

Owns the order of elements and the length of each, and which function code an event goes out under.
Never writes a time of its own or anything by chance: the same message gives the same bytes.
"""

import hashlib
import re
from datetime import UTC, datetime, time, timedelta
from typing import Any

from lxml import etree

from adapters.document import Element
from adapters.observed import refuse_observed
from adapters.profile import Profile
from adapters.wco_codes import (
    EVENT_LIST,
    METADATA,
    RES,
    RES_DS,
    WORD_BY_TYPE,
    Responses,
    responses_of,
)
from adapters.wco_error import ErrorLine
from adapters.wco_res_data import MAX_SEQUENCE, SCHEMES, add, fitting, one_line, write_data
from schemas import Message, ShipmentMessage
from schemas.errors import Fault, TranslationError
from schemas.shipment import Identifier, Shipment

# WCO classes: declaration, goods shipment, goods item.
DECLARATION_SECTION, SHIPMENT_SECTION, ITEM_SECTION = "42A", "67A", "68A"
# What a canonical reason holds.
MAX_REASON = 8192
# UNTDID 4451: additional information.
_REMARK = "ACB"
# VersionID has nine characters.
_MAX_VERSION = 10**9 - 1


def write_response(message: Message, profile: Profile) -> bytes:
    """Write the message; see `Translator.write` for what is raised."""
    if not isinstance(message, ShipmentMessage):
        raise TranslationError([Fault("no-words", "/type", "RES has words for shipment events only")])
    known = responses_of(profile)
    if message.type not in known.by_type or message.type not in WORD_BY_TYPE:
        words = ", ".join(sorted(known.by_type))
        raise TranslationError([Fault("no-words", "/type", f"RES has words for {words} only")])
    body = message.data
    if observed := refuse_observed(body):
        raise TranslationError(observed)
    if not fitting(body.identifiers, *SCHEMES):
        raise TranslationError(
            [Fault("no-identifier", "/data/identifiers", "none of them fits into the lengths that RES has")]
        )
    outcome = body.decision.outcome if body.decision else message.type.partition(".")[2]
    code = _function_code(message.type, outcome, known)
    nsmap: Any = {"md": METADATA, "ds": RES_DS, None: RES}
    root: Element = etree.Element(f"{{{METADATA}}}MetaData", nsmap=nsmap)
    add(root, METADATA, "WCODataModelVersionCode", "3.6")
    add(root, METADATA, "WCOTypeName", "RES")
    add(root, METADATA, "ResponsibleCountryCode", message.source[:2].upper())
    authority = body.decision.authority if body.decision and body.decision.authority else message.source
    add(root, METADATA, "ResponsibleAgencyName", one_line(authority) or message.source)
    _response(root, message, body, code, outcome, profile)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def _function_code(type_: str, outcome: str, known: Responses) -> str:
    code, _ = known.statuses.get(outcome, ("", ""))
    if code and known.events[code][0] == type_:
        return code
    return known.by_event.get((type_, outcome)) or known.by_type[type_]


def _response(
    root: Element, message: ShipmentMessage, body: Shipment, code: str, outcome: str, profile: Profile
) -> None:
    known = responses_of(profile)
    response = add(root, RES, "Response")
    add(response, RES, "FunctionCode", code)
    # The response's own reference, so that its receiver knows a repetition: the message's id, which no
    # schema limits to 35 characters.
    reference = message.id.replace("-", "")
    if re.fullmatch(r"[0-9A-Za-z]{1,35}", reference) is None:
        reference = hashlib.sha256(message.id.encode()).hexdigest()[:32]
    add(response, RES, "FunctionalReferenceID", reference)
    _time(response, "IssueDateTime", message.time)
    lines = _lines(body)
    status = known.statuses.get(outcome, ("", ""))
    # A result without the Amendment that was made of it reads as that of a control.
    kind = known.events[code][0]
    plain = kind != "shipment.amended" and (known.events[code] == (message.type, outcome) or status[0] == code)
    if not plain:
        information = add(response, RES, "AdditionalInformation")
        statement = add(information, RES, "StatementCode", WORD_BY_TYPE[message.type])
        statement.set("listID", EVENT_LIST)
        statement.set("name", outcome)
        add(information, RES, "StatementTypeCode", _REMARK)
    if kind == "shipment.rejected":
        for line in lines:
            _error(response, line)
    else:
        for line in lines:
            information = add(response, RES, "AdditionalInformation")
            add(information, RES, "StatementDescription", line)
            add(information, RES, "StatementTypeCode", _REMARK)
    told = known.moments.get(code)
    _status(response, body, told, status[1] if status[0] == code else "")
    write_data(response, body, _header(response, body, told), profile)


def _lines(body: Shipment) -> list[str]:
    reason = body.decision.reason if body.decision and body.decision.reason else ""
    return [line for raw in reason.splitlines() if (line := one_line(raw))]


def _error(response: Element, line: str) -> None:
    """Write a line of the reader's own form as code and pointers, any other as a description."""
    element = add(response, RES, "Error")
    error = ErrorLine.parse(line)
    if error is None:
        add(element, RES, "Description", line)
        return
    if error.description:
        add(element, RES, "Description", error.description)
    if error.code:
        add(element, RES, "ValidationCode", error.code)
    for step in error.steps:
        pointer = add(element, RES, "Pointer")
        for name, value in zip(("DocumentSectionCode", "SequenceNumeric", "TagID"), step, strict=True):
            if value:
                add(pointer, RES, name, value)
        # The schema has the number before the section.
        pointer[:] = sorted(pointer, key=lambda one: ("Seq", "Doc", "Tag").index(etree.QName(one).localname[:3]))


def _status(response: Element, body: Shipment, told: str | None, name: str) -> None:
    item = body.decision.item if body.decision else None
    status: Element = etree.Element(f"{{{RES}}}Status")
    if told is None:
        _time(status, "EffectiveDateTime", body)
    if name:
        add(status, RES, "NameCode", name)
    if told == "release":
        _time(status, "ReleaseDateTime", body)
    if item is not None and item <= MAX_SEQUENCE:
        for section in (DECLARATION_SECTION, SHIPMENT_SECTION):
            add(add(status, RES, "Pointer"), RES, "DocumentSectionCode", section)
        pointer = add(status, RES, "Pointer")
        add(pointer, RES, "SequenceNumeric", str(item))
        add(pointer, RES, "DocumentSectionCode", ITEM_SECTION)
    if len(status):
        response.append(status)


def _header(response: Element, body: Shipment, told: str | None) -> list[Identifier]:
    """Write which declaration it is about; return the references it names.

    The element is mandatory, all that it holds is not.
    """
    declaration = add(response, RES, "Declaration")
    lrn, mrn = fitting(body.identifiers, "lrn")[:1], fitting(body.identifiers, "mrn")[:1]
    if told == "acceptance":
        _time(declaration, "AcceptanceDateTime", body)
    if told == "cancellation":
        _time(declaration, "CancellationDateTime", body)
    for one in lrn:
        add(declaration, RES, "FunctionalReferenceID", one.value)
    for one in mrn:
        add(declaration, RES, "ID", one.value)
    if told == "rejection":
        _time(declaration, "RejectionDateTime", body)
    version = body.decision.version if body.decision else None
    if version is not None and version <= _MAX_VERSION:
        add(declaration, RES, "VersionID", str(version))
    return [*lrn, *mrn]


def _time(parent: Element, name: str, of: Shipment | datetime) -> None:
    """Write a moment as the schema has it: the years 2000 to 2099, whole seconds, Z or an offset of whole hours.

    A date that was read without a zone goes out as a date again (format 102); what cannot be said is left out.
    """
    moment = of if isinstance(of, datetime) else of.occurred
    offset = moment.utcoffset() or timedelta()
    try:
        if offset % timedelta(hours=1):
            moment, offset = moment.astimezone(UTC), timedelta()
    except OverflowError:
        return
    if not 2000 <= moment.year <= 2099:
        return
    dated = isinstance(of, Shipment) and of.zone_assumed and moment.time() == time()
    hours = offset // timedelta(hours=1)
    zone = "Z" if not hours else f"{'-' if hours < 0 else '+'}{abs(hours):02}"
    value = f"{moment:%Y%m%d}" if dated else f"{moment:%Y%m%d%H%M%S}{zone}"
    element = add(add(parent, RES, name), RES_DS, "DateTimeString", value)
    element.set("formatCode", "102" if dated else "304")
