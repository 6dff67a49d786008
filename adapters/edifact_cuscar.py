"""Reads cargo reports (CUSCAR) and contracts of carriage (IFTMCS): each consignment becomes one message.

Owns what a carrier says of cargo. A consignment is taken once it is complete and then let go, so that a
manifest of any length goes through. Never reads what carriage costs.
"""

from collections.abc import Iterable, Iterator

from adapters.document import Identifiers
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_goods import Fleet, goods_of
from adapters.edifact_reader import Interchanges, draft, event_of, references, structure
from adapters.edifact_structure import Group, Matcher
from adapters.edifact_syntax import Segment
from adapters.edifact_values import (
    Context,
    add_document,
    add_reference,
    best_place,
    country_of,
    first_moment,
    parties_of,
    transport_of,
)
from adapters.translator import Draft
from schemas.base import present
from schemas.shipment import Document, Equipment, Goods, Place, Scheme, Transport

# Places and parties of a whole report: a segment table lets it have 99 of each.
MAX_HEAD = 99
# References of a report's head that tell what its consignments are about.
_NAMING = frozenset({"mrn", "ucr", "transport-document"})


class _Report:
    """What the head of a report says of all its consignments."""

    def __init__(self, root: Group, context: Context) -> None:
        self.context = context
        begin = root.first("BGM")
        self.event = event_of(begin, context)
        self.name, self.number = (begin.get(1), begin.get(2)) if begin else ("", "")
        kind = context.heading.type
        # A contract of carriage is a transport document itself; a manifest is a report.
        named: Scheme | None = context.table("document").get(self.name)
        self.scheme: Scheme = named or "lrn"
        self.issued = first_moment(root.segments, ("137", "182"), context)
        self.when = first_moment(root.segments, context.table("time").get(kind, ()), context)
        legs = root.children("TDT")
        self.transport = main_leg(legs, context)
        # They are gone through for each consignment.
        self.places = [*root.all("LOC"), *(one for leg in legs for one in leg.every("LOC"))][:MAX_HEAD]
        parties = [*root.all("NAD"), *(one.segments[0] for one in root.children("NAD"))]
        self.parties = parties_of(parties[:MAX_HEAD], context)
        heads = [*root.all("RFF"), *(one.segments[0] for one in root.children("RFF"))]
        naming = context.table("reference")
        under = [one for one in heads if naming.get(one.get(1).upper()) in _NAMING]
        # Of several nobody can tell which it is.
        self.references = under if len(under) == 1 else []
        # Where the report itself is, and the qualifiers by which a consignment can tell it better.
        self.place: Place | None = None
        self.better: list[str] = []
        for qualifier in context.table("place").get(kind, ()):
            self.place = best_place(self.places, [qualifier], context)
            if self.place is not None:
                break
            self.better.append(qualifier)
        self.itself = Document(id=self.number[:512], **present(type=self.name[:512])) if self.number else None
        self.fleet = Fleet()
        for group in root.children("EQD"):
            self.fleet.add(group)

    def consignment(self, group: Group) -> Draft | None:
        """Read one consignment: the group that CNI begins, or the whole of a report without CNI."""
        context, identifiers = self.context, Identifiers()
        for one in group.all("CNI"):
            identifiers.add("transport-document", one.get(2))
        held = group.by_tag()
        for one in references(group):
            add_reference(identifiers, one, context)
        for one in held.get("DOC", ()):
            add_document(identifiers, one, context)
        equipment = self._equipment(group, held.get("SGP", ()), identifiers)
        if not identifiers:
            # What is carried under a declaration or bill that the head alone names.
            for one in self.references:
                add_reference(identifiers, one, context)
        if not identifiers and self.number and group.trigger == "CNI":
            context.findings.fault("no-identifier", group.segments[0].place, "the consignment has no reference")
            return None
        identifiers.add(self.scheme, self.number)
        if self.event is None:
            return None
        legs = list(group.descendants("TDT")) if "TDT" in held else []
        inner = [one for leg in legs for one in leg.every("LOC")]
        own = [*group.all("LOC"), *(one for sub in group.children("RFF", "LOC") for one in sub.all("LOC"))]
        return draft(
            self.event, identifiers, self.when, self.issued, context,
            place=best_place([*own, *inner], self.better, context) or self.place,
            transport=self.transport or main_leg(legs, context),
            parties=parties_of(_parties(group), context, self.parties),
            goods=self._goods(group, [*self.places, *own]),
            equipment=equipment,
            documents=self._documents(held.get("DOC", ())),
        )  # fmt: skip

    def _equipment(self, group: Group, placed: Iterable[Segment], identifiers: Identifiers) -> list[Equipment]:
        found: dict[str, Equipment] = {}
        for one in placed:
            piece = self.fleet.name(identifiers, one.get(1), one, self.context)
            if piece is not None:
                found.setdefault(piece.number, piece)
        if group.trigger != "CNI":
            # Without consignments all equipment is that of the one there is.
            for sub in group.children("EQD"):
                piece = self.fleet.name(identifiers, sub.segments[0].get(2), sub.segments[0], self.context)
                if piece is not None:
                    found.setdefault(piece.number, piece)
        return list(found.values())

    def _goods(self, group: Group, places: Iterable[Segment]) -> list[Goods]:
        origin = country_of(places, "27")
        items = (goods_of(one, self.context, origin) for one in group.descendants("GID"))
        found = [one for one in items if one is not None]
        if not found and group.trigger == "CNI" and (whole := goods_of(group, self.context, origin)) is not None:
            # Some tell of the goods beside the item instead of within.
            found.append(whole)
        return found

    def _documents(self, named: Iterable[Segment]) -> list[Document]:
        found = [Document(id=one.get(2)[:512], **present(type=one.get(1)[:512])) for one in named if one.get(2)]
        return [*found, self.itself] if self.itself is not None else found


