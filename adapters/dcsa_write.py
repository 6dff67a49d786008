"""Writes messages as DCSA Track & Trace 3.0 events, in the shape of a POST /events request.

Owns which of the three kinds of event says it, and what an event must name. DCSA's schema requires nothing;
what an event says nothing without (the container, the document, the place and the means) is required here, and a
message that lacks it is refused. Never invents: no code list, no container type, no routing.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from adapters.dcsa_events import INBOUND
from adapters.dcsa_values import CALL, CARRIER, FAMILY, VISIT
from adapters.observed import DCSA_EVENT, own_word
from adapters.profile import Profile
from schemas import Message, Shipment
from schemas.base import present, rfc3339
from schemas.errors import Fault, TranslationError
from schemas.shipment import Document, Equipment

_MAX_TIME = 30
_FACILITY = re.compile(r"([A-Z]{2,10}):(.{1,6})", re.DOTALL)
# SMDG's liner codes have three characters, the NMFTA's standard carrier alpha codes two to four letters.
_SMDG, _NMFTA = re.compile(r"[A-Z0-9]{3}"), re.compile(r"[A-Z]{4}")


def write_events(message: Message, profile: Profile) -> bytes:
    """Write one message: an event, or one for each container of an equipment event.

    Raises:
        TranslationError: DCSA has no word for it, or it lacks what its event must name.
    """
    body = message.data
    if not isinstance(body, Shipment):
        raise TranslationError([Fault("not-expressible", "/type", "Track & Trace has shipment events only")])
    word = message.type.removeprefix("shipment.")
    faults: list[Fault] = []
    kind, code = _kind(word, body, profile, faults)
    if faults:
        raise TranslationError(faults)
    boxes: list[Equipment | None] = list(_boxes(body)) if kind == "EQUIPMENT" else [None]
    events = []
    for number, box in enumerate(boxes, 1):
        event = {
            "eventID": message.id if len(boxes) == 1 else f"{message.id}-{number}",
            "eventDateTime": _time(body.occurred),
            "eventUpdatedDateTime": _time(message.time),
            "eventLocation": _location(body),
            "eventClassification": {
                "eventTypeCode": kind,
                "eventClassifierCode": _reverse(profile, "classifier")[body.classifier or "actual"],
                f"{kind.lower()}EventTypeCode": code,
            },
            "shipmentDetails": _shipment(body, box, kind, code, profile),
            "transportDetails": _transport(body, word in INBOUND, profile),
            "equipmentDetails": _equipment(box, body, profile) if box else None,
        }
        events.append({name: value for name, value in event.items() if value})
    return json.dumps({"events": events}, ensure_ascii=False, indent=1).encode()


def _kind(word: str, body: Shipment, profile: Profile, faults: list[Fault]) -> tuple[str, str]:
    """Choose the kind of event, and its code; what the event lacks is a fault."""
    moves, handles = _reverse(profile, "transport_event"), _reverse(profile, "equipment_event")
    own = own_word(body)
    if own is not None:
        return _kind_at_large(word, own, body, profile, faults)
    if word in moves:
        _check_transport(body, faults)
        return "TRANSPORT", moves[word]
    papers = _primary(word, None, body, profile)
    if word in handles and (body.equipment or papers is None) and _boxes(body):
        _check_boxes(body, faults)
        return "EQUIPMENT", handles[word]
    code = profile.table(FAMILY, "write_shipment").get(word)
    if code is not None:
        if papers is None:
            detail = "a shipment event names the document it is about (documentReference): there is none of a kind"
            faults.append(Fault("missing", "/data/documents", f"{detail} that can be {word}"))
        return "SHIPMENT", str(code)
    if word in handles:
        faults.append(
            Fault("missing", "/data/equipment", "an equipment event names its container (equipmentReference)")
        )
    else:
        faults.append(Fault("not-expressible", "/type", f"Track & Trace 3.0 has no word for {word}"))
    return "EQUIPMENT", ""


def _kind_at_large(word: str, own: str, body: Shipment, profile: Profile, faults: list[Fault]) -> tuple[str, str]:
    """An event whose word says less than its code did goes out under that code, if it would be read as before."""
    kind, _, code = own.partition(" ")
    table = profile.table(FAMILY, "equipment_event")
    known = own == own_word(body, DCSA_EVENT) and profile.table(FAMILY, "event_type").get(kind) == word
    if known and kind == "EQUIPMENT" and table.get(code) == "" and _boxes(body):
        _check_boxes(body, faults)
    elif not (known and kind == "SHIPMENT" and _primary(word, code, body, profile) is not None):
        detail = "Track & Trace 3.0 has no word for it, or more to say of it than the message holds"
        faults.append(Fault("not-expressible", "/type", detail))
    return kind, code


def _check_boxes(body: Shipment, faults: list[Fault]) -> None:
    if any(len(box.number) > 11 for box in _boxes(body)):
        faults.append(Fault("not-expressible", "/data/equipment", "equipmentReference has at most 11 characters"))


def _check_transport(body: Shipment, faults: list[Fault]) -> None:
    if not _location(body):
        faults.append(Fault("missing", "/data/place", "a transport event names its place (eventLocation)"))
    means = body.transport.means if body.transport else None
    if means is None or means.scheme not in ("imo", "name", "wagon", "registration"):
        detail = "a transport event names its vessel, wagon or truck (vesselTransport, railTransport, truckTransport)"
        faults.append(Fault("missing", "/data/transport/means", detail))
    elif means.scheme == "imo" and len(means.value) > 8:
        faults.append(Fault("not-expressible", "/data/transport/means", "vesselIMONumber has at most 8 characters"))


def _boxes(body: Shipment) -> list[Equipment]:
    """The containers of an equipment event; without a list of them, the only one among the identifiers."""
    if body.equipment:
        return body.equipment
    numbers = [one.value for one in body.identifiers if one.scheme == "container"]
    return [Equipment(number=numbers[0])] if len(numbers) == 1 else []


def _papers(body: Shipment, profile: Profile) -> list[Document]:
    """The documents that 3.0 has a type for: those the message lists, then references that join."""
    known = profile.table(FAMILY, "document")
    found = [one for one in body.documents or [] if one.type in known and len(one.id) <= 100]
    listed = {"".join(one.id.split()).upper() for one in body.documents or []}
    for scheme, type_ in (("transport-document", "TRD"), ("mrn", "CUC")):
        for one in body.identifiers:
            if one.scheme == scheme and one.value not in listed and len(one.value) <= 100:
                found.append(Document(type=type_, id=one.value))
    return found


def _primary(word: str, code: str | None, body: Shipment, profile: Profile) -> Document | None:
    """The document a shipment event is about: the first of which its code would be read as this word again.

    `code` is the event's own where our word says less, which has no word in the tables.
    """
    kinds, words = profile.table(FAMILY, "document_kind"), profile.table(FAMILY, "shipment_event")
    meaning = word if code is None else ""
    code = code or profile.table(FAMILY, "write_shipment").get(word)
    for one in _papers(body, profile):
        if words.get(f"{kinds.get(one.type or '')}.{code}") == meaning:
            return one
    return None


def _shipment(body: Shipment, box: Equipment | None, kind: str, code: str, profile: Profile) -> dict[str, Any]:
    papers = _papers(body, profile)
    first = papers[0] if papers else None
    if kind == "SHIPMENT":
        own = code if own_word(body) is not None else None
        first = _primary(_word_of(code, profile), own, body, profile)
    rest = [one for one in papers if one != first]
    types = profile.table(FAMILY, "reference_scheme")
    given: list[dict[str, str | None]] = [
        {"typeCode": "EQ", "reference": one.value}
        for one in body.identifiers
        if one.scheme in ("container", "equipment") and len(one.value) <= 100
        and not (box and one.value == box.number)
    ]  # fmt: skip
    given += [
        {"typeCode": one.type, "reference": one.id}
        for one in body.documents or []
        if one.type in types and len(one.id) <= 100
    ]
    return present(
        documentReference=_paper(first) if first else None,
        additionalDocumentReferences=[_paper(one) for one in rest],
        shipmentReferences=given,
        reason=body.decision.reason if body.decision else None,
    )


def _word_of(code: str, profile: Profile) -> str:
    return _reverse(profile, "write_shipment").get(code, "")


def _paper(paper: Document) -> dict[str, str | None]:
    return {"typeCode": paper.type, "reference": paper.id}


def _location(body: Shipment) -> dict[str, Any]:
    where = body.place
    if where is None:
        return {}
    stated = where.facility or ""
    coded = _FACILITY.fullmatch(stated)
    facility = (
        {"facilityCode": coded[2], "facilityCodeListProvider": coded[1]}
        if coded
        else present(facilityName=stated if len(stated) <= 100 else None)
    )
    apart = where.country if where.locode is None or where.country != where.locode[:2] else None
    return present(
        locationName=where.name[:100].rstrip() if where.name else None,
        address=present(countryCode=apart),
        UNLocationCode=where.locode,
        facility=facility,
    )


def _transport(body: Shipment, inbound: bool, profile: Profile) -> dict[str, Any]:
    moved = body.transport
    ids = {one.type: one.id for one in reversed(body.documents or []) if one.type in (CALL, VISIT)}
    call = present(transportCallReference=ids.get(CALL), portVisitReference=ids.get(VISIT))
    if moved is not None:
        voyage = present(carrierVoyageNumber=moved.voyage)
        carrier = moved.carrier or ""
        provider = "SMDG" if _SMDG.fullmatch(carrier) else "NMFTA" if _NMFTA.fullmatch(carrier) else None
        known = CARRIER.fullmatch(carrier) is not None
        operator = present(operatorCarrierCode=carrier, operatorCarrierCodeListProvider=provider) if known else {}
        call |= present(modeOfTransport=_reverse(profile, "mode").get(moved.mode or ""))
        call |= {f"{'import' if inbound else 'export'}VoyageNumberOrReference": voyage} if voyage else {}
        call |= _means(body, operator)
    return {"transportCall": call} if call else {}


def _means(body: Shipment, operator: dict[str, Any]) -> dict[str, Any]:
    means = body.transport.means if body.transport else None
    vessel: dict[str, Any] = {}
    if means is None or (means.scheme == "imo" and len(means.value) > 8):
        pass
    elif means.scheme == "wagon":
        return {"railTransport": {"railCarReference": means.value[:50]}}
    elif means.scheme == "registration" and len(means.value) <= 15:
        return {"truckTransport": {"tractorDetails": {"licensePlate": means.value}}}
    elif means.scheme in ("imo", "name"):
        vessel = {"vesselIMONumber": means.value} if means.scheme == "imo" else {"vesselName": means.value[:50]}
    vessel |= operator
    return {"vesselTransport": vessel} if vessel else {}


def _equipment(box: Equipment, body: Shipment, profile: Profile) -> dict[str, Any]:
    sources = _reverse(profile, "seal_source")
    issuers = {one.value: one.issuer for one in body.identifiers if one.scheme == "seal"}
    seals = [
        present(number=seal, source=sources.get(issuers.get(seal) or ""))
        for seal in box.seals or []
        if len(seal) <= 15
    ]  # fmt: skip
    type_ = box.type if box.type and len(box.type) <= 4 else None
    return present(equipmentReference=box.number, ISOEquipmentCode=type_, seals=seals)


def _reverse(profile: Profile, section: str) -> dict[str, str]:
    """A table the other way round; of codes with the same meaning the first."""
    found: dict[str, str] = {}
    for code, meaning in profile.table(FAMILY, section).items():
        found.setdefault(str(meaning), code)
    return found


def _time(moment: datetime) -> str:
    """A date-time of at most 30 characters: one that is longer with its offset goes out in UTC."""
    text = rfc3339(moment)
    if len(text) > _MAX_TIME and moment.microsecond % 1000 == 0:
        text = moment.isoformat(timespec="milliseconds")
    return text if len(text) <= _MAX_TIME else rfc3339(moment.astimezone(UTC))
