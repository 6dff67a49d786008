"""Reads what terminals, depots and ships report of movements: COPRAR, COARRI, CODECO, CUSREP.

Owns which event a report is. A container is taken once it is complete and then let go. Never reads stowage,
temperatures or damage.
"""

from collections.abc import Iterable, Iterator, Sequence

from adapters.document import Identifiers
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_goods import equipment_of, goods_of
from adapters.edifact_reader import Interchanges, draft, event_of, references, structure
from adapters.edifact_structure import Group, Matcher
from adapters.edifact_syntax import Segment
from adapters.edifact_values import (
    Context,
    Moment,
    add_document,
    add_equipment,
    add_reference,
    add_seals,
    best_place,
    first_moment,
    function_of,
    moment,
    place_of,
    transport_of,
)
from adapters.translator import Draft
from schemas.shipment import Place


class _Head:
    """What the head of a report says of all its containers."""

    def __init__(self, root: Group, context: Context) -> None:
        kind, legs = context.heading.type, root.children("TDT")
        self.event = _operation(root, context)
        begin = root.first("BGM")
        self.cancelled = context.table("function").get(function_of(begin)) == "withdrawn"
        segments = [*root.segments, *(one for leg in legs for one in leg.every("LOC", "DTM"))]
        self.when = first_moment(segments, context.table("time").get(kind, ()), context)
        self.issued = first_moment(root.segments, ("137",), context)
        self.places = context.table("place").get(f"{kind}-{self.event}") or context.table("place").get(kind, ())
        self.place = best_place(segments, self.places, context)
        self.transport = transport_of(legs[0].segments[0], context) if legs else None


class Containers(Interchanges):
    """One of the container messages: each EQD is a container that something happened to."""

    classifier = ""

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield a draft for each container as soon as it is complete."""
        matcher = Matcher(structure(context), context.findings, split="EQD")
        head: _Head | None = None
        for group in matcher.groups(message.segments):
            if group.trigger != "EQD":
                # Something strayed before the first one, or lost it; that was warned of.
                continue
            head = head or _Head(matcher.root, context)
            found = self._container(group, head, context) if head.event else None
            if found is not None:
                yield found
        if head is None:
            context.findings.fault("no-equipment", context.heading.place, "no EQD tells which container it is about")

    def _container(self, group: Group, head: _Head, context: Context) -> Draft | None:
        trigger, identifiers = group.segments[0], Identifiers()
        equipment = equipment_of(trigger, group.every("SEL"))
        if equipment is None:
            context.findings.fault("no-identifier", trigger.place, "the equipment has no number (EQD, 8260)")
            return None
        add_equipment(identifiers, trigger, equipment.number, context, trigger.get(1).upper())
        add_seals(identifiers, equipment.seals or ())
        for one in references(group):
            add_reference(identifiers, one, context)
        goods = goods_of(group, context)
        return draft(
            "withdrawn" if head.cancelled else str(head.event), identifiers,
            first_moment(group.every("DTM"), context.table("time").get(self.type, ()), context) or head.when,
            head.issued, context,
            classifier=self.classifier,
            place=head.place or best_place(group.every("LOC"), head.places, context),
            transport=head.transport,
            goods=[goods] if goods else None,
            equipment=[equipment],
        )  # fmt: skip


def _operation(root: Group, context: Context) -> str | None:
    """The event: by the coded text of FTX+OSI, as terminals have it, else by the document name (BGM, 1001)."""
    table, begin = context.table("operation"), root.first("BGM")
    kind = context.heading.type
    codes = [one.get(3).upper() for one in root.all("FTX") if one.get(1) == "OSI"]
    named = _named(begin, context)
    for code in [*codes, begin.get(1) if begin is not None else ""]:
        event = table.get(f"{kind}-{code}")
        if event and begin is not None and code == begin.get(1) and named not in ("", event):
            context.warn("operation", begin, "its name (1000) says another operation than its code (1001); by its name")
            return named
        if event:
            return str(event)
    if named:
        return named
    place = begin.place if begin is not None else context.heading.place
    known = ", ".join(name.partition("-")[2] for name in table if name.startswith(f"{kind}-"))
    context.findings.fault("document-name", place, f"BGM 1001 says no operation that is known: {known}")
    return None


def _named(begin: Segment | None, context: Context) -> str:
    """The operation that the document's name in words (1000) says, where it says one alone."""
    words = begin.get(1, 3).upper() if begin is not None else ""
    table = context.table("operation-word") if words else {}
    kind = context.heading.type
    said = {str(event) for key, event in table.items() if key.startswith(f"{kind}-") and key[len(kind) + 1 :] in words}
    return said.pop() if len(said) == 1 else ""


