"""EPCIS documents in JSON-LD of 2.0 as events: a long one as a stream, read chunk by chunk, a short one at once.

Owns taking one event after the other out of a document of any length in bounded memory. Never knows what an event
means.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ijson

from adapters.document import MAX_DEPTH, Findings
from adapters.epcis_stream import DOCUMENTS, EVENTS, MAX_NODES, MAX_TOKEN_BYTES, Source, chunks, refuse
from adapters.json_document import Node
from schemas.envelope import MAX_FAULTS

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
                raise refuse("too-long", "", f"a text of more than {MAX_TOKEN_BYTES} bytes")
            yield from tree.step(found)
        reader.close()
    except ijson.JSONError as error:
        # Only the start of the text names the rule; what follows repeats the document.
        rule = re.split(r"\n|\\n", str(error), maxsplit=1)[0].removeprefix("b'")
        raise refuse("not-json", tree.place, rule[:200]) from None
    except (ValueError, ArithmeticError, SystemError):
        # What Python's numbers cannot hold; ijson's own code reports the one of whole numbers as a SystemError.
        raise refuse("not-json", tree.place, "a number beyond reason") from None
    yield from tree.step(found)
    yield from tree.rest()


# Beyond this a document is read as a stream: parsed at once it takes some thirty times its size.
WHOLE_BYTES = 1024 * 1024


# Escaped halves of characters, on which parsers differ.
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")


def whole_events(content: bytes, findings: Findings) -> Iterator[Node] | None:
    """Return the events of a short document, parsed at once; None where the stream has to say what is odd in it."""
    if len(content) > WHOLE_BYTES or content.count(b",") + content.count(b"[") > MAX_NODES or _HALVES.search(content):
        return None
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode()
        whole = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    if not isinstance(whole, dict | list) or _too_deep(whole):
        return None
    lists = list(_lists(whole))
    if len(lists) > 1 or not all(isinstance(one, dict) for _, members in lists for one in members):
        return None
    return _whole(whole, lists, findings)


def _lists(whole: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield what stands where events do (`_EVENT_LISTS`), each list with its place."""
    if isinstance(whole, list):
        yield "", whole
        return
    body = _inner(whole, "epcisBody")
    if "event" in body:
        yield "/epcisBody/event", [body["event"]]
    for place, held in (
        ("", whole),
        ("/epcisBody", body),
        ("/epcisBody/queryResults/resultsBody", _inner(_inner(body, "queryResults"), "resultsBody")),
    ):
        members = held.get("eventList")
        if isinstance(members, list):
            yield f"{place}/eventList", members


def _inner(held: Any, name: str) -> dict[str, Any]:
    found = held.get(name) if isinstance(held, dict) else None
    return found if isinstance(found, dict) else {}


def _whole(whole: Any, lists: list[tuple[str, list[Any]]], findings: Findings) -> Iterator[Node]:
    for place, members in lists:
        for number, found in enumerate(members):
            yield _event(found, place if place.endswith("/event") else f"{place}/{number}", findings)
    if isinstance(whole, dict):
        yield from _by_itself({name: value for name, value in whole.items() if name not in _PASSED_OVER}, findings)


def _no_number(_: str) -> None:
    raise ValueError


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _type(found: dict[str, Any]) -> Any:
    """What an object is; a context may leave JSON-LD's own keyword for it, and the drafts of 2.0 had another."""
    return next((found[name] for name in ("type", "@type", "isA") if name in found), None)


def _by_itself(head: dict[str, Any], findings: Findings) -> Iterator[Node]:
    """Yield a document that is an event; say so where it is one of events and lacks its context."""
    kind = _type(head)
    if (isinstance(kind, str) and kind in EVENTS) or "eventTime" in head:
        yield _event(head, "", findings)
    elif isinstance(kind, str) and kind in DOCUMENTS and head.get("@context") is None:
        findings.fault("missing", "/@context", "a document of JSON-LD says what its names mean")


def _event(found: dict[str, Any], place: str, findings: Findings) -> Node:
    if "type" not in found and (kind := _type(found)) is not None:
        found["type"] = kind
        if "isA" in found:
            findings.warn("renamed", f"{place}/isA", "the name of the drafts; the standard says type")
    found.pop("@type", None)
    found.pop("isA", None)
    return Node(found, place, findings)


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
        """Yield the document itself where it is an event."""
        yield from _by_itself(self._head, self._findings)

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
            raise refuse("too-deep", "", f"more than {MAX_DEPTH} levels")

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
            yield _event(done, self.place, self._findings)
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
            raise refuse("too-much-markup", self.place, f"an event of more than {MAX_NODES} parts")
