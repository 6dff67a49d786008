"""An entry summary declaration as the business rules look at it.

Owns what is worked out of the whole of it, each once: totals, who is the same, what goes to order. Never judges.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from itertools import chain

from adapters.ens_codes import Codes
from adapters.ens_group import Group, IcsMessage, collapsed
from adapters.ens_structures import TRADERS

_RELATIVE_ROOM, _ABSOLUTE_ROOM = Decimal("1e-16"), Decimal("0.0001")


class Declaration:
    """A CC315A or CC313A that has the schema's form, as the rules look at it under one nation's codes."""

    def __init__(self, message: IcsMessage, codes: Codes) -> None:
        self.root = message
        self.header = message.header
        self.items = message.items
        self.codes = codes
        self.mode = codes.mode(self.head("TraModAtBorHEA76"))
        self.identity = self.head("IdeOfMeaOfTraCroHEA85")
        self.circumstance = codes.circumstances.get(self.head("SpeCirIndHEA1") or "")
        self.conveyance = self.head("ConRefNumHEA") or ""

    def head(self, name: str) -> str | None:
        """Return a value of the header."""
        return self.header.value(name)

    @cached_property
    def is_authorised(self) -> bool:
        """Whether it has the reduced data of an authorised operator."""
        return self.circumstance == "authorised-operator"

    @cached_property
    def declarant(self) -> str | None:
        """The declarant's TIN."""
        return self.root.group("PERLODSUMDEC").value(TRADERS["PERLODSUMDEC"].tin)

    @cached_property
    def to_order(self) -> list[bool]:
        """For each item, whether it goes under a negotiable bill of lading."""
        return [self.is_to_order(item) for item in self.items]

    def is_to_order(self, item: Group) -> bool:
        """Tell whether an item has the additional information that it is to order, blank endorsed."""
        mentions = item.groups("SPEMENMT2")
        return any(self.codes.mentions.get(one.value("AddInfCodMT23") or "") == "to-order" for one in mentions)

    @cached_property
    def has_packages(self) -> bool:
        """Whether an item has packages."""
        return any(item.has("PACGS2") for item in self.items)

    def packages(self) -> Iterator[Group]:
        """Yield the packages of all items."""
        return chain.from_iterable(item.groups("PACGS2") for item in self.items)

    @cached_property
    def counted_marks(self) -> set[str]:
        """The marks and numbers of all packages of which there are some."""
        counted = (one for one in self.packages() if int(one.value("NumOfPacGS24") or 0) > 0)
        return {marks for one in counted if (marks := one.value("MarNumOfPacGSL21")) is not None}

    def kind(self, package: Group) -> str | None:
        """Return `bulk` or `unpacked`; None for what is packed."""
        return self.codes.packages.get(package.value("KinOfPacGS23") or "")

    @property
    def packages_told(self) -> int:
        """The number of packages as the total has it: pieces where unpacked, and one for each bulk."""
        counts = (
            int(one.value("NumOfPacGS24") or 0) + int(one.value("NumOfPieGS25") or 0) + (self.kind(one) == "bulk")
            for one in self.packages()
        )
        return sum(counts)

    @cached_property
    def consignors(self) -> list[tuple[tuple[str, str], ...]]:
        """The consignors of items, as many as there are."""
        groups = [group for item in self.items for group in item.groups("TRACONCO2")]
        return [tuple(self._as_written(group)) for group in groups]

    def _as_written(self, group: Group) -> Iterator[tuple[str, str]]:
        trader = TRADERS["TRACONCO2"]
        for name in trader.fields:
            if (field := group.field(name)) is not None:
                # The schema takes blanks within a TIN as part of it.
                yield name, (field.text or "") if name == trader.tin else collapsed(field.text)

    @property
    def total_is_less(self) -> bool:
        """Whether the total gross mass is less than that of the items; unknown where one has a plus sign."""
        total = self.head("TotGroMasHEA307")
        masses = [mass for item in self.items if (mass := item.value("GroMasGDS46")) is not None]
        if total is None or any("+" in mass for mass in (total, *masses)):
            return False
        # HMRC leaves room for what is lost where masses are added in binary.
        room = Decimal(total) * len(masses) * _RELATIVE_ROOM + _ABSOLUTE_ROOM
        return Decimal(total) + room < sum(map(Decimal, masses))
