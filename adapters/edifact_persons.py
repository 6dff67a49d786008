"""Reads passenger lists (PAXLST) and bookings (PNRGOV): the conveyance, its ports, how many.

Owns where the head of such a message ends. A person's segments are passed over before anything looks into
them, so that no name, document or seat reaches a message, a warning or a fault; unless the profile lets persons
be carried (edifact_travellers).
"""

import re
from collections.abc import Iterator
from datetime import datetime

from adapters.document import Identifiers, read_time
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_reader import Interchanges, draft
from adapters.edifact_syntax import Segment
from adapters.edifact_travellers import Persons
from adapters.edifact_values import (
    Context,
    Moment,
    first_moment,
    function_of,
    moment,
    place_of,
    short,
    transport_of,
    whole,
)
from adapters.translator import Draft
from schemas.base import present
from schemas.shipment import Goods, Means, Place, Transport

# What the heads of these messages hold. All else may speak of a person.
_LIST_HEAD = frozenset({"BGM", "DTM", "TDT", "LOC"})
# What the counts of travellers are called, by their role.
_COUNTED = {"passenger": "passengers", "crew": "crew"}
_IATA = re.compile(r"[A-Z]{3}")
_DAY = re.compile(r"\d{6}", re.ASCII)
_CLOCK = re.compile(r"\d{4}", re.ASCII)


class _Call:
    """Where and when a conveyance departs or arrives."""

    def __init__(self, event: str, classifier: str, where: Place | None, when: Moment | None) -> None:
        self.event, self.classifier, self.where, self.when = event, classifier, where, when


class PassengerLists(Interchanges):
    """PAXLST: a departure and an arrival for each leg that its head gives."""

    name = "edifact-paxlst"
    title = "UN/EDIFACT passenger list (PAXLST), without persons"
    type = "PAXLST"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the calls that the head tells of."""
        head: list[Segment] = []
        counted: dict[str, int] = {}
        stated: dict[str, int] = {}
        persons = Persons(context)
        roles = context.table("traveller")
        ended = False
        for segment in message.segments:
            if segment.tag == "NAD":
                # Before TDT it is who sends the list; from the first one behind it on all is of persons.
                ended = ended or any(one.tag == "TDT" for one in head)
                role = _COUNTED.get(roles.get(segment.get(1), ""))
                if role:
                    counted[role] = counted.get(role, 0) + 1
            elif not ended and segment.tag in _LIST_HEAD:
                head.append(segment)
            elif segment.tag == "CNT":
                _count(segment, stated, context)
            if ended and persons.carried:
                persons.take(segment)
        yield from _drafts(head, stated or counted, persons, context)


def _count(segment: Segment, stated: dict[str, int], context: Context) -> None:
    name = context.table("count").get(segment.get(1))
    number = whole(segment.get(1, 1), segment) if name else None
    if name and number is not None:
        stated[str(name)] = number


def _drafts(head: list[Segment], counts: dict[str, int], persons: Persons, context: Context) -> Iterator[Draft]:
    journey = next((one for one in head if one.tag == "TDT"), None)
    if journey is None:
        context.findings.fault("no-conveyance", context.heading.place, "no TDT tells which conveyance it is about")
        return
    transport = _air(transport_of(journey, context))
    begin = next((one for one in head if one.tag == "BGM"), None)
    cancelled = context.table("function").get(function_of(begin)) == "withdrawn"
    calls = list(_calls(head, context))
    if not calls:
        # Lorries' lists name no ports: the office they come to knows which one it is.
        calls = list(_times(head, context))
    day = next((one.when.time for one in calls if one.event == "departed" and one.when), None)
    number = begin.get(2) if begin is not None and len(begin.get(2)) > 3 else ""
    yield from _each(calls, transport, counts, day or _any(calls), cancelled, persons, context, number)


def _times(head: list[Segment], context: Context) -> Iterator[_Call]:
    for one in head:
        meaning = context.table("conveyance").get(one.get(1)) if one.tag == "DTM" else None
        when = moment(one, context) if meaning else None
        if meaning and when is not None:
            yield _Call(meaning[0], meaning[1], None, when)
            return


def _any(calls: list[_Call]) -> datetime | None:
    return next((one.when.time for one in calls if one.when), None)


def _each(
    calls: list[_Call], transport: Transport | None, counts: dict[str, int], day: datetime | None, cancelled: bool,
    persons: Persons, context: Context, reference: str = "",
) -> Iterator[Draft]:  # fmt: skip
    """One draft for each call; they meet on the conveyance's number and its day of departure."""
    identifiers = Identifiers()
    number = transport.voyage if transport is not None else None
    if number:
        identifiers.add("other", f"{number}/{day:%Y%m%d}" if day else number)
    else:
        identifiers.add("lrn", reference)
    if not calls or not identifiers:
        detail = "neither its conveyance nor where that calls is told"
        context.findings.fault("no-conveyance", context.heading.place, detail)
        return
    parties, documents = persons.parties(), persons.documents()
    told: set[str] = set()
    for call in calls:
        # The list is of who left and who comes; further stops say nothing of who is on board.
        first = call.event not in told
        told.add(call.event)
        found = draft(
            "withdrawn" if cancelled else call.event, identifiers, call.when, None, context,
            classifier=call.classifier if call.classifier != "actual" else None, place=call.where, transport=transport,
            goods=[Goods(description=name, packages=count) for name, count in sorted(counts.items())],
            parties=parties if first else None, documents=documents if first else None,
        )  # fmt: skip
        if found is not None:
            yield found


