"""What a partner saw, as against what an authority decided: events that have a word of ours at large only.

Owns the types of documents by which such an event is known, and what is told of a document's events together. Never
knows a format: EPCIS and DCSA read these events, and no writer of another family may make a declaration's amendment
out of them.
"""

from dataclasses import dataclass, field

from adapters.document import MAX_WARNINGS
from adapters.json_document import Node
from schemas import Shipment
from schemas.errors import Fault

# A step of the Core Business Vocabulary, an event of DCSA, a status or notification of IATA, for which `shipment:1` has
# no word of its own.
STEP, DCSA_EVENT, IATA_STATUS = "biz-step", "dcsa-event", "iata-status"
# What was reported or planned before and did not or will not happen so, by its own sender.
ERRONEOUS, RETRACTED = "declared-erroneous", "retracted"
# What stands for the step of an event that has none.
NO_STEP = "none"
# A profile's word for events that it does not carry.
SKIP = "skip"
_TYPES = frozenset({STEP, DCSA_EVENT, IATA_STATUS, ERRONEOUS, RETRACTED})


def own_word(body: Shipment, *types: str) -> str | None:
    """Return what the event is in its standard's own words, of these types of documents or of any."""
    wanted = types or _TYPES
    return next((one.id for one in body.documents or [] if one.type in wanted), None)


def refuse_observed(body: Shipment) -> list[Fault]:
    """Return the fault that keeps an event at large out of a format of decisions; none for other messages."""
    found = own_word(body)
    if found is None:
        return []
    return [Fault("not-expressible", "/type", "a partner's event at large is no amendment of a declaration")]


@dataclass(slots=True)
class Summary:
    """What there is to say of a document's events together, so that a thousand of a kind are told of once."""

    skipped: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)

    def skip(self, what: str) -> None:
        """Note what kind of event was not carried."""
        if len(self.skipped) < 50:
            self.skipped.add(what)

    def warn(self, node: Node, code: str, name: str, detail: str) -> None:
        """Warn of something at the first event that it is true of."""
        if detail not in self.told and len(self.told) < MAX_WARNINGS:
            self.told.add(detail)
            node.warn(code, name, detail)
