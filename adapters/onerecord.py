"""IATA ONE Record, air cargo: logistics events and notifications as events of a shipment.

Owns the mapping of LogisticsEvent and StatusUpdateEvent (data model 3), of the objects that they are about,
and of the API's Notification. Never follows a link out of the document: an object that is only linked is
known by its IRI alone.
"""

import re
from collections import deque
from datetime import datetime
from itertools import islice
from typing import Any

from adapters.document import Document, Findings, Identifiers, Origin, read_time
from adapters.jsonld import Graph, Node, local
from adapters.observed import IATA_STATUS
from adapters.profile import NEUTRAL, Profile
from adapters.records import has_byte_order_mark, json_of, looks_like_json
from adapters.translator import Draft, Reading, Translator
from schemas import Message, Shipment
from schemas.base import present
from schemas.codes import is_locode, normal_identifier
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision, Equipment, Goods, Party, Place, Transport
from schemas.shipment import Document as Paper

_SIGN = re.compile(rb"onerecord\.iata\.org/(?:ns/)?(?:cargo|api|Event)|\"cargo:LogisticsEvent\"|\"api:Notification\"")
_STARTS = (b"onerecord.iata.org/", b'"cargo:LogisticsEvent"', b'"api:Notification"')
# The last is what all of the vocabularies before 2023 stand under.
_VOCABULARIES = {
    "cargo": "https://onerecord.iata.org/ns/cargo#",
    "api": "https://onerecord.iata.org/ns/api#",
    "iata": "https://onerecord.iata.org/",
}
_EVENTS = ("LogisticsEvent", "StatusUpdateEvent")
# The same before 2023, when it was a name of many things: one with a code is an event.
_EVENT_BEFORE = "Event"
# Where an event says what it is about: from the standard of 2023 on, and before.
_ABOUT = ("eventFor", "linkedObject", "linkedPiece", "linkedUld", "hasLogisticsObject")
_OF_EVENT = re.compile(r"(.+)/(?:logistics-)?events/[^/]+/?$")
MAX_EVENTS = 1000
# What an event's object leads to: its shipment, waybill, pieces, load units.
_LEADS = ("ofShipment", "shipment", "waybill", "houseWaybills", "masterWaybill", "pieces", "containedPieces", "inPiece",
          "loadedIn", "inUnitComposition", "loadingUnit", "loadedUnits", "onTransportMeans")  # fmt: skip
MAX_OBJECTS = 200
_KILOGRAMS = {"KGM": 1.0, "GRM": 1e-3, "TNE": 1000.0, "LBR": 0.45359237}


class OneRecord:
    """The translator."""

    name = "iata-one-record"
    title = "IATA ONE Record, logistics events and notifications, JSON-LD"
    can_read = True
    can_write = False
    suffix = ".json"

    def recognise(self, document: Document) -> float:
        """By ONE Record's name spaces, or its two types under their usual prefixes."""
        if not looks_like_json(document):
            return 0.0
        # A look for each is ten times as fast as one for all, and most documents have none.
        signed = any(start in document.content for start in _STARTS)
        return 0.9 if signed and _SIGN.search(document.content) is not None else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every event and notification; what is neither tells nothing that happened, and is refused."""
        findings = Findings()
        if has_byte_order_mark(document):
            findings.warn("byte-order-mark", "/", "JSON is UTF-8 without a byte-order mark (RFC 8259, section 8.1)")
        graph = Graph(json_of(document), _VOCABULARIES, findings)
        drafts: list[Draft] = []
        events = [
            one for one in graph.of_type(*_EVENTS, _EVENT_BEFORE) if one.is_a(*_EVENTS) or "eventCode" in one.fields
        ]
        notes = list(graph.of_type("Notification"))
        if len(events) + len(notes) > MAX_EVENTS:
            findings.fault("too-many", "/", f"more than {MAX_EVENTS} events")
            findings.settle()
        holders = graph.holders("events", "hasLogisticsEvent", "logisticsEvents")
        known = any("eventCode" in event.fields for event in events)
        for event in events:
            # An event that a notification or an object only links to is told elsewhere.
            if event.fields or not known:
                draft = _event(event, holders, origin, findings)
                drafts += [draft] if draft is not None else []
        for note in notes:
            draft = _notification(note, origin, findings)
            drafts += [draft] if draft is not None else []
        if not events and not notes:
            detail = "holds neither a logistics event nor a notification: nothing happened to a shipment"
            findings.fault("no-event", "/", detail)
        if drafts:
            for fault in findings.faults:
                findings.warn(f"not-read-{fault.code}"[:64], fault.pointer, fault.detail)
            findings.faults.clear()
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: a carrier's server holds its events."""
        raise TranslationError([Fault("not-expressible", "/type", "iata-one-record is read only")])


def _codes(origin: Origin, section: str) -> Any:
    return origin.profile.table("onerecord", section) or NEUTRAL.table("onerecord", section)


