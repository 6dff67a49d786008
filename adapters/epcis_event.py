"""What one EPCIS event says of a consignment: what, when, where and why it happened, in canonical words.

Owns the meaning of an event's fields. An event for which the profile has no word of its own is read by the word
that it has for the event's type, and says so; its step and disposition go along in GS1's own words. Never reads a
document, and never carries sensor data, master data or extensions: that there were some is told in a warning.
"""

import functools
import re
from collections.abc import Iterator
from datetime import timedelta, timezone
from typing import Any

from adapters.document import Origin, read_date
from adapters.epcis_keys import read_key
from adapters.epcis_stream import EVENTS, ORDER
from adapters.epcis_things import EPCS, FAMILY, MAX_GOODS, PLAIN_URI, QUANTITIES, URI, Things, cbv_word, known, uri_of
from adapters.json_document import Node, clean, moment
from adapters.observed import ERRONEOUS, NO_STEP, SKIP, STEP, Summary
from adapters.profile import Profile
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present, rfc3339
from schemas.codes import is_locode
from schemas.shipment import Decision, Document, Equipment, Party, Place, Transport

LOCODE_URI = "https://vocabulary.uncefact.org/unlocode#"
_LOCODE = re.compile(r"(?i:.*locode\S*[#/:])([A-Za-z]{2}[A-Za-z2-9]{3})")
_ACTIONS = ("ADD", "OBSERVE", "DELETE")
_WITHOUT_ACTION = ("TransformationEvent", "QuantityEvent")
# Events after which something is known of the thing itself.
_FINDINGS = frozenset({"inspected", "held"})
_KNOWN = {
    name: frozenset(order.split()) | {"type", "@context", "id", "certificationInfo"} for name, order in ORDER.items()
}
# The document that tells the disposition of what was neither inspected nor held.
DISPOSITION = "disposition"


def draft_of(node: Node, origin: Origin, summary: Summary) -> Draft | None:
    """Read one event; None where it is at fault, or skipped with what it is noted in `summary`."""
    kind = node.text("type") or ""
    if kind not in EVENTS:
        _foreign(node, kind, summary)
        return None
    before = len(node.findings.faults)
    found = moment(node, "eventTime", origin)
    recorded = moment(node, "recordTime", origin, needed=False)
    offset = _offset(node)
    _check(node, kind)
    step = _stated(node, "bizStep", origin.profile.table(FAMILY, "biz_step"))
    disposition = _stated(node, "disposition", origin.profile.table(FAMILY, "disposition"))
    wrong = node.node("errorDeclaration")
    word = _word(node, kind, step, origin.profile, summary, erroneous=wrong is not None)
    things = Things(node, origin.profile)
    parties = list(_parties(node, origin.profile))
    if word is None or found is None or len(node.findings.faults) > before:
        return None
    occurred, assumed = (found[0].astimezone(offset), False) if offset is not None else found
    identifiers, documents, goods = things.settled()
    if not identifiers:
        node.warn("no-identifier", "", "it names no thing, no batch and no business transaction; skipped")
        summary.skip("events that name no thing")
        return None
    decided = None
    if wrong is not None:
        what = step if step and len(step) <= 256 else kind
        documents.append(Document(type=ERRONEOUS, id=f"{what} {rfc3339(occurred)}"))
        declared = moment(wrong, "declarationTime", origin, needed=False)
        if declared is not None:
            (occurred, assumed), recorded = declared, recorded or declared
    else:
        decided = _settle(word, step, disposition, documents, origin.profile)
    body = Shipment(
        identifiers=identifiers,
        occurred=occurred,
        **present(
            zone_assumed=assumed or None,
            place=_place(node),
            transport=Transport(means=things.means) if things.means else None,
            parties=parties,
            goods=goods,
            equipment=[Equipment(number=one.value) for one in identifiers if one.scheme == "container"],
            documents=documents,
            decision=decided,
        ),
    )
    return Draft(f"shipment.{word}", identifiers[0].value, (recorded or found)[0], body, _correlation(node))


