"""Reads customs responses (CUSRES) as decisions, and writes decisions as responses in directory D.21A.

Owns which processing indicator is which decision, both ways. Never reads duties, and never writes a time of
its own: the same message gives the same bytes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapters.document import Identifiers
from adapters.edifact_cuscar import MAX_HEAD, main_leg
from adapters.edifact_cusres_write import NEAREST, write_response
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_goods import equipment_of
from adapters.edifact_reader import Interchanges, draft, references, structure
from adapters.edifact_structure import Group, Matcher
from adapters.edifact_syntax import Segment
from adapters.edifact_values import (
    UNITED_NATIONS,
    Context,
    add_document,
    add_equipment,
    add_reference,
    best_place,
    first_moment,
    free_text,
    function_of,
    whole,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft
from schemas import Message
from schemas.base import present
from schemas.shipment import Decision

# What a canonical reason holds.
_MAX_REASON = 8192
_WORD = re.compile(r"[a-z][a-z0-9-]{0,63}")
# What keeps goods where they are; a release beside one of these is none.
_RESTRICTING = frozenset(
    {"rejected", "documents-required", "selected-for-scan", "selected-for-inspection", "held", "refused"}
)


@dataclass(frozen=True)
class _Verdict:
    event: str
    outcome: str


class Responses(Interchanges):
    """CUSRES: one message for each decision of the response, or of each document that it decides on."""

    name = "edifact-cusres"
    title = "UN/EDIFACT customs response (CUSRES)"
    type = "CUSRES"
    can_write = True

    def drafts(self, message: NativeMessage, context: Context) -> Iterator[Draft]:
        """Yield the decisions."""
        root = Matcher(structure(context), context.findings).tree(message.segments)
        about = [one for one in root.children("DOC", "RFF") if any(one.all("GIS", "GEI"))]
        own = _verdicts(root, context)
        head = _Head(root, context)
        if not about or own:
            alone = None if own else _by_header(root, context)
            lines = _lines(root, root.descendants("ERP", "ERC"))
            lines += [text for one in root.descendants("DOC") for text in _texts(one)]
            for verdict in own or ([alone] if alone else []):
                found = head.one(root, verdict, lines, whole_response=True)
                if found is not None:
                    yield found
        for group in about:
            lines = [*_lines(group, group.descendants("ERP", "ERC")), *head.lines]
            for verdict in _verdicts(group, context):
                found = head.one(group, verdict, lines, whole_response=False)
                if found is not None:
                    yield found

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write a decision as a response of directory D.21A."""
        return write_response(message, profile)


class _Head:
    """What a response says of all that it decides on; gone through once."""

    def __init__(self, root: Group, context: Context) -> None:
        self.context = context
        begin = root.first("BGM")
        self.dates = [*root.segments, *(one for child in root.children("RFF") for one in child.all("DTM"))]
        self.dates = [one for one in self.dates if one.tag == "DTM"][:MAX_HEAD]
        self.issued = first_moment(self.dates, ("137",), context)
        self.places = root.all("LOC")[:MAX_HEAD]
        self.legs = root.all("TDT")[:MAX_HEAD]
        self.equipment = root.all("EQD")
        self.authority = _authority(root) or context.origin.agency
        self.version = whole(begin.get(2, 1), begin) if begin is not None and begin.get(2, 1) else None
        self.cancelled = begin is not None and bool(
            context.table("response-cancelled").get(function_of(begin).lstrip("0"))
        )
        self.lines = _lines(root, root.children("ERP", "ERC"))[:MAX_HEAD]

    def one(self, group: Group, verdict: _Verdict, lines: list[str], *, whole_response: bool) -> Draft | None:
        """The draft of a verdict on what `group` names."""
        context, identifiers = self.context, Identifiers()
        pieces = group.every("EQD") or self.equipment[:MAX_HEAD]
        for one in pieces:
            add_equipment(identifiers, one, one.get(2), context, one.get(1).upper())
        for one in references(group):
            add_reference(identifiers, one, context)
        for one in group.every("DOC"):
            _document(identifiers, one, context)
        items = {whole(one.get(1), one) for one in group.every("CST") if one.get(1)}
        verdict = _cancelled(verdict) if self.cancelled else verdict
        decision = Decision(
            outcome=verdict.outcome,
            **present(
                authority=self.authority,
                item=items.pop() if len(items) == 1 else None,
                reason=_reason(lines, context),
                version=self.version,
            ),
        )
        own = [] if whole_response else group.segments
        times = context.table("time").get(context.heading.type, ())
        equipment = [piece for one in pieces if (piece := equipment_of(one)) is not None]
        return draft(
            verdict.event, identifiers, first_moment([*own, *self.dates], times, context), self.issued, context,
            place=best_place([*own, *self.places], context.table("place").get(context.heading.type, ()), context),
            transport=main_leg([_alone(one) for one in (*own, *self.legs) if one.tag == "TDT"], context),
            equipment=list({one.number: one for one in equipment}.values()),
            decision=decision,
        )  # fmt: skip