class Orders(Containers):
    """COPRAR: containers to be loaded or discharged."""

    name = "edifact-coprar"
    title = "UN/EDIFACT container discharge or loading order (COPRAR)"
    type = "COPRAR"
    classifier = "planned"


class Reports(Containers):
    """COARRI: containers that were loaded or discharged."""

    name = "edifact-coarri"
    title = "UN/EDIFACT container discharge or loading report (COARRI)"
    type = "COARRI"


class Gates(Containers):
    """CODECO: containers that came in or went out by a gate."""

    name = "edifact-codeco"
    title = "UN/EDIFACT container gate-in or gate-out report (CODECO)"
    type = "CODECO"


class Conveyances(Interchanges):
    """CUSREP: a ship, aircraft, train or lorry that arrives or departs."""

    name = "edifact-cusrep"
    title = "UN/EDIFACT customs conveyance report (CUSREP)"
    type = "CUSREP"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the one arrival or departure."""
        root = Matcher(structure(context), context.findings).tree(message.segments)
        begin = root.first("BGM")
        function = event_of(begin, context)
        legs = [one.segments[0] for one in root.children("TDT")]
        transport = transport_of(legs[0], context) if legs else None
        identifiers = Identifiers()
        identifiers.add("lrn", begin.get(2) if begin is not None else "")
        for one in references(root):
            add_reference(identifiers, one, context)
        for one in root.every("DOC"):
            add_document(identifiers, one, context)
        equipment = [piece for one in root.every("EQD") if (piece := equipment_of(one)) is not None]
        for one in root.every("EQD"):
            add_equipment(identifiers, one, one.get(2), context, one.get(1).upper())
        if not identifiers and transport is not None:
            identifiers.add("other", transport.voyage)
        wanted = str(context.table("report").get(begin.get(1), "")) if begin is not None else ""
        event, classifier, when, place = movement(root, wanted, context)
        if function is None:
            return
        found = draft(
            "withdrawn" if function == "withdrawn" else event, identifiers, when,
            first_moment(root.segments, ("137",), context), context,
            classifier=classifier if classifier != "actual" else None,
            place=place, transport=transport, equipment=equipment,
        )  # fmt: skip
        if found is not None:
            yield found


def movement(root: Group, wanted: str, context: Context) -> tuple[str, str, Moment | None, Place | None]:
    """Return event, classifier, time and place: of the event that the report's name says, else of the first time."""
    table = context.table("conveyance")
    stops = [*root.children("LOC"), *(stop for leg in root.children("TDT") for stop in leg.children("LOC"))]
    head = [*root.all("DTM"), *(one for leg in root.children("TDT") for one in leg.all("DTM"))]
    rows: list[tuple[Segment, Segment | None, list[Segment]]] = [
        (one, stop.first("LOC"), stop.all("DTM")) for stop in stops for one in stop.all("DTM")
    ] + [(one, None, head) for one in head]
    places = [one for stop in stops for one in stop.all("LOC")]
    places += [one for leg in root.children("TDT") for one in leg.all("LOC")]
    places += root.all("LOC")
    for qualifier, (event, classifier) in table.items():
        for one, where, beside in rows if event == (wanted or event) else ():
            if one.get(1) == qualifier and (when := moment(one, context, beside)) is not None:
                return event, classifier, when, place_of(where, context) or _stop(places, event, context)
    event = wanted or "arrived"
    return event, "actual", None, _stop(places, event, context)


def _stop(places: Sequence[Segment], event: str, context: Context) -> Place | None:
    order: Iterable[str] = context.table("place").get("CUSREP", ())
    order = [one for one in order if (one in ("5", "9", "125")) == (event == "departed")]
    return best_place(places, order, context)
