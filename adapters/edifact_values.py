"""Single values of EDIFACT segments: times, places, quantities, references, parties, means of transport.

Owns how a segment's elements become canonical parts, whichever message they stand in. What codes mean comes
from the profile (family `edifact`). Never knows a message type's groups.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from adapters.document import Findings, Identifiers, Origin, read_time
from adapters.edifact_envelope import Heading
from adapters.edifact_syntax import Segment
from adapters.waybills import air_waybill
from schemas.base import present
from schemas.codes import (
    container_warning,
    equipment_number,
    has_container_form,
    is_country,
    is_locode,
)
from schemas.shipment import Means, Party, Place, Scheme, Transport

FAMILY = "edifact"
# Code list responsible agency (3055): none, or UN/ECE. Another agency's code means what that agency says.
UNITED_NATIONS = ("", "6")
# The limits of the canonical fields.
MAX_TEXT = 512
MAX_COUNT = 10**9
# What one part of a free text holds (4440): until D.98B, and since. Who fills one cuts words to do so.
FULL_TEXTS = (70, 512)
# What is shorter is a flag or a line number, and would join what has nothing to do with each other.
MIN_REFERENCE = 2
# Keys of a consignment, best first.
KEYS: tuple[Scheme, ...] = (
    "ucr", "mrn", "transport-document", "lrn", "certificate", "container", "other", "equipment", "seal",
)  # fmt: skip
_RANK = {scheme: rank for rank, scheme in enumerate(KEYS)}
_SHIP = re.compile(r"(?:IMO)?\s?([0-9]{7})")
# UNTDID 1153: air waybill, master air waybill.
_WAYBILLS = ("AWB", "MWB")
_MRN = re.compile(r"[0-9]{2}[A-Z]{2}[A-Z0-9]{13}[0-9]")
_FLIGHT = re.compile(r"[A-Z0-9]{2}[A-Z]?[0-9]{1,4}[A-Z]?")
# Fifteen digits before the point are what a double holds; exponents are for physics.
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_OFFSET = re.compile(r"([+-]\d\d):?(\d\d)?")


@dataclass(frozen=True)
class Context:
    """What reading any segment of a message needs."""

    findings: Findings
    origin: Origin
    heading: Heading

    def table(self, section: str) -> Mapping[str, Any]:
        """Return a section of the profile's codes."""
        return self.origin.profile.table(FAMILY, section)

    @cached_property
    def prepared(self) -> "Moment | None":
        """When the interchange was prepared (UNB S004: YYMMDD or CCYYMMDD, and HHMM)."""
        found = _time(self.heading.interchange.prepared, "", self)
        return found[0] if found else None

    def warn(self, code: str, segment: Segment, detail: str) -> None:
        """Note something odd about a segment."""
        self.findings.warn(code, segment.place, detail)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, and whether its zone had to be assumed."""

    time: datetime
    assumed: bool


def function_of(begin: Segment | None) -> str:
    """Return the function (1225) of a BGM; directories before D.93A have the date of the document before it."""
    if begin is None:
        return ""
    return begin.get(4 if begin.get(3, 1) else 3)


def moment(segment: Segment | None, context: Context, beside: Iterable[Segment] = ()) -> Moment | None:
    """Read a DTM (C507: qualifier, value, format 2379); of a period its begin. None where it holds no time.

    Some tell day and time of day apart, in two DTM of one qualifier: the second is then one of `beside`.
    """
    if segment is None or not segment.get(1, 1):
        return None
    value, code = segment.get(1, 1), segment.get(1, 2)
    if code in _DAYS:
        for one in islice(beside, _MAX_BESIDE):
            if one.tag == "DTM" and one.get(1) == segment.get(1) and (whole := _DAYS[code].get(one.get(1, 2))):
                value, code = value + one.get(1, 1), whole
                break
    found = _time(value, code, context)
    if found is None:
        context.warn("time", segment, "no date or time in a format of UNTDID 2379 that names a day")
        return None
    time, misread = found
    if misread:
        context.warn("time-format", segment, "its value has not the length of its format; read by its length")
    return time


# Format -> how many digits each of century and year, month, day, hour, minute, second takes.
_BY_LENGTH = {6: "yymmdd", 8: "ccyymmdd", 10: "yymmddHHMM", 12: "ccyymmddHHMM", 14: "ccyymmddHHMMSS"}
_BY_FORMAT = {
    "2": "ddmmyy", "3": "mmddyy", "4": "ddmmccyy", "5": "ddmmccyyHHMM", "10": "ccyymmddHHMM",
    "101": "yymmdd", "102": "ccyymmdd", "201": "yymmddHHMM", "202": "yymmddHHMMSS", "203": "ccyymmddHHMM",
    "204": "ccyymmddHHMMSS", "205": "ccyymmddHHMM", "206": "yymmddHHMM", "207": "yymmddHHMMSS",
    "208": "ccyymmddHHMMSS", "301": "yymmddHHMM", "302": "yymmddHHMMSS", "303": "ccyymmddHHMM",
    "304": "ccyymmddHHMMSS", "307": "ccyymmddHHMMSS", "308": "ccyymmddHHMM", "713": "yymmddHHMM",
    "717": "yymmdd", "718": "ccyymmdd", "719": "ccyymmddHHMM",
}  # fmt: skip
# Of these a begin and an end, without a zone.
_PERIODS = frozenset({"713", "717", "718", "719"})
# Among so many dates the time of day is looked for: segment tables let fewer stand together.
_MAX_BESIDE = 99
# Formats of a day alone, and what they are with a time of day (401 HHMM, 402 HHMMSS) behind it.
_DAYS = {"101": {"401": "201", "402": "202"}, "102": {"401": "203", "402": "204"}}
_NO_DAY = frozenset({"610", "602", "609", "601", "616", "615", "107", "108", "109", "401", "402", "404"})


def _time(value: str, code: str, context: Context) -> tuple[Moment, bool] | None:
    """Return the moment and whether its format had to be told by its length."""
    if code in _NO_DAY:
        return None
    text = value.replace("T", "") if code == "10" else value
    digits = re.match(r"\d*", text, re.ASCII)
    run = digits.group() if digits else ""
    rest = "" if code in _PERIODS else text[len(run) :]
    shape = _BY_FORMAT.get(code, "")
    misread = False
    if not shape or len(run) < len(shape) or (len(run) > len(shape) and code != "307"):
        misread = bool(code)
        shape = _BY_LENGTH.get(len(run), "")
        if not shape:
            return None
    parts = dict.fromkeys(("cc", "yy", "mm", "dd", "HH", "MM", "SS"), "")
    for position in range(0, len(shape), 2):
        parts[shape[position : position + 2]] = run[position : position + 2]
    century = parts["cc"] or ("20" if int(parts["yy"]) < 70 else "19")
    date = f"{century}{parts['yy']}-{parts['mm']}-{parts['dd']}"
    clock = f"{parts['HH'] or '00'}:{parts['MM'] or '00'}:{parts['SS'] or '00'}"
    # ISO 9735's partners write the end of a day as 24:00; it is the last moment that has a date of that day.
    clock = "23:59:59" if clock.startswith("24:00") else clock
    found = read_time(f"{date}T{clock}{_zone(rest, context)}", context.origin.zone)
    return (Moment(*found), misread) if found else None


def _zone(text: str, context: Context) -> str:
    """The offset that follows the digits: signed, or in words; empty where there is none that is known."""
    offset = _OFFSET.match(text.strip())
    if offset:
        return f"{offset[1]}:{offset[2] or '00'}"
    word = re.match(r"[A-Z]+", text.strip().upper())
    minutes = context.table("zone").get(word.group()) if word else None
    if not isinstance(minutes, int):
        return ""
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def first_moment(segments: Iterable[Segment], qualifiers: Iterable[str], context: Context) -> Moment | None:
    """Return the time under the best of these qualifiers (2005) that there is."""
    dates = [one for one in segments if one.tag == "DTM"]
    for qualifier in qualifiers:
        for one in dates:
            if one.get(1) == qualifier and (found := moment(one, context, dates)) is not None:
                return found
    return None


def decimal(text: str, segment: Segment) -> Decimal | None:
    """Read a number with the interchange's decimal mark; comma and point both serve (ISO 9735, 10.1)."""
    plain = text.replace(segment.advice.decimal, ".") if segment.advice.decimal not in " ." else text
    plain = plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain
    return Decimal(plain) if _NUMBER.fullmatch(plain) else None


