"""Import notifications (Common Health Entry Documents) as IPAFFS and the trade imports data API write them.

Owns the mapping of an import pre-notification: what is announced, and what the border post decided on it.
Never reads a decision as a release (customs releases), and carries nobody's telephone or mail address.
"""

import re
from typing import Any

from adapters.defra_parts import Part
from adapters.defra_values import (
    add_ched,
    add_container,
    ched_key,
    codes,
    country,
    enough,
    flag,
    number,
    tariff,
    token,
    when,
    whole,
)
from adapters.document import Findings, Identifiers, Origin
from adapters.records import Record, fold
from adapters.translator import Draft
from adapters.waybills import air_waybill
from schemas import Shipment
from schemas.base import present
from schemas.codes import is_locode, normal_identifier
from schemas.shipment import Decision, Equipment, Goods, Means, Party, Place, Scheme, Transport
from schemas.shipment import Document as Paper

MAX_COMMODITIES = 5000
_MRN = re.compile(r"[0-9]{2}[A-Z]{2}[A-Z0-9]{14}")
_ROLES = {
    "consignor": "consignor", "consignee": "consignee", "importer": "importer", "packer": "packer",
    "transporter": "carrier", "placeOfDestination": "delivery", "personResponsible": "responsible",
}  # fmt: skip
_DECIDED = ("shipment.inspected", "shipment.refused")


def read_ched(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    """Read one import notification."""
    record = part.record
    if record is None:
        return []
    identifiers = Identifiers()
    reference = record.text("referenceNumber", limit=256) or part.reference
    if reference is None:
        record.fault("no-identifier", "a notification has a reference number", "referenceNumber")
        return []
    if ched_key(reference) is None:
        record.warn("ched-form", "has no year and seven digits: joined with nothing but itself", "referenceNumber")
    add_ched(reference, identifiers)
    papers = [Paper(**present(type=_type(record), id=reference, issuer="Defra IPAFFS"))]
    _relations(record, identifiers)
    one = record.first("partOne") or Record({}, findings)
    equipment = _equipment(one, identifiers)
    papers += _papers(one, origin, identifiers)
    papers += _papers(record.first("partTwo") or Record({}, findings), origin, identifiers)
    event, outcome = _status(record, origin)
    names = ("decisionDate", "updatedSource", "lastUpdated") if event in _DECIDED else ("updatedSource", "lastUpdated")
    stated = next((r for r in (record, one) if r.text(*names, "submittedOn", "submissionDate")), record)
    moment, assumed = when(stated, origin, findings, *names, "submittedOn", "submissionDate")
    version = whole(record, "version", most=2**31 - 1)
    draft = fold(record.text("status") or "") == "draft"
    decision = present(
        authority="Defra IPAFFS", outcome=outcome, reason=_reason(record), version=version
    ) if outcome else None  # fmt: skip
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            classifier="planned" if draft else None,
            place=_place(one),
            transport=_transport(one, origin, identifiers),
            parties=_parties(one),
            goods=_goods(record, one),
            equipment=equipment,
            documents=list(dict.fromkeys(papers)),
            decision=Decision(**decision) if decision else None,
        )
    )
    # The transport document is found last, and joined upon all the same.
    data = data.model_copy(update={"identifiers": identifiers.as_list()})
    attributes = present(sequence=version)
    return [Draft(event, normal_identifier(reference), moment, data, attributes)]


def _type(record: Record) -> str | None:
    kind = (record.text("importNotificationType", "type", limit=64) or "").upper()
    return {"CVEDA": "CHEDA", "CVEDP": "CHEDP", "CED": "CHEDD"}.get(kind, kind) or None


def _relations(record: Record, identifiers: Identifiers) -> None:
    """The notifications that this one replaces, was replaced by or was split into; and customs' references."""
    for name in ("replaces", "replacedBy"):
        add_ched(record.text(name, limit=256), identifiers)
    split = record.first("splitConsignment")
    for name in ("validReferenceNumber", "rejectedReferenceNumber"):
        add_ched(split.text(name, limit=256) if split is not None else None, identifiers)
    one, two = record.first("partOne"), record.first("partTwo")
    control = two.first("controlAuthority") if two is not None else None
    customs = [one.text("customsReferenceNumber", limit=256) if one is not None else None]
    customs.append(control.text("customsReferenceNo", limit=256) if control is not None else None)
    for found in record.all("externalReferences"):
        system, said = (found.text("system") or "").upper(), found.text("reference", limit=256)
        if system == "NCTS":
            customs.append(said)
        elif said is not None:
            identifiers.add("certificate" if system == "ECERT" else "other", said, system or None)
    for said in filter(None, customs):
        scheme: Scheme = "mrn" if _MRN.fullmatch(normal_identifier(said)) else "other"
        identifiers.add(scheme, said, "HMRC" if scheme == "mrn" else None)
    local = one.text("importerLocalReferenceNumber", limit=256) if one is not None else None
    identifiers.add("lrn", local, "importer")


