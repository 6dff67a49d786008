"""Interchanges, groups and messages of UN/EDIFACT: who sent what, and whether all of it arrived.

Owns the service segments UNB to UNZ. What an envelope says wrong, or does not say, is warned of and the
messages are read all the same. Never reads a message.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.document import Findings
from adapters.edifact_syntax import Segment

_SERVICE = frozenset({"UNB", "UNG", "UNH", "UNT", "UNE", "UNZ"})
# What begins a message that has no UNH.
_FIRST = frozenset({"BGM", "MSG"})


@dataclass(frozen=True, slots=True)
class Interchange:
    """What UNB says."""

    level: str = ""
    """Syntax identifier (S001, 0001)."""
    version: str = ""
    sender: tuple[str, str] = ("", "")
    """Identification (0004) and its qualifier (0007)."""
    recipient: tuple[str, str] = ("", "")
    prepared: str = ""
    """Date and time of preparation (S004), run together."""
    reference: str = ""
    """Control reference (0020)."""
    test: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """What UNH says of a message, and UNB and UNG around it."""

    reference: str = ""
    type: str = ""
    """Message type (0065); where UNH has none, as the group or the document name tells."""
    version: str = ""
    release: str = ""
    agency: str = ""
    association: str = ""
    number: int = 1
    """Counted from 1 in the document."""
    interchange: Interchange = field(default_factory=Interchange)

    @property
    def place(self) -> str:
        """The message, for a finding about all of it."""
        return f"message {self.reference}" if self.reference else f"message {self.number}"


@dataclass
class NativeMessage:
    """A message: its heading, and its segments between UNH and UNT, to be taken once and in order."""

    heading: Heading
    segments: Iterator[Segment]


def read_messages(segments: Iterator[Segment], findings: Findings, types: Mapping[str, Any]) -> Iterator[NativeMessage]:
    """Yield the messages one by one; what is left of one's segments is passed over before the next.

    `types` gives the message type of a document name (BGM, 1001), for a UNH without one.
    """
    return _Envelope(segments, findings, types).messages()


class _Envelope:
    def __init__(self, segments: Iterator[Segment], findings: Findings, types: Mapping[str, Any]) -> None:
        self._segments = segments
        self._findings = findings
        self._types = types
        self._interchange = Interchange()
        self._group: Segment | None = None
        self._waiting: Segment | None = None
        self._number = 0
        # Of the interchange: messages, groups. Of the group: messages.
        self._messages = self._groups = self._within = 0
        self._begun: Segment | None = None
        self._warned: set[str] = set()

    def messages(self) -> Iterator[NativeMessage]:
        while (opening := self._next_opening()) is not None:
            self._number += 1
            self._messages += 1
            self._within += 1
            first = self._take() if opening.tag == "UNH" else opening
            message = NativeMessage(self._heading(opening, first), iter(()))
            message.segments = self._body(opening, first, message.heading)
            yield message
            for _ in message.segments:
                pass

    def _take(self) -> Segment | None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            return waiting
        return next(self._segments, None)

    def _next_opening(self) -> Segment | None:
        """Go on to the next message, past the envelope's own segments."""
        while (segment := self._take()) is not None:
            tag = segment.tag
            if tag == "UNH":
                return segment
            if tag == "UNB":
                self._begin(segment)
            elif tag == "UNG":
                self._group, self._within = segment, 0
                self._groups += 1
            elif tag == "UNE":
                self._end_group(segment)
            elif tag == "UNZ":
                self._end(segment)
            elif tag in _FIRST:
                self._warn("header-missing", segment.place, "a message without UNH")
                return segment
            elif tag != "UNT":
                self._warn("outside-message", segment.place, "segments outside any message are passed over")
        if self._begun is not None:
            self._warn("trailer-missing", "the interchange", "UNZ is missing: it may be cut off")
        return None

    def _begin(self, segment: Segment) -> None:
        if self._begun is not None:
            self._warn("trailer-missing", segment.place, "another interchange begins before UNZ")
        self._begun = segment
        self._messages = self._groups = 0
        self._interchange = Interchange(
            level=segment.get(1).upper(),
            version=segment.get(1, 1),
            sender=(segment.get(2), segment.get(2, 1)),
            recipient=(segment.get(3), segment.get(3, 1)),
            prepared=segment.get(4) + segment.get(4, 1),
            reference=segment.get(5),
            test=segment.get(11) == "1",
        )

    def _end_group(self, segment: Segment) -> None:
        if self._group is None:
            self._warn("header-missing", segment.place, "UNE without UNG")
            return
        self._count(segment, self._within, "messages")
        self._same(segment, self._group.get(5))
        self._group = None

    def _end(self, segment: Segment) -> None:
        if self._begun is None:
            self._warn("header-missing", segment.place, "UNZ without UNB")
        else:
            self._count(segment, self._groups or self._messages, "groups" if self._groups else "messages")
            self._same(segment, self._interchange.reference)
        self._begun, self._group, self._interchange = None, None, Interchange()
        self._messages = self._groups = 0

    def _count(self, segment: Segment, counted: int, of: str) -> None:
        stated = segment.get(1)
        if not (stated.isascii() and stated.isdigit()) or int(stated[:9]) != counted:
            self._findings.warn("count", segment.place, f"it holds {counted} {of}, which is not what it states")

    def _same(self, segment: Segment, reference: str) -> None:
        if segment.get(2) != reference:
            self._findings.warn("reference", segment.place, "its reference is not that of its header")

    def _heading(self, opening: Segment, first: Segment | None) -> Heading:
        stated = opening if opening.tag == "UNH" else None
        type_ = stated.get(2).upper() if stated else ""
        if not type_ and first is not None:
            type_ = self._guessed(first)
            if stated is not None:
                detail = "UNH names no message type; it is told by the group or the document name"
                self._findings.warn("message-type", stated.place, detail)
        return Heading(
            reference=stated.get(1)[:35] if stated else "",
            type=type_,
            version=stated.get(2, 1) if stated else "",
            release=stated.get(2, 2).upper() if stated else "",
            agency=stated.get(2, 3) if stated else "",
            association=stated.get(2, 4) if stated else "",
            number=self._number,
            interchange=self._interchange,
        )

    def _guessed(self, first: Segment) -> str:
        if self._group is not None and self._group.get(1):
            return self._group.get(1).upper()
        return str(self._types.get(first.get(1), "")) if first.tag == "BGM" else ""

    def _body(self, opening: Segment, first: Segment | None, heading: Heading) -> Iterator[Segment]:
        """The segments up to UNT, counted and named anew; a missing UNT is warned of."""
        count = 1 if opening.tag == "UNH" else 0
        # Within a message none waits: all come straight from the tokeniser.
        source, reference = self._segments, heading.reference
        opening.message = reference
        segment = first
        while segment is not None:
            tag = segment.tag
            if tag in _SERVICE:
                break
            count += 1
            segment.number = count
            segment.message = reference
            yield segment
            segment = next(source, None)
        if segment is None or segment.tag != "UNT":
            self._waiting = segment
            self._warn("trailer-missing", heading.place, "UNT is missing: the message may be cut off")
            return
        segment.number, segment.message = count + 1, heading.reference
        if opening.tag == "UNH":
            self._count(segment, count + 1, "segments")
            self._same(segment, opening.get(1))

    def _warn(self, code: str, place: str, detail: str) -> None:
        if code not in self._warned:
            self._warned.add(code)
            self._findings.warn(code, place, detail)
