"""The parts of a WCO Declaration element as canonical fields: references, goods, places, parties.

Owns the mapping of each element by local name, for declarations and for the declaration data inside
responses. Never decides what kind of event it is, and never sees the wrapper.
"""

import re

from adapters.document import (
    Element,
    Findings,
    Identifiers,
    child,
    children,
    local_name,
    text,
)
from adapters.profile import Profile
from adapters.waybills import air_waybill
from adapters.wco_codes import (
    FAMILY,
    ITEM_PARTIES,
    PARTIES,
)
from adapters.wco_goods import goods_items
from adapters.wco_values import MAX_TEXT, country, short
from schemas.base import present
from schemas.codes import (
    container_warning,
    equipment_number,
    has_container_form,
    is_locode,
    normal_identifier,
    ucr_warning,
)
from schemas.shipment import Document, Equipment, Means, Party, Place, Scheme, Transport

_MAX_IDENTIFIER = 256
# Wagons, road vehicles and trailers (EU CL750): what transit counts as equipment as well.
_LAND_VEHICLES = ("20", "30", "31")
# What stands around a payload: the wrapper of 3.6, those of earlier versions, and the kind of a declaration.
WRAPPERS = ("MetaData", "DocumentMetaData", "DocumentMetadata", "Declaration")


def payloads(root: Element, name: str) -> list[Element]:
    """Return the elements of that local name that a MetaData wrapper holds, or the root if it is one itself.

    The wrapper may itself be wrapped (requests of a gateway, SOAP), and exporting tools have been seen
    to run its prefix into its name: a root that ends in MetaData (3.x: DocumentMetadata) is taken for it.
    A Declaration that only says in its one child which kind it is, as Brazil's does, gives that child.
    """
    if local_name(root) == name:
        return [_inner(root, name)]
    wrapped = local_name(root).lower().endswith("metadata")
    wrappers = [root] if wrapped else root.iter(*(f"{{*}}{wrapper}" for wrapper in WRAPPERS[:3]))
    return [_inner(found, name) for wrapper in wrappers for found in children(wrapper, name)]


def _inner(payload: Element, name: str) -> Element:
    only = payload[0] if len(payload) == 1 else None
    told = only is not None and len(only) > 0 and local_name(only).startswith(name)
    return payload if not told or local_name(only) == f"{name}Office" else only


def _levels(declaration: Element) -> list[Element]:
    """The declaration, and each of its shipments with its items: references stand at any of them."""
    levels = [declaration]
    for shipment in children(declaration, "GoodsShipment"):
        levels += [shipment, *children(shipment, "GovernmentAgencyGoodsItem")]
    return levels


def read_identifiers(declaration: Element, findings: Findings, profile: Profile) -> Identifiers:
    """Gather the references of a declaration, its own numbers first."""
    found = Identifiers()
    previous = profile.table(FAMILY, "previous-document")
    levels = _levels(declaration)
    _add(found, "mrn", child(declaration, "ID"), findings)
    _add(found, "lrn", child(declaration, "FunctionalReferenceID"), findings)
    for level in levels:
        if (ucr := child(level, "UCR")) is not None:
            _add(found, "ucr", child(ucr, "ID"), findings)
            _add(found, "other", child(ucr, "TraderAssignedReferenceID"), findings)
    for level in levels:
        for document in children(level, "PreviousDocument"):
            kind = (text(document, "TypeCode") or "").upper()
            scheme: Scheme | None = previous.get(kind)
            if scheme is None:
                scheme = _known_document(kind, profile) or "other"
            _add(found, scheme, child(document, "ID"), findings, kind)
    for level in levels:
        for document in children(level, "AdditionalDocument"):
            _add_document(found, document, findings, profile)
    for shipment in children(declaration, "GoodsShipment"):
        _add(found, "other", child(shipment, "Invoice", "ID"), findings)
        for element in _equipment_elements(shipment):
            number = child(element, "ID")
            if value := text(number):
                container = has_container_form(equipment_number(value))
                _add(found, "container" if container else "equipment", number, findings)
            for seal in children(element, "Seal"):
                _add(found, "seal", child(seal, "ID"), findings)
    return found


