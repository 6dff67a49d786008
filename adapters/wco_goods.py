"""The goods items of a WCO declaration (68A) as canonical goods.

Owns the mapping of commodity, measure, packaging and value. Never knows what else a declaration holds.
"""

import re

from adapters.document import Element, Findings, child, children, text
from adapters.wco_codes import KILOGRAMS, TARIFF, TARIFF_SUFFIX
from adapters.wco_values import MAX_COUNT, country, decimal, whole
from schemas.base import present
from schemas.shipment import Goods, Value

_DIGITS = re.compile(r"[0-9]+")
_MAX_DESCRIPTION = 8192


def goods_items(declaration: Element) -> list[Element]:
    """Return the goods items (WCO 68A) of a declaration, of all its shipments."""
    return [
        item
        for shipment in children(declaration, "GoodsShipment")
        for item in children(shipment, "GovernmentAgencyGoodsItem")
    ]


def read_goods(declaration: Element, findings: Findings) -> list[Goods]:
    """The goods items (WCO 68A), those that say anything of the goods."""
    found = []
    for item in goods_items(declaration):
        commodity = child(item, "Commodity")
        found.append(
            Goods(
                **present(
                    item=whole(child(item, "SequenceNumeric"), findings),
                    hs=_tariff_number(commodity, findings),
                    description=(text(commodity, "Description") or "")[:_MAX_DESCRIPTION].rstrip(),
                    origin=_origin(item, findings),
                    gross_mass_kg=_gross_mass(commodity, findings),
                    packages=_packages(item, findings),
                    un_number=_un_number(commodity, findings),
                    value=_value(item, commodity, findings),
                )
            )
        )
    return found


def _tariff_number(commodity: Element | None, findings: Findings) -> str | None:
    number: tuple[str, Element] | None = None
    suffix = ""
    elements = children(commodity, "Classification") if commodity is not None else []
    for element in elements:
        kind, value = (text(element, "IdentificationTypeCode") or "").upper(), text(element, "ID")
        if value is None:
            continue
        if number is None and (kind in TARIFF or not kind):
            number = (value, element)
        elif kind in TARIFF_SUFFIX and not suffix:
            suffix = value
    if number is None:
        return None
    plain = re.sub(r"[ .\-]", "", number[0])
    if _DIGITS.fullmatch(plain) is None or not 2 <= len(plain) <= 14:
        findings.warn_at("hs", number[1], "a commodity code has two to fourteen digits")
        return None
    if len(plain) == 8 and _DIGITS.fullmatch(suffix) and len(suffix) <= 6:
        return plain + suffix
    return plain


def _origin(item: Element, findings: Findings) -> str | None:
    """The non-preferential origin (type 1) where it is given, else the first."""
    origins = children(item, "Origin")
    chosen = next((one for one in origins if text(one, "TypeCode") == "1"), origins[0] if origins else None)
    return country(child(chosen, "CountryCode"), findings)


def _gross_mass(commodity: Element | None, findings: Findings) -> float | None:
    element = child(commodity, "GoodsMeasure", "GrossMassMeasure")
    number = decimal(element, findings)
    if element is None or number is None:
        return None
    factor = KILOGRAMS.get((element.get("unitCode") or "KGM").upper())
    if factor is None or number < 0:
        findings.warn_at("mass", element, "not a mass in a known unit (UNECE Recommendation 20)")
        return None
    return float(number) if factor == 1 else float(number) * factor


def _packages(item: Element, findings: Findings) -> int | None:
    counts = [
        count
        for packaging in children(item, "Packaging")
        if (count := whole(child(packaging, "QuantityQuantity"), findings)) is not None
    ]
    return min(sum(counts), MAX_COUNT) if counts else None


def _un_number(commodity: Element | None, findings: Findings) -> str | None:
    element = child(commodity, "DangerousGoods", "UNDGID")
    value = text(element)
    if element is None or value is None:
        return None
    number = value.upper().removeprefix("UN").strip()
    if re.fullmatch(r"[0-9]{4}", number) is None:
        findings.warn_at("un-number", element, "a UN number has four digits")
        return None
    return number


def _value(item: Element, commodity: Element | None, findings: Findings) -> Value | None:
    """What the invoice says; failing that the customs or the statistical value."""
    for element in (
        child(commodity, "InvoiceLine", "ItemChargeAmount"),
        child(item, "CustomsValueAmount"),
        child(item, "StatisticalValueAmount"),
    ):
        number = decimal(element, findings)
        if element is None or number is None:
            continue
        currency = (element.get("currencyID") or "").strip().upper()
        if re.fullmatch(r"[A-Z]{3}", currency) is None:
            findings.warn_at("currency", element, "an amount without an ISO 4217 currency (currencyID)")
            continue
        return Value(amount=float(number), currency=currency)
    return None
