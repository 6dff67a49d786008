"""The business rules of the entry summary declaration, as data: name, words, predicate.

Owns which rules there are and where each one's error stands. Never asks them (`ens_check` does), and never says
whether a nation has a rule, or under which number it tells it broken: a profile does, by the rule's name. The
fields of parties have no entries here: there is one rule for all of them (`ens_check`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from adapters.ens_codes import FLIGHT, RAIL, REGISTRATION, ROAD, SHIP
from adapters.ens_declaration import Declaration
from adapters.ens_group import Group
from adapters.ens_structures import TRADERS

# The key under which rules of the whole message stand.
MESSAGE = "message"
# What a declaration may have of items, and an item of means of transport, and a declaration of seals.
MAX_ITEMS, MAX_SEALS = 999, 9999
# What the words of such a rule begin with.
LIMIT = "at most"

_SENDER = re.compile(r"[A-Z]{2}[^\n\r]{1,15}/[0-9]{10}")
_SHIP = re.compile(r"[0-9]{7,8}")
_FLIGHT = re.compile(r"[A-Za-z0-9]{1,3}[0-9]{1,4}[A-Za-z]?")
_TRANSFER = re.compile(r"XFER[A-Za-z0-9]+(?:[:-][A-Za-z0-9]+)?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_BARE_POINT = re.compile(r"[+-]?\.|[+-]?[0-9]*\.$")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: asked of every element named `of`; its error stands there, or at that element's child `at`.

    `name` is the rule's in a profile. Where `at` is given and there is no such child, the rule is not asked.
    """

    name: str
    of: str
    words: str
    broken: Callable[[Declaration, Group], bool]
    at: str | None = None


def _zeros(text: str | None) -> bool:
    return text is not None and _LEADING_ZERO.match(text) is not None


def _signed(text: str | None) -> bool:
    return text is not None and text[0] in "+-"


def _is_no_ship(d: Declaration, identity: str | None) -> bool:
    return d.mode.means == SHIP and identity is not None and _SHIP.fullmatch(identity) is None


def _by_other_than(d: Declaration, mode: str) -> bool:
    return d.mode.rec19 not in ("", mode)


def _is_numbered(items: list[Group]) -> bool:
    return all(int(item.value("IteNumGDS7") or 0) == number for number, item in enumerate(items, 1))


_SHIP_WORDS = "a ship is known by its IMO number (7 digits) or ENI (8 digits)"
_TIN_WORDS = "the consignee's TIN is needed of an authorised operator (circumstance E)"
_CONSIGNOR_WORDS = "there is no consignor of an item beside that of the whole"

