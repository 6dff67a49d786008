"""EPCIS documents as a stream of events: XML of 1.x and 2.0 and JSON-LD of 2.0, read chunk by chunk.

Owns taking one event after the other out of a document of any length in bounded memory, each as a plain object
in the shape of the JSON-LD binding. Never knows what an event means.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import ijson
from lxml import etree

from adapters.document import (
    BARE_TYPE,
    MAX_DEPTH,
    Element,
    Findings,
    check_encoding,
    has_bare_type,
    local_name,
    namespace,
)
from adapters.json_document import Node
from schemas.envelope import MAX_FAULTS
from schemas.errors import Fault, TranslationError

CHUNK_BYTES = 64 * 1024
# An encoding, a byte-order mark and nearly always a document type stand within these.
HEAD_BYTES = 512
# One event: 100 000 EPCs are a ship full of cartons.
MAX_NODES = 200_000
# The longest text within an event, between two tokens.
MAX_TOKEN_BYTES = 4 * 1024 * 1024
EVENTS = (
    "ObjectEvent",
    "AggregationEvent",
    "TransactionEvent",
    "TransformationEvent",
    "AssociationEvent",
    "QuantityEvent",
)
DOCUMENTS = ("EPCISDocument", "EPCISQueryDocument")
# The last two hold no events: to know them is to say so.
ROOTS = (*DOCUMENTS, "QueryResults", "EPCISMasterDataDocument", "EPCISCaptureJob")
EPCIS = "urn:epcglobal:epcis"
# What stands around events and queries in web services.
QUERIES = "urn:epcglobal:epcis-query:"
ENVELOPE = "Envelope"
Source = BinaryIO | Iterable[bytes]


def chunks(source: Source) -> Iterator[bytes]:
    """Yield a file's or an iterable's bytes in pieces of moderate size, the first long enough to be judged by."""
    start: bytes | None = b""
    for piece in _pieces(source):
        if start is None:
            yield piece
            continue
        start += piece
        if len(start) >= HEAD_BYTES:
            yield start
            start = None
    if start:
        yield start


def _pieces(source: Source) -> Iterator[bytes]:
    if hasattr(source, "read"):
        while piece := source.read(CHUNK_BYTES):
            yield piece
    else:
        for whole in source:
            for start in range(0, len(whole), CHUNK_BYTES):
                yield whole[start : start + CHUNK_BYTES]


def _refuse(code: str, place: str, detail: str) -> TranslationError:
    return TranslationError([Fault(code, place, detail)])


# XML


def xml_events(source: Source, findings: Findings) -> Iterator[Node]:
    """Yield the events of an XML document, each freed as soon as the next one is asked for.

    Raises:
        TranslationError: not well-formed, a document type declaration, too deep, an event too large.
    """
    parser: Any = etree.XMLPullParser(
        events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    walk = _Walk(findings)
    first = True
    try:
        for piece in chunks(source):
            if first:
                _check_start(piece, findings)
                first = False
            parser.feed(piece)
            yield from walk.step(parser, len(piece))
        parser.close()
        yield from walk.step(parser, 0)
    except etree.XMLSyntaxError as error:
        place = f"line {error.lineno}" if error.lineno else ""
        raise _refuse("not-well-formed", place, (error.msg or "empty document")[:200]) from None
    except (ValueError, LookupError) as error:
        raise _refuse("not-well-formed", "", str(error)[:200]) from None


_NO_TYPE = "a document type declaration is refused: it can carry entities"


def _check_start(piece: bytes, findings: Findings) -> None:
    check_encoding(piece)
    if b"<!DOCTYPE" in piece[:4096].replace(b"\x00", b""):
        if not has_bare_type(piece):
            raise _refuse("document-type", "line 1", _NO_TYPE)
        findings.warn("document-type", "line 1", BARE_TYPE)


class _Walk:
    """Where the reader stands in the tree: how deep, in which event, how much of it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._depth = 0
        self._nodes = 0
        self._bytes = 0
        self._numbers: dict[str, int] = {}
        self._event: Any = None

    def step(self, parser: Any, size: int) -> Iterator[Node]:
        """Take what the parser has found since."""
        moved = False
        for action, element in parser.read_events():
            moved = True
            if action == "start":
                self._open(element)
            else:
                yield from self._close(element)
        self._bytes = 0 if moved else self._bytes + size
        if self._bytes > MAX_TOKEN_BYTES:
            raise _refuse("too-long", "", f"a tag or text of more than {MAX_TOKEN_BYTES} bytes")

    def _open(self, element: Element) -> None:
        name = local_name(element)
        if self._depth == 0:
            self._root(element, name)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refuse("too-deep", f"line {element.sourceline}", f"more than {MAX_DEPTH} levels")
        if self._event is not None:
            self._nodes += 1 + len(element.attrib)
            if self._nodes > MAX_NODES:
                raise _refuse(
                    "too-much-markup", f"line {element.sourceline}", f"an event of more than {MAX_NODES} parts"
                )
        elif name in EVENTS or (self._listed(element) and name != "extension"):
            self._event, self._nodes = element, 0
            self._numbers[name] = self._numbers.get(name, 0) + 1

    def _root(self, element: Element, name: str) -> None:
        info: Any = element.getroottree().docinfo
        if info.doctype and not any(one.code == "document-type" for one in self._findings.warnings):
            raise _refuse("document-type", "line 1", _NO_TYPE)
        if name not in (*ROOTS, *EVENTS, ENVELOPE) and not namespace(element).startswith(QUERIES):
            raise _refuse("structure", "line 1", f"an EPCIS document is one of {', '.join(DOCUMENTS)} or an event")

    @staticmethod
    def _listed(element: Element) -> bool:
        """Whether it stands in the list of events, however deep in extensions of it."""
        above = element.getparent()
        while above is not None and local_name(above) == "extension":
            above = above.getparent()
        return above is not None and local_name(above) == "EventList"

    def _close(self, element: Any) -> Iterator[Node]:
        self._depth -= 1
        if element is self._event:
            self._event = None
            name = local_name(element)
            place = f"/{name}[{self._numbers[name]}] (line {element.sourceline})"
            yield Node(_object(element, place, self._findings), place, self._findings)
        if self._event is None:
            element.clear(keep_tail=True)
            while element.getprevious() is not None:
                del element.getparent()[0]


