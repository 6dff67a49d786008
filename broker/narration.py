"""Says in people's words what each agency received, from whom, and under which agreement. Pure.

Owns the sentences of `cbm up`. Never shows more than identifiers, kinds and places: no parties, no goods.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from broker.settings import Agreement
from schemas import Message, ReceiptMessage
from schemas.envelope import family_of
from schemas.shipment import Place
from schemas.view import View

_DONE = {
    "shipment.declared": "was declared",
    "shipment.amended": "had its declaration amended",
    "shipment.withdrawn": "was withdrawn",
    "shipment.rejected": "had its declaration rejected",
    "shipment.documents-required": "needs further documents",
    "shipment.selected-for-scan": "was selected for a scan",
    "shipment.selected-for-inspection": "was selected for inspection",
    "shipment.inspected": "was inspected",
    "shipment.held": "is held",
    "shipment.released": "is released",
    "shipment.refused": "was refused",
    "shipment.arrived": "arrived",
    "shipment.departed": "departed",
    "shipment.gated-in": "passed the gate inwards",
    "shipment.gated-out": "passed the gate outwards",
    "shipment.loaded": "was loaded",
    "shipment.discharged": "was discharged",
    "shipment.resealed": "was sealed anew",
    "shipment.exited": "left the country",
    "alert.issued": "Alert",
    "alert.updated": "Updated alert",
    "alert.cancelled": "Cancelled alert",
    "alert.acknowledged": "Acknowledged alert",
}


def sentence(message: Message | View, reader: str, names: Mapping[str, str], agreements: Sequence[Agreement]) -> str:
    """Return one line about a message that the agency `reader` received."""
    who = names.get(reader, reader)
    if isinstance(message, ReceiptMessage):
        return _receipt(message, who)
    sender = names.get(message.source, message.source)
    data: Any = message.data
    done = _DONE.get(message.type, message.type)
    if family_of(message.type) == "alert":
        what = f"{done} {message.subject}"
        if data.event:
            what += f": {data.event}"
        if data.severity:
            what += f" ({data.severity.lower()})"
    else:
        what = f"Consignment {message.subject} {done}"
    place = _place(data.place)
    under = " and ".join(f"{agreement.id} ({agreement.purpose})" for agreement in agreements)
    why = f", under agreement {under}" if under else ""
    missing = len(message.withheld.split()) if message.withheld else 0
    less = f" {missing} fields are withheld." if missing > 1 else " One field is withheld." if missing else ""
    return f"{who} received: {what}{place}. From {sender}{why}.{less}"


def _place(place: Place | None) -> str:
    if place is None:
        return ""
    name = place.name or place.locode or place.country
    return f" at {name}" if name else ""


def _receipt(message: ReceiptMessage, who: str) -> str:
    receipt = message.data
    kind = receipt.of.type or "message"
    if receipt.disposition == "accepted":
        many = "1 agency" if receipt.recipients == 1 else f"{receipt.recipients} agencies"
        return f"{who} was told: {kind} of {message.subject} went to {many}."
    reasons = "; ".join(f"{fault.pointer or '/'} {fault.detail}" for fault in (receipt.faults or [])[:3])
    return (
        f"{who} was told: {kind} of {message.subject} is {receipt.disposition}"
        + (f": {reasons}" if reasons else "")
        + "."
    )