def _parties(group: Group) -> Iterator[Segment]:
    """The parties of a consignment and of its documents, not those of equipment or of legs of transport."""
    for child in (group, *group.children("RFF")):
        yield from child.all("NAD")
        yield from (one.segments[0] for one in child.children("NAD"))


def main_leg(legs: Iterable[Group], context: Context) -> Transport | None:
    """The main carriage (8051: 20), else that at the border (11), else the first leg there is."""
    found = [one.segments[0] for one in legs if one.trigger == "TDT"]
    for stage in ("20", "11", "21"):
        for one in found:
            if one.get(1) == stage:
                return transport_of(one, context)
    return transport_of(found[0], context) if found else None


class CargoReports(Interchanges):
    """CUSCAR: each CNI is a consignment; before D.95A, which brought CNI in, the whole report is one."""

    name = "edifact-cuscar"
    title = "UN/EDIFACT customs cargo report (CUSCAR)"
    type = "CUSCAR"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield a draft for each consignment as soon as it is complete."""
        matcher = Matcher(structure(context), context.findings, split="CNI")
        report, strayed = None, None
        for group in matcher.groups(message.segments):
            if group.trigger != "CNI":
                # Where there are consignments it strayed, which was warned of; where not, it is the one there is.
                strayed = strayed or group
                continue
            report = report or _Report(matcher.root, context)
            found = report.consignment(group)
            if found is not None:
                yield found
        if report is None:
            alone = strayed if strayed is not None and next(references(strayed), None) is not None else matcher.root
            found = _Report(matcher.root, context).consignment(alone)
            if found is not None:
                yield found


class CarriageContracts(Interchanges):
    """IFTMCS: what a carrier has agreed to carry, which is what its bill of lading says."""

    name = "edifact-iftmcs"
    title = "UN/EDIFACT instruction contract status (IFTMCS)"
    type = "IFTMCS"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the one consignment."""
        root = Matcher(structure(context), context.findings).tree(message.segments)
        found = _Report(root, context).consignment(root)
        if found is not None:
            yield found