_BASE = "eventTime recordTime eventTimeZoneOffset eventID errorDeclaration baseExtension"
_WHY = "bizStep disposition readPoint bizLocation"
_TAIL = "sourceList destinationList sensorElementList persistentDisposition ilmd extension"
# The sequences of the schemas of 1.2 and 2.0, which differ in what stands within `extension` only.
ORDER = {
    "ObjectEvent": f"{_BASE} epcList action {_WHY} bizTransactionList quantityList {_TAIL}",
    "AggregationEvent": f"{_BASE} parentID childEPCs action {_WHY} bizTransactionList childQuantityList {_TAIL}",
    "AssociationEvent": f"{_BASE} parentID childEPCs childQuantityList action {_WHY} bizTransactionList {_TAIL}",
    "TransactionEvent": f"{_BASE} bizTransactionList parentID epcList action {_WHY} quantityList {_TAIL}",
    "TransformationEvent": f"{_BASE} inputEPCList inputQuantityList outputEPCList outputQuantityList "
    f"transformationID {_WHY} bizTransactionList {_TAIL}",
    "QuantityEvent": f"{_BASE} epcClass quantity {_WHY} bizTransactionList extension",
}
_RANKS = {name: {part: rank for rank, part in enumerate(order.split())} for name, order in ORDER.items()}
_LISTS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_QUANTITIES = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_TYPED = {"bizTransactionList": "bizTransaction", "sourceList": "source", "destinationList": "destination"}


def _object(event: Element, place: str, findings: Findings) -> dict[str, Any]:
    """An event element in the shape of the JSON-LD binding; what is of another namespace by its name alone."""
    name = local_name(event)
    own = namespace(event)
    known = name in EVENTS and (not own or own.startswith(EPCIS))
    found: dict[str, Any] = {"type": name if known or not own else f"{own}:{name}"}
    if known:
        _fields(event, name, found, place, findings)
    return found