def _add(found: Identifiers, scheme: Scheme, element: Element | None, findings: Findings, kind: str = "") -> None:
    value = text(element)
    if element is None or value is None:
        return
    if len(value) > _MAX_IDENTIFIER:
        findings.warn_at("too-long", element, f"a reference has at most {_MAX_IDENTIFIER} characters")
        return
    if not normal_identifier(value).isprintable():
        findings.warn_at("character", element, "a reference has no control characters")
        return
    odd = None
    if scheme == "container":
        value = equipment_number(value)
        odd = container_warning(value)
    elif scheme == "ucr" and local_name(element.getparent()) == "UCR":
        odd = ucr_warning(normal_identifier(value))
    if odd is not None:
        findings.warn_at(scheme, element, odd)
    found.add(scheme, air_waybill(value, kind))


def _add_document(found: Identifiers, document: Element, findings: Findings, profile: Profile) -> None:
    kind = document_type(document) or ""
    _add(found, scheme_of_document(kind, profile), child(document, "ID"), findings, kind)


def scheme_of_document(kind: str, profile: Profile) -> Scheme:
    """A certificate, unless the profile says that its type is a contract of carriage, or nothing to go by."""
    return _known_document(kind, profile) or "certificate"


def _known_document(kind: str, profile: Profile) -> Scheme | None:
    documents = profile.table(FAMILY, "document")
    found: Scheme | None = documents.get(kind, documents.get(_number(kind)))
    return found


def document_type(document: Element) -> str | None:
    """Return category (WCO D031) and type (D006) run together, as N851; a type alone where it has no category."""
    parts = (text(document, "CategoryCode"), text(document, "TypeCode"))
    # A PreviousDocument's category (X, Y, Z) tells how it relates to the declaration, not what it is.
    kind = "".join(parts_of(parts[1:] if local_name(document) == "PreviousDocument" else parts))
    return kind.upper()[:MAX_TEXT] or None


def parts_of(parts: tuple[str | None, ...]) -> tuple[str, ...]:
    """Return the parts that are there."""
    return tuple(part for part in parts if part)


def _number(kind: str) -> str:
    """The UNTDID 1001 code within a type: the EU writes N before it."""
    return kind[1:] if kind[:1] == "N" else kind


def _equipment_elements(shipment: Element) -> list[Element]:
    found = []
    for consignment in children(shipment, "Consignment"):
        found += children(consignment, "TransportEquipment")
    for item in children(shipment, "GovernmentAgencyGoodsItem"):
        for commodity in children(item, "Commodity"):
            found += children(commodity, "TransportEquipment")
    return found


def _is_reference(value: str) -> bool:
    return len(value) <= _MAX_IDENTIFIER and normal_identifier(value).isprintable()


def read_equipment(declaration: Element) -> list[Equipment]:
    """Containers and other transport equipment (WCO 31B) with their seals, each number once."""
    # Dictionaries for sets that keep their order.
    seals: dict[str, dict[str, None]] = {}
    shipments = children(declaration, "GoodsShipment")
    for element in [one for shipment in shipments for one in _equipment_elements(shipment)]:
        number = text(element, "ID")
        if number is None or not _is_reference(number):
            continue
        of = seals.setdefault(equipment_number(number), {})
        for seal in children(element, "Seal"):
            value = text(seal, "ID")
            if value and _is_reference(value):
                of[normal_identifier(value)] = None
    return [Equipment(**present(number=number, seals=list(values))) for number, values in seals.items()]


def read_place(declaration: Element, findings: Findings) -> Place | None:
    """Where the goods are (WCO L017); for exports that name no such place, where they are loaded (L010)."""
    consignment = child(declaration, "GoodsShipment", "Consignment")
    location = child(consignment, "GoodsLocation")
    if location is None:
        if not (text(declaration, "TypeCode") or "").upper().startswith("EX"):
            return None
        location = child(consignment, "LoadingLocation")
    if location is None:
        return None
    address = child(location, "Address")
    nation = country(child(address, "CountryCode"), findings)
    number, name = text(location, "ID"), text(location, "Name")
    codes = parts_of((number, name))
    qualifier = text(address, "TypeCode")
    # A name of five letters can look like a UN/LOCODE; the country beside it tells.
    locode = next((code.upper() for code in codes if plain_locode(code, nation, code == number)), None)
    locode = locode or next((led for code in codes if (led := led_locode(code, nation, qualifier))), None)
    facility = next((code for code in codes if code.upper() != locode), None)
    found = present(
        locode=locode,
        country=nation or (locode[:2] if locode else None),
        name=short(text(address, "CityName")),
        facility=short(facility),
    )
    return Place(**found) if found else None


