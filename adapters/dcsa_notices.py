"""Reads two papers of DCSA that are about containers: Arrival Notices 1.0 and Verified Gross Mass 1.0.

An arrival notice tells when a transport document's containers arrive at the port of discharge; a VGM declaration
that a container's mass was declared. Never carries the mass itself: the canonical body has a place for that of the
goods, not for that of a packed container.
"""

from datetime import datetime
from typing import Any

from adapters.dcsa_values import FAMILY, MAX_EVENTS, References, place
from adapters.document import Findings, Origin
from adapters.json_document import Node, clean, moment
from adapters.translator import Draft, Reading
from schemas import Shipment
from schemas.base import present
from schemas.codes import is_country
from schemas.errors import Fault, TranslationError
from schemas.shipment import Equipment, Goods, Means, Party, Transport

NOTICES = ("arrivalNotices", "arrivalNoticeNotifications")
DECLARATIONS = "VGMDeclarations"
# UNECE Recommendation 20.
_KILOGRAMS = {"KGM": 1.0, "LBR": 0.45359237, "TNE": 1000.0}


def read_notices(whole: Any, origin: Origin) -> Reading:
    """Read arrival notices, whole ones and bare notifications: one message each."""
    return _read(whole, NOTICES, origin, _notice)


def read_declarations(whole: Any, origin: Origin) -> Reading:
    """Read VGM declarations: one message each."""
    return _read(whole, (DECLARATIONS,), origin, _declaration)


def _read(whole: Any, names: tuple[str, ...], origin: Origin, draft_of: Any) -> Reading:
    findings, drafts = Findings(), list[Draft]()
    if not isinstance(whole, dict) or not any(isinstance(whole.get(name), list) for name in names):
        raise TranslationError([Fault("structure", "", f"an object with a list of {' or '.join(names)}")])
    top = Node(whole, "", findings)
    for node in [one for name in names for one in top.nodes(name)][:MAX_EVENTS]:
        draft = draft_of(node, origin)
        drafts += [draft] if draft else []
        if node.hopeless:
            break
    if not drafts and not findings.faults:
        findings.fault("no-event", "", "the list is empty")
    findings.settle()
    return Reading(tuple(drafts), tuple(findings.warnings))


def _notice(node: Node, origin: Origin) -> Draft | None:
    carriage = node.node("transport") or node
    arrival = carriage.node("portOfDischargeArrivalDate")
    if arrival is None:
        carriage.fault("missing", "portOfDischargeArrivalDate", "an arrival notice tells when it arrives")
        return None
    found = moment(arrival, "value", origin)
    issued = moment(node, "issueDateTime", origin, needed=False)
    code = arrival.text("classifier") or ""
    classifier = origin.profile.table(FAMILY, "classifier").get(code)
    if classifier is None:
        arrival.fault("classifier", "classifier", "one of PLN, EST, ACT: whether it has arrived yet")
    references = References(origin.profile, node)
    equipment = _containers(node, references)
    references.paper("TRD", node.text("transportDocumentReference"))
    for one in node.nodes("documentReferences"):
        references.paper(one.text("typeCode") or one.text("type"), one.text("reference") or one.text("value"))
    where = place(carriage.node("portOfDischarge"))
    if found is None or classifier is None:
        return None
    if not references.settled():
        node.fault("no-identifier", "", "it names neither a transport document nor a container")
        return None
    body = Shipment(
        identifiers=references.settled(),
        occurred=found[0],
        **present(
            zone_assumed=found[1] or None,
            classifier=classifier if classifier != "actual" else None,
            place=where,
            transport=_last_leg(node, carriage),
            parties=_parties(node, origin),
            goods=_goods(node),
            equipment=equipment,
            documents=references.papers,
        ),
    )
    return Draft("shipment.arrived", references.subject() or "notice", (issued or found)[0], body)


def _containers(node: Node, references: References) -> list[Equipment]:
    found: list[Equipment] = []
    for one in node.nodes("utilizedTransportEquipments"):
        box = one.node("equipment") or one
        number = references.container(box.text("equipmentReference"), box, "equipmentReference")
        if number:
            found.append(references.equipment(number, box.text("ISOEquipmentCode"), one.nodes("seals")))
    listed = node.value.get("equipmentReferences")
    for index, value in enumerate(listed if isinstance(listed, list) else []):
        text = clean(value) if isinstance(value, str) else None
        number = references.container(text, node, f"equipmentReferences/{index}")
        if number:
            found.append(Equipment(number=number))
    return found


