"""GS1 EPCIS: what happened to things, in XML of 1.x and 2.0 and in JSON-LD of 2.0; written in JSON-LD.

Owns the two translators and how they tell their documents. Both read as a stream: `stream` takes a file or any
chunks of bytes and yields drafts in memory that does not grow with the document; `read` is built on it.
"""

import re
from collections.abc import Callable, Iterator

from adapters.document import Document, Findings, Origin
from adapters.epcis_event import draft_of
from adapters.epcis_json import json_events, whole_events
from adapters.epcis_stream import DOCUMENTS, ENVELOPE, EVENTS, QUERIES, ROOTS, Source
from adapters.epcis_write import write_event
from adapters.epcis_xml import xml_events
from adapters.json_document import Node, looks_like_json
from adapters.observed import Summary
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from schemas import Message
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, TranslationError

_HEAD_BYTES = 16 * 1024
# The first tag, after byte-order mark, declaration, comments and processing instructions.
_FIRST_TAG = re.compile(
    rb"[\xef\xbb\xbf\xff\xfe\s]*(?:<[?!][^->][^>]*>\s*|<!--(?:[^-]|-(?!->))*-->\s*)*<(?:[\w.-]+:)?(\w+)[\s/>]"
)
_DOCUMENTS = tuple(f'"{name}"'.encode() for name in DOCUMENTS)
_BARE = tuple(f'"{name}"'.encode() for name in EVENTS)
_PARAMETERS = re.compile(rb'"(?:EQ|GE|LT|MATCH|WD|EXISTS)_[A-Za-z]')


class _Epcis:
    can_read = True

    def __init__(self, events: Callable[[Source, Findings], Iterator[Node]]) -> None:
        self._events = events

    def stream(self, source: Source, origin: Origin, findings: Findings | None = None) -> Iterator[Draft]:
        """Read a file, or chunks of bytes, draft by draft, in memory bounded by the largest event.

        What is odd is noted in `findings`. Drafts that were yielded before a fault was met have gone out; who
        must not act on part of a document gathers them first, as `read` does.

        Raises:
            TranslationError: at the end, or as soon as nothing more can be read, with every fault so far.
        """
        findings = Findings() if findings is None else findings
        yield from self._drafts(self._events(source, findings), origin, findings)

    def _drafts(self, nodes: Iterator[Node], origin: Origin, findings: Findings) -> Iterator[Draft]:
        summary = Summary()
        seen = made = 0
        for node in nodes:
            seen += 1
            draft = draft_of(node, origin, summary)
            if draft is not None:
                made += 1
                yield draft
            if len(findings.faults) >= MAX_FAULTS:
                break
        if seen == 0 and not findings.faults:
            findings.fault("no-event", "", "there is no event in it: a query, master data or an empty list")
        elif made == 0 and not findings.faults:
            what = ", ".join(sorted(summary.skipped))[:400]
            findings.fault("no-words", "", f"nothing in it that urn:cbm:shipment:1 has a word for: {what}")
        findings.settle()

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every event that there is a word for; all of them or none."""
        findings = Findings()
        nodes = self._whole(document.content, findings) or self._events([document.content], findings)
        drafts = tuple(self._drafts(nodes, origin, findings))
        return Reading(drafts, tuple(findings.warnings))

    def _whole(self, content: bytes, findings: Findings) -> Iterator[Node] | None:
        """Return the events of a short document, if it can be taken at once."""
        return None


class EpcisXml(_Epcis):
    """EPCIS in XML."""

    name = "epcis-xml"
    title = "GS1 EPCIS 1.x and 2.0 in XML"
    can_write = False
    suffix = ".xml"

    def __init__(self) -> None:
        super().__init__(xml_events)

    def recognise(self, document: Document) -> float:
        """Go by the name of the root, in an envelope by its namespaces; nothing is parsed."""
        if not document.looks_like_xml:
            return 0.0
        start = document.content[:_HEAD_BYTES].replace(b"\x00", b"")
        match = _FIRST_TAG.match(start)
        if match is None:
            return 0.0
        name = match[1].decode(errors="replace")
        if name in (*ROOTS, *EVENTS):
            return 0.95 if name in ROOTS else 0.9
        # A web service's request or answer, bare or in an envelope.
        tag = start if name == ENVELOPE else start[: start.find(b">", match.end() - 1)]
        return 0.9 if QUERIES.encode() in tag else 0.0

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: EPCIS is written in JSON-LD."""
        raise TranslationError([Fault("cannot-write", "", "epcis-xml is read only; epcis-json is written")])


class EpcisJson(_Epcis):
    """EPCIS in JSON-LD."""

    name = "epcis-json"
    title = "GS1 EPCIS 2.0 in JSON-LD"
    can_write = True
    suffix = ".jsonld"

    def __init__(self) -> None:
        super().__init__(json_events)

    def recognise(self, document: Document) -> float:
        """Go by the names of documents, of events and of a query's parameters."""
        content = document.content
        if not looks_like_json(document) or b'"$schema"' in content:
            return 0.0
        if any(name in content for name in _DOCUMENTS) and b"epcisBody" in content:
            return 0.95
        if b'"eventTime"' in content and any(name in content for name in _BARE):
            return 0.9
        return 0.6 if b'"eventType"' in content and _PARAMETERS.search(content[:_HEAD_BYTES]) else 0.0

    def _whole(self, content: bytes, findings: Findings) -> Iterator[Node] | None:
        return whole_events(content, findings)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write an ObjectEvent."""
        return write_event(message, profile)


TRANSLATORS: tuple[Translator, ...] = (EpcisXml(), EpcisJson())
