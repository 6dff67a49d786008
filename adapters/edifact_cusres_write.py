"""Writes a decision as a customs response (CUSRES, D.21A) that is valid under its segment table.

Owns the order of segments and the length of each element; a reference that is too long is left out, since
a cut reference is another one. Never writes what the reader would not read back.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from adapters.edifact_write import Element, clean, interchange, reference_of, segment
from adapters.observed import refuse_observed
from adapters.profile import Profile
from schemas import Message, ShipmentMessage
from schemas.codes import has_container_form
from schemas.errors import Fault, TranslationError
from schemas.shipment import Identifier, Place, Scheme, Shipment, Transport

FAMILY = "edifact"
# Under which reference qualifier (1153) each scheme goes out. ZZZ: mutually agreed.
_QUALIFIERS: dict[Scheme, str] = {
    "ucr": "UCN",
    "mrn": "ABT",
    "lrn": "ABO",
    "transport-document": "BM",
    "certificate": "AIR",
    "container": "AAQ",
    "equipment": "EQ",
    "seal": "SN",
    "other": "ZZZ",
}
_REFERENCE, _EQUIPMENT, _VOYAGE, _TEXT = 70, 17, 17, 512
_MAX_REFERENCES, _MAX_EQUIPMENT, _MAX_TEXTS = 999, 999, 99
# The event without a processing indicator of its own goes out under the one that lets least through.
NEAREST = {
    "declared": "17",
    "amended": "15",
    "withdrawn": "1",
    "rejected": "33",
    "documents-required": "6",
    "selected-for-scan": "5",
    "selected-for-inspection": "5",
    "inspected": "17",
    "held": "7",
    "refused": "7",
    "released": "4",
    "exited": "17",
}
# GEI 9649: consignment type information.
_ABOUT = "5"
_MEANS = {"imo": "146", "call-sign": "103"}


def write_response(message: Message, profile: Profile) -> bytes:
    """Write the message; see `Translator.write` for what is raised."""
    event = message.type.partition(".")[2]
    if not isinstance(message, ShipmentMessage) or event not in NEAREST:
        known = ", ".join(f"shipment.{one}" for one in NEAREST)
        raise TranslationError([Fault("no-words", "/type", f"CUSRES has words for {known} only")])
    body = message.data
    if observed := refuse_observed(body):
        raise TranslationError(observed)
    identifiers = [one for one in body.identifiers if _fits(one)]
    if not identifiers:
        detail = "none of them fits into the lengths that CUSRES has"
        raise TranslationError([Fault("no-identifier", "/data/identifiers", detail)])
    return interchange(
        "CUSRES",
        _segments(message, event, body, identifiers, profile),
        sender=message.source,
        recipient=(message.recipients or "").partition(" ")[0] or "CBM",
        prepared=message.time,
        key=f"{message.source} {message.id}",
        test=bool(message.test),
    )


def _segments(
    message: ShipmentMessage, event: str, body: Shipment, identifiers: list[Identifier], profile: Profile
) -> Iterator[str]:
    version = str(body.decision.version) if body.decision and body.decision.version is not None else ""
    number: Element = (reference_of(f"{message.source} {message.id}"), version if len(version) <= 9 else "")
    yield segment("BGM", "961", number, "11")
    assumed = bool(body.zone_assumed)
    yield segment("DTM", _time("334", body.occurred, assumed=assumed))
    same = body.occurred.utcoffset() == message.time.utcoffset()
    yield segment("DTM", _time("137", message.time, assumed=assumed and same))
    yield from _texts(body)
    if body.transport is not None:
        yield from _transport(body.transport)
    if body.place is not None:
        yield from _place(body.place)
    yield from _indicators(event, body, profile.table(FAMILY, "processing"))
    placed = set()
    for piece in (body.equipment or [])[:_MAX_EQUIPMENT]:
        if len(piece.number) <= _EQUIPMENT:
            placed.add(piece.number)
            called = any(one.scheme == "container" and one.value == piece.number for one in identifiers)
            kind, words = clean(piece.type or ""), clean(piece.type or "", 35)
            size: Element = (kind,) if len(kind) <= 10 else ("", "", "", words)
            yield segment("EQD", "CN" if called else "TE", piece.number, size)
    authority = clean(body.decision.authority if body.decision and body.decision.authority else message.source, 70)
    yield segment("NAD", "CM", "", "", authority)
    written = 0
    for one in identifiers:
        if one.scheme in ("container", "equipment") and one.value in placed:
            continue
        if one.scheme == "container" and not has_container_form(one.value):
            continue
        written += 1
        if written <= _MAX_REFERENCES:
            yield segment("RFF", (_QUALIFIERS[one.scheme], one.value))
    if body.decision is not None and body.decision.item is not None and body.decision.item < 10**6:
        yield segment("DOC", ("", "", "", "GOODS ITEM"))
        yield segment("CST", str(body.decision.item))


def _fits(one: Identifier) -> bool:
    return len(one.value) <= _REFERENCE and one.value == clean(one.value)


def _time(qualifier: str, moment: datetime, *, assumed: bool) -> Element:
    """With its offset (format 208); without, where there was none (204)."""
    plain = moment.strftime("%Y%m%d%H%M%S").rjust(14, "0")
    if assumed:
        return (qualifier, plain, "204")
    return (qualifier, plain + moment.strftime("%z")[:5], "208")


def _texts(body: Shipment) -> Iterator[str]:
    reason = body.decision.reason if body.decision and body.decision.reason else ""
    lines = [line for raw in reason.splitlines() if (line := clean(raw))]
    for line in lines[:_MAX_TEXTS]:
        yield segment("FTX", "ACB", "", "", _pieces(line))


def _pieces(line: str) -> list[str]:
    """Cut a line into at most five texts, between words where that is possible; the reader joins them again."""
    found: list[str] = []
    while line and len(found) < 5:
        if len(line) <= _TEXT:
            piece, line = line, ""
        else:
            end = line.rfind(" ", 1, _TEXT - 1) + 1
            piece, line = (line[:end], line[end:]) if end > 0 else (line[:_TEXT], line[_TEXT:])
        found.append(piece)
    return found


def _transport(transport: Transport) -> Iterator[str]:
    voyage = clean(transport.voyage or "")
    carrier = clean(transport.carrier or "")
    line: Element = (carrier,) if len(carrier) <= _EQUIPMENT else ("", "", "", carrier if len(carrier) <= 35 else "")
    means: Element = ""
    if transport.means is not None:
        scheme, value = transport.means.scheme, clean(transport.means.value)
        if scheme == "name":
            means = ("", "", "", value if len(value) <= 70 else "")
        elif len(value) <= 35:
            means = (value, _MEANS.get(scheme, ""))
    yield segment("TDT", "20", voyage if len(voyage) <= _VOYAGE else "", transport.mode or "", "", line, "", "", means)


def _place(place: Place) -> Iterator[str]:
    name, facility = clean(place.name or "", 256), clean(place.facility or "")
    code = place.locode or place.country or ""
    kind = ("139", "6") if place.locode else ("162", "5") if place.country else ("", "")
    within: Element = ("", "", "", facility) if len(facility) <= 70 else ""
    yield segment("LOC", "14", (code, *kind, name), within)


def _indicators(event: str, body: Shipment, table: Mapping[str, object]) -> Iterator[str]:
    """The processing indicator; where it does not say all, the event in words and then the outcome."""
    outcome = body.decision.outcome if body.decision else event
    exact = next((code for code, pair in table.items() if pair == [event, outcome]), None)
    if exact is not None:
        yield segment("GEI", _ABOUT, (exact,))
        return
    yield segment("GEI", _ABOUT, (NEAREST[event], "", "", event))
    if re.fullmatch(r".{1,35}", outcome):
        yield segment("GEI", _ABOUT, ("ZZZ", "", "", outcome))