def _air(transport: Transport | None) -> Transport | None:
    """A passenger list without a mode is of a flight where the number has a flight's form."""
    if transport is None or transport.mode or not transport.voyage:
        return transport
    if re.fullmatch(r"[A-Z0-9]{2}[A-Z]?\d{1,4}[A-Z]?", transport.voyage.upper()) is None:
        return transport
    means = transport.means or Means(scheme="flight", value=transport.voyage)
    return Transport(mode="4", means=means, voyage=transport.voyage, **present(carrier=transport.carrier))


def _calls(head: list[Segment], context: Context) -> Iterator[_Call]:
    """The stops after TDT: LOC with the times that follow it."""
    table = context.table("conveyance")
    # 3227: last port before the border, next port, port of first arrival.
    events = {"125": "departed", "5": "departed", "87": "arrived", "60": "arrived"}
    general: list[Moment | None] = []
    for index, one in enumerate(head):
        event = events.get(one.get(1)) if one.tag == "LOC" else None
        if event is None:
            continue
        found: _Call | None = None
        # Not `head[index + 1 :]`, which copies what is left for each stop.
        at = index + 1
        while at < len(head) and (later := head[at]).tag == "DTM":
            at += 1
            meaning = table.get(later.get(1))
            when = moment(later, context) if meaning and meaning[0] == event else None
            if meaning and when is not None:
                found = _Call(event, meaning[1], _airport(one, context), when)
                break
        if found is None:
            # Gone through once, however many stops have no time of their own.
            general = general or [first_moment(head, ("189", "232"), context)]
            found = _Call(event, "planned", _airport(one, context), general[0])
        yield found


def _airport(segment: Segment, context: Context) -> Place | None:
    """Airlines name airports by three letters (IATA), which say no country."""
    code = segment.get(2).upper()
    return Place(name=code) if _IATA.fullmatch(code) else place_of(segment, context)


class Bookings(Interchanges):
    """PNRGOV: the departure and the arrival of the flight whose bookings it pushes."""

    name = "edifact-pnrgov"
    title = "UN/EDIFACT passenger name records (PNRGOV), without persons"
    type = "PNRGOV"

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the flight's departure and arrival."""
        flight: Segment | None = None
        counts: dict[str, int] = {}
        persons = Persons(context)
        ended = False
        for segment in message.segments:
            # From here on it speaks of persons.
            ended = ended or segment.tag in ("SRC", "RCI")
            if ended and not persons.carried:
                break
            if ended:
                persons.take_booking(segment)
            elif segment.tag == "TVL" and flight is None:
                flight = segment
            elif segment.tag == "EQN" and (count := whole(segment.get(1), segment)) is not None:
                counts = {"bookings": count}
        if flight is None:
            context.findings.fault("no-conveyance", context.heading.place, "no TVL tells which flight it is about")
            return
        airline, number = flight.get(4), flight.get(5)
        transport = _flight(airline, number)
        left = _moment_of(flight.get(1), flight.get(1, 1), context)
        day, clock = flight.get(1, 2), flight.get(1, 3)
        if not clock and _CLOCK.fullmatch(day):
            # Without a second date it lands on the day it left.
            day, clock = flight.get(1), day
        landed = _moment_of(day, clock, context)
        calls = [
            _Call("departed", "planned", _port(flight.get(2)), left),
            _Call("arrived", "planned", _port(flight.get(3)), landed or left),
        ]
        yield from _each(
            [one for one in calls if one.where], transport, counts, left.time if left else None, False, persons, context
        )


def _flight(airline: str, number: str) -> Transport | None:
    voyage = short(airline + number)
    if not voyage:
        return None
    return Transport(
        mode="4", means=Means(scheme="flight", value=voyage), voyage=voyage, **present(carrier=short(airline))
    )


def _port(code: str) -> Place | None:
    return Place(name=code.upper()) if _IATA.fullmatch(code.upper()) else None


def _moment_of(day: str, clock: str, context: Context) -> Moment | None:
    """DDMMYY and HHMM, as airlines write them (PADIS 9916, 9918)."""
    if not _DAY.fullmatch(day):
        return None
    time = clock if _CLOCK.fullmatch(clock) else "0000"
    found = read_time(f"20{day[4:]}-{day[2:4]}-{day[:2]}T{time[:2]}:{time[2:]}", context.origin.zone)
    return Moment(*found) if found else None
