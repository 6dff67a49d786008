"""Goods items and equipment of EDIFACT messages: GID and CST groups, EQD groups.

Owns how they become canonical goods and equipment. Never knows which message type they stand in.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from adapters.document import Identifiers
from adapters.edifact_structure import Group
from adapters.edifact_syntax import Segment
from adapters.edifact_values import (
    MAX_COUNT,
    Context,
    add_equipment,
    add_seals,
    country_of,
    decimal,
    free_text,
    gross_mass,
    short,
    whole,
)
from schemas.base import present
from schemas.codes import normal_identifier
from schemas.shipment import Equipment, Goods, Value

# The longest canonical description.
_MAX_DESCRIPTION = 8192
_HS = re.compile(r"[0-9]{2,14}")
_APART = re.compile(r"[.\s-]")
_UN = re.compile(r"[0-9]{4}")
# FTX (4451): what the goods are; DGS: their technical name.
_DESCRIBING = ("AAA", "AAD", "PRD", "ACD")
# The segments of an item, by tag.
_Held = Mapping[str, Sequence[Segment]]


def goods_of(group: Group, context: Context, origin: str | None = None) -> Goods | None:
    """Read a goods item: the group that GID or CST begins; `origin` is that of the whole consignment."""
    trigger = group.segments[0] if group.segments else None
    number = whole(trigger.get(1), trigger) if trigger is not None and trigger.tag in ("GID", "CST") else None
    held = group.by_tag()
    found = present(
        item=number,
        hs=_hs(held, context),
        description=_description(held),
        origin=country_of(held.get("LOC", ()), "27") or origin,
        gross_mass_kg=gross_mass(held.get("MEA", ()), context),
        packages=_packages(trigger, held),
        un_number=_un_number(held, context),
        value=_value(held, context),
    )
    # An origin or a number alone describes no goods.
    return Goods(**found) if found.keys() - {"item", "origin"} else None


def _description(held: _Held) -> str:
    texts = [text for one in held.get("FTX", ()) if one.get(1) in _DESCRIBING and (text := free_text(one))]
    return " ".join(dict.fromkeys(texts))[:_MAX_DESCRIPTION].rstrip()


def _packages(trigger: Segment | None, held: _Held) -> int | None:
    """The outermost packages: the first of GID's levels, else PAC added up."""
    if trigger is not None and trigger.tag == "GID" and (count := whole(trigger.get(2), trigger)) is not None:
        return count
    counts = [count for one in held.get("PAC", ()) if (count := whole(one.get(1), one)) is not None]
    return min(sum(counts), MAX_COUNT) if counts else None


def _hs(held: _Held, context: Context) -> str | None:
    """The longest commodity code of CST (C246) or of PIA under HS."""
    best = ""
    for one in held.get("RFF", ()):
        # Australia's exporters give it as a reference.
        if one.get(1) == "HS" and _HS.fullmatch(plain := _APART.sub("", one.get(1, 1))):
            best = max(best, plain, key=len)
    for segment in (*held.get("CST", ()), *held.get("PIA", ())):
        named = segment.tag == "PIA"
        for element in range(2, min(7, len(segment.elements))):
            code = segment.get(element)
            if not code or (named and segment.get(element, 1) not in _TARIFF):
                continue
            plain = _APART.sub("", code)
            if _HS.fullmatch(plain):
                best = max(best, plain, key=len)
            elif named:
                context.warn("commodity-code", segment, "not a commodity code of two to fourteen digits")
    return best or None


# Item type (7143): harmonised system, customs tariff, commodity grouping.
_TARIFF = ("HS", "TSP", "CG", "GN")


def _un_number(held: _Held, context: Context) -> str | None:
    for one in held.get("DGS", ()):
        if _UN.fullmatch(one.get(3)):
            return one.get(3)
        if one.get(3):
            context.warn("un-number", one, "a UN number (7124) has four digits")
    return None


def _value(held: _Held, context: Context) -> Value | None:
    amounts: dict[str, list[Segment]] = {}
    for one in held.get("MOA", ()):
        amounts.setdefault(one.get(1), []).append(one)
    for qualifier in context.table("amount").get("order", ()) if amounts else ():
        for one in amounts.get(qualifier, ()):
            number = decimal(one.get(1, 1), one)
            currency = one.get(1, 2).upper()
            if number is not None and re.fullmatch(r"[A-Z]{3}", currency):
                return Value(amount=float(number), currency=currency)
    return None


class Fleet:
    """The equipment that a message names, by number, to be looked up by its goods."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Segment, Equipment]] = {}

    def add(self, group: Group) -> None:
        """Take an EQD group."""
        trigger = group.segments[0]
        found = equipment_of(trigger, group.every("SEL"))
        if trigger.tag == "EQD" and found is not None:
            self._known.setdefault(found.number, (trigger, found))

    def name(self, identifiers: Identifiers, number: str, segment: Segment, context: Context) -> Equipment | None:
        """Add a piece of equipment, its seals too, to a consignment's references, and return it."""
        normal = normal_identifier(number)[:256]
        if not normal:
            return None
        trigger, found = self._known.get(normal, (segment, Equipment(number=normal)))
        qualifier = trigger.get(1).upper() if trigger.tag == "EQD" else ""
        add_equipment(identifiers, trigger, normal, context, qualifier)
        add_seals(identifiers, found.seals or ())
        return found


def equipment_of(segment: Segment, seals: Iterable[Segment] = ()) -> Equipment | None:
    """Read an EQD: C237 its number, C224 its size and type; and its seals (SEL, 9308)."""
    number = normal_identifier(segment.get(2))
    if not number or len(number) > 256:
        return None
    sealed = [normal for one in seals if (normal := normal_identifier(one.get(1))) and len(normal) <= 256]
    return Equipment(
        number=number,
        **present(type=short(segment.get(3) or segment.get(3, 3)), seals=list(dict.fromkeys(sealed)) or None),
    )
