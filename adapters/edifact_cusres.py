"""Reads customs responses (CUSRES) as decisions, and writes decisions as responses in directory D.21A.

Owns which processing indicator is which decision, both ways. Never reads duties, and never writes a time of
its own: the same message gives the same bytes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.document import Identifiers
from adapters.edifact_cuscar import main_leg
from adapters.edifact_cusres_write import NEAREST, write_response
from adapters.edifact_envelope import NativeMessage
from adapters.edifact_goods import equipment_of
from adapters.edifact_reader import Interchanges, draft, references, structure
from adapters.edifact_structure import Group, Matcher
from adapters.edifact_syntax import Segment
from adapters.edifact_values import (
    Context,
    add_document,
    add_equipment,
    add_reference,
    best_place,
    first_moment,
    free_text,
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
        if not about or own:
            alone = None if own else _by_header(root, context)
            for verdict in own or ([alone] if alone else []):
                yield from _one(root, None, verdict, context)
        for group in about:
            for verdict in _verdicts(group, context):
                yield from _one(root, group, verdict, context)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write a decision as a response of directory D.21A."""
        return write_response(message, profile)


def _one(root: Group, group: Group | None, verdict: _Verdict, context: Context) -> Iterator[Draft]:
    """The draft of a verdict: about `group`, or about all that the response names."""
    identifiers = Identifiers()
    verdict = _cancelled(verdict, root, context)
    scope = [root] if group is None else [group]
    pieces = [one for part in scope for one in part.every("EQD")] or list(root.all("EQD"))
    for one in pieces:
        add_equipment(identifiers, one, one.get(2), context, one.get(1).upper())
    for part in scope:
        for one in references(part):
            add_reference(identifiers, one, context)
        for one in part.every("DOC"):
            _document(identifiers, one, context)
    begin = root.first("BGM")
    dates = [*(group.segments if group is not None else ()), *root.segments]
    dates += [one for child in root.children("RFF") for one in child.all("DTM")]
    times = context.table("time").get(context.heading.type, ())
    items = {whole(one.get(1), one) for part in scope for one in part.every("CST") if one.get(1)}
    decision = Decision(
        outcome=verdict.outcome,
        **present(
            authority=_authority(root) or context.origin.agency,
            item=items.pop() if len(items) == 1 else None,
            reason=_reason(root, group, context),
            version=whole(begin.get(2, 1), begin) if begin is not None and begin.get(2, 1) else None,
        ),
    )
    equipment = [piece for one in pieces if (piece := equipment_of(one)) is not None]
    places = [*(group.all("LOC") if group is not None else ()), *root.all("LOC")]
    legs = [*(group.all("TDT") if group is not None else ()), *root.all("TDT")]
    found = draft(
        verdict.event, identifiers, first_moment(dates, times, context),
        first_moment(root.segments, ("137",), context), context,
        place=best_place(places, context.table("place").get(context.heading.type, ()), context),
        transport=main_leg([_alone(one) for one in legs], context),
        equipment=list({one.number: one for one in equipment}.values()),
        decision=decision,
    )  # fmt: skip
    if found is not None:
        yield found


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
        code, text = one.get(at).lstrip("0"), one.get(at, 3)
        known = table.get(code)
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


def _cancelled(verdict: _Verdict, root: Group, context: Context) -> _Verdict:
    """What a verdict becomes where the response takes it back (BGM, 1225): goods no longer released are held."""
    begin = root.first("BGM")
    if begin is None or not context.table("response-cancelled").get(begin.get(3).lstrip("0")):
        return verdict
    if verdict.event == "released":
        return _Verdict("held", "release-cancelled")
    return _Verdict("amended", "decision-cancelled")


def _by_header(root: Group, context: Context) -> _Verdict | None:
    """The decision that BGM's response type or function, or the presence of errors, makes."""
    begin = root.first("BGM")
    if begin is not None:
        known = context.table("response").get(begin.get(4).upper())
        known = known or context.table("response-function").get(begin.get(3).lstrip("0"))
        if known:
            return _Verdict(str(known[0]), str(known[1]))
    if begin is not None and (begin.get(1) == "963" or next(root.every("ERC"), None) is not None):
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


def _reason(root: Group, group: Group | None, context: Context) -> str | None:
    """Every text and every error, one to a line."""
    lines: list[str] = []
    for part in [root] if group is None else [group, root]:
        # What a document's group says belongs to a response that decides on all of them.
        within = [part, *(part.descendants("DOC") if group is None else ())]
        lines += [text for one in within for sub in one.all("FTX") if (text := free_text(sub))]
        errors = part.descendants("ERP", "ERC") if part is not root or group is None else part.children("ERP", "ERC")
        lines += [line for sub in errors for line in _errors(sub)]
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