def _status(record: Record, origin: Origin) -> tuple[str, str | None]:
    """The event that a notification's state is, and the outcome where there is one."""
    said = record.text("status", limit=64)
    event = codes(origin.profile, "ched-status").get(fold(said or ""))
    if event is None:
        record.warn("status", "not a state of a notification: read as announced", "status")
        return "shipment.declared", None
    two = record.first("partTwo") or Record({}, record.findings)
    decision = two.first("decision")
    if event in _DECIDED and decision is not None:
        if event == "shipment.inspected" and flag(decision, "consignmentAcceptable") is not False:
            return event, token(decision.text("decision", "decisionEnum")) or token(said)
        return "shipment.refused", token(decision.text("notAcceptableAction")) or token(said)
    required = fold(two.text("inspectionRequired") or "") == "required"
    if fold(said or "") == "inprogress" and required:
        return "shipment.selected-for-inspection", "inspection-required"
    return event, token(said)


def _reason(record: Record) -> str | None:
    """Why it was not accepted, and what each check of the border post found."""
    two = record.first("partTwo") or Record({}, record.findings)
    lines: list[str] = []
    decision = two.first("decision")
    if decision is not None:
        lines += [said for one in decision.all("notAcceptableReasons") if (said := one.own_text())]
        for one in decision.all("chedppNotAcceptableReasons"):
            lines.append(" ".join(filter(None, (one.text("reason"), one.text("commodityOrPackage")))))
        lines += filter(None, [decision.text("notAcceptableOtherReason", "notAcceptableActionOtherReason")])
    check = two.first("consignmentCheck")
    for name in ("documentCheckResult", "identityCheckResult", "physicalCheckResult", "laboratoryCheckResult"):
        found = check.text(name) if check is not None else None
        if found:
            lines.append(f"{name.removesuffix('Result')}: {found}")
    for group in [*two.all("commodityChecks"), *record.all("commodities")]:
        for one in group.all("checks"):
            found = ": ".join(filter(None, (one.text("type"), one.text("status"))))
            if found and found not in lines:
                lines.append(found)
    return "\n".join(filter(None, lines))[:8192].strip() or None


def _place(one: Record) -> Place | None:
    """The border post: codes begin with the UN/LOCODE (`GBLHR4P`)."""
    code = one.text("pointOfEntry", "portOfEntry", limit=64)
    if code is None:
        return None
    locode = normal_identifier(code)[:5]
    if locode.startswith(("GB", "XI")) and is_locode(locode):
        return Place(locode=locode, country=locode[:2], facility=code)
    return Place(country="GB", facility=code)


def _transport(one: Record, origin: Origin, identifiers: Identifiers) -> Transport | None:
    """How it comes to the border post. Despite its name, that is `meansOfTransportFromEntryPoint` in practice."""
    for name in ("meansOfTransportFromEntryPoint", "meansOfTransport"):
        means = one.first(name)
        if means is None or not means.text("type", "id", "document"):
            continue
        kind = fold(means.text("type") or "")
        mode = codes(origin.profile, "mode").get(kind)
        paper, given = means.text("document", limit=256), means.text("id", limit=256)
        identifiers.add("transport-document", air_waybill(paper) if paper and mode == "4" else paper)
        scheme = codes(origin.profile, "means").get(kind, "name")
        if mode == "3":
            identifiers.add("equipment", given)
        return Transport(
            **present(
                mode=mode,
                means=Means(scheme=scheme, value=given) if given and scheme != "flight" else None,
                voyage=given if scheme == "flight" else None,
            )
        )
    return None


