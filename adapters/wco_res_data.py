"""Writes the declaration data of a response: the references and goods that its header has no place for.

Owns the second Declaration element (of the DEC schema) within a Response, and the lengths that the
schema gives each reference: one that is too long is left out, since a cut reference is another one.
"""

import re
from decimal import Decimal
from typing import Any

from lxml import etree

from adapters.document import Element
from adapters.profile import Profile
from adapters.wco_codes import DEC
from adapters.wco_parts import scheme_of_document
from schemas.codes import normal_identifier
from schemas.shipment import Goods, Identifier, Scheme, Shipment

MAX_SEQUENCE = 99_999
_MAX_ITEMS = 999
_MAX_PACKAGES = 10**8 - 1
# The schema has sixteen digits; beyond fifteen a double no longer keeps what was written.
_MAX_KILOGRAMS, _MAX_AMOUNT = Decimal(10) ** 9, Decimal(10) ** 12
# XML 1.0, production 2: what may not stand in a document at all.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MAX_LINE = 512
# The most characters that the schema lets each reference have.
_LENGTHS: dict[Scheme, int] = {
    "mrn": 70,
    "lrn": 35,
    "ucr": 35,
    "transport-document": 70,
    "certificate": 70,
    "container": 17,
    "equipment": 17,
    "seal": 35,
    "other": 70,
}
SCHEMES = tuple(_LENGTHS)
# Under which type a reference of each scheme goes out as a PreviousDocument; 760: any contract of carriage.
_PREVIOUS: dict[Scheme, str] = {
    "ucr": "DCR",
    "mrn": "MRN",
    "lrn": "LRN",
    "transport-document": "760",
    "other": "ZZZ",
}


def one_line(value: str) -> str:
    """Return a text as one line of at most 512 characters that XML can hold."""
    return " ".join(NOT_XML.sub("", value).split())[:MAX_LINE].rstrip()


def add(parent: Element, uri: str, name: str, value: str | None = None) -> Element:
    """Append an element, with its text if it has one."""
    element: Element = etree.SubElement(parent, f"{{{uri}}}{name}")
    if value is not None:
        element.text = value
    return element


def fitting(identifiers: list[Identifier], *schemes: Scheme) -> list[Identifier]:
    """Return the references of these schemes that the schema has room for, in their order."""
    return [one for one in identifiers if one.scheme in schemes and _fits(one.value, one.scheme)]


def write_data(response: Element, body: Shipment, header: list[Identifier], profile: Profile) -> None:
    """Append a Declaration with all that the `header` does not name; none where there is nothing."""
    named = {(one.scheme, one.value) for one in header}
    rest = [one for one in body.identifiers if (one.scheme, one.value) not in named]
    nsmap: Any = {None: DEC}
    declaration: Element = etree.Element(f"{{{DEC}}}Declaration", nsmap=nsmap)
    add(declaration, DEC, "FunctionCode", "9")
    types = {normal_identifier(one.id): one.type or "" for one in body.documents or []}
    for one in fitting(rest, "certificate"):
        _certificate(declaration, one.value, types.get(one.value, ""), profile)
    shipment: Element = etree.Element(f"{{{DEC}}}GoodsShipment")
    _equipment(shipment, rest, body)
    for number, goods in enumerate((body.goods or [])[:_MAX_ITEMS], start=1):
        _item(shipment, number, goods)
    ucrs = fitting(rest, "ucr")
    for one in fitting(rest, *_PREVIOUS):
        if one not in ucrs[:1]:
            document = add(shipment, DEC, "PreviousDocument")
            add(document, DEC, "CategoryCode", "Z")
            add(document, DEC, "ID", one.value)
            add(document, DEC, "TypeCode", _PREVIOUS[one.scheme])
    for one in ucrs[:1]:
        add(add(shipment, DEC, "UCR"), DEC, "ID", one.value)
    if len(shipment):
        declaration.append(shipment)
    if len(declaration) > 1:
        response.append(declaration)


