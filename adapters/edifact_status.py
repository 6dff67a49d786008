"""Reads transport status reports (IFTSTA): each status that is an event of a shipment becomes one message.

Owns which status is which event: by UN/ECE Recommendation 24, and by what a profile says of other agencies' codes.
Never reads reasons, delays, payments or bookings.
"""

from collections.abc import Iterable, Iterator

from adapters.document import Identifiers
from adapters.edifact_cuscar import main_leg
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_goods import equipment_of, goods_of
from adapters.edifact_reader import Interchanges, draft, references, structure
from adapters.edifact_structure import Group, Matcher
from adapters.edifact_syntax import Segment
from adapters.edifact_values import (
    UNITED_NATIONS,
    Context,
    add_document,
    add_equipment,
    add_reference,
    add_seals,
    best_place,
    first_moment,
    function_of,
)
from adapters.translator import Draft

# References of the head, and of equipment, are those of each of its statuses: the segment tables let it have nine.
_MAX_SHARED = 9
# Status category (9015): transport. Energy markets and order books use the same message for other things.
_TRANSPORT = ("", "1")


class _Head:
    """What the head of a report says of all its statuses."""

    def __init__(self, root: Group, context: Context) -> None:
        self.issued = first_moment(root.segments, ("137",), context)
        heads = [*root.all("RFF"), *(one.segments[0] for one in root.children("RFF"))]
        self.references = [one for one in heads if one.tag == "RFF"][:_MAX_SHARED]
        self.cancelled = context.table("function").get(function_of(root.first("BGM"))) == "withdrawn"


class Statuses(Interchanges):
    """IFTSTA."""

    name = "edifact-iftsta"
    title = "UN/EDIFACT transport status (IFTSTA)"
    type = "IFTSTA"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the statuses of a consignment as soon as it is complete, then those of equipment."""
        matcher = Matcher(structure(context), context.findings, split="CNI")
        head: _Head | None = None
        told = False
        for group in matcher.groups(message.segments):
            head = head or _Head(matcher.root, context)
            named = group.all("CNI")
            for status in group.children("STS"):
                found = _status(status.segments[0], [status], named, head, context)
                told = told or found is not None
                if found is not None:
                    yield found
        head = head or _Head(matcher.root, context)
        for group in matcher.root.children("EQD"):
            for status in group.children("STS"):
                found = _status(status.segments[0], [status, group], (), head, context)
                told = told or found is not None
                if found is not None:
                    yield found
        if not told:
            context.findings.fault("no-event", context.heading.place, "none of its statuses is an event that is known")


def _status(
    segment: Segment, groups: list[Group], named: Iterable[Segment], head: _Head, context: Context
) -> Draft | None:
    """Return the draft of one status; `groups` hold what it is about, the innermost first."""
    event = _event(segment, context)
    if event is None:
        return None
    identifiers = Identifiers()
    pieces = [piece for group in groups for piece in ([group] if group.trigger == "EQD" else group.children("EQD"))][
        :_MAX_SHARED
    ]
    equipment = [
        found for piece in pieces if (found := equipment_of(piece.segments[0], piece.every("SEL"))) is not None
    ]
    for piece in pieces:
        trigger = piece.segments[0]
        add_equipment(identifiers, trigger, trigger.get(2), context, trigger.get(1).upper())
    for one in equipment:
        add_seals(identifiers, one.seals or ())
    for consignment in named:
        identifiers.add("transport-document", consignment.get(2))
    own = [one for group in groups for one in references(group)][:_MAX_SHARED]
    boxed = identifiers.first("container", "equipment") is not None
    for reference in [*own, *head.references]:
        # The head may name another container than the one that this status is of.
        if not (boxed and context.table("reference").get(reference.get(1).upper()) == "container"):
            add_reference(identifiers, reference, context)
    for document in groups[0].all("DOC"):
        add_document(identifiers, document, context)
    places = [one for group in groups for one in group.every("LOC")[:_MAX_SHARED]]
    wanted = context.table("place").get(f"IFTSTA-{event}") or context.table("place").get("IFTSTA", ())
    items = [goods_of(one, context) for one in groups[0].children("GID")]
    return draft(
        "withdrawn" if head.cancelled else event, identifiers,
        first_moment(groups[0].segments, context.table("time").get("IFTSTA", ()), context), head.issued, context,
        place=best_place(places, wanted, context),
        transport=main_leg([leg for group in groups for leg in group.children("TDT")[:_MAX_SHARED]], context),
        goods=[one for one in items if one is not None],
        equipment=list({one.number: one for one in equipment}.values()),
    )  # fmt: skip


def _event(segment: Segment, context: Context) -> str | None:
    """The event of a status (STS, C555 4405); None, with a warning, where it is none that is known."""
    if segment.get(1) not in _TRANSPORT:
        return None
    code, agency = segment.get(2).lstrip("0"), segment.get(2, 2).upper()
    event = context.table("status").get(code if agency in UNITED_NATIONS else f"{agency}-{code}")
    if event is None:
        context.warn("unknown-status", segment, "a status that is no event here, or of a list that the profile lacks")
        return None
    return str(event)
