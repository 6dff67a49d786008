"""Reads the consignment of an SPS certificate: parties, goods, equipment, way and place.

Owns the mapping of SPSConsignment (UN/CEFACT Reusable ABIE 21) to the canonical body, by local name in
any order. Never reads the certificate's own header, and takes no treatment or declaration text.
"""

import base64
import hashlib
import math
import re
from dataclasses import dataclass, field
from typing import Any

from adapters.document import Element, Findings, Identifiers, child, children, local_name, long_text, text
from adapters.profile import Profile
from adapters.waybills import air_waybill
from adapters.xml_repair import FINGERPRINT
from schemas.base import present
from schemas.codes import (
    container_warning,
    equipment_number,
    has_container_form,
    is_country,
    is_locode,
    normal_identifier,
)
from schemas.shipment import Document as Paper
from schemas.shipment import Equipment, Goods, Means, Party, Place, Scheme, Transport

# Parties by the first part of their element's name; any other keeps that name.
_ROLES = {"CustomsTransitAgent": "agent", "Delivery": "delivery", "Despatch": "despatch"}
# The type of a paper that is known by the fingerprint of its content alone.
ATTACHMENT = "attachment"
# UNECE Recommendation 20: kilograms in each.
_KILOGRAMS = {
    "KGM": 1.0, "GRM": 1e-3, "MGM": 1e-6, "TNE": 1000.0, "DTN": 100.0, "HGM": 0.1, "LBR": 0.45359237,
    "ONZ": 0.028349523125,
}  # fmt: skip
# Where a class code is a tariff code: the Harmonized System and what extends it.
_TARIFFS = ("hs", "hscode", "hscodes", "harmonizedsystem", "cn", "cncode", "combinednomenclature", "taric")
# The family of code tables in a profile.
FAMILY = "sps"
# What TRACES says that the number of a movement is (`schemeID`); of none it is a voyage or flight.
_PLATE, _WAGON, _IMO = "road_vehicle", "railway", "imo"
# A border control post of the EU: the UN/LOCODE of its place, a number, and a letter for what it is for.
_CONTROL_POST = re.compile(r"([A-Z]{2}[A-Z2-9]{3})[0-9][A-Z]{0,2}")


@dataclass
class Consignment:
    """The canonical fields that a consignment gives, and the papers its lines refer to."""

    fields: dict[str, Any] = field(default_factory=dict)
    documents: list[Paper] = field(default_factory=list)


def words(parent: Element, findings: Findings, *names: str, limit: int = 512) -> str | None:
    """Return a text on one line, cut to what the schema takes."""
    found = text(parent, *names)
    if found is not None and len(found) > limit:
        findings.warn_at("cut", parent, f"more than {limit} characters: the rest is not carried", "/".join(names))
        return found[:limit].strip() or None
    return found


def refer(parent: Element, identifiers: Identifiers, findings: Findings, profile: Profile) -> list[Paper]:
    """Read the papers that an element refers to, each also as an identifier."""
    found: list[Paper] = []
    for reference in children(parent, "ReferenceSPSReferencedDocument"):
        found += _attachments(reference, findings)
        number = words(reference, findings, "ID", limit=256)
        if number is None:
            continue
        kind, relation = text(reference, "TypeCode") or "", text(reference, "RelationshipTypeCode") or ""
        issuer = words(reference, findings, "IssuerSPSParty", "Name")
        scheme = _scheme(kind, relation.upper(), profile)
        if scheme == "container":
            add_container(number, reference, identifiers, findings)
        else:
            identifiers.add(scheme, air_waybill(number, "740" if relation.upper() == "AWB" else kind), issuer)
        if scheme not in ("container", "seal", "ucr"):
            found.append(Paper(**present(type=kind[:64] or relation[:64], id=number, issuer=issuer)))
    return found