def whole(text: str, segment: Segment) -> int | None:
    """Read a count; None where it is none."""
    if text.isascii() and text.isdigit():
        return count if len(text) <= 15 and (count := int(text)) <= MAX_COUNT else None
    number = decimal(text, segment) if text else None
    if number is None or number != number.to_integral_value() or not 0 <= number <= MAX_COUNT:
        return None
    return int(number)


def kilograms(segment: Segment, unit: str, value: str, context: Context) -> float | None:
    """Return a mass in kilograms; None, with a warning, where unit or number say none."""
    if not value:
        return None
    number, factor = decimal(value, segment), context.table("mass").get(unit.upper() or "KGM")
    if number is None or number < 0 or factor is None:
        context.warn("mass", segment, "no mass: its number or its unit (6411) is not one that is known")
        return None
    return float(number * _exact(factor))


@lru_cache(maxsize=64)
def _exact(factor: float) -> Decimal:
    return Decimal(str(factor))


def short(value: str) -> str:
    """Cut a text to what a canonical text holds."""
    return " ".join(value.split())[:MAX_TEXT].rstrip()


def place_of(segment: Segment | None, context: Context) -> Place | None:
    """Read a LOC: C517 the place, C519 the terminal within it; a country where its code is one."""
    if segment is None:
        return None
    found, coded = _place(segment.get(2), segment.get(2, 3), segment.get(3, 3) or segment.get(3))
    if not coded and segment.get(2) and segment.get(2, 1) in ("139", "162"):
        context.warn("place-code", segment, "neither a UN/LOCODE nor a country code (3225)")
    return found


