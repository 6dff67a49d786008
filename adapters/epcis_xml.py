"""EPCIS documents in XML of 1.x and 2.0 as a stream of events, read chunk by chunk.

Owns taking one event after the other out of a document of any length in bounded memory, each as a plain object
in the shape of the JSON-LD binding. Never knows what an event means.
"""

from collections.abc import Iterator
from typing import Any

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
from adapters.epcis_stream import (
    DOCUMENTS,
    ENVELOPE,
    EPCIS,
    EVENTS,
    MAX_NODES,
    MAX_TOKEN_BYTES,
    ORDER,
    QUERIES,
    ROOTS,
    Source,
    chunks,
    refuse,
)
from adapters.json_document import Node
from schemas.envelope import MAX_FAULTS


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
        raise refuse("not-well-formed", place, (error.msg or "empty document")[:200]) from None
    except (ValueError, LookupError) as error:
        raise refuse("not-well-formed", "", str(error)[:200]) from None


_NO_TYPE = "a document type declaration is refused: it can carry entities"


def _check_start(piece: bytes, findings: Findings) -> None:
    check_encoding(piece)
    if b"<!DOCTYPE" in piece[:4096].replace(b"\x00", b""):
        if not has_bare_type(piece):
            raise refuse("document-type", "line 1", _NO_TYPE)
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
            raise refuse("too-long", "", f"a tag or text of more than {MAX_TOKEN_BYTES} bytes")

    def _open(self, element: Element) -> None:
        name = local_name(element)
        if self._depth == 0:
            self._root(element, name)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise refuse("too-deep", f"line {element.sourceline}", f"more than {MAX_DEPTH} levels")
        if self._event is not None:
            self._nodes += 1 + len(element.attrib)
            if self._nodes > MAX_NODES:
                raise refuse(
                    "too-much-markup", f"line {element.sourceline}", f"an event of more than {MAX_NODES} parts"
                )
        elif name in EVENTS or (self._listed(element) and name != "extension"):
            self._event, self._nodes = element, 0
            self._numbers[name] = self._numbers.get(name, 0) + 1

    def _root(self, element: Element, name: str) -> None:
        info: Any = element.getroottree().docinfo
        if info.doctype and not any(one.code == "document-type" for one in self._findings.warnings):
            raise refuse("document-type", "line 1", _NO_TYPE)
        if name not in (*ROOTS, *EVENTS, ENVELOPE) and not namespace(element).startswith(QUERIES):
            raise refuse("structure", "line 1", f"an EPCIS document is one of {', '.join(DOCUMENTS)} or an event")

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