def _settle(
    word: str, step: str | None, disposition: str | None, documents: list[Document], profile: Profile
) -> Decision | None:
    """Say what GS1 says beyond our word: a disposition as outcome or document, a step where our word is no step."""
    outcome = profile.table(FAMILY, DISPOSITION).get(disposition or "")
    if profile.table(FAMILY, "biz_step").get(step or "") != word:
        documents.append(Document(type=STEP, id=step or NO_STEP))
    if outcome and word in _FINDINGS:
        return Decision(outcome=outcome)
    if disposition:
        documents.append(Document(type=DISPOSITION, id=disposition))
    return None


def _correlation(node: Node) -> dict[str, Any]:
    """The event's own id: an event declared erroneous has that of the event that was reported."""
    id_ = node.value.get("eventID")
    return {"correlationid": id_} if isinstance(id_, str) and len(id_) <= 256 and PLAIN_URI.fullmatch(id_) else {}


def _foreign(node: Node, kind: str, summary: Summary) -> None:
    if URI.fullmatch(kind):
        summary.warn(node, "no-words", "type", "an event of an extension; skipped")
        summary.skip("events of extensions")
    else:
        node.fault("event-type", "type", f"one of {', '.join(EVENTS)}, or a URI")


def _offset(node: Node) -> timezone | None:
    stated = node.text("eventTimeZoneOffset")
    if stated is None:
        node.warn("missing", "eventTimeZoneOffset", "the standard requires the offset at the place of the event")
        return None
    found = _zone(stated)
    if found is None:
        node.warn("offset", "eventTimeZoneOffset", "an offset is written as +09:00; left out")
    return found


@functools.lru_cache(maxsize=1024)
def _zone(stated: str) -> timezone | None:
    match = re.fullmatch(r"([+-])([01][0-9]):?([0-5][0-9])|Z()()", stated, re.ASCII)
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2] or 0), minutes=int(match[3] or 0))
    return timezone(-ahead if match[1] == "-" else ahead)


def _check(node: Node, kind: str) -> None:
    """Note what the standard requires and the event lacks, and what is in it and not carried."""
    if kind not in _WITHOUT_ACTION:
        action = node.text("action")
        if action not in _ACTIONS:
            code = "missing" if action is None else "action"
            node.fault(code, "action", f"one of {', '.join(_ACTIONS)}")
    lists = (*EPCS, *QUANTITIES, "sensorElementList", "bizTransactionList", "parentID", "epcClass")
    if not any(node.value.get(name) is not None for name in lists):
        node.fault("missing", "epcList", f"{kind} has neither a list of EPCs nor one of quantities")
    odd = node.value.keys() - _KNOWN[kind]
    if odd:
        _foreign_members(node, kind, [name for name in node.value if name in odd])
    sensors = node.value.get("sensorElementList")
    if sensors:
        count = len(sensors) if isinstance(sensors, list) else 1
        node.warn("sensor-data", "sensorElementList", f"{count} sensor elements are not carried")
    _check_strictly(node)


def _foreign_members(node: Node, kind: str, odd: list[str]) -> None:
    foreign = [name for name in odd if ":" in name]
    unknown = [name for name in odd if ":" not in name]
    if foreign:
        node.warn("extension", "", f"{len(foreign)} members of extensions are not carried: {_names(foreign)}")
    if unknown:
        detail = f"{kind} has no such member, and one of another's needs a prefix: {_names(unknown)}"
        node.warn("unknown-member", "", detail)