def _attachments(reference: Element, findings: Findings) -> list[Paper]:
    """Return what is attached by its fingerprint, by which the agency finds it in the native document again."""
    found: list[Paper] = []
    for attached in children(reference, "AttachmentBinaryObject"):
        said = "".join((attached.text or "").split())
        try:
            content = b"" if said.startswith(FINGERPRINT) else base64.b64decode(said, validate=True)
        except ValueError:
            content = b""
        known = said if said.startswith(FINGERPRINT) else FINGERPRINT + hashlib.sha256(content).hexdigest()
        if content or known == said:
            found.append(Paper(type=ATTACHMENT, id=known[:256]))
            findings.warn_at("attachment-not-carried", reference, "its fingerprint is; it stays with the document")
        else:
            findings.warn_at(
                "attachment-not-carried", reference, "no base64 that could be read: not even its fingerprint"
            )
    return found


def _scheme(kind: str, relation: str, profile: Profile) -> Scheme:
    by_relation: Scheme | None = profile.table(FAMILY, "relation").get(relation)
    by_type: Scheme = profile.table(FAMILY, "document").get(kind, "other")
    return by_relation or by_type


def add_container(number: str, place: Element, identifiers: Identifiers, findings: Findings) -> str:
    """Take a container or equipment number; return it in its normal form."""
    normal = equipment_number(number)
    odd = container_warning(normal)
    if odd is not None:
        findings.warn_at("container-number", place, odd)
    identifiers.add("container" if has_container_form(normal) else "equipment", normal)
    return normal


def read_consignment(
    consignment: Element, identifiers: Identifiers, findings: Findings, profile: Profile
) -> Consignment:
    """Read an SPSConsignment; its references go into `identifiers`."""
    result = Consignment(documents=refer(consignment, identifiers, findings, profile))
    equipment = _equipment(consignment, identifiers, findings)
    goods: list[Goods] = []
    lines = [
        line
        for item in children(consignment, "IncludedSPSConsignmentItem")
        for line in children(item, "IncludedSPSTradeLineItem")
    ]
    # TRACES puts the totals of the consignment before its lines, as a line 0 of no class: no goods beside these.
    numbered = any(_item(line) for line in lines)
    for line in lines:
        if _item(line) != 0 or not numbered or child(line, "ApplicableSPSClassification") is not None:
            goods.append(_goods(line, findings))
        equipment += _equipment(line, identifiers, findings)
        result.documents += refer(line, identifiers, findings, profile)
        result.documents += _original(line, identifiers)
    if not goods:
        findings.warn_at("missing", consignment, "no goods line that is legible", "IncludedSPSTradeLineItem")
    once = {(one.number, tuple(one.seals or ())): one for one in equipment}
    result.fields = present(
        place=_place(consignment, findings),
        transport=_transport(consignment, identifiers, findings),
        parties=[party for element in consignment if (party := _party(element, findings)) is not None],
        goods=goods,
        equipment=list(once.values()),
    )
    return result


def _equipment(parent: Element, identifiers: Identifiers, findings: Findings) -> list[Equipment]:
    """Read the equipment of a consignment or line; a seal without a number of its container is kept as well."""
    found: list[Equipment] = []
    for element in parent:
        if not local_name(element).endswith("SPSTransportEquipment"):
            continue
        seals = [seal for c in children(element, "AffixedSPSSeal") if (seal := words(c, findings, "ID", limit=256))]
        numbers = words(element, findings, "ID", limit=4096) or ""
        several = [part for part in re.split(r"[\s,;/]+", numbers.upper()) if part]
        if not (len(several) > 1 and all(has_container_form(part) for part in several)):
            several = [numbers] if numbers and len(numbers) <= 256 else []
        for number in several:
            normal = add_container(number, element, identifiers, findings)
            found.append(Equipment(**present(number=normal, seals=seals)))
        for seal in seals:
            identifiers.add("seal", seal)
    return found


def _country(parent: Element, findings: Findings, *names: str) -> str | None:
    code = (text(parent, *names) or "").upper()
    if not code:
        return None
    if not is_country(code):
        findings.warn_at("country", parent, "not an ISO 3166-1 alpha-2 code: not carried", "/".join(names))
        return None
    return code