def _parties(one: Record) -> list[Party]:
    found: list[Party] = []
    for name, role in _ROLES.items():
        party = one.first(name)
        if party is None:
            continue
        address = party.first("address") or party
        lines = [address.text(line) for line in ("addressLine1", "addressLine2", "addressLine3", "street", "city")]
        lines += [line.own_text() for line in party.all("addresses")]
        lines.append(address.text("postalZipCode", "postalCode", "postCode"))
        fields: dict[str, Any] = present(
            name=party.text("companyName", "individualName", "name"),
            id=party.text("approvalNumber", "otherIdentifier"),
            country=country(address, "countryIsoCode", "country"),
            address=", ".join(dict.fromkeys(filter(None, lines)))[:512].strip(),
        )
        if fields:
            found.append(Party(role=role, **fields))
    return found


def _goods(record: Record, one: Record) -> list[Goods]:
    """The commodities, numbered as they stand; the gross mass is known of the whole alone."""
    whole_of = one.first("commodities") or record.first("commoditiesSummary") or Record({}, record.findings)
    lines = whole_of.all("commodityComplements", "commodityComplement") or record.all("commodities")
    details = _details(whole_of, lines)
    origin = country(whole_of, "countryOfOrigin")
    total = number(whole_of, "totalGrossWeight")
    found: list[Goods] = []
    for at, line in enumerate(lines):
        if at == MAX_COMMODITIES:
            line.fault("too-many", f"more than {MAX_COMMODITIES} commodities")
        if at >= MAX_COMMODITIES or enough(record.findings):
            break
        names = [line.text("commodityDescription"), line.text("speciesName", "complementName", "speciesCommonName")]
        eppo = line.text("eppoCode")
        names.append(f"EPPO: {eppo}" if eppo else None)
        packages = details.get(at, {}).get("number_package", "")
        found.append(
            Goods(
                **present(
                    item=at + 1,
                    hs=tariff(line, "commodityId"),
                    description="; ".join(dict.fromkeys(filter(None, names))),
                    origin=origin,
                    gross_mass_kg=total if len(lines) == 1 else None,
                    packages=int(packages) if re.fullmatch(r"[0-9]{1,9}", packages) else None,
                )
            )
        )
    return found


def _details(whole_of: Record, lines: list[Record]) -> dict[int, dict[str, str]]:
    """The pairs of key and value that stand apart from the commodities, by the commodity's place."""
    sets = whole_of.all("complementParameterSets", "complementParameterSet")
    by_id: dict[str, dict[str, str]] = {}
    for one in sets:
        pairs = {
            key: data
            for pair in one.all("keyDataPair", "keyDataPairs")
            if (key := pair.text("key")) and (data := pair.text("data"))
        }
        for name in ("uniqueComplementId", "complementId"):
            by_id.setdefault(f"{name} {one.text(name)}", pairs)
    found: dict[int, dict[str, str]] = {}
    for at, line in enumerate(lines):
        own = {
            key: data
            for pair in line.all("additionalData")
            if (key := pair.text("key")) and (data := pair.text("data"))
        }
        keys = [f"{name} {said}" for name in ("uniqueComplementId", "complementId") if (said := line.text(name))]
        found[at] = own or next((by_id[key] for key in keys if key in by_id), {})
    return found


def _equipment(one: Record, identifiers: Identifiers) -> list[Equipment]:
    found: list[Equipment] = []
    for sealed in one.all("sealsContainers")[:MAX_COMMODITIES]:
        seals = [said for name in ("sealNumber", "resealedSealNumber") if (said := sealed.text(name, limit=256))]
        container = sealed.text("containerNumber", limit=256)
        if container is not None and (equipment := add_container(container, sealed, identifiers, seals)) is not None:
            found.append(equipment)
        for seal in seals:
            identifiers.add("seal", seal)
    return found


def _papers(part: Record, origin: Origin, identifiers: Identifiers) -> list[Paper]:
    """The papers that go with it; an attachment's content is never in a notification."""
    holder = part.first("veterinaryInformation") or part
    found: list[Paper] = []
    for paper in holder.all("accompanyingDocuments")[:MAX_COMMODITIES]:
        reference = paper.text("documentReference", limit=256)
        if reference is None:
            continue
        kind = paper.text("documentType", limit=64)
        name = fold(kind or "")
        scheme = codes(origin.profile, "paper").get(name, "other")
        identifiers.add(scheme, air_waybill(reference) if name == "airwaybill" else reference)
        found.append(Paper(**present(type=codes(origin.profile, "paper-code").get(name, kind), id=reference)))
    return found