def _event(event: Node, holders: dict[int, list[Node]], origin: Origin, findings: Findings) -> Draft | None:
    code = local(event.text("eventCode", "code", limit=256) or "")
    kind = _codes(origin, "status").get(code.upper())
    if kind is None:
        detail = "tells no event of a shipment: not a status code of one" if code else "an event has a code"
        findings.fault("event-code", f"{event.place}/eventCode", detail)
        return None
    objects = _objects(event, holders, findings)
    identifiers = Identifiers()
    for one in objects:
        _identify(one, identifiers)
    named = _OF_EVENT.match(event.id or "")
    if named is not None and not identifiers:
        identifiers.add("other", named[1], "ONE Record")
    if not identifiers:
        findings.fault("no-identifier", f"{event.place}/eventFor", "does not say what it is about")
        return None
    moment, assumed = _time(event, origin, findings, "eventDate", "occuredAt", "dateTime", "creationDate")
    told, told_assumed = _time(event, origin, Findings(), "creationDate", "eventDate", "occuredAt", "dateTime")
    authority = _codes(origin, "authority").get(code.upper())
    planned = "planned" if code.upper() in _codes(origin, "planned") else None
    stated = _codes(origin, "time").get(local(event.text("eventTimeType", "eventTypeIndicator") or ""))
    reporter = _organisation(event, "recordingOrganization", "recordedBy")
    fields: dict[str, Any] = _cargo(objects)
    if authority:
        said = " ".join(filter(None, (code, event.text("eventName"))))
        by = reporter.name or reporter.id if reporter is not None else None
        reason = f"{said}; reported by {by}" if by else said
        fields["decision"] = Decision(authority=authority, outcome=kind.partition(".")[2], reason=reason)
    _tell_own(kind, code.upper(), fields)
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=(assumed or told_assumed) or None,
            classifier=planned or (stated if stated != "actual" else None),
            place=_place(event),
            transport=_transport(event, objects),
            parties=[reporter] if reporter is not None else None,
            **fields,
        )
    )
    subject = identifiers.first("transport-document", "ucr", "other", "equipment") or identifiers.as_list()[0].value
    return Draft(kind, subject, told, data)


def _tell_own(kind: str, code: str, fields: dict[str, Any]) -> None:
    """Have IATA's own code go along where ours says no more than that something about the shipment has changed."""
    if kind == "shipment.amended":
        fields["documents"] = [*fields.get("documents", ()), Paper(type=IATA_STATUS, id=code)]


def _notification(note: Node, origin: Origin, findings: Findings) -> Draft | None:
    """Read a notification of the API, where it says that something about a shipment is new or other."""
    told = local(note.text("hasEventType", "eventType", limit=256) or "")
    kind = _codes(origin, "notification").get(told)
    about = local(note.text("hasLogisticsObjectType") or "")
    objects = note.nodes("hasLogisticsObject")
    if not about:
        about = next((one for each in objects for one in each.types), "")
    if kind is None or about not in _codes(origin, "subject"):
        if told == "LOGISTICS_EVENT_RECEIVED" and any(one.fields for one in note.nodes("hasLogisticsEvent")):
            return None
        detail = "tells nothing of a shipment that can be known without asking its server"
        findings.fault("notification", f"{note.place}/hasEventType", detail)
        return None
    identifiers = Identifiers()
    reached = _reach(objects, findings)
    for one in reached:
        _identify(one, identifiers)
    if not identifiers:
        findings.fault("no-identifier", f"{note.place}/hasLogisticsObject", "does not say what it is about")
        return None
    findings.warn("missing", note.place, "a notification has no time; when it was received stands in")
    fields = _cargo(reached)
    _tell_own(kind, told, fields)
    data = Shipment(
        **present(identifiers=identifiers.as_list(), occurred=origin.received, transport=Transport(mode="4"), **fields)
    )
    subject = identifiers.first("transport-document", "other", "equipment") or identifiers.as_list()[0].value
    return Draft(kind, subject, origin.received, data)


def _objects(event: Node, holders: dict[int, list[Node]], findings: Findings) -> list[Node]:
    """What an event is about: what it names, else what holds it; and all that this leads to."""
    named = event.nodes(*_ABOUT)
    for holder in [] if named else holders.get(id(event), []):
        named += holder.nodes(*_ABOUT) if holder.is_a("Notification") else [holder]
    return _reach(named, findings)


def _reach(start: list[Node], findings: Findings) -> list[Node]:
    """These nodes and those that they lead to, each once, nearest first."""
    found: dict[int, Node] = {}
    waiting = deque(start)
    while waiting:
        node = waiting.popleft()
        if id(node) in found:
            continue
        if len(found) == MAX_OBJECTS:
            findings.warn("cut", node.place, f"more than {MAX_OBJECTS} objects of one event: the rest is not carried")
            break
        found[id(node)] = node
        leads = (one for name in _LEADS for one in node.fields.get(name, ()) if isinstance(one, Node))
        waiting.extend(islice(leads, MAX_OBJECTS + 1))
    return list(found.values())