def _alone(segment: Segment) -> Group:
    group = Group()
    group.segments.append(segment)
    return group


def _document(identifiers: Identifiers, segment: Segment, context: Context) -> None:
    """A document that a response is about: what is not known by its name is some reference all the same."""
    if context.table("document").get(segment.get(1)):
        add_document(identifiers, segment, context)
    else:
        identifiers.add("other", segment.get(2))


def _verdicts(group: Group, context: Context) -> list[_Verdict]:
    """The decisions of a group's own processing indicators, each once; of contradicting ones those that restrict."""
    table = context.table("processing")
    seen: list[_Verdict] = []
    event: str | None = None
    for one in group.all("GIS", "GEI"):
        at = 2 if one.tag == "GEI" else 1
        code, agency, text = one.get(at).lstrip("0"), one.get(at, 2).upper(), one.get(at, 3)
        # A code of another agency's list (3055) than the United Nations' means what that agency says.
        known = table.get(code if agency in UNITED_NATIONS else f"{agency}-{code}")
        if known is None and agency not in UNITED_NATIONS and code != "ZZZ":
            detail = "a code of another agency's list (3055), of which the profile says nothing; it decides nothing"
            context.findings.warn("national-code", one.place, detail)
        if code == "ZZZ" and event is not None:
            if _WORD.fullmatch(text):
                seen[-1] = _Verdict(event, text)
        elif NEAREST.get(text) == code:
            # Ours: the event in its own word; the outcome's follows.
            event = text
            seen.append(_Verdict(event, event))
        elif known:
            event = None
            seen.append(_Verdict(str(known[0]), str(known[1])))
    found = list(dict.fromkeys(seen))
    restricting = any(one.event in _RESTRICTING for one in found)
    if restricting and any(one.event == "released" for one in found):
        context.findings.warn("contradiction", group.segments[0].place, "a release beside a restriction is left out")
        found = [one for one in found if one.event != "released"]
    return found


def _cancelled(verdict: _Verdict) -> _Verdict:
    """What a verdict becomes where the response takes it back (BGM, 1225): goods no longer released are held."""
    if verdict.event == "released":
        return _Verdict("held", "release-cancelled")
    return _Verdict("amended", "decision-cancelled")


def _by_header(root: Group, context: Context) -> _Verdict | None:
    """The decision that BGM's response type or function, or the presence of errors, makes."""
    begin = root.first("BGM")
    if begin is not None:
        known = context.table("response").get(begin.get(4).upper())
        known = known or context.table("response-function").get(function_of(begin).lstrip("0"))
        if known:
            return _Verdict(str(known[0]), str(known[1]))
    if begin is not None and (begin.get(1) == "963" or root.every("ERC")):
        return _Verdict("rejected", "error")
    place = begin.place if begin is not None else context.heading.place
    context.findings.fault("no-decision", place, "neither a processing indicator (7365) nor BGM says a decision")
    return None


def _authority(root: Group) -> str:
    parties = [*root.all("NAD"), *(one.segments[0] for one in root.children("NAD"))]
    for role in ("CM", "MS"):
        for one in parties:
            if one.get(1) == role and (name := one.get(4) or one.get(3) or one.get(2)):
                return " ".join(name.split())[:512]
    return ""


def _texts(group: Group) -> list[str]:
    return [text for one in group.all("FTX") if (text := free_text(one))]


def _lines(group: Group, errors: Iterable[Group]) -> list[str]:
    """A group's own texts, and every error of these groups."""
    return [*_texts(group), *(line for one in errors for line in _errors(one))]


def _reason(lines: list[str], context: Context) -> str | None:
    """Every text and every error, one to a line."""
    kept, length = [], 0
    for line in dict.fromkeys(lines):
        if length + len(line) + 1 > _MAX_REASON:
            context.findings.warn(
                "too-long", context.heading.place, f"of its reasons {_MAX_REASON} characters are kept"
            )
            break
        kept.append(line)
        length += len(line) + 1
    return "\n".join(kept) or None


def _errors(group: Group) -> Iterator[str]:
    """The errors of an ERP group: code and text together where there is one of each."""
    codes = [code for one in group.every("ERC") if (code := one.get(1))]
    texts = [text for one in group.every("FTX") if (text := free_text(one))]
    if len(codes) == len(texts):
        yield from (f"{code}: {text}" for code, text in zip(codes, texts, strict=True))
    else:
        yield from codes
        yield from texts
