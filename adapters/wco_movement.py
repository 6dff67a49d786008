"""Reads the movements that ports and warehouses report to customs: inventory linking, arrivals and departures.

Owns the message codes EAA, EAL and EDL of exports and the goods arrival of imports. Never reads a
consolidation (CST, EAC): it joins references and moves no goods.
"""

from adapters.document import (
    Document,
    Element,
    Findings,
    Identifiers,
    Origin,
    child,
    local_name,
    place_of,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading
from adapters.wco_dec import read_each, subject_of
from adapters.wco_parts import led_locode, plain_locode
from adapters.wco_values import moment, short
from adapters.xml_repair import root_of
from schemas import Message, Shipment
from schemas.base import present
from schemas.errors import Fault, TranslationError
from schemas.shipment import Means, Place, Transport

_EXPORT, _IMPORT = "inventoryLinkingMovementRequest", "inventoryLinkingImportsGoodsArrival"
# messageCode: the event and whether it has happened yet.
_EVENTS = {
    "EAA": ("shipment.arrived", "planned"),
    "EAL": ("shipment.arrived", "actual"),
    # A retrospective arrival, told after the fact.
    "RET": ("shipment.arrived", "actual"),
    "EDL": ("shipment.departed", "actual"),
}


class Movements:
    """Inventory linking. Each movement request becomes one message."""

    name = "inventory-linking"
    title = "HMRC inventory linking movement (EAA, EAL, EDL, goods arrival)"
    can_read = True
    can_write = False
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """Go by the name of the request, which no other format has."""
        if not document.looks_like_xml:
            return 0.0
        try:
            return 1.0 if _movements(document.xml) else 0.0
        except TranslationError:
            start = document.content[:8192].replace(b"\x00", b"")
            return 0.7 if _EXPORT.encode() in start or _IMPORT.encode() in start else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every movement."""
        findings = Findings()
        root = root_of(document, findings)
        movements = _movements(root)
        if not movements:
            findings.fault("no-movement", place_of(root), f"there is neither {_EXPORT} nor {_IMPORT} in it")
        return read_each(movements, _draft, findings, origin)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: movements are the port's to report."""
        raise TranslationError([Fault("cannot-write", "", "inventory-linking is read only")])


def _movements(root: Element) -> list[Element]:
    return list(root.iter(f"{{*}}{_EXPORT}", f"{{*}}{_IMPORT}"))


def _draft(movement: Element, findings: Findings, origin: Origin) -> Draft | None:
    event = _event(movement, findings)
    identifiers = Identifiers()
    identifiers.add("ucr", text(movement, "ucrBlock", "ucr"))
    identifiers.add("ucr", text(movement, "masterUCR"))
    identifiers.add("mrn", text(movement, "entryNumber"))
    identifiers.add("ucr", text(movement, "inventoryConsignmentReference"))
    identifiers.add("other", text(movement, "movementReference"))
    if not identifiers:
        findings.fault("no-identifier", place_of(movement), "it names neither a UCR nor an entry")
    if event is None or not identifiers:
        return None
    type_, classifier = event
    element = child(movement, "goodsDepartureDateTime" if type_ == "shipment.departed" else "goodsArrivalDateTime")
    occurred, assumed = moment(element, findings, origin) or (origin.received, False)
    details = child(movement, "transportDetails")
    means = short(text(details, "transportID"))
    mode = text(details, "transportMode")
    transport = present(
        mode=mode if mode and len(mode) == 1 and mode in "123456789" else None,
        means=Means(scheme="other", value=means) if means else None,
    )
    body = Shipment(
        identifiers=identifiers.as_list(),
        occurred=occurred,
        **present(
            zone_assumed=assumed or None,
            classifier=classifier if classifier != "actual" else None,
            place=_place(movement),
            transport=Transport(**transport) if transport else None,
        ),
    )
    return Draft(type_, subject_of(identifiers), occurred, body)


def _event(movement: Element, findings: Findings) -> tuple[str, str] | None:
    if local_name(movement) == _IMPORT:
        return _EVENTS["EAL"]
    element = child(movement, "messageCode")
    event = _EVENTS.get((text(element) or "").upper())
    if event is None:
        place = place_of(element if element is not None else movement)
        findings.fault("message-code", place, f"messageCode is one of {', '.join(_EVENTS)}")
    return event


def _place(movement: Element) -> Place | None:
    """A goods location of DE 5/23 in one string: country, type, qualifier, and a code that may hold a UN/LOCODE."""
    code = (text(movement, "goodsLocation") or "").upper()
    if not code:
        return None
    locode = code if plain_locode(code, None, alone=True) else led_locode(code[4:], code[:2], code[3:4])
    found = present(locode=locode, facility=short(code[4:] or code) if code != locode else None)
    if "locode" in found:
        found["country"] = found["locode"][:2]
    return Place(**found)