def _certificate(declaration: Element, number: str, kind: str, profile: Profile) -> None:
    """Write a certificate, with its type where that is a code that reads as a certificate's again."""
    if re.fullmatch(r"[A-Z0-9]{3,4}", kind) is None or scheme_of_document(kind, profile) != "certificate":
        kind = ""
    document = add(declaration, DEC, "AdditionalDocument")
    if kind[:-3]:
        add(document, DEC, "CategoryCode", kind[:-3])
    add(document, DEC, "ID", number)
    if kind:
        add(document, DEC, "TypeCode", kind[-3:])


def _equipment(shipment: Element, rest: list[Identifier], body: Shipment) -> None:
    """Write containers and other equipment with their seals; seals of which no equipment is known stand alone."""
    seals: dict[str, list[str]] = {}
    for one in body.equipment or []:
        seals.setdefault(one.number, []).extend(one.seals or [])
    for reference in rest:
        if reference.scheme in ("container", "equipment"):
            seals.setdefault(reference.value, [])
    rows = [(number, of) for number, of in seals.items() if _fits(number, "container")]
    placed = {seal for _, of in rows for seal in of}
    loose = [one.value for one in fitting(rest, "seal") if one.value not in placed]
    if loose:
        rows.append(("", loose))
    if not rows:
        return
    consignment = add(shipment, DEC, "Consignment")
    for position, (number, of) in enumerate(rows[:MAX_SEQUENCE], start=1):
        equipment = add(consignment, DEC, "TransportEquipment")
        add(equipment, DEC, "SequenceNumeric", str(position))
        if number:
            add(equipment, DEC, "ID", number)
        for place, value in enumerate((one for one in of[:MAX_SEQUENCE] if _fits(one, "seal")), start=1):
            seal = add(equipment, DEC, "Seal")
            add(seal, DEC, "SequenceNumeric", str(place))
            add(seal, DEC, "ID", value)


def _fits(value: str, scheme: Scheme) -> bool:
    return len(value) <= _LENGTHS[scheme] and value.isprintable() and not NOT_XML.search(value)


def _item(shipment: Element, number: int, goods: Goods) -> None:
    item = add(shipment, DEC, "GovernmentAgencyGoodsItem")
    known = goods.item is not None and goods.item <= MAX_SEQUENCE
    add(item, DEC, "SequenceNumeric", str(goods.item if known else number))
    commodity: Element = etree.Element(f"{{{DEC}}}Commodity")
    if description := one_line(goods.description or ""):
        add(commodity, DEC, "Description", description)
    if goods.hs:
        classification = add(commodity, DEC, "Classification")
        add(classification, DEC, "ID", goods.hs)
        add(classification, DEC, "IdentificationTypeCode", "TSP")
    if goods.un_number:
        add(add(commodity, DEC, "DangerousGoods"), DEC, "UNDGID", goods.un_number)
    if mass := _decimal(goods.gross_mass_kg, 6, _MAX_KILOGRAMS):
        add(add(commodity, DEC, "GoodsMeasure"), DEC, "GrossMassMeasure", mass)
    if goods.value and (amount := _decimal(goods.value.amount, 3, _MAX_AMOUNT)):
        charge = add(add(commodity, DEC, "InvoiceLine"), DEC, "ItemChargeAmount", amount)
        charge.set("currencyID", goods.value.currency)
    if len(commodity):
        item.append(commodity)
    if goods.origin:
        origin = add(item, DEC, "Origin")
        add(origin, DEC, "CountryCode", goods.origin)
        add(origin, DEC, "TypeCode", "1")
    if goods.packages is not None and goods.packages <= _MAX_PACKAGES:
        packaging = add(item, DEC, "Packaging")
        add(packaging, DEC, "SequenceNumeric", "1")
        add(packaging, DEC, "QuantityQuantity", str(goods.packages))


def _decimal(number: float | None, places: int, below: Decimal) -> str | None:
    """Write a number with at most so many decimals; None where the schema has no room for it."""
    if number is None or abs(value := Decimal(repr(number))) >= below:
        return None
    rounded = round(value, places)
    plain = f"{rounded:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