@lru_cache(maxsize=1024)
def _place(code: str, name: str, facility: str) -> tuple[Place | None, bool]:
    """A place, and whether its code is one; a report names few of them, in each of its consignments."""
    plain = code.upper().replace(" ", "")
    if is_locode(plain):
        found = present(locode=plain, country=plain[:2], name=short(name), facility=short(facility))
    elif is_country(plain):
        found = present(country=plain, name=short(name), facility=short(facility))
    else:
        found = present(name=short(name or code), facility=short(facility))
    return (Place(**found) if found else None), "country" in found


def best_place(segments: Iterable[Segment], qualifiers: Iterable[str], context: Context) -> Place | None:
    """Return the place under the best of these qualifiers (3227) that names one."""
    places = [one for one in segments if one.tag == "LOC"]
    for qualifier in qualifiers:
        for one in places:
            if one.get(1) == qualifier and (found := place_of(one, context)) is not None:
                return found
    return None


def country_of(segments: Iterable[Segment], qualifier: str) -> str | None:
    """Return the country of a LOC; a UN/LOCODE's begins with it."""
    for one in segments:
        if one.tag == "LOC" and one.get(1) == qualifier and is_country(code := one.get(2).upper()[:2]):
            return code
    return None


def transport_of(segment: Segment | None, context: Context) -> Transport | None:
    """Read a TDT: conveyance reference 8028, mode 8067, carrier C040, means C222."""
    if segment is None:
        return None
    voyage, mode = segment.get(2), segment.get(3).lstrip("0")[:1]
    mode = mode if mode and mode in "123456789" else _mode_of(segment.get(4), context)
    carrier = segment.get(5) or segment.get(5, 3)
    means = _means(segment, mode, context)
    if mode == "4" and means is None and _FLIGHT.fullmatch(voyage.replace(" ", "").upper()):
        means = Means(scheme="flight", value=voyage)
    found = present(mode=mode, means=means, voyage=short(voyage), carrier=short(carrier))
    return Transport(**found) if found else None


def _mode_of(kind: str, context: Context) -> str:
    """Tell the mode by the type of the means of transport (8179): its first digit, since it is a Recommendation 28."""
    coded = len(kind) in (3, 4) and kind.isascii() and kind.isdigit() and kind[0] != "0"
    return kind[0] if coded else str(context.table("means-mode").get(kind, ""))


def _means(segment: Segment, mode: str, context: Context) -> Means | None:
    code, name = segment.get(8), segment.get(8, 3)
    ship = _SHIP.fullmatch(code.upper())
    if ship and _imo(ship[1]):
        return Means(scheme="imo", value=ship[1])
    scheme = context.table("mode-means").get(mode) or context.table("means").get(segment.get(8, 1), "name")
    if scheme in ("call-sign", "name") and name:
        # A call sign is reassigned; the name is what people know the ship by.
        return Means(scheme="name", value=short(name))
    return Means(scheme=scheme, value=short(code or name)) if code or name else None


def _imo(number: str) -> bool:
    """Whether seven digits are an IMO ship identification number: the last checks the others."""
    return sum(int(digit) * weight for digit, weight in zip(number, range(7, 1, -1), strict=False)) % 10 == int(
        number[6]
    )


