"""Reads customs declarations (CUSDEC): each becomes one message.

Owns what a declarant says of goods. Never reads duties, guarantees or how a value was built up.
"""

from collections.abc import Iterator

from adapters.document import Identifiers
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_goods import Fleet, goods_of
from adapters.edifact_reader import Interchanges, draft, event_of, references, structure
from adapters.edifact_structure import Group, Matcher
from adapters.edifact_values import (
    Context,
    add_document,
    add_reference,
    add_seals,
    best_place,
    country_of,
    first_moment,
    parties_of,
    transport_of,
)
from adapters.translator import Draft
from schemas.base import present
from schemas.shipment import Document, Equipment, Transport


class Declarations(Interchanges):
    """CUSDEC."""

    name = "edifact-cusdec"
    title = "UN/EDIFACT customs declaration (CUSDEC)"
    type = "CUSDEC"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the one declaration."""
        root = Matcher(structure(context), context.findings).tree(message.segments)
        begin = root.first("BGM")
        event = event_of(begin, context)
        identifiers = Identifiers()
        identifiers.add("lrn", begin.get(2) if begin is not None else "")
        for one in references(root):
            add_reference(identifiers, one, context)
        for one in root.every("DOC"):
            add_document(identifiers, one, context)
        equipment = _equipment(root, identifiers, context)
        add_seals(identifiers, (one.get(1) for one in root.all("SEL")))
        if event is None:
            return
        origin = country_of(root.all("LOC"), "27")
        # Without items what its head says of the goods is all there is.
        items = [goods_of(one, context, origin) for one in root.children("CST") or [root]]
        parties = [*root.all("NAD"), *(one.segments[0] for one in root.children("NAD"))]
        found = draft(
            event, identifiers, first_moment(root.segments, context.table("time").get(self.type, ()), context),
            first_moment(root.segments, ("137", "182"), context), context,
            place=best_place(root.all("LOC"), context.table("place").get(self.type, ()), context),
            transport=_transport(root, context),
            parties=parties_of(parties, context),
            goods=[one for one in items if one is not None],
            equipment=equipment,
            documents=_documents(root),
        )  # fmt: skip
        if found is not None:
            yield found


def _documents(root: Group) -> list[Document]:
    rows = [(one.get(2)[:512], one.get(1)[:512]) for one in root.every("DOC")]
    return [Document(id=number, **present(type=name)) for number, name in rows if number]


def _equipment(root: Group, identifiers: Identifiers, context: Context) -> list[Equipment]:
    fleet = Fleet()
    rows = []
    for one in root.every("EQD"):
        alone = Group()
        alone.segments.append(one)
        fleet.add(alone)
        piece = fleet.name(identifiers, one.get(2), one, context)
        rows += [piece] if piece is not None else []
    return list({one.number: one for one in rows}.values())


def _transport(root: Group, context: Context) -> Transport | None:
    """The means that crosses the border (8051: 11), else the main carriage (20), else what there is."""
    legs = [*root.all("TDT"), *(one.segments[0] for one in root.children("TDT"))]
    for stage in ("11", "20", "12", "13", "1"):
        for one in legs:
            if one.get(1) == stage and (found := transport_of(one, context)) is not None:
                return found
    return None