_OF_THE_MESSAGE = (
    Rule(
        "sender-form", MESSAGE, "the sender is a country, 1 to 15 characters, a slash and ten digits",
        lambda d, e: _SENDER.fullmatch(e.value("MesSenMES3") or "") is None, at="MesSenMES3",
    ),
    Rule(
        "consignors-differ", MESSAGE, "the consignors of items are at least two, and not all the same",
        lambda d, e: len(set(d.consignors)) == 1,
    ),
    Rule(
        "item-numbers", MESSAGE, "the items are numbered 1, 2, 3 and so on, in this order",
        lambda d, e: not _is_numbered(d.items),
    ),
    Rule("items-limit", MESSAGE, f"{LIMIT} {MAX_ITEMS} goods items", lambda d, e: len(d.items) > MAX_ITEMS),
    Rule("packages-needed", MESSAGE, "packages are needed", lambda d, e: not d.has_packages),
    Rule("seals-limit", MESSAGE, f"{LIMIT} {MAX_SEALS} seals", lambda d, e: e.count("SEAID529") > MAX_SEALS),
    Rule(
        "itinerary-needed", MESSAGE, "two countries of the itinerary are needed at least",
        lambda d, e: e.count("ITI") < 2,
    ),
)  # fmt: skip
_OF_TRANSPORT = (
    Rule(
        "identity-needed", "HEAHEA", "the identity of the ship is needed",
        lambda d, e: d.mode.means == SHIP and d.identity is None,
    ),
    Rule(
        "nationality-needed", "HEAHEA", "the nationality of the means is needed by road, beside its identity",
        lambda d, e: d.mode.means == REGISTRATION and d.identity is not None and not e.has("NatOfMeaOfTraCroHEA87"),
    ),
    Rule(
        "circumstance-of-road", "HEAHEA", "circumstance C does not go with other modes than road",
        lambda d, e: d.circumstance == "road" and _by_other_than(d, ROAD),
    ),
    Rule(
        "circumstance-of-rail", "HEAHEA", "circumstance D does not go with other modes than rail",
        lambda d, e: d.circumstance == "rail" and _by_other_than(d, RAIL),
    ),
    Rule(
        "no-identity-by-air", "HEAHEA", "by air there is no identity of the means of transport",
        lambda d, e: d.mode.means == FLIGHT and d.identity is not None,
    ),
    Rule("ship-identity", "HEAHEA", _SHIP_WORDS, lambda d, e: _is_no_ship(d, d.identity)),
    Rule(
        "nationality-by-road", "HEAHEA", "the nationality of the means goes with road or ferry, and an identity",
        lambda d, e: e.has("NatOfMeaOfTraCroHEA87") and (d.mode.means != REGISTRATION or d.identity is None),
    ),
    Rule(
        "flight-needed", "HEAHEA", "by air a flight number is needed: airline, one to four digits, a letter or none",
        lambda d, e: d.mode.means == FLIGHT and _FLIGHT.fullmatch(d.conveyance) is None,
    ),
    Rule(
        "transfer-form", "HEAHEA", "by sea, XFER is followed by letters and digits, in two groups with : or - at most",
        lambda d, e: d.mode.is_sea and d.conveyance.startswith("XFER") and _TRANSFER.fullmatch(d.conveyance) is None,
    ),
    Rule("mode-known", "HEAHEA", "the transport mode is none of the list", lambda d, e: not d.mode.rec19),
    Rule(
        "mode-zeros", "HEAHEA", "the transport mode is written without leading zeros",
        lambda d, e: _zeros(e.value("TraModAtBorHEA76")),
    ),
    Rule(
        "circumstance-known", "HEAHEA", "the specific circumstance is none of the list",
        lambda d, e: e.has("SpeCirIndHEA1") and d.circumstance is None,
    ),
)  # fmt: skip
_OF_TOTALS = (
    Rule(
        "items-total-needed", "HEAHEA", "the total number of items is needed",
        lambda d, e: not e.has("TotNumOfIteHEA305"),
    ),
    Rule(
        "items-total", "HEAHEA", "the total number of items is that of the goods items",
        lambda d, e: e.has("TotNumOfIteHEA305") and int(e.value("TotNumOfIteHEA305") or 0) != len(d.items),
    ),
    Rule(
        "packages-total-needed", "HEAHEA", "the total number of packages is needed where there are packages",
        lambda d, e: not e.has("TotNumOfPacHEA306") and d.has_packages,
    ),
    Rule(
        "packages-total-alone", "HEAHEA", "there is no total number of packages without packages",
        lambda d, e: e.has("TotNumOfPacHEA306") and not d.has_packages,
    ),
    Rule(
        "packages-total", "HEAHEA", "the total number of packages is that of packages and pieces, and one a bulk",
        lambda d, e: e.has("TotNumOfPacHEA306") and int(e.value("TotNumOfPacHEA306") or 0) != d.packages_told,
    ),
    Rule("mass-total", "HEAHEA", "the total gross mass is no less than the items", lambda d, e: d.total_is_less),
    Rule(
        "items-total-zeros", "HEAHEA", "the total number of items is written without leading zeros",
        lambda d, e: _zeros(e.value("TotNumOfIteHEA305")),
    ),
    Rule(
        "packages-total-zeros", "HEAHEA", "the total number of packages is written without leading zeros",
        lambda d, e: _zeros(e.value("TotNumOfPacHEA306")),
    ),
    Rule(
        "mass-total-sign", "HEAHEA", "the total gross mass is written without a sign",
        lambda d, e: _signed(e.value("TotGroMasHEA307")),
    ),
)  # fmt: skip
_OF_PARTIES_AND_OFFICES = (
    Rule(
        "carrier-tin-needed", "TRACARENT601", "the carrier's TIN is needed, unless by road or rail",
        lambda d, e: d.mode.rec19 not in ("", ROAD, RAIL) and not e.value(TRADERS["TRACARENT601"].tin),
    ),
    Rule(
        "carrier-is-another", "TRACARENT601", "the carrier at entry is another than the declarant",
        lambda d, e: e.value(TRADERS["TRACARENT601"].tin) == d.declarant, at=TRADERS["TRACARENT601"].tin,
    ),
    Rule(
        "declarant-at-home", "PERLODSUMDEC", "the declarant's TIN is of this country",
        lambda d, e: not d.codes.is_home(d.declarant), at="TINPLD1",
    ),
    Rule(
        "office-is-another", "CUSOFFLON", "the office of lodgement is another than that of first entry",
        lambda d, e: e.value("RefNumCOL1") == d.root.group("CUSOFFFENT730").value("RefNumCUSOFFFENT731"),
        at="RefNumCOL1",
    ),
    Rule("consignor-once", "TRACONCO1", _CONSIGNOR_WORDS, lambda d, e: bool(d.consignors)),
    Rule(
        "no-consignee-to-order", "TRACONCE1", "there is no consignee of the whole where an item is to order",
        lambda d, e: any(d.to_order),
    ),
    Rule(
        "notify-to-order", "NOTPAR670", "a notify party of the whole goes with every item to order",
        lambda d, e: not all(d.to_order),
    ),
    Rule(
        "consignee-tin-needed", "TRACONCE1", _TIN_WORDS,
        lambda d, e: d.is_authorised and not e.has(TRADERS["TRACONCE1"].tin),
    ),
)  # fmt: skip
_OF_ITEMS = (
    Rule(
        "description-needed", "GOOITEGDS", "a description or a commodity code is needed",
        lambda d, e: not e.has("GooDesGDS23") and not e.has("COMCODGODITM"),
    ),
    Rule(
        "means-limit", "GOOITEGDS", f"{LIMIT} {MAX_ITEMS} means of transport in an item",
        lambda d, e: e.count("IDEMEATRAGI970") > MAX_ITEMS,
    ),
    Rule(
        "mass-needed", "GOOITEGDS", "the item's gross mass or the total is needed, unless circumstance E",
        lambda d, e: not e.has("GroMasGDS46") and not d.is_authorised and not d.header.has("TotGroMasHEA307"),
    ),
    Rule(
        "loading-needed", "GOOITEGDS", "a place of loading is needed, of the whole or of the item",
        lambda d, e: not d.header.has("PlaLoaGOOITE334") and not e.has("PlaLoaGOOITE333"),
    ),
    Rule(
        "loading-once", "GOOITEGDS", "the item has no place of loading beside that of the whole",
        lambda d, e: d.header.has("PlaLoaGOOITE334"), at="PlaLoaGOOITE333",
    ),
    Rule(
        "unloading-needed", "GOOITEGDS", "a place of unloading is needed, of the whole or item, unless circumstance E",
        lambda d, e: not d.is_authorised and not d.header.has("PlaUnlGOOITE334") and not e.has("PlaUnlGOOITE333"),
    ),
    Rule(
        "unloading-once", "GOOITEGDS", "the item has no place of unloading beside that of the whole",
        lambda d, e: d.header.has("PlaUnlGOOITE334"), at="PlaUnlGOOITE333",
    ),
    Rule(
        "reference-needed", "GOOITEGDS", "a produced document or a commercial reference is needed",
        lambda d, e: not (e.has("PRODOCDC2") or e.has("ComRefNumGIM1") or d.header.has("ComRefNumHEA")),
    ),
    Rule(
        "means-needed", "GOOITEGDS", "an identity of the means is needed, of the whole or of the item, unless by air",
        lambda d, e: d.identity is None and d.mode.means != FLIGHT and not e.has("IDEMEATRAGI970"),
    ),
    Rule(
        "notify-needed", "GOOITEGDS", "an item to order needs a notify party, its own or of the whole",
        lambda d, e: d.is_to_order(e) and not d.root.has("NOTPAR670") and not e.has("PRTNOT640"),
    ),
    Rule(
        "consignee-needed", "GOOITEGDS", "an item that is not to order needs a consignee, its own or of the whole",
        lambda d, e: not d.root.has("TRACONCE1") and not e.has("TRACONCE2") and not d.is_to_order(e),
    ),
    Rule(
        "item-notify-to-order", "GOOITEGDS", "a notify party of the item goes with an item to order",
        lambda d, e: not d.is_to_order(e), at="PRTNOT640",
    ),
    Rule(
        "notify-once", "GOOITEGDS", "the item has no notify party beside that of the whole",
        lambda d, e: d.root.has("NOTPAR670"), at="PRTNOT640",
    ),
    Rule(
        "no-item-consignee-to-order", "GOOITEGDS", "an item to order has no consignee",
        lambda d, e: d.is_to_order(e), at="TRACONCE2",
    ),
    Rule(
        "consignee-once", "GOOITEGDS", "the item has no consignee beside that of the whole",
        lambda d, e: d.root.has("TRACONCE1"), at="TRACONCE2",
    ),
    Rule(
        "consignor-once", "GOOITEGDS", _CONSIGNOR_WORDS,
        lambda d, e: d.root.has("TRACONCO1"), at="TRACONCO2",
    ),
    Rule(
        "payment-once", "GOOITEGDS", "the item has no method of payment beside that of the whole",
        lambda d, e: d.header.has("TraChaMetOfPayHEA1"), at="MetOfPayGDI12",
    ),
    Rule(
        "item-number-zeros", "GOOITEGDS", "the item number is written without leading zeros",
        lambda d, e: _zeros(e.value("IteNumGDS7")), at="IteNumGDS7",
    ),
    Rule(
        "mass-sign", "GOOITEGDS", "the gross mass is written without a sign",
        lambda d, e: _signed(e.value("GroMasGDS46")), at="GroMasGDS46",
    ),
)  # fmt: skip
_OF_PARTS_OF_ITEMS = (
    Rule(
        "item-consignee-tin-needed", "TRACONCE2", _TIN_WORDS,
        lambda d, e: d.is_authorised and not e.has(TRADERS["TRACONCE2"].tin),
    ),
    Rule(
        "means-once", "IDEMEATRAGI970", "no identity of the means beside that of the whole, nor by air",
        lambda d, e: d.identity is not None or d.mode.means == FLIGHT,
    ),
    Rule(
        "means-nationality-needed", "IDEMEATRAGI970", "the nationality of the means is needed, unless by rail",
        lambda d, e: d.mode.rec19 != RAIL and not e.has("NatIDEMEATRAGI973"),
    ),
    Rule(
        "ship-identity", "IDEMEATRAGI970", _SHIP_WORDS,
        lambda d, e: _is_no_ship(d, e.value("IdeMeaTraGIMEATRA971")), at="IdeMeaTraGIMEATRA971",
    ),
    Rule(
        "bulk-uncounted", "PACGS2", "bulk has neither a number of packages nor of pieces",
        lambda d, e: d.kind(e) == "bulk" and (e.has("NumOfPacGS24") or e.has("NumOfPieGS25")),
    ),
    Rule(
        "pieces-counted", "PACGS2", "unpacked goods have a number of pieces and none of packages",
        lambda d, e: d.kind(e) == "unpacked" and (e.has("NumOfPacGS24") or not e.has("NumOfPieGS25")),
    ),
    Rule(
        "packages-counted", "PACGS2", "packages have a number and no number of pieces",
        lambda d, e: d.kind(e) is None and (not e.has("NumOfPacGS24") or e.has("NumOfPieGS25")),
    ),
    Rule(
        "marks-needed", "PACGS2", "packages need marks and numbers, unless there is a specific circumstance",
        lambda d, e: d.kind(e) is None and not d.header.has("SpeCirIndHEA1") and not e.has("MarNumOfPacGSL21"),
    ),
    Rule(
        "marks-counted", "PACGS2", "where there are no packages, others of the same marks are counted",
        lambda d, e: _is_none(e) and e.value("MarNumOfPacGSL21") not in d.counted_marks,
    ),
    Rule(
        "packages-zeros", "PACGS2", "the number of packages is written without leading zeros",
        lambda d, e: _zeros(e.value("NumOfPacGS24")), at="NumOfPacGS24",
    ),
    Rule(
        "pieces-zeros", "PACGS2", "the number of pieces is written without leading zeros",
        lambda d, e: _zeros(e.value("NumOfPieGS25")), at="NumOfPieGS25",
    ),
)  # fmt: skip
# Asked of the text itself: the schema counts the digits of the number, these those that were written.
_OF_MASSES = tuple(
    Rule(name, of, words, broken, at=at)
    for of, at in (("HEAHEA", "TotGroMasHEA307"), ("GOOITEGDS", "GroMasGDS46"))
    for name, words, broken in (
        ("mass-zeros", "a mass is written without leading zeros", lambda d, e, at=at: _zeros(e.value(at))),
        ("mass-digits", "a mass has at most eleven digits", lambda d, e, at=at: _digits(e.value(at)) > 11),
        ("mass-decimals", "a mass has at most three decimals", lambda d, e, at=at: _decimals(e.value(at)) > 3),
        ("mass-point", "a mass has digits on both sides of its point", lambda d, e, at=at: _is_bare(e.value(at))),
    )
)


def _is_none(package: Group) -> bool:
    number = package.value("NumOfPacGS24")
    return number is not None and int(number) == 0


def _digits(text: str | None) -> int:
    return sum(character.isdigit() for character in text or "")


def _decimals(text: str | None) -> int:
    return len((text or "").partition(".")[2])


def _is_bare(text: str | None) -> bool:
    return _BARE_POINT.match(text or "") is not None


RULES = (
    *_OF_THE_MESSAGE, *_OF_TRANSPORT, *_OF_TOTALS, *_OF_PARTIES_AND_OFFICES, *_OF_ITEMS, *_OF_PARTS_OF_ITEMS,
    *_OF_MASSES,
)  # fmt: skip
