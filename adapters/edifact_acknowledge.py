"""Tells a sender what was wrong: CONTRL for an interchange, APERAK for what became of a message.

Owns how faults become syntax errors (0085) and application errors. Pure: no clock, no chance; the same document
and faults give the same bytes. Never acknowledges an acknowledgement, and never repeats a value of the document.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.document import Document, Findings, Origin
from adapters.edifact_envelope import Heading, read_messages
from adapters.edifact_syntax import chunks_of, segments
from adapters.edifact_write import Element, clean, interchange, reference_of, segment
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Reading
from schemas import Message, ReceiptMessage, ShipmentMessage
from schemas.base import rfc3339
from schemas.errors import Fault, TranslationError
from schemas.shipment import Identifier

FAMILY = "edifact"
# Action (0083): rejected with all within; acknowledged with all within that is not rejected.
_REJECTED, _ACKNOWLEDGED = "4", "7"
# What the segment tables have room for.
_MAX_SEGMENTS, _MAX_REFERENCES, _MAX_ERRORS = 999, 9, 9999
_MAX_MESSAGES = 10_000
_PLACE = re.compile(r"segment (?P<segment>\d{1,6}) \([A-Z?]{1,3}\)(?: of message (?P<reference>.{1,35}))?, line \d+")
_WHOLE = re.compile(r"message (?P<reference>.{1,35})")
# BGM 1001: acknowledgement message, application error and acknowledgement.
_GOOD, _BAD = "312", "313"


def acknowledge(document: Document, faults: Sequence[Fault], received: datetime, profile: Profile = NEUTRAL) -> bytes:
    """Write a CONTRL (syntax version 3) for each interchange of a document: acknowledged, or rejected with why.

    `faults` are those of a refusal, or warnings that the recipient will not let pass; `received` becomes the
    time of preparation. The result is one interchange, or several one after another.

    Raises:
        TranslationError: there is no UNB that could be answered, or it holds CONTRL messages alone.
    """
    found = list(_headings(document, profile))
    # A CONTRL is never answered with one (ISO 9735-4).
    answered = [one for one in found if one and any(heading.type != "CONTRL" for heading in one)]
    answered = [one for one in answered if one[0].interchange.reference and one[0].interchange.sender[0]]
    if not answered:
        raise TranslationError([Fault("no-interchange", "", "no UNB in it that a CONTRL could answer")])
    written = []
    for headings in answered:
        subject = headings[0].interchange
        written.append(
            interchange(
                "CONTRL",
                _responses(headings, faults, profile.table(FAMILY, "syntax-error")),
                sender=subject.recipient,
                recipient=subject.sender,
                prepared=received,
                key=f"{document.sha256} {subject.reference}",
                directory=("D", "3", "UN"),
                test=subject.test,
            )
        )
    return b"".join(written)


def _headings(document: Document, profile: Profile) -> Iterator[list[Heading]]:
    """The headings of each interchange's messages."""
    quiet = Findings()
    tokens = segments(chunks_of(document.content), quiet, profile.table(FAMILY, "charset"))
    current: list[Heading] = []
    try:
        for message in read_messages(tokens, quiet, profile.table(FAMILY, "message-type")):
            if current and message.heading.interchange is not current[0].interchange:
                yield current
                current = []
            if len(current) < _MAX_MESSAGES:
                current.append(message.heading)
    except TranslationError:
        # What breaks off is still answered as far as it came.
        pass
    if current:
        yield current


def _responses(headings: Sequence[Heading], faults: Sequence[Fault], codes: Mapping[str, Any]) -> Iterator[str]:
    """UCI, and UCM with UCS for what faults name a message of it."""
    subject = headings[0].interchange
    by_message: dict[str, list[tuple[str, str]]] = {}
    general: list[str] = []
    for fault in faults:
        code = str(codes.get(fault.code, codes.get("default", "18")))
        place = _PLACE.fullmatch(fault.pointer) or _WHOLE.fullmatch(fault.pointer)
        reference = place["reference"] if place else None
        if place is not None and reference:
            by_message.setdefault(reference, []).append((place.groupdict().get("segment") or "", code))
        else:
            general.append(code)
    error = general[0] if general else ""
    action = _REJECTED if faults else _ACKNOWLEDGED
    yield segment("UCI", subject.reference, _party(subject.sender), _party(subject.recipient), action, error)
    seen = set()
    for heading in headings:
        rows = by_message.get(heading.reference)
        if not rows or heading.reference in seen:
            continue
        seen.add(heading.reference)
        type_ = (heading.type, heading.version, heading.release, heading.agency)
        whole = next((code for number, code in rows if not number), "")
        yield segment("UCM", heading.reference[:14], type_, _REJECTED, whole)
        for number, code in [row for row in rows if row[0]][:_MAX_SEGMENTS]:
            yield segment("UCS", number, code)