def party_of(segment: Segment, context: Context) -> Party | None:
    """Read a NAD; None for a role that has no word here."""
    role = context.table("party").get(segment.get(1).upper())
    if not role:
        return None
    loose, names = components(segment, 3), components(segment, 4)
    name = short(" ".join(names)) or short(next(iter(loose), ""))
    rest = loose if names else loose[1:]
    country = segment.get(9).upper() or segment.get(4, 5).upper()
    address = [*rest, *components(segment, 5), segment.get(6), segment.get(7), segment.get(8)]
    found = present(
        name=name,
        id=short(segment.get(2)),
        country=country if is_country(country) else None,
        address=short(", ".join(one for one in address if one)),
    )
    return Party(role=role, **found) if found else None


def components(segment: Segment, element: int) -> list[str]:
    """The five texts of a party's composite; C080's sixth component is a format code."""
    if element >= len(segment.elements):
        return []
    return [text for one in segment.elements[element][:5] if (text := one.strip())]


def parties_of(segments: Iterable[Segment], context: Context, further: Iterable[Party] = ()) -> list[Party]:
    """Read every NAD once, in order; `further` parties come after them, where they are others."""
    found: dict[tuple[str | None, ...], Party] = {}
    for one in segments:
        if one.tag == "NAD" and (party := party_of(one, context)) is not None:
            found[party.role, party.id, party.name] = party
    for party in further:
        found.setdefault((party.role, party.id, party.name), party)
    return list(found.values())


def free_text(segment: Segment) -> str:
    """Return a FTX's text (C108), its parts joined; one that is full goes on in the next."""
    if len(segment.elements) < 5:
        return ""
    parts = [part if len(part) in FULL_TEXTS else part + " " for part in segment.elements[4]]
    return " ".join("".join(parts).split())


def add_reference(identifiers: Identifiers, segment: Segment, context: Context) -> None:
    """Take an RFF (C506) or, of the same shape, another reference."""
    qualifier, value = segment.get(1).upper(), segment.get(1, 1)
    if not value or not qualifier:
        return
    if qualifier == "MRN" and _MRN.fullmatch(value.upper()):
        # UNTDID has it for mailings; European customs use it for their movement reference number.
        identifiers.add("mrn", value)
        return
    scheme = context.table("reference").get(qualifier, "other")
    if scheme == "container":
        add_equipment(identifiers, segment, value, context)
    elif scheme and (scheme not in ("other", "seal") or len(value) >= MIN_REFERENCE):
        identifiers.add(scheme, air_waybill(value) if qualifier in _WAYBILLS else value)


def add_seals(identifiers: Identifiers, seals: Iterable[str]) -> None:
    """Take the numbers of seals; a flag that there is one (`Y`) is no number."""
    for seal in seals:
        if len(seal) >= MIN_REFERENCE:
            identifiers.add("seal", seal)


def add_document(identifiers: Identifiers, segment: Segment, context: Context) -> None:
    """Take a DOC: C002 its name (1001), C503 its number."""
    scheme = context.table("document").get(segment.get(1))
    if scheme:
        identifiers.add(scheme, air_waybill(segment.get(2), segment.get(1)))


def add_equipment(
    identifiers: Identifiers, segment: Segment, number: str, context: Context, qualifier: str = ""
) -> None:
    """Take an equipment's number as a container's, where it is one or is called one."""
    normal = equipment_number(number)
    if not normal:
        return
    called = context.table("equipment").get(qualifier) == "container"
    if not called and not has_container_form(normal):
        identifiers.add("equipment", normal)
        return
    warning = container_warning(normal)
    if warning:
        context.warn("container", segment, warning)
    identifiers.add("container" if has_container_form(normal) or called else "equipment", normal)


def subject_of(identifiers: Identifiers) -> str:
    """Return the consignment's key, best scheme first."""
    best = min(identifiers.as_list(), key=lambda one: _RANK[one.scheme], default=None)
    return best.value[:256] if best is not None else ""


def gross_mass(segments: Iterable[Segment], context: Context) -> float | None:
    """Return the gross mass of MEA segments (C502 6313, C174 unit and value)."""
    measures: dict[str, Segment] = {}
    for one in segments:
        if one.tag == "MEA":
            measures.setdefault((one.get(2) or one.get(1)).upper(), one)
    for attribute in context.table("gross").get("order", ()) if measures else ():
        if (found := measures.get(attribute)) is not None:
            return kilograms(found, found.get(3), found.get(3, 1), context)
    return None