def _identify(node: Node, identifiers: Identifiers) -> None:
    """Take what an object is known by: waybill, load unit, piece, else its IRI."""
    number = node.text("waybillNumber", limit=64)
    if number is not None:
        prefix = re.sub(r"\D", "", node.text("waybillPrefix", limit=16) or "")
        whole = re.fullmatch(r"([0-9]{3})?-?([0-9]{8})", "".join(number.split()))
        before = prefix or (whole[1] if whole else "") or ""
        serial = whole[2] if whole else number
        identifiers.add("transport-document", f"{before}-{serial}" if before else serial, "IATA")
    unit = _unit(node)
    if unit is not None:
        identifiers.add("equipment", unit)
    for seal in [*node.texts("sealNumber"), *node.texts("seal")][:20]:
        identifiers.add("seal", seal)
    identifiers.add("other", node.text("upid", limit=256), "UPID")
    # A blank node's name means nothing outside the document.
    if node.id and not node.id.startswith(("_:", "internal:")):
        identifiers.add("other", node.id.partition("?")[0], "ONE Record")


def _unit(node: Node) -> str | None:
    """A load unit's identification: type, serial number, owner."""
    serial = node.text("uldSerialNumber", "serialNumber", limit=32)
    if serial is None or not node.is_a("ULD", "LoadingUnit"):
        return None
    parts = (node.text("uldTypeCode", limit=16), serial, node.text("ownerCode", limit=16))
    return normal_identifier("".join(filter(None, parts)))


def _cargo(objects: list[Node]) -> dict[str, Any]:
    """Goods, load units and papers of what an event is about."""
    shipments = [node for node in objects if node.is_a("Shipment")]
    pieces = [node for node in objects if node.is_a("Piece")]
    goods: list[Goods] = []
    for node in shipments or pieces:
        found = present(
            description=node.text("goodsDescription", limit=8192),
            gross_mass_kg=_kilograms(node, "totalGrossWeight", "grossWeight"),
            packages=len(node.fields.get("pieces", ())) or None,
            hs=_hs(node),
        )
        if found:
            goods.append(Goods(**found))
    units = [unit for node in objects if (unit := _unit(node)) is not None]
    papers = []
    for node in objects:
        number = node.text("waybillNumber", limit=64)
        if number is not None:
            kind = NEUTRAL.table("onerecord", "waybill").get((node.text("waybillType") or "").upper(), "740")
            prefix = node.text("waybillPrefix", limit=16)
            papers.append(Paper(type=kind, id=f"{prefix}-{number}" if prefix else number))
    return present(
        goods=list(dict.fromkeys(goods)),
        equipment=[Equipment(number=unit, type="ULD") for unit in dict.fromkeys(units)],
        documents=list(dict.fromkeys(papers)),
    )


def _kilograms(node: Node, *names: str) -> float | None:
    for value in node.nodes(*names):
        number = value.text("numericalValue", "value", limit=32) or ""
        factor = _KILOGRAMS.get(local(value.text("unit", limit=256) or ""))
        if factor is not None and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,9})?(E[0-9])?", number):
            return float(number) * factor
    return None


def _hs(node: Node) -> str | None:
    for product in [node, *node.nodes("contentProducts")]:
        digits = re.sub(r"[\s.]", "", product.text("hsCode", limit=64) or "")
        if re.fullmatch(r"[0-9]{2,14}", digits):
            return digits
    return None


def _place(event: Node) -> Place | None:
    """Where it happened: an airport's three letters name a facility, five are a UN/LOCODE."""
    for location in event.nodes("eventLocation", "recordedAtLocation", "location"):
        given = [location.text("locationCode", limit=64)]
        given += [one.text("code", limit=64) or local(one.id or "") for one in location.nodes("locationCodes")]
        codes = [normal_identifier(one) for one in given if one]
        locode = next((one for one in codes if is_locode(one)), None)
        airport = next((one for one in codes if re.fullmatch(r"[A-Z]{3}", one)), None)
        found = present(
            locode=locode,
            country=locode[:2] if locode else None,
            name=location.text("locationName", "name"),
            facility=airport,
        )
        if found:
            return Place(**found)
    return None


def _transport(event: Node, objects: list[Node]) -> Transport:
    movements = [*event.nodes("transportMovementReference"), *(one for one in objects if one.is_a("TransportMovement"))]
    flight = next((said for one in movements if (said := one.text("transportIdentifier"))), None)
    return Transport(**present(mode="4", voyage=flight))


def _organisation(event: Node, *names: str) -> Party | None:
    for one in event.nodes(*names):
        given = one.text("name", "shortName")
        code = one.text("iataCargoAgentCode", "airlineCode", "prefix") or (one.id or "")[:512].strip()
        found = present(name=given, id=code)
        if found:
            return Party(role="reporting-organisation", **found)
    return None


def _time(event: Node, origin: Origin, findings: Findings, *names: str) -> tuple[datetime, bool]:
    """The first legible of these times; when it was received stands in, with a warning."""
    for name in names:
        said = event.text(name, limit=64)
        found = read_time(said, origin.zone) if said else None
        if found is not None:
            return found
        if said:
            findings.warn("time", f"{event.place}/{name}", "not a date-time of ISO 8601: not carried")
    findings.warn("missing", event.place, "no legible time; when it was received stands in")
    return origin.received, False


TRANSLATORS: tuple[Translator, ...] = (OneRecord(),)
