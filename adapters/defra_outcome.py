"""Ends and errors: the final state of a declaration, and messages that one of the systems would not take.

Owns the mapping of FinalisationNotificationRequest and of the three error notifications, and of their JSON.
"""

from datetime import datetime

from adapters.defra_parts import Part
from adapters.defra_request import attributes
from adapters.defra_values import add_entry, codes, flag, when, whole
from adapters.document import Findings, Identifiers, Origin
from adapters.records import Record
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present
from schemas.shipment import Decision

# As many errors as a person reads; a message with more has one cause.
MAX_ERRORS = 100


def read_finalisation(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    """Read what customs did in the end; a state that is not in the list is refused, never guessed."""
    record = part.record
    if record is None:
        return []
    header = record.first("Header") or record
    identifiers, entry = _entry(part, header)
    state = header.text("FinalState", limit=16)
    event = codes(origin.profile, "final-state").get((state or "").lstrip("0") or "0") if state else None
    if event is None:
        header.fault("final-state", "one of 0 to 6", "FinalState")
    if entry is None or event is None:
        return []
    version = whole(header, "EntryVersionNumber", "externalVersion", most=9999)
    number = whole(header, "DecisionNumber", most=9999)
    by_hand = flag(header, "ManualAction", "isManualRelease")
    moment, assumed = _when(record, origin, findings)
    decision = present(
        authority=_system(record, "SourceSystem") or "CDS",
        outcome=codes(origin.profile, "final-outcome").get((state or "").lstrip("0") or "0", event.partition(".")[2]),
        version=number,
        automatic=None if by_hand is None else not by_hand,
    )
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            decision=Decision(**decision),
        )
    )
    return [Draft(event, entry, moment, data, attributes(record, version, number))]


def read_error(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    """Read what was wrong with a message: the one who could not take it rejects it."""
    record = part.record
    if record is None:
        return []
    header = record.first("Header") or record
    identifiers, entry = _entry(part, header)
    reasons: list[str] = []
    for error in record.all("Error", "Errors")[:MAX_ERRORS]:
        said = [error.text("ErrorCode", "code"), error.text("ErrorMessage", "message", limit=2048)]
        reasons.append(": ".join(one for one in said if one))
    if not any(reasons):
        record.warn("missing", "an error notification says what is wrong", "Error")
    if entry is None:
        return []
    version = whole(header, "EntryVersionNumber", "externalVersion", most=9999)
    moment, assumed = _when(record, origin, findings)
    decision = present(
        authority=_system(record, "SourceSystem"),
        outcome="rejected",
        reason="\n".join(filter(None, reasons))[:8192].strip(),
    )
    data = Shipment(
        **present(
            identifiers=identifiers.as_list(),
            occurred=moment,
            zone_assumed=assumed or None,
            decision=Decision(**decision),
        )
    )
    found = attributes(record, version)
    # The error answers a call: what they share is that call's number, not the error's own.
    answered = header.text("SourceCorrelationId", "sourceExternalCorrelationId", limit=256)
    return [Draft("shipment.rejected", entry, moment, data, found | present(correlationid=answered))]


def _entry(part: Part, header: Record) -> tuple[Identifiers, str | None]:
    identifiers = Identifiers()
    entry = add_entry(header.text("EntryReference") or part.reference, header, identifiers)
    if entry is None:
        header.fault("no-identifier", "does not name the declaration that it is about", "EntryReference")
    return identifiers, entry


def _system(record: Record, name: str) -> str | None:
    header = record.first("ServiceHeader")
    return header.text(name) if header is not None else None


def _when(record: Record, origin: Origin, findings: Findings) -> tuple[datetime, bool]:
    return when(record.first("ServiceHeader") or record, origin, findings, "ServiceCallTimestamp", "messageSentAt",
                "created")  # fmt: skip