def _party(pair: tuple[str, str]) -> Element:
    return (clean(pair[0], 35), clean(pair[1], 4))


class ApplicationErrors:
    """APERAK: the receipt of a message, or a rejection, for its sender. Written only: partners agree on its codes."""

    name = "edifact-aperak"
    title = "UN/EDIFACT application error and acknowledgement (APERAK)"
    can_read = False
    can_write = True
    suffix = ".edi"

    def recognise(self, document: Document) -> float:
        """Never: it is not read."""
        return 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Refuse: what its codes mean stands in no international list."""
        raise TranslationError([Fault("cannot-read", "", "edifact-aperak is written only")])

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write a receipt, or a shipment that was rejected."""
        if isinstance(message, ReceiptMessage):
            body = list(_receipt(message, profile.table(FAMILY, "syntax-error")))
        elif isinstance(message, ShipmentMessage) and message.type == "shipment.rejected":
            body = list(_rejection(message))
        else:
            raise TranslationError(
                [Fault("no-words", "/type", "APERAK has words for receipts and shipment.rejected only")]
            )
        return interchange(
            "APERAK",
            body,
            sender=message.source,
            recipient=(message.recipients or "").partition(" ")[0] or "CBM",
            prepared=message.time,
            key=f"{message.source} {message.id}",
            test=bool(message.test),
        )


def _begin(message: Message, *, good: bool) -> Iterator[str]:
    # 1225: accepted without amendment, not accepted. 4343: accepted, rejected.
    function, response = ("29", "AP") if good else ("27", "RE")
    yield segment("BGM", _GOOD if good else _BAD, reference_of(f"{message.source} {message.id}"), function, response)
    stamp = message.time.strftime("%Y%m%d%H%M%S").rjust(14, "0") + message.time.strftime("%z")[:5]
    yield segment("DTM", ("137", stamp, "208"))


def _receipt(message: ReceiptMessage, codes: Mapping[str, Any]) -> Iterator[str]:
    receipt = message.data
    yield from _begin(message, good=receipt.disposition in ("accepted", "duplicate"))
    yield segment("FTX", "AAI", "", "", receipt.disposition)
    yield segment("RFF", ("ACW", clean(receipt.of.id, 70)))
    for fault in (receipt.faults or [])[:_MAX_ERRORS]:
        yield segment("ERC", (str(codes.get(fault.code, codes.get("default", "18"))), "0085"))
        where = f" at {fault.pointer}" if fault.pointer else ""
        yield segment("FTX", "AAO", "", "", clean(f"{fault.code}{where}: {fault.detail}", 512))


def _rejection(message: ShipmentMessage) -> Iterator[str]:
    body = message.data
    known = [one for one in body.identifiers if len(one.value) <= 70]
    if not known:
        raise TranslationError(
            [Fault("no-identifier", "/data/identifiers", "none of them fits into the lengths that APERAK has")]
        )
    yield from _begin(message, good=False)
    yield segment("FTX", "AAI", "", "", f"rejected {rfc3339(body.occurred)}")
    for one in known[:_MAX_REFERENCES]:
        yield segment("RFF", (_qualifier(one), clean(one.value, 70)))
    reason = body.decision.reason if body.decision and body.decision.reason else ""
    lines = [line for raw in reason.splitlines() if (line := clean(raw, 512))]
    for line in lines[:_MAX_ERRORS] or ["rejected"]:
        yield segment("ERC", ("18", "0085"))
        yield segment("FTX", "AAO", "", "", line)


def _qualifier(one: Identifier) -> str:
    return {"ucr": "UCN", "mrn": "ABT", "lrn": "ABO", "transport-document": "BM", "certificate": "AIR"}.get(
        one.scheme, "ZZZ"
    )