def _fields(
    parent: Element, event: str, found: dict[str, Any], place: str, findings: Findings, *, within: bool = False
) -> None:
    """Take the members of an event, or those `within` an extension of it, where no order is asked for."""
    ranks, last, ordered = _RANKS[event], -1, not within
    for element in parent:
        if len(findings.faults) >= MAX_FAULTS:
            return
        name, own = local_name(element), namespace(element)
        rank = ranks.get(name)
        if own and not own.startswith(EPCIS):
            found[f"{own}:{name}"] = None
        elif name == "certificationInfo":
            # Not carried; 1.2 has none, and where converters to 1.2 put that of 2.0 differs.
            continue
        elif rank is None and within:
            # Here 1.x lets a partner's own stand without a namespace.
            found[f"extension:{name}"] = None
        elif rank is None:
            detail = f"{event} has no such element, and one of another's needs a namespace"
            findings.fault("unknown-element", f"{place}/{name[:60]}", detail)
        else:
            if ordered and rank < last:
                _disordered(event, f"{place}/{name}", found, findings)
                ordered = False
            last = max(rank, last)
            if name in ("extension", "baseExtension"):
                _fields(element, event, found, f"{place}/{name}", findings, within=True)
            else:
                found[name] = _value(element, name)


def _disordered(event: str, place: str, found: dict[str, Any], findings: Findings) -> None:
    """Elements that changed places are legible; what does not even begin with its time is another structure."""
    detail = f"the order in {event} is {ORDER[event]}"
    if list(found)[1:2] == ["eventTime"]:
        findings.warn("order", place, detail)
    else:
        findings.fault("order", place, detail)


def _value(element: Element, name: str) -> Any:
    if name in _LISTS:
        return [_text(one) for one in element if local_name(one) == "epc"]
    if name in _QUANTITIES:
        return [_members(one) for one in element]
    if name in _TYPED:
        return [
            {"type": one.get("type"), _TYPED[name]: _text(one)} for one in element if local_name(one) == _TYPED[name]
        ]
    if name in ("readPoint", "bizLocation", "errorDeclaration"):
        return _members(element)
    if name == "sensorElementList":
        return [{} for one in element]
    if name in ("ilmd", "persistentDisposition"):
        return {}
    return _text(element)


def _members(element: Element) -> dict[str, Any]:
    return {local_name(one): _text(one) for one in element if len(one) == 0}


def _text(element: Element) -> str:
    return (element.text or "").strip()


# JSON

# Where events stand: in a document, in query results, in a list by itself.
_EVENT_LISTS = frozenset(
    {
        ("[]",),
        ("eventList", "[]"),
        ("epcisBody", "event"),
        ("epcisBody", "eventList", "[]"),
        ("epcisBody", "queryResults", "resultsBody", "eventList", "[]"),
    }
)
_STARTS, _ENDS = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})
# Members of a document that no event can be made of; they may be long.
_PASSED_OVER = frozenset({"epcisBody", "epcisHeader", "eventList"})


def json_events(source: Source, findings: Findings) -> Iterator[Node]:
    """Yield the events of a JSON document: in a document, in query results, in an array, or one by itself.

    Raises:
        TranslationError: no JSON in UTF-8, too deep, an event too large.
    """
    found: Any = ijson.sendable_list()
    reader: Any = ijson.basic_parse_coro(found)
    tree = _Tree(findings)
    silent, first = 0, True
    try:
        for piece in chunks(source):
            reader.send(piece.removeprefix(b"\xef\xbb\xbf") if first else piece)
            first = False
            silent = 0 if found else silent + len(piece)
            if silent > MAX_TOKEN_BYTES:
                raise _refuse("too-long", "", f"a text of more than {MAX_TOKEN_BYTES} bytes")
            yield from tree.step(found)
        reader.close()
    except ijson.JSONError as error:
        # Only the start of the text names the rule; what follows repeats the document.
        rule = re.split(r"\n|\\n", str(error), maxsplit=1)[0].removeprefix("b'")
        raise _refuse("not-json", tree.place, rule[:200]) from None
    except (ValueError, ArithmeticError, SystemError):
        # What Python's numbers cannot hold; ijson's own code reports the one of whole numbers as a SystemError.
        raise _refuse("not-json", tree.place, "a number beyond reason") from None
    yield from tree.step(found)
    yield from tree.rest()


