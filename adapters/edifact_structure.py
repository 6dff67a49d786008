"""Segment groups: a message's segments brought into the tree that its definition draws.

Owns reading definitions (data: `edifact_structures.toml`) and matching segments to them. A segment that a
definition has no place for stays where it stands and is warned of; a group whose trigger is missing begins
without it. Never knows what a segment means.

A definition is a text: tags in order, `!` behind what is mandatory, `*9` behind what repeats, a group in
parentheses with its trigger first: `BGM! DTM*9 (RFF! DTM)*99`. UNH and UNT are left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from adapters.document import Findings
from adapters.edifact_syntax import Segment
from schemas.errors import Fault, TranslationError

# Of one message, or of one consignment where these are taken one by one. CUSCAR lets a consignment hold
# 9999 goods items.
MAX_SEGMENTS = 200_000
_TOKEN = re.compile(r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<tag>[A-Z]{3}))(?P<must>!?)(?:\*(?P<most>\d+))?")


@dataclass
class Place:
    """A segment or a group within a definition."""

    tag: str
    must: bool = False
    most: int = 1
    group: "Definition | None" = None


@dataclass
class Definition:
    """A message or a segment group, its places in order."""

    places: list[Place] = field(default_factory=list)
    by_tag: dict[str, list[int]] = field(default_factory=dict)

    def add(self, place: Place) -> None:
        """Append a place."""
        self.by_tag.setdefault(place.tag, []).append(len(self.places))
        self.places.append(place)

    def after(self, tag: str, position: int) -> int:
        """Return the index of the first place of that tag at or after `position`; -1 where there is none."""
        for index in self.by_tag.get(tag, ()):
            if index >= position:
                return index
        return -1


class Group:
    """A segment group as it occurred: its own segments, the trigger first, and the groups within it."""

    __slots__ = ("groups", "segments")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.groups: list[Group] = []

    @property
    def trigger(self) -> str:
        """The first segment's tag."""
        return self.segments[0].tag if self.segments else ""

    def all(self, *tags: str) -> list[Segment]:
        """Return its own segments of these tags."""
        return [one for one in self.segments if one.tag in tags]

    def first(self, tag: str) -> Segment | None:
        """Return its own first segment of that tag."""
        return next((one for one in self.segments if one.tag == tag), None)

    def children(self, *tags: str) -> "list[Group]":
        """Return the groups within it that one of these segments begins."""
        return [one for one in self.groups if one.trigger in tags]

    def every(self, *tags: str) -> list[Segment]:
        """Return the segments of these tags in it and in all groups within."""
        found = [one for one in self.segments if one.tag in tags]
        for group in self.groups:
            found += group.every(*tags)
        return found

    def by_tag(self) -> dict[str, list[Segment]]:
        """Return every segment in it and in all groups within, by tag: for who asks for many tags."""
        found: dict[str, list[Segment]] = {}
        self._sort_into(found)
        return found

    def _sort_into(self, found: dict[str, list[Segment]]) -> None:
        for one in self.segments:
            if one.tag in found:
                found[one.tag].append(one)
            else:
                found[one.tag] = [one]
        for group in self.groups:
            group._sort_into(found)

    def descendants(self, *tags: str) -> "Iterator[Group]":
        """Yield the groups that one of these segments begins, at any depth."""
        for group in self.groups:
            if group.trigger in tags:
                yield group
            yield from group.descendants(*tags)


@lru_cache(maxsize=128)
def parse(text: str) -> Definition:
    """Read a definition.

    Raises:
        ValueError: it is none.
    """
    root = Definition()
    open_: list[tuple[Definition, Place]] = []
    current, position = root, 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"not a definition at character {position}")
        must, most = bool(match["must"]), int(match["most"] or 1)
        if match["open"]:
            group = Place("", group=Definition())
            open_.append((current, group))
            current = group.group or root
        elif match["close"]:
            if not open_ or not current.places:
                raise ValueError(f"no group ends at character {position}")
            current, group = open_.pop()
            assert group.group is not None
            group.tag, group.must, group.most = group.group.places[0].tag, must, most
            current.add(group)
        else:
            current.add(Place(match["tag"], must, most))
        position = match.end()
    if open_:
        raise ValueError("a group has no end")
    return root


def definition_of(table: Mapping[str, Any], type_: str, version: str, release: str) -> Definition:
    """Return the definition of a message type nearest to that directory, from below if there is one."""
    known = sorted((_order(name.partition(".")[2]), name) for name in table if name.partition(".")[0] == type_)
    wanted = _order(f"{version}.{release}")
    below = [name for order, name in known if order <= wanted]
    name = below[-1] if below else known[0][1] if known else ""
    return parse(str(table.get(name, "")))


def _order(directory: str) -> tuple[int, str]:
    """D.95B before D.00A: the century turned in between."""
    match = re.search(r"(\d\d)([A-Z]?)", directory)
    if match is None:
        return 0, ""
    year = int(match[1])
    return (year + 2000 if year < 80 else year + 1900), match[2]


class _Frame:
    """A group that is open: where in its definition it stands, and how often each place was taken."""

    __slots__ = ("counts", "definition", "group", "position")

    def __init__(self, definition: Definition, group: Group) -> None:
        self.definition = definition
        self.group = group
        self.position = 0
        self.counts: dict[int, int] = {}


