"""Goods movement records of HMRC's Goods Vehicle Movement Service, as it and the trade imports data API write them.

Owns the mapping of a record: a vehicle's crossing, the declarations it carries, and whether it is to be
inspected. Never knows the routes: their numbers are GVMS's own.
"""

import re
from datetime import datetime

from adapters.defra_parts import Part
from adapters.defra_values import add_container, codes, flag, moment_of, when
from adapters.document import Findings, Identifiers, Origin
from adapters.records import Record, fold
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present
from schemas.codes import normal_identifier
from schemas.shipment import Equipment, Means, Party, Place, Transport

_MRN = re.compile(r"[0-9]{2}[A-Z]{2}[A-Z0-9]{14}")
_UCR = re.compile(r"[0-9][A-Z]{2}.+")
# Ferries and trains take lorries: the mode of the crossing is not told, that of the vehicle is.
_ROAD = "3"


def read_gmr(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    """Read one record: where the vehicle is, and that it is to be inspected where it is."""
    record = part.record
    if record is None:
        return []
    identifiers = Identifiers()
    name = record.text("gmrId", "id", limit=256) or part.reference
    _declarations(record, part, identifiers)
    equipment = _equipment(record, identifiers)
    vehicle = record.text("vehicleRegNum", "vehicleRegistrationNumber", limit=256)
    identifiers.add("equipment", vehicle)
    identifiers.add("other", name, "HMRC GVMS")
    if not identifiers:
        record.fault("no-identifier", "neither its own number nor a declaration nor a vehicle")
        return []
    event = codes(origin.profile, "gmr-state").get(fold(record.text("state", limit=64) or ""))
    if event is None:
        record.warn("status", "not a state of a record: read as announced", "state")
        event = "shipment.declared"
    told, told_assumed = when(record, origin, findings, "updatedDateTime", "updatedSource")
    moment, assumed = _crossing(record, event, origin) or (told, told_assumed)
    haulier = record.text("haulierEORI")
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            classifier="planned" if event == "shipment.declared" else None,
            place=_place(record, event),
            transport=Transport(
                **present(mode=_ROAD, means=Means(scheme="registration", value=vehicle) if vehicle else None)
            ),
            parties=[Party(role="carrier", id=haulier)] if haulier else None,
            equipment=equipment,
        )
    )
    subject = identifiers.first("mrn", "ucr") or normal_identifier(name or "") or identifiers.as_list()[0].value
    drafts = [Draft(event, subject, told, data)]
    if flag(record, "inspectionRequired"):
        selected = data.model_copy(update={"occurred": told, "zone_assumed": told_assumed or None, "classifier": None})
        drafts.append(Draft("shipment.selected-for-inspection", subject, told, selected))
    return drafts


def _declarations(record: Record, part: Part, identifiers: Identifiers) -> None:
    """The declarations that the vehicle carries: MRNs, UCRs outbound, and CHIEF's entry numbers."""
    holder = record.first("declarations") or Record({}, record.findings)
    given = [one.text("id", limit=256) for one in holder.all("customs", "transits")]
    for said in filter(None, [*given, part.around.text("mrn", limit=256), part.reference]):
        normal = normal_identifier(said)
        ucr = _MRN.fullmatch(normal) is None and _UCR.fullmatch(normal) is not None
        identifiers.add("ucr" if ucr else "mrn", normal, None if ucr else "customs")


def _equipment(record: Record, identifiers: Identifiers) -> list[Equipment]:
    found = []
    for container in record.all("containerReferenceNums"):
        said = container.own_text(limit=256)
        if said is not None and (equipment := add_container(said, container, identifiers, [])) is not None:
            found.append(equipment)
    for trailer in record.all("trailerRegistrationNums"):
        said = trailer.own_text(limit=256)
        if said is not None and normal_identifier(said):
            identifiers.add("equipment", said)
            found.append(Equipment(number=normal_identifier(said), type="trailer"))
    return found


def _crossing(record: Record, event: str, origin: Origin) -> tuple[datetime, bool] | None:
    """When the crossing was, in local time of its port; only what is known to have been."""
    crossing = record.first("actualCrossing")
    if event != "shipment.arrived" or crossing is None:
        return None
    return moment_of(crossing, origin, "localDateTimeOfArrival", "arrivesAt")


def _place(record: Record, event: str) -> Place | None:
    """The country that an inbound or outbound vehicle is in; the port is a route's number."""
    direction = fold(record.text("direction") or "")
    inbound = direction == "ukinbound"
    leaving = direction == "ukoutbound" and event in ("shipment.gated-in", "shipment.departed")
    return Place(country="GB") if leaving or (inbound and event == "shipment.arrived") else None