def _check_strictly(node: Node) -> None:
    """Note what stands where the standard leaves no room for other readings."""
    ilmd = node.value.get("ilmd")
    bare = [name for name in ilmd if ":" not in name and not name.startswith("@")] if isinstance(ilmd, dict) else []
    if bare:
        node.fault("unknown-member", "ilmd", f"members of ilmd are a partner's own and need a prefix: {_names(bare)}")
    details = node.value.get("certificationInfo")
    for number, one in enumerate(details if isinstance(details, list) else [details]):
        for held in [one, *one.values()] if isinstance(one, dict) else []:
            for name, value in held.items() if isinstance(held, dict) else ():
                if name.endswith("Date") and isinstance(value, str) and read_date(value) is None:
                    node.fault("time", f"certificationInfo/{number}/{clean(name)[:80]}", "not a date of ISO 8601")


def _names(names: list[str]) -> str:
    return ", ".join(clean(name)[:80] for name in names[:5])


def _stated(node: Node, name: str, table: Any) -> str | None:
    """Return a word of the vocabulary in its short form, or the URI of another's."""
    word = known(node, name, table)
    if word is not None:
        return word
    uri = uri_of(node, name)
    return uri if uri is not None and PLAIN_URI.fullmatch(uri) and cbv_word(uri) is None else None


def word_of(step: str | None, kind: str, profile: Profile) -> str | None:
    """Return our word for a step, else for events of that type; None where the profile carries neither."""
    word = profile.table(FAMILY, "biz_step").get(step or "") or profile.table(FAMILY, "event_type").get(kind)
    return str(word) if word and word != SKIP else None


def _word(
    node: Node, kind: str, step: str | None, profile: Profile, summary: Summary, *, erroneous: bool
) -> str | None:
    action = node.text("action") if kind not in _WITHOUT_ACTION else None
    told = " ".join(part for part in (kind, action if action in _ACTIONS else None, step or "without a step") if part)
    if erroneous:
        word = word_of(None, "errorDeclaration", profile)
        detail = f"{told}: its sender declares that it did not happen so; told as {word}"
        summary.warn(node, "declared-erroneous", "errorDeclaration", detail)
    else:
        word = word_of(step, kind, profile)
        if word and profile.table(FAMILY, "biz_step").get(step or "") != word:
            summary.warn(
                node, "fall-back", "bizStep", f"{told}: read as {word}, the profile's word for events at large"
            )
    if word is None:
        summary.warn(node, "no-words", "bizStep", f"the profile does not carry {told}; skipped")
        summary.skip("events declared erroneous" if erroneous else told)
    return word


def _place(node: Node) -> Place | None:
    """Where it happened: a UN/LOCODE from either of readPoint and bizLocation, else the first of them."""
    locode = facility = None
    for name in ("readPoint", "bizLocation"):
        where = node.node(name)
        uri = uri_of(where, "id") if where else None
        if where is None or uri is None:
            continue
        match = _LOCODE.fullmatch(uri)
        if match and is_locode(match[1].upper()):
            locode = locode or match[1].upper()
        elif not PLAIN_URI.fullmatch(uri):
            where.warn("place", "id", "a place is a URI; left out")
        else:
            facility = facility or location(uri)
    fields = present(locode=locode, country=locode[:2] if locode else None, facility=facility)
    return Place(**fields) if fields else None


def location(uri: str) -> str:
    """Return a place or party by its Global Location Number, else by its URI."""
    key = read_key(uri)
    return f"GLN {key.value}" if key.of_place else uri


def _parties(node: Node, profile: Profile) -> Iterator[Party]:
    roles = profile.table(FAMILY, "party")
    for list_, name in (("sourceList", "source"), ("destinationList", "destination")):
        for one in node.nodes(list_)[:MAX_GOODS]:
            stated, uri = one.text("type") or "", uri_of(one, name)
            word = cbv_word(stated)
            role = roles.get(f"{name}.{word}")
            if role is None and word == stated:
                one.fault("source-type", "type", "no word of the Core Business Vocabulary, and no URI of another")
            elif role is None or uri is None or not PLAIN_URI.fullmatch(uri):
                one.warn("party", name, "not a party of a type that is known; left out")
            else:
                yield Party(role=role, id=location(uri))