def _party(element: Element, findings: Findings) -> Party | None:
    name = local_name(element)
    if not name.endswith("SPSParty") or name == "SPSParty":
        return None
    kind = name.removesuffix("SPSParty")
    role = _ROLES.get(kind) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind).lower()
    if re.fullmatch(r"[a-z][a-z0-9-]{0,63}", role) is None:
        return None
    registered = [
        words(code, findings)
        for code in children(element, "TypeCode")
        if "number" in (code.get("listName") or "").lower()
    ]
    address = child(element, "SpecifiedSPSAddress")
    given = [] if address is None else [t for c in address if local_name(c) != "CountryID" and (t := text(c))]
    found = present(
        name=words(element, findings, "Name"),
        id=words(element, findings, "ID") or next((number for number in registered if number), None),
        country=None if address is None else _country(address, findings, "CountryID"),
        address=", ".join(given)[:512].strip(),
    )
    return Party(role=role, **found) if found else None


def _goods(line: Element, findings: Findings) -> Goods:
    found = present(
        item=_item(line),
        hs=_hs(line, findings),
        description=_description(line),
        origin=_origin(line, findings),
        gross_mass_kg=_gross_mass(line, findings),
        packages=_packages(line, findings),
    )
    return Goods(**found)


def _item(line: Element) -> int | None:
    given = text(line, "SequenceNumeric") or ""
    return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else None


def _classes(line: Element) -> list[tuple[str, str, str, bool]]:
    """The classifications of a line: system, code, name, and whether it is a tariff's."""
    found = []
    for c in children(line, "ApplicableSPSClassification"):
        systems = [said for name in ("SystemName", "SystemID") if (said := text(c, name))]
        tariff = any(re.sub(r"[^a-z]", "", system.lower()) in _TARIFFS for system in systems)
        found.append((systems[0] if systems else "", text(c, "ClassCode") or "", text(c, "ClassName") or "", tariff))
    return found


def _hs(line: Element, findings: Findings) -> str | None:
    best = ""
    for _, code, _, tariff in _classes(line):
        if not tariff or not code:
            continue
        digits = re.sub(r"[\s.]", "", code)
        if re.fullmatch(r"[0-9]{2,14}", digits) is None:
            findings.warn_at("hs-form", line, "a tariff code has 2 to 14 digits: not carried", "ClassCode")
        elif len(digits) > len(best):
            best = digits
    return best or None


def _description(line: Element) -> str | None:
    """What the goods are: the description in its first language, then the names that identify a species."""
    parts = [t for c in children(line, "Description")[:1] if (t := long_text(c))]
    for name, label in (("ScientificName", "botanical name"), ("CommonName", "common name"), ("IntendedUse", "use")):
        if element := text(line, name):
            parts.append(f"{label}: {element}")
    for system, code, name, tariff in _classes(line):
        if not tariff and (code or name):
            parts.append(f"{system or 'class'}: {' '.join(filter(None, (code, name)))}")
    parts = parts or [name for _, _, name, tariff in _classes(line) if tariff and name]
    return "; ".join(" ".join(part.split()) for part in parts)[:8192].strip() or None


def _origin(line: Element, findings: Findings) -> str | None:
    found = [code for c in children(line, "OriginSPSCountry") if (code := _country(c, findings, "ID"))]
    if len(set(found)) > 1:
        findings.warn_at("several-origins", line, "only the first country of origin is carried", "OriginSPSCountry")
    return found[0] if found else None


def _gross_mass(line: Element, findings: Findings) -> float | None:
    measure = child(line, "GrossWeightMeasure")
    given = text(measure)
    if measure is None or given is None:
        return None
    factor = _KILOGRAMS.get((measure.get("unitCode") or "").strip().upper())
    if factor is None or re.fullmatch(r"[0-9]{1,15}(\.[0-9]{0,12})?|\.[0-9]{1,12}", given) is None:
        findings.warn_at("mass", measure, "not a number with a unit of mass (Recommendation 20): not carried")
        return None
    kilograms = float(given) * factor
    return kilograms if math.isfinite(kilograms) else None