class Matcher:
    """Brings segments into a tree, one by one; `root` is the message so far."""

    def __init__(self, definition: Definition, findings: Findings, split: str = "", *, strict: bool = False) -> None:
        """`split` names a segment: each group of the message that it begins is handed out and not kept.

        `strict` also warns of what groups lack: real messages leave out much of it.
        """
        self.root = Group()
        self._frames = [_Frame(definition, self.root)]
        self._findings = findings
        self._split = split
        self._strict = strict
        self._current: Group | None = None
        self._held = 0
        self._warned: set[tuple[str, str]] = set()

    def groups(self, segments: Iterator[Segment]) -> Iterator[Group]:
        """Yield the groups to be handed out, each once it is complete.

        Raises:
            TranslationError: one of them, or what is kept of the message, has too many segments.
        """
        # Since the group that is handed out next began, or ended.
        within = 0
        for segment in segments:
            before = self._current
            self._place(segment)
            if self._current is not before:
                if before is not None:
                    self._held -= within
                    yield before
                within = 0
            within += 1
            self._held += 1
            if self._held > MAX_SEGMENTS:
                detail = f"more than {MAX_SEGMENTS} segments in one message or consignment"
                raise TranslationError([Fault("too-many-segments", segment.place, detail)])
        if self._current is not None:
            current, self._current = self._current, None
            yield current
        if self._strict:
            self._close(0)
        self._missing(self._frames[0].definition, self._frames[0].counts, "the message")

    def tree(self, segments: Iterator[Segment]) -> Group:
        """Return the whole message."""
        for _ in self.groups(segments):
            pass
        return self.root

    def _place(self, segment: Segment) -> None:
        frames = self._frames
        for depth in range(len(frames) - 1, -1, -1):
            frame = frames[depth]
            for index in frame.definition.by_tag.get(segment.tag, ()):
                if index >= frame.position:
                    if depth + 1 < len(frames) or not depth:
                        self._close(depth)
                    self._enter(frame, index, segment)
                    return
        deepest = len(frames) - 1
        for depth in range(deepest, 0, -1):
            # Out of order in a group that is open, rather than in one that nothing begins.
            if self._late(depth, segment) or self._without_trigger(depth, frames[depth], segment):
                return
        if not deepest and self._late(0, segment):
            return
        if self._without_trigger(0, frames[0], segment) or (deepest and self._late(0, segment)):
            return
        self._warn("unexpected-segment", segment, "its definition has no place for it here")
        self._frames[-1].group.segments.append(segment)

    def _enter(self, frame: _Frame, index: int, segment: Segment) -> None:
        place = frame.definition.places[index]
        if index > frame.position:
            frame.position = index
        count = frame.counts[index] = frame.counts.get(index, 0) + 1
        if count > place.most:
            self._warn("too-many-repetitions", segment, f"more than {place.most} of them")
        if place.group is None:
            frame.group.segments.append(segment)
            return
        self._open(frame, place)
        self._frames[-1].group.segments.append(segment)

    def _open(self, frame: _Frame, place: Place) -> None:
        assert place.group is not None
        group = Group()
        if self._split and place.tag == self._split and frame is self._frames[0]:
            self._current = group
        else:
            frame.group.groups.append(group)
        inner = _Frame(place.group, group)
        # Its trigger is behind it: another one begins another group.
        inner.position = inner.counts[0] = 1
        self._frames.append(inner)

    def _close(self, depth: int) -> None:
        for frame in self._frames[depth + 1 :] if self._strict else ():
            self._missing(frame.definition, frame.counts, f"a group {frame.group.trigger}")
        if depth == 0:
            self._current = None
        del self._frames[depth + 1 :]

    def _late(self, depth: int, segment: Segment) -> bool:
        """Take a segment that a group's definition has further ahead; its trigger begins another group."""
        frame = self._frames[depth]
        index = next((one for one in frame.definition.by_tag.get(segment.tag, ()) if one or not depth), -1)
        if index < 0:
            return False
        self._warn("segment-order", segment, "stands later than its definition has it")
        self._close(depth)
        self._enter(frame, index, segment)
        return True

    def _without_trigger(self, depth: int, frame: _Frame, segment: Segment) -> bool:
        """Begin a group without its trigger, if that gives the segment a place."""
        for index in range(frame.position, len(frame.definition.places)):
            place = frame.definition.places[index]
            if place.group is not None and (inner := place.group.after(segment.tag, 1)) >= 0:
                self._warn("trigger-missing", segment, f"its group begins with {place.tag}, which is not there")
                self._close(depth)
                frame.position = index
                frame.counts[index] = frame.counts.get(index, 0) + 1
                self._open(frame, place)
                self._enter(self._frames[-1], inner, segment)
                return True
        return False

    def _missing(self, definition: Definition, counts: Mapping[int, int], of: str) -> None:
        for index, place in enumerate(definition.places):
            if place.must and index not in counts and (of, place.tag) not in self._warned:
                self._warned.add((of, place.tag))
                self._findings.warn("segment-missing", of, f"{place.tag} is mandatory in its definition")

    def _warn(self, code: str, segment: Segment, detail: str) -> None:
        if (code, segment.tag) not in self._warned:
            self._warned.add((code, segment.tag))
            self._findings.warn(code, segment.place, detail)