def plain_locode(code: str, nation: str | None, alone: bool) -> bool:
    """Tell whether a code is a UN/LOCODE written out: of that nation, or of any where it may stand `alone`."""
    return is_locode(code.upper()) and (code[:2].upper() == nation or (alone and nation is None))


def led_locode(code: str, nation: str | None, qualifier: str | None) -> str | None:
    """Return the UN/LOCODE that a terminal's code begins with.

    Qualifier U (DE 5/23 of the EU data model) says that it does; the country stands apart.
    """
    found = f"{nation}{code[:3].upper()}"
    return found if nation and (qualifier or "").upper() == "U" and is_locode(found) else None


def _means(declaration: Element) -> list[Element]:
    """The means of transport at the border, of arrival and of departure, as far as they are told."""
    consignment = child(declaration, "GoodsShipment", "Consignment")
    told = (
        child(declaration, "BorderTransportMeans"),
        child(consignment, "ArrivalTransportMeans"),
        child(consignment, "DepartureTransportMeans"),
    )
    return [element for element in told if element is not None]


def add_vehicles(found: Identifiers, declaration: Element, findings: Findings) -> None:
    """Add road vehicles and wagons by their numbers, by which what comes with them is known elsewhere."""
    for element in _means(declaration):
        if text(element, "IdentificationTypeCode") in _LAND_VEHICLES:
            _add(found, "equipment", child(element, "ID"), findings)


def read_transport(declaration: Element, findings: Findings, profile: Profile) -> Transport | None:
    """The means at the border (WCO T022, T006, T018); where its number is missing, the one that arrives or departs."""
    candidates = _means(declaration)
    mode = None
    for element in candidates:
        code = text(element, "ModeCode")
        if code is None or mode is not None:
            continue
        if re.fullmatch(r"[0-9]", code):
            mode = code
        else:
            findings.warn_at("mode", element, "a mode of transport is one digit (UNECE Recommendation 19)")
    means, voyage = None, None
    for element in candidates:
        number = short(text(element, "ID") or text(element, "Name"))
        if number is None:
            continue
        scheme = profile.table(FAMILY, "means").get(text(element, "IdentificationTypeCode") or "", "other")
        if text(element, "ID") is None:
            scheme = "name"
        means = Means(scheme=scheme, value=number)
        voyage = number if scheme == "flight" else None
        break
    carrier = child(declaration, "Consignment", "Carrier")
    found = present(
        mode=mode, means=means, voyage=voyage, carrier=short(text(carrier, "ID") or text(carrier, "Name"))
    )  # fmt: skip
    return Transport(**found) if found else None


def read_parties(declaration: Element, findings: Findings) -> list[Party]:
    """The parties of the declaration, its shipments and its items, each once."""
    found: dict[Party, None] = {}
    shipments = children(declaration, "GoodsShipment")
    for path, role in PARTIES:
        if path[0] != "GoodsShipment":
            _add_party(found, child(declaration, *path), role, findings)
            continue
        for shipment in shipments:
            _add_party(found, child(shipment, *path[1:]), role, findings)
    for item in goods_items(declaration):
        for name, role in ITEM_PARTIES:
            _add_party(found, child(item, name), role, findings)
    return list(found)


def _add_party(found: dict[Party, None], element: Element | None, role: str, findings: Findings) -> None:
    if element is None:
        return
    address = child(element, "Address")
    parts = [text(address, name) for name in ("Line", "PostcodeID", "CityName", "CountrySubDivisionName")]
    fields = present(
        name=short(text(element, "Name")),
        id=short(text(element, "ID")),
        country=country(child(address, "CountryCode"), findings),
        address=short(", ".join(parts_of(tuple(parts)))),
    )
    if fields:
        found.setdefault(Party(role=role, **fields))


def read_documents(declaration: Element) -> list[Document]:
    """The documents with the goods: additional ones (WCO 02A), previous ones (99A) and the invoices."""
    found: dict[Document, None] = {}
    for level in _levels(declaration):
        for element in (*children(level, "AdditionalDocument"), *children(level, "PreviousDocument")):
            if number := short(text(element, "ID")):
                issuer = short(text(element, "Submitter", "Name"))
                found.setdefault(Document(**present(type=document_type(element), id=number, issuer=issuer)))
    for shipment in children(declaration, "GoodsShipment"):
        if number := short(text(shipment, "Invoice", "ID")):
            found.setdefault(Document(type="380", id=number))
    return list(found)
