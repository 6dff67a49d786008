"""Reads what DCSA tells of vessels alone: Operational Vessel Schedules 3.0 and Port Call events 2.0.

Owns arrivals and departures of conveyances. Never reads the services within a call (pilotage, mooring, cargo
operations) nor its forecasts: urn:cbm:shipment:1 has no word for them.
"""

from typing import Any

from adapters.dcsa_events import INBOUND, settle
from adapters.dcsa_values import CALL, FAMILY, MAX_EVENTS, VISIT, References, last_resort, place, transport
from adapters.document import Findings, Origin
from adapters.json_document import Node, moment
from adapters.observed import RETRACTED, SKIP
from adapters.translator import Draft, Reading
from schemas import Shipment
from schemas.base import present
from schemas.errors import Fault, TranslationError
from schemas.shipment import Document as Paper
from schemas.shipment import Means, Transport

# A call with one of these will not take place (portcallstatuscodes, OVS 3.0).
_CANCELLED = frozenset({"OMIT", "BLNK"})


def read_schedules(whole: Any, origin: Origin) -> Reading:
    """Read a list of service schedules: one message for each timestamp of each call."""
    findings, drafts, skipped = Findings(), list[Draft](), set[str]()
    if not isinstance(whole, list):
        raise TranslationError([Fault("structure", "", "service schedules stand in an array")])
    number = 0
    for index, member in enumerate(whole):
        if not isinstance(member, dict) or not isinstance(member.get("vesselSchedules"), list):
            findings.fault("structure", f"/{index}", "a service schedule has its vesselSchedules in a list")
            continue
        service = Node(member, f"/{index}", findings)
        for vessel in service.nodes("vesselSchedules"):
            for call in vessel.nodes("transportCalls"):
                for stamp in call.nodes("timestamps"):
                    number += 1
                    draft = _scheduled(vessel, call, stamp, origin, skipped)
                    drafts += [draft] if draft else []
                if number > MAX_EVENTS or call.hopeless:
                    findings.fault("too-many", call.place, f"more than {MAX_EVENTS} timestamps, or too many faults")
                    findings.settle()
    settle(drafts, findings, skipped, number)
    return Reading(tuple(drafts), tuple(findings.warnings))


def _scheduled(vessel: Node, call: Node, stamp: Node, origin: Origin, skipped: set[str]) -> Draft | None:
    found = moment(stamp, "eventDateTime", origin)
    code = stamp.text("eventTypeCode") or ""
    word = origin.profile.table(FAMILY, "transport_event").get(code)
    if word is None:
        stamp.fault("event-type", "eventTypeCode", "ARRI or DEPA")
    where = place(call.node("location"))
    references = References(origin.profile, call)
    moved = _by_sea(transport(call, references, origin.profile, inbound=word in INBOUND), vessel)
    status = call.text("statusCode") or ""
    if status in _CANCELLED:
        call.warn("call-cancelled", "statusCode", "the vessel does not call there; told as a call that is off")
        word = _called_off(word, f"{code} {status}", references, origin, skipped)
        if word is None:
            return None
    return _draft(stamp, "eventClassifierCode", word, found, where, moved, references, origin)


def _called_off(word: Any, what: str, references: References, origin: Origin, skipped: set[str]) -> Any:
    """Return the word for a call that does not take place: what was planned before is known by the same references."""
    off = origin.profile.table(FAMILY, "event_type").get("cancelled")
    if word is None or not off or off == SKIP:
        skipped.add("calls that do not take place")
        return None
    references.papers.append(Paper(type=RETRACTED, id=what))
    return off


def _by_sea(moved: Transport | None, vessel: Node) -> Transport:
    imo, name = vessel.text("vesselIMONumber"), vessel.text("vesselName")
    means = Means(scheme="imo", value=imo) if imo else Means(scheme="name", value=name) if name else None
    fields = present(
        mode="1",
        means=means,
        voyage=moved.voyage if moved else None,
        carrier=vessel.text("vesselOperatorSMDGLinerCode"),
    )
    return Transport(**fields)


def _draft(
    stamp: Node, classified: str, word: Any, found: Any, where: Any, moved: Transport, references: References,
    origin: Origin,
) -> Draft | None:  # fmt: skip
    classifier = origin.profile.table(FAMILY, "classifier").get(stamp.text(classified) or "")
    if classifier is None:
        stamp.fault("classifier", classified, "one of PLN, EST, ACT: whether it has happened yet")
    if word is None or found is None or classifier is None:
        return None
    if not last_resort(references, moved.means):
        stamp.fault("no-identifier", "", "it names neither a call nor a vessel")
        return None
    occurred, assumed = found
    body = Shipment(
        identifiers=references.settled(),
        occurred=occurred,
        **present(
            zone_assumed=assumed or None,
            classifier=classifier if classifier != "actual" else None,
            place=where,
            transport=moved,
            documents=references.papers,
        ),
    )
    return Draft(f"shipment.{word}", references.subject() or CALL, origin.received, body)


def read_port_calls(whole: Any, origin: Origin) -> Reading:
    """Read port call events: the arrivals at and departures from berths."""
    findings, drafts, skipped = Findings(), list[Draft](), set[str]()
    if not isinstance(whole, dict) or not isinstance(whole.get("events"), list):
        raise TranslationError([Fault("structure", "", "port call events stand in the list events of an object")])
    events = Node(whole, "", findings).nodes("events")
    for event in events[:MAX_EVENTS]:
        draft = _called(event, origin, skipped)
        drafts += [draft] if draft else []
        if event.hopeless:
            break
    settle(drafts, findings, skipped, len(events))
    return Reading(tuple(drafts), tuple(findings.warnings))


def _called(event: Node, origin: Origin, skipped: set[str]) -> Draft | None:
    service = event.node("portCallService")
    stamp = event.node("timestamp")
    kind = (service.text("portCallServiceTypeCode") if service else None) or "no service"
    code = (service.text("portCallServiceEventTypeCode") if service else None) or "no event"
    word = origin.profile.table(FAMILY, "transport_event").get(code)
    if word is None or kind != "BERTH" or service is None or stamp is None:
        told = f"{kind} {code}" if len(kind + code) <= 40 and (kind + code).isascii() else "a service of no list"
        event.warn("no-words", "portCallService", f"urn:cbm:shipment:1 has no word for {told}; skipped")
        skipped.add(told)
        return None
    port, terminal = event.node("portCall"), event.node("terminalCall")
    cancelled = False
    if any(one is not None and one.value.get(flag) is True for one, flag in (
        (port, "isOmitted"), (terminal, "isOmitted"), (service, "isCanceled"), (service, "isDeclined"))):  # fmt: skip
        event.warn("call-cancelled", "portCallService", "the call or the service does not take place; told as one off")
        cancelled = True
    references = References(origin.profile, event)
    moved = transport(terminal, references, origin.profile, inbound=word in INBOUND)
    for type_, node, name in ((CALL, terminal, "terminalCallReference"), (VISIT, port, "portVisitReference")):
        reference = node.text(name) if node else None
        if reference:
            references.note(type_, reference)
    vessel = event.node("vessel")
    if cancelled:
        word = _called_off(word, f"{code} cancelled", references, origin, skipped)
        if word is None:
            return None
    by_sea = _by_sea(moved, vessel) if vessel else (moved or Transport(mode="1"))
    where = place(service.node("serviceLocation"), port)
    return _draft(
        stamp, "classifierCode", word, moment(stamp, "serviceDateTime", origin), where, by_sea, references, origin
    )
