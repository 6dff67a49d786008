"""The business rules of the entry summary declaration, as data: HMRC's error number, condition, predicate.

Owns which rules there are and where each one's error stands. Never asks them (`ens_check` does), and never
says what a broken rule is worth: that is the reader's business.

`number` is HMRC's error number. Where its test documents show a rule but no number for it, the condition
or rule of the schema's own annotations stands there (`c562`). The fields of parties have no entries here:
their numbers follow a pattern (`ens_codes.TRADERS`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain

from adapters.document import Element, child, children, local_name
from adapters.ens_codes import AIR, BULK, FERRY, MODES, RAIL, ROAD, SEA, SHIP, TO_ORDER, TRADERS, UNPACKED
from adapters.ens_form import collapsed

# The key under which rules of the whole message stand.
MESSAGE = "message"

_SENDER = re.compile(r"[A-Z]{2}[^\n\r]{1,15}/[0-9]{10}")
_SHIP = re.compile(r"[0-9]{7,8}")
_FLIGHT = re.compile(r"[A-Za-z0-9]{1,3}[0-9]{1,4}[A-Za-z]?")
_TRANSFER = re.compile(r"XFER[A-Za-z0-9]+(?:[:-][A-Za-z0-9]+)?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_BARE_POINT = re.compile(r"[+-]?\.|[+-]?[0-9]*\.$")


def value(element: Element | None, name: str) -> str | None:
    """Return the collapsed text of a child; None where it is absent or empty."""
    found = child(element, name)
    return None if found is None else collapsed(found.text) or None


def has(element: Element, name: str) -> bool:
    """Tell whether an element has this child."""
    return child(element, name) is not None


def is_to_order(item: Element) -> bool:
    """Tell whether an item has additional information 10600 (to order, blank endorsed)."""
    return any(value(mention, "AddInfCodMT23") == TO_ORDER for mention in children(item, "SPEMENMT2"))


class Declaration:
    """A CC315A or CC313A that has the schema's form, as the rules look at it."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.header = child(root, "HEAHEA")
        self.items: list[Element] = children(root, "GOOITEGDS")
        self.mode = self.head("TraModAtBorHEA76")
        self.identity = self.head("IdeOfMeaOfTraCroHEA85")
        self.circumstance = self.head("SpeCirIndHEA1")
        self.conveyance = self.head("ConRefNumHEA") or ""
        self.loading = self.head("PlaLoaGOOITE334")
        self.unloading = self.head("PlaUnlGOOITE334")
        self.groups = {local_name(element) for element in root}

    def head(self, name: str) -> str | None:
        """Return a value of the header."""
        return value(self.header, name)

    def office(self, group: str, name: str) -> str | None:
        """Return the reference of a customs office."""
        return value(child(self.root, group), name)

    def tin(self, group: str) -> str | None:
        """Return the TIN of one of the declaration's own parties."""
        return value(child(self.root, group), TRADERS[group].tin)

    @cached_property
    def to_order(self) -> list[bool]:
        """For each item, whether it has additional information 10600."""
        return [is_to_order(item) for item in self.items]

    @cached_property
    def counted_marks(self) -> set[str | None]:
        """The marks and numbers of all packages of which there are some."""
        packages = chain.from_iterable(children(item, "PACGS2") for item in self.items)
        return {value(p, "MarNumOfPacGSL21") for p in packages if int(value(p, "NumOfPacGS24") or 0) > 0}

    @cached_property
    def consignors(self) -> set[tuple[tuple[str, str], ...]]:
        """The consignors of items, each different one once."""
        groups = chain.from_iterable(children(item, "TRACONCO2") for item in self.items)
        return {tuple((local_name(field), collapsed(field.text)) for field in group) for group in groups}

    @property
    def total_is_less(self) -> bool:
        """Whether the total gross mass is less than that of the items."""
        total = self.head("TotGroMasHEA307")
        masses = (Decimal(value(item, "GroMasGDS46") or 0) for item in self.items)
        return total is not None and Decimal(total) < sum(masses)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: asked of every element named `of`; its error stands there, or at that element's child `at`.

    Where `at` is given and there is no such child, the rule is not asked.
    """

    number: str
    condition: str
    of: str
    words: str
    broken: Callable[[Declaration, Element], bool]
    at: str | None = None


def _zeros(text: str | None) -> bool:
    return text is not None and _LEADING_ZERO.match(text) is not None


def _signed(text: str | None) -> bool:
    return text is not None and text[0] in "+-"


def _is_no_ship(d: Declaration, identity: str | None) -> bool:
    return d.mode in SHIP and identity is not None and _SHIP.fullmatch(identity) is None


def _kind(package: Element) -> str:
    return value(package, "KinOfPacGS23") or ""


def _is_packed(package: Element) -> bool:
    return _kind(package) not in BULK | UNPACKED


def _is_none(package: Element) -> bool:
    number = value(package, "NumOfPacGS24")
    return number is not None and int(number) == 0


_SHIP_WORDS = "modes 1 and 8 identify a ship by its IMO number (7 digits) or ENI (8 digits)"
_TIN_WORDS = "circumstance E needs the consignee's TIN"

_OF_THE_MESSAGE = (
    Rule(
        "4065", "", MESSAGE, "the sender is a country, 1 to 15 characters, a slash and ten digits",
        lambda d, e: _SENDER.fullmatch(value(e, "MesSenMES3") or "") is None, at="MesSenMES3",
    ),
    Rule(
        "8193", "C511", MESSAGE, "the consignors of items are at least two, and not all the same",
        lambda d, e: len(d.consignors) == 1,
    ),
)  # fmt: skip
_OF_THE_HEADER = (
    Rule(
        "8107", "C017", "HEAHEA", "modes 1 and 8 need the identity of the means of transport",
        lambda d, e: d.mode in SHIP and d.identity is None,
    ),
    Rule(
        "8111", "C529", "HEAHEA", "circumstance C does not go with modes 1, 2, 4, 8, 10, 11",
        lambda d, e: d.circumstance == "C" and d.mode in {SEA, RAIL, AIR, *SHIP, *FERRY},
    ),
    Rule(
        "8112", "C529", "HEAHEA", "circumstance D does not go with modes 1, 3, 4, 8, 10, 11",
        lambda d, e: d.circumstance == "D" and d.mode in {SEA, ROAD, AIR, *SHIP, *FERRY},
    ),
    Rule(
        "8113", "C017", "HEAHEA", "mode 4 has no identity of the means of transport",
        lambda d, e: d.mode == AIR and d.identity is not None,
    ),
    Rule("8114", "C514", "HEAHEA", _SHIP_WORDS, lambda d, e: _is_no_ship(d, d.identity)),
    Rule(
        "8115", "C024", "HEAHEA", "the nationality of the means goes with modes 3, 10, 11 and an identity",
        lambda d, e: has(e, "NatOfMeaOfTraCroHEA87") and (d.mode not in {ROAD, *FERRY} or d.identity is None),
    ),
    Rule(
        "8118", "C518", "HEAHEA", "mode 4 needs a flight number: airline, one to four digits, a letter or none",
        lambda d, e: d.mode == AIR and _FLIGHT.fullmatch(d.conveyance) is None,
    ),
    Rule(
        "8206", "TR0811", "HEAHEA", "the total number of items is that of the goods items",
        lambda d, e: has(e, "TotNumOfIteHEA305") and int(d.head("TotNumOfIteHEA305") or 0) != len(d.items),
    ),
    Rule(
        "8671", "", "HEAHEA", "the total number of items has no leading zeros",
        lambda d, e: _zeros(value(e, "TotNumOfIteHEA305")),
    ),
    Rule(
        "8672", "", "HEAHEA", "the total number of packages has no leading zeros",
        lambda d, e: _zeros(value(e, "TotNumOfPacHEA306")),
    ),
    Rule(
        "8673", "", "HEAHEA", "the total gross mass has no sign",
        lambda d, e: _signed(value(e, "TotGroMasHEA307")),
    ),
    Rule(
        "8685", "R843", "HEAHEA", "by sea, XFER is followed by letters and digits, in two groups with : or - at most",
        lambda d, e: d.mode == SEA and d.conveyance.startswith("XFER") and _TRANSFER.fullmatch(d.conveyance) is None,
    ),
    Rule("8686", "TR0812", "HEAHEA", "the total gross mass is no less than the items", lambda d, e: d.total_is_less),
    Rule(
        "8689", "R826", "HEAHEA", "the transport mode is one of 1, 2, 3, 4, 8, 10, 11",
        lambda d, e: d.mode not in MODES,
    ),
    Rule(
        "8691", "R834", "HEAHEA", "the specific circumstance is one of C, D, E",
        lambda d, e: d.circumstance is not None and d.circumstance not in {"C", "D", "E"},
    ),
)  # fmt: skip
_OF_PARTIES_AND_OFFICES = (
    Rule(
        "8164", "C502", "TRACARENT601", "modes 1, 4, 8, 10, 11 need the carrier's TIN",
        lambda d, e: d.mode in {AIR, *SHIP, *FERRY} and d.tin("TRACARENT601") is None,
    ),
    Rule(
        "r806", "R806", "TRACARENT601", "the carrier at entry is another than the declarant",
        lambda d, e: d.tin("TRACARENT601") == d.tin("PERLODSUMDEC"),
    ),
    Rule(
        "8692", "R837", "PERLODSUMDEC", "the declarant's TIN is British",
        lambda d, e: not (d.tin("PERLODSUMDEC") or "").startswith("GB"), at="TINPLD1",
    ),
    Rule(
        "8616", "R828", "CUSOFFLON", "the office of lodgement is another than that of first entry",
        lambda d, e: value(e, "RefNumCOL1") == d.office("CUSOFFFENT730", "RefNumCUSOFFFENT731"), at="RefNumCOL1",
    ),
    Rule(
        "8204", "C583", "TRACONCE1", "there is no consignee of the whole where an item has 10600",
        lambda d, e: any(d.to_order),
    ),
    Rule(
        "8619", "C583", "NOTPAR670", "a notify party of the whole needs 10600 in every item",
        lambda d, e: not all(d.to_order),
    ),
    Rule(
        "c562", "C562", "TRACONCE1", _TIN_WORDS,
        lambda d, e: d.circumstance == "E" and d.tin("TRACONCE1") is None,
    ),
)  # fmt: skip
_OF_ITEMS = (
    Rule(
        "8103", "C592", "GOOITEGDS", "the item's gross mass or the total is needed, unless circumstance E",
        lambda d, e: not has(e, "GroMasGDS46") and d.circumstance != "E" and d.head("TotGroMasHEA307") is None,
    ),
    Rule(
        "8104", "C574", "GOOITEGDS", "a place of loading is needed, of the whole or of the item",
        lambda d, e: d.loading is None and not has(e, "PlaLoaGOOITE333"),
    ),
    Rule(
        "8136", "C574", "GOOITEGDS", "the item has no place of loading beside that of the whole",
        lambda d, e: d.loading is not None, at="PlaLoaGOOITE333",
    ),
    Rule(
        "8687", "C579", "GOOITEGDS", "a place of unloading is needed, of the whole or the item, unless circumstance E",
        lambda d, e: d.circumstance != "E" and d.unloading is None and not has(e, "PlaUnlGOOITE333"),
    ),
    Rule(
        "8171", "C579", "GOOITEGDS", "the item has no place of unloading beside that of the whole",
        lambda d, e: d.unloading is not None, at="PlaUnlGOOITE333",
    ),
    Rule(
        "8170", "C567", "GOOITEGDS", "a produced document or a commercial reference is needed",
        lambda d, e: not has(e, "PRODOCDC2") and d.head("ComRefNumHEA") is None and not has(e, "ComRefNumGIM1"),
    ),
    Rule(
        "8199", "C019", "GOOITEGDS", "an identity of the means is needed, of the whole or of the item, unless mode 4",
        lambda d, e: d.identity is None and d.mode != AIR and not has(e, "IDEMEATRAGI970"),
    ),
    Rule(
        "8622", "C584", "GOOITEGDS", "an item with 10600 needs a notify party, its own or of the whole",
        lambda d, e: is_to_order(e) and "NOTPAR670" not in d.groups and not has(e, "PRTNOT640"),
    ),
    Rule(
        "8623", "C584", "GOOITEGDS", "an item without 10600 needs a consignee, its own or of the whole",
        lambda d, e: not is_to_order(e) and "TRACONCE1" not in d.groups and not has(e, "TRACONCE2"),
    ),
    Rule(
        "8620", "C584", "GOOITEGDS", "a notify party of the item needs 10600",
        lambda d, e: not is_to_order(e), at="PRTNOT640",
    ),
    Rule(
        "8621", "C584", "GOOITEGDS", "the item has no notify party beside that of the whole",
        lambda d, e: "NOTPAR670" in d.groups, at="PRTNOT640",
    ),
    Rule(
        "8624", "C584", "GOOITEGDS", "an item with 10600 has no consignee",
        lambda d, e: is_to_order(e), at="TRACONCE2",
    ),
    Rule(
        "8625", "C584", "GOOITEGDS", "the item has no consignee beside that of the whole",
        lambda d, e: "TRACONCE1" in d.groups, at="TRACONCE2",
    ),
    Rule(
        "c511", "C511", "GOOITEGDS", "the item has no consignor beside that of the whole",
        lambda d, e: "TRACONCO1" in d.groups, at="TRACONCO2",
    ),
    Rule(
        "c576", "C576", "GOOITEGDS", "the item has no method of payment beside that of the whole",
        lambda d, e: d.head("TraChaMetOfPayHEA1") is not None, at="MetOfPayGDI12",
    ),
    Rule(
        "8678", "R007", "GOOITEGDS", "the item number has no leading zeros",
        lambda d, e: _zeros(value(e, "IteNumGDS7")), at="IteNumGDS7",
    ),
    Rule(
        "8679", "", "GOOITEGDS", "the gross mass has no sign",
        lambda d, e: _signed(value(e, "GroMasGDS46")), at="GroMasGDS46",
    ),
)  # fmt: skip
_OF_PARTS_OF_ITEMS = (
    Rule(
        "c562", "C562", "TRACONCE2", _TIN_WORDS,
        lambda d, e: d.circumstance == "E" and value(e, TRADERS["TRACONCE2"].tin) is None,
    ),
    Rule(
        "8198", "C019", "IDEMEATRAGI970", "no identity of the means beside that of the whole, nor by mode 4",
        lambda d, e: d.identity is not None or d.mode == AIR,
    ),
    Rule(
        "8147", "C020", "IDEMEATRAGI970", "the nationality of the means is needed, unless mode 2",
        lambda d, e: d.mode != RAIL and not has(e, "NatIDEMEATRAGI973"),
    ),
    Rule(
        "8114", "C514", "IDEMEATRAGI970", _SHIP_WORDS,
        lambda d, e: _is_no_ship(d, value(e, "IdeMeaTraGIMEATRA971")), at="IdeMeaTraGIMEATRA971",
    ),
    Rule(
        "8149", "C062", "PACGS2", "bulk has neither a number of packages nor of pieces",
        lambda d, e: _kind(e) in BULK and (has(e, "NumOfPacGS24") or has(e, "NumOfPieGS25")),
    ),
    Rule(
        "8150", "C062", "PACGS2", "unpacked goods have a number of pieces and none of packages",
        lambda d, e: _kind(e) in UNPACKED and (has(e, "NumOfPacGS24") or not has(e, "NumOfPieGS25")),
    ),
    Rule(
        "8151", "C062", "PACGS2", "packages have a number and no number of pieces",
        lambda d, e: _is_packed(e) and (not has(e, "NumOfPacGS24") or has(e, "NumOfPieGS25")),
    ),
    Rule(
        "8152", "C062", "PACGS2", "packages have marks and numbers, unless there is a specific circumstance",
        lambda d, e: _is_packed(e) and d.circumstance is None and not has(e, "MarNumOfPacGSL21"),
    ),
    Rule(
        "8153", "TR0022", "PACGS2", "where there are no packages, others of the same marks are counted",
        lambda d, e: _is_none(e) and value(e, "MarNumOfPacGSL21") not in d.counted_marks,
    ),
    Rule(
        "8680", "", "PACGS2", "the number of packages has no leading zeros",
        lambda d, e: _zeros(value(e, "NumOfPacGS24")), at="NumOfPacGS24",
    ),
    Rule(
        "8681", "", "PACGS2", "the number of pieces has no leading zeros",
        lambda d, e: _zeros(value(e, "NumOfPieGS25")), at="NumOfPieGS25",
    ),
)  # fmt: skip
# Asked of the text itself: the schema counts the digits of the number, these those that were written.
_OF_MASSES = tuple(
    Rule(number, "", of, words, broken, at=at)
    for of, at in (("HEAHEA", "TotGroMasHEA307"), ("GOOITEGDS", "GroMasGDS46"))
    for number, words, broken in (
        ("8674", "a mass has no leading zeros", lambda d, e, at=at: _zeros(value(e, at))),
        ("8675", "a mass has at most eleven digits", lambda d, e, at=at: _digits(value(e, at)) > 11),
        ("8676", "a mass has at most three digits after the point", lambda d, e, at=at: _decimals(value(e, at)) > 3),
        ("8677", "a mass has digits on both sides of its point", lambda d, e, at=at: _is_bare(value(e, at))),
    )
)


def _digits(text: str | None) -> int:
    return sum(character.isdigit() for character in text or "")


def _decimals(text: str | None) -> int:
    return len((text or "").partition(".")[2])


def _is_bare(text: str | None) -> bool:
    return _BARE_POINT.match(text or "") is not None


RULES = (*_OF_THE_MESSAGE, *_OF_THE_HEADER, *_OF_PARTIES_AND_OFFICES, *_OF_ITEMS, *_OF_PARTS_OF_ITEMS, *_OF_MASSES)