def _last_leg(node: Node, carriage: Node) -> Transport:
    legs = carriage.nodes("legs")
    voyage = legs[-1].node("vesselVoyage") if legs else None
    imo = voyage.text("vesselIMONumber") if voyage else None
    name = voyage.text("vesselName") if voyage else None
    means = Means(scheme="imo", value=imo) if imo else Means(scheme="name", value=name) if name else None
    number = None
    if voyage is not None:
        number = voyage.text("carrierImportVoyageNumber") or voyage.text("universalImportVoyageReference")
        number = number or voyage.text("carrierExportVoyageNumber")
    return Transport(**present(mode="1", means=means, voyage=number, carrier=node.text("carrierCode")))


def _parties(node: Node, origin: Origin) -> list[Party]:
    roles, found = origin.profile.table(FAMILY, "party_function"), []
    for one in node.nodes("documentParties"):
        code = one.text("partyFunction") or ""
        address = one.node("address")
        lines = [address.text(name) for name in _ADDRESS] if address else []
        country = ((address.text("countryCode") if address else None) or "").upper()
        fields = present(
            name=one.text("partyName"),
            country=country if is_country(country) else None,
            address=clean(", ".join(line for line in lines if line and line != "N/A")),
        )
        if not fields:
            continue
        if code not in roles:
            one.warn("party-function", "partyFunction", "no function of a party that is known; carried as other")
        found.append(Party(role=roles.get(code, "other"), **fields))
    return found


_ADDRESS = ("street", "streetNumber", "floor", "POBox", "postCode", "city", "stateRegion")


def _goods(node: Node) -> list[Goods]:
    found: list[Goods] = []
    for number, item in enumerate(node.nodes("consignmentItems"), 1):
        words = item.value.get("descriptionOfGoods")
        lines = [line for line in words if isinstance(line, str)] if isinstance(words, list) else [words or ""]
        codes = item.value.get("HSCodes")
        first = codes[0] if isinstance(codes, list) and codes else None
        hs = first if isinstance(first, str) and first.isascii() and first.isdigit() and 2 <= len(first) <= 14 else None
        cargo = item.nodes("cargoItems")
        fields = present(
            hs=hs,
            description=clean(" ".join(str(line) for line in lines)),
            gross_mass_kg=_sum(_mass(one.node("cargoGrossWeight")) for one in cargo),
            packages=_sum(_count(one.node("outerPackaging")) for one in cargo),
        )
        if fields:
            found.append(Goods(item=number, **fields))
    return found


def _sum(values: Any) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mass(node: Node | None) -> float | None:
    if node is None:
        return None
    factor, value = _KILOGRAMS.get(node.text("unit") or ""), node.value.get("value")
    if factor is None or isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        node.warn("mass", "value", "not a mass in KGM, LBR or TNE; left out")
        return None
    return float(value) * factor


def _count(node: Node | None) -> int | None:
    value = node.value.get("numberOfPackages") if node else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**6 else None


def _declaration(node: Node, origin: Origin) -> Draft | None:
    declared = moment(node, "declarationDateTime", origin)
    mass = node.node("VGM")
    references = References(origin.profile, node)
    box = node.node("equipmentDetails")
    number = references.container(box.text("equipmentReference"), box, "equipmentReference") if box else None
    if box is None or number is None:
        node.fault("no-identifier", "equipmentDetails", "a VGM is that of a container")
        return None
    equipment = references.equipment(number, box.text("ISOEquipmentCode"), box.nodes("seals"))
    references.paper("VGM", node.text("declarationReference"))
    details = node.node("shipmentDetails")
    if details is not None:
        references.paper("TRD", details.text("transportDocumentReference"))
        references.paper("BKG", details.text("carrierBookingReference"))
        for one in details.nodes("otherReferences"):
            references.reference(one.text("typeCode"), one.text("reference"))
    if mass is not None and mass.node("weight") is not None:
        mass.warn("vgm-not-carried", "weight", "the canonical body has no place for the mass of a packed container")
    where = place(mass.node("location")) if mass else None
    goods = _mass(box.node("cargoGrossWeight"))
    if declared is None:
        return None
    return Draft(
        "shipment.withdrawn" if node.value.get("isRetracted") is True else "shipment.declared",
        references.subject() or number,
        declared[0],
        _body(references, declared, where, goods, equipment),
    )


def _body(
    references: References, found: tuple[datetime, bool], where: Any, goods: float | None, equipment: Equipment
) -> Shipment:
    return Shipment(
        identifiers=references.settled(),
        occurred=found[0],
        equipment=[equipment],
        **present(
            zone_assumed=found[1] or None,
            place=where,
            goods=[Goods(gross_mass_kg=goods)] if goods is not None else None,
            documents=references.papers,
        ),
    )