def _packages(line: Element, findings: Findings) -> int | None:
    """How many of the outermost packages (UNTDID 7075: the level rises from the inner one outwards)."""
    best: tuple[str, int] | None = None
    for package in children(line, "PhysicalSPSPackage"):
        given, level = text(package, "ItemQuantity") or "", text(package, "LevelCode") or ""
        match = re.fullmatch(r"([0-9]{1,9})(\.0*)?", given)
        if match is None:
            if given:
                findings.warn_at("count", package, "not a whole number of packages: not carried", "ItemQuantity")
        elif best is None or level > best[0]:
            best = level, int(match[1])
    return best[1] if best else None


def _place(consignment: Element, findings: Findings) -> Place | None:
    """The point of entry; where only a country of import is known, that."""
    port = child(consignment, "UnloadingBaseportSPSLocation")
    code = normal_identifier(words(port, findings, "ID") or "") if port is not None else ""
    led = _CONTROL_POST.fullmatch(code)
    locode = next((one for one in (code, led[1] if led else "") if is_locode(one)), None)
    if code and locode is None and port is not None:
        findings.warn_at("locode-form", port, "not a UN/LOCODE: kept as facility", "ID")
    country = _country(consignment, findings, "ImportSPSCountry", "ID")
    if locode and country and locode[:2] != country:
        findings.warn_at("country", consignment, "the port of entry is not in the country of import")
    examination = child(consignment, "ExaminationSPSEvent")
    post = None
    if examination is not None:
        post = words(examination, findings, "OccurrenceSPSLocation", "Name")
    found = present(
        locode=locode,
        country=locode[:2] if locode else country,
        name=None if port is None else words(port, findings, "Name"),
        facility=post or (code if code != locode else None),
    )
    return Place(**found) if found else None


def _transport(consignment: Element, identifiers: Identifiers, findings: Findings) -> Transport | None:
    """The main carriage; of several, the one whose means is named. A vehicle's plate is a reference as well."""
    movements = children(consignment, "MainCarriageSPSTransportMovement")
    if not movements:
        return None
    if len(movements) > 1:
        findings.warn_at("several-movements", consignment, "only one is carried", "MainCarriageSPSTransportMovement")
    movement = next((m for m in movements if text(m, "UsedSPSTransportMeans", "Name")), movements[0])
    mode = text(movement, "ModeCode") or ""
    if mode and re.fullmatch(r"[0-9]", mode) is None:
        findings.warn_at("mode", movement, "not a mode of Recommendation 19: not carried", "ModeCode")
        mode = ""
    name, number = words(movement, findings, "UsedSPSTransportMeans", "Name"), words(movement, findings, "ID")
    means = ("name", name) if name else None
    kind = (element.get("schemeID") or "").lower() if (element := child(movement, "ID")) is not None else ""
    if number and _IMO in kind:
        means, number = ("imo", number), None
    elif number and (_PLATE in kind or _WAGON in kind):
        identifiers.add("equipment", number if len(number) <= 256 else None)
        means, number = ("registration" if _PLATE in kind else "wagon", number), None
    found = present(
        mode=mode, means=Means(scheme=means[0], value=means[1]) if means else None, voyage=number,
    )  # fmt: skip
    return Transport(**found) if found else None


def _original(line: Element, identifiers: Identifiers) -> list[Paper]:
    """The certificate of the country of origin that a re-export rests on (IPPC notes RPCRF and RPCCO)."""
    notes = {text(note, "Subject"): text(note, "Content") for note in children(line, "AdditionalInformationSPSNote")}
    number, country = notes.get("RPCRF"), notes.get("RPCCO")
    if not number or len(number) > 256:
        return []
    issuer = country if country and is_country(country) else None
    identifiers.add("certificate", number, issuer)
    return [Paper(**present(type="851", id=number, issuer=issuer))]
