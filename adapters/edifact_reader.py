"""What all EDIFACT readers share: recognising a message type, going through an interchange, the common parts.

Owns the entry that streams, and `read` on top of it. Never knows what a particular message type means: each
has a reader of its own.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from adapters.document import Document, Findings, Identifiers, Origin
from adapters.edifact_envelope import NativeMessage, read_messages
from adapters.edifact_structure import Definition, Group, definition_of
from adapters.edifact_syntax import Segment, chunks_of, segments
from adapters.edifact_values import FAMILY, Context, Moment, function_of, subject_of
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading
from schemas import Message, Shipment
from schemas.base import present
from schemas.errors import Fault, TranslationError

# Of one document read at once; `stream` has no such limit.
MAX_DRAFTS = 50_000
# The barest consignment or container there is takes more than this (EQD with a number: 19); what is denser was made to
# cost a hundred times its length in memory. A few may be.
MIN_DRAFT_BYTES = 16
FEW_DRAFTS = 200
# More are noise: what is wrong in each of ten thousand consignments has one cause.
MAX_FAULTS = 100
_LOOK_BYTES = 16 * 1024
_HEADER = re.compile(r"UNH([^\w \t\r\n])[^+*]{0,40}?\1([A-Z]{0,6})([^\w \t\r\n])")
_FIRST = re.compile(r"UNH.{3,120}?BGM[^\w \t\r\n](\d{1,3})\b", re.DOTALL)
_BARE = re.compile(r"UN[ABGH][^\w \t\r\n]")


class Interchanges:
    """A translator of one message type; others in the same interchange are passed over."""

    name: str
    title: str
    type: str
    """Message type (0065)."""
    can_read: bool = True
    can_write: bool = False
    suffix = ".edi"

    def recognise(self, document: Document) -> float:
        """Go by the message types that the first messages' headers name."""
        found = message_types(document.content[:_LOOK_BYTES])
        if self.type not in found:
            return 0.0
        return 1.0 if found[0] == self.type else 0.7

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every message of the type; a fault in one refuses the document."""
        findings = Findings()
        drafts = []
        most = min(MAX_DRAFTS, max(FEW_DRAFTS, len(document.content) // MIN_DRAFT_BYTES))
        for draft in self.stream(chunks_of(document.content), origin, findings):
            drafts.append(draft)
            if len(drafts) > most:
                detail = f"more than {most} messages come of {len(document.content)} bytes"
                raise TranslationError([Fault("too-many-messages", "", detail)])
        return Reading(tuple(drafts), tuple(findings.warnings))

    def stream(self, chunks: Iterable[bytes], origin: Origin, findings: Findings | None = None) -> Iterator[Draft]:
        """Yield drafts while the document still comes in, in memory that does not grow with it.

        What is odd goes to `findings`. A fault found on the way ends the stream with all there are, after
        the drafts before it: whoever acts on drafts holds them back until the end.

        Raises:
            TranslationError: with every fault, each naming message, segment and line.
        """
        findings = findings if findings is not None else Findings()
        table = origin.profile.table
        tokens = segments(chunks, findings, table(FAMILY, "charset"))
        seen = 0
        passed_over = False
        for message in read_messages(tokens, findings, table(FAMILY, "message-type")):
            if message.heading.type != self.type:
                if not passed_over:
                    findings.warn("other-message", message.heading.place, f"it is no {self.type} and is passed over")
                passed_over = True
                continue
            seen += 1
            yield from self.drafts(message, Context(findings, origin, message.heading))
            if len(findings.faults) >= MAX_FAULTS:
                break
        if not seen:
            findings.fault("no-message", "", f"there is no {self.type} message in it")
        findings.settle()

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield what one message says."""
        raise NotImplementedError

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: the type is read only."""
        raise TranslationError([Fault("cannot-write", "", f"{self.name} is read only")])


@lru_cache(maxsize=16)
def message_types(start: bytes) -> tuple[str, ...]:
    """Return the message types that a document's beginning names, in order; empty for what is no EDIFACT."""
    plain = start.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x01\x02")
    if plain[:1] in (b"<", b"{", b"["):
        return ()
    text = plain.decode("latin-1").replace("\r", "").replace("\n", "")
    if not _BARE.search(text):
        return ()
    found = [match[2] for match in _HEADER.finditer(text)]
    named = NEUTRAL.table(FAMILY, "message-type")
    if not any(found):
        first = _FIRST.search(text) or re.search(r"\bBGM\+(\d{1,3})\b", text)
        found = [str(named.get(first[1], ""))] if first else []
    return tuple(one for one in found if one)


def structure(context: Context) -> Definition:
    """Return the definition nearest to the message's directory."""
    heading = context.heading
    return _definition(context.origin.profile, heading.type, heading.version[:3], heading.release[:6])


@lru_cache(maxsize=256)
def _definition(profile: Profile, type_: str, version: str, release: str) -> Definition:
    # A profile is known by its identity: one that was read anew has definitions of its own.
    return definition_of(profile.table("edifact_structures", "structure"), type_, version, release)


def event_of(begin: Segment | None, context: Context) -> str | None:
    """Return the event of a report or declaration by its function (BGM, 1225); None with a fault."""
    if begin is None or not function_of(begin):
        place = begin.place if begin is not None else context.heading.place
        context.findings.warn("function-missing", place, "BGM 1225 is missing; read as an original")
        return "declared"
    code = function_of(begin).lstrip("0")
    if not (code.isascii() and code.isdigit() and len(code) <= 3):
        context.findings.fault("function-code", begin.place, "BGM 1225 is a number of UNTDID 1225")
        return None
    again = context.table("repetition").get(code)
    if again:
        context.warn("repeated", begin, f"function {code}, {again}: it says again what was said before")
    return str(context.table("function").get(code, "amended"))


def draft(
    event: str, identifiers: Identifiers, when: Moment | None, issued: Moment | None, context: Context, **fields: Any
) -> Draft | None:
    """Put a message together; None with a fault where nothing tells what it is about."""
    if not identifiers:
        context.findings.fault("no-identifier", context.heading.place, "nothing in it tells what it is about")
        return None
    when = when or issued or context.prepared
    occurred, assumed = (when.time, when.assumed) if when else (context.origin.received, False)
    body = Shipment(
        identifiers=sorted(identifiers.as_list(), key=lambda one: _ORDER[one.scheme]),
        occurred=occurred,
        **present(zone_assumed=assumed or None, **fields),
    )
    time = issued.time if issued else occurred
    attributes = {"test": True} if context.heading.interchange.test else {}
    return Draft(f"shipment.{event}", subject_of(identifiers), time, body, attributes)


# References come in the order of their schemes, wherever in a message they stood.
_SCHEMES = ("ucr", "mrn", "lrn", "transport-document", "certificate", "container", "equipment", "seal", "other")
_ORDER = {scheme: rank for rank, scheme in enumerate(_SCHEMES)}


def references(group: Group) -> Iterator[Segment]:
    """Yield the RFF of a group and of what is within, but not those of parties, legs of transport and equipment."""
    yield from group.all("RFF")
    for child in group.groups:
        if child.trigger not in ("NAD", "TDT", "EQD", "CPI", "CTA", "ERP", "ERC", "TAX"):
            yield from references(child)