def _type(found: dict[str, Any]) -> Any:
    """What an object is; a context may leave JSON-LD's own keyword for it, and the drafts of 2.0 had another."""
    return next((found[name] for name in ("type", "@type", "isA") if name in found), None)


class _Frame:
    """An object or array that is open: where in it the reader stands."""

    __slots__ = ("count", "is_map", "key")

    def __init__(self, is_map: bool) -> None:
        self.is_map, self.key, self.count = is_map, "", -1


class _Tree:
    """Builds the events out of tokens, and the head of the document, in case it is an event by itself."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._frames: list[_Frame] = []
        self._stack: list[Any] = []
        """The containers under construction, the outermost first; empty where nothing is built."""
        self._into: str | None = None
        """The member of the head that is built; None where it is an event."""
        self._head: dict[str, Any] = {}
        self._nodes = 0

    @property
    def place(self) -> str:
        """A JSON pointer to where the reader stands."""
        return "".join(f"/{frame.key if frame.is_map else frame.count}" for frame in self._frames)[:500]

    def step(self, tokens: list[tuple[str, Any]]) -> Iterator[Node]:
        """Take these tokens, leaving none; yield the events that they complete."""
        frames = self._frames
        for kind, value in tokens:
            if kind == "map_key":
                frames[-1].key = value
            elif kind in _STARTS:
                self._start(kind == "start_map")
            elif kind in _ENDS:
                yield from self._end()
            elif self._stack:
                if not frames[-1].is_map:
                    frames[-1].count += 1
                self._put(value)
            else:
                self._leaf(value)
        tokens.clear()

    def rest(self) -> Iterator[Node]:
        """Yield the document itself where it is an event; say so where it is one that lacks its context."""
        if _type(self._head) in EVENTS or "eventTime" in self._head:
            yield self._event(self._head, "")
        elif _type(self._head) in DOCUMENTS and self._head.get("@context") is None:
            self._findings.fault("missing", "/@context", "a document of JSON-LD says what its names mean")

    def _event(self, found: dict[str, Any], place: str) -> Node:
        if "type" not in found and (kind := _type(found)) is not None:
            found["type"] = kind
            if "isA" in found:
                self._findings.warn("renamed", f"{place}/isA", "the name of the drafts; the standard says type")
        found.pop("@type", None)
        found.pop("isA", None)
        return Node(found, place, self._findings)

    def _where(self) -> tuple[str, ...]:
        return tuple(frame.key if frame.is_map else "[]" for frame in self._frames)

    def _advance(self) -> None:
        if self._frames and not self._frames[-1].is_map:
            self._frames[-1].count += 1

    def _start(self, is_map: bool) -> None:
        self._advance()
        container: Any = {} if is_map else []
        if self._stack:
            self._put(container)
            self._stack.append(container)
        elif is_map and len(self._frames) <= 5 and self._where() in _EVENT_LISTS:
            self._stack, self._into, self._nodes = [container], None, 0
        elif self._in_head():
            self._stack, self._into = [container], self._frames[0].key
        self._frames.append(_Frame(is_map))
        if len(self._frames) > MAX_DEPTH:
            raise _refuse("too-deep", "", f"more than {MAX_DEPTH} levels")

    def _in_head(self) -> bool:
        return len(self._frames) == 1 and self._frames[0].is_map and self._frames[0].key not in _PASSED_OVER

    def _end(self) -> Iterator[Node]:
        self._frames.pop()
        if not self._stack:
            return
        done = self._stack.pop()
        if self._stack:
            return
        if self._into is None:
            yield self._event(done, self.place)
        else:
            self._head[self._into] = done

    def _leaf(self, value: Any) -> None:
        """Take a value outside of what is built."""
        self._advance()
        if self._in_head():
            self._head[self._frames[0].key] = value
            self._count()
        elif len(self._frames) <= 5 and self._where() in _EVENT_LISTS and len(self._findings.faults) < MAX_FAULTS:
            self._findings.fault("structure", self.place, "an event is an object")

    def _put(self, value: Any) -> None:
        frame = self._frames[-1]
        if frame.is_map:
            self._stack[-1][frame.key] = value
        else:
            self._stack[-1].append(value)
        self._count()

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refuse("too-much-markup", self.place, f"an event of more than {MAX_NODES} parts")
