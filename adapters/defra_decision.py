"""Decision notifications: what Defra decided on each item under each check, read.

Owns the mapping of DecisionNotification, of its JSON on the queues and of clearanceDecision in the trade
imports data API; and the words in `decision.reason` that keep check and code. Never reads a code that is in
no list as a release. The way back is in defra_decision_write.py.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.defra_parts import Part
from adapters.defra_request import MAX_ITEMS, attributes
from adapters.defra_values import add_ched, add_entry, codes, enough, when, whole
from adapters.document import Findings, Identifiers, Origin, read_time
from adapters.profile import Profile
from adapters.records import Record
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present
from schemas.codes import normal_identifier
from schemas.shipment import Decision

_CHECK = re.compile(r"[A-Z][0-9]{3}")
_CODE = re.compile(r"[A-Z][0-9]{2}")
# First line of a reason: check, code, their meaning, and how long the decision holds.
_FIRST = re.compile(r"([A-Z][0-9]{3}) ([A-Z][0-9]{2})(?:: [^\n]*?)?(?:; valid until (\d{4}-\d\d-\d\dT\d\d:\d\d))?")
# The gateway cuts a reason to so many characters.
MAX_REASON = 512
# 999 items under seven checks.
MAX_DECISIONS = 7000


@dataclass(frozen=True, slots=True)
class Ruling:
    """One decision under one check, as a notification says it."""

    check: str
    code: str
    until: datetime | None = None
    """Without a zone, to the minute, as it is written."""
    reasons: tuple[str, ...] = ()

    def words(self, profile: Profile) -> str:
        """Return it as the lines of `decision.reason`."""
        meaning = codes(profile, "meaning").get(self.code)
        first = f"{self.check} {self.code}" + (f": {meaning}" if meaning else "")
        if self.until is not None:
            first += f"; valid until {self.until:%Y-%m-%dT%H:%M}"
        return "\n".join((first, *self.reasons))


def ruling_of(reason: str | None) -> Ruling | None:
    """Read the lines of `decision.reason`; None where they are not those of a ruling."""
    first, *rest = (reason or "").split("\n")
    match = _FIRST.fullmatch(first)
    if match is None:
        return None
    until = read_time(match[3], UTC) if match[3] else None
    return Ruling(match[1], match[2], until[0].replace(tzinfo=None) if until else None, tuple(filter(None, rest)))


def event_of(check: str, code: str, profile: Profile) -> str | None:
    """Return the event that a code is under a check; None where it is in no list."""
    special = codes(profile, "decision-of-check").get(f"{check} {code}")
    found = special or codes(profile, "decision").get(code)
    return str(found) if found else None


def read_decision(part: Part, origin: Origin, findings: Findings) -> list[Draft]:
    """Read a notification: one message for each item and check."""
    record = part.record
    if record is None:
        return []
    header = record.first("Header") or record
    entry = add_entry(header.text("EntryReference") or part.reference, header, Identifiers())
    version = whole(header, "EntryVersionNumber", "externalVersionNumber", most=9999)
    number = whole(header, "DecisionNumber", most=9999)
    moment, assumed = when(record.first("ServiceHeader") or record, origin, findings, "ServiceCallTimestamp",
                           "created")  # fmt: skip
    found: list[Draft] = []
    cheds = _cheds(record)
    for at, item in enumerate(record.all("Item", "Items")):
        if at == MAX_ITEMS:
            item.fault("too-many", f"a declaration has at most {MAX_ITEMS} items")
        if at >= MAX_ITEMS or enough(findings) or len(found) > MAX_DECISIONS:
            break
        which = whole(item, "ItemNumber", most=99_999)
        if which is None:
            item.fault("missing", "a decision is about an item, by its number", "ItemNumber")
        for check in item.all("Check", "Checks"):
            if enough(findings) or len(found) > MAX_DECISIONS:
                break
            ruled = _ruling(check, origin)
            if ruled is None or which is None:
                continue
            identifiers = Identifiers()
            add_entry(entry, _silent(header), identifiers)
            for reference in cheds.get((which, ruled[1].check), ()):
                add_ched(reference, identifiers)
            if not identifiers:
                header.fault("no-identifier", "does not name the declaration that it is about", "EntryReference")
                return []
            event, ruling = ruled
            decision = present(
                authority=codes(origin.profile, "authority").get(ruling.check, ruling.check),
                outcome=event.partition(".")[2],
                item=which,
                reason=ruling.words(origin.profile)[:8192].strip(),
                version=number,
            )
            data = Shipment(
                **present(
                    identifiers=identifiers.as_list(),
                    occurred=moment,
                    zone_assumed=assumed or None,
                    decision=Decision(**decision),
                )
            )
            subject = entry or identifiers.first("certificate") or ""
            found.append(Draft(event, subject, moment, data, attributes(record, version, number)))
    if not found and not findings.faults:
        record.fault("empty", "a decision notification decides on at least one item", "Item")
    return found


def _silent(record: Record) -> Record:
    """The same record, whose oddities were told once already."""
    return Record(record.value, Findings())


def _ruling(check: Record, origin: Origin) -> tuple[str, Ruling] | None:
    """Read one decision and the event that it is; None, with a fault, where that is not known."""
    name, code = check.text("CheckCode", limit=64), check.text("DecisionCode", limit=64)
    if name is None or _CHECK.fullmatch(name) is None:
        check.fault("check-code", "a letter and three digits, H218 to H224", "CheckCode")
        return None
    event = event_of(name, code, origin.profile) if code else None
    if event is None and code is not None and _CODE.fullmatch(code) is not None:
        event = codes(origin.profile, "decision-of-letter").get(code[:1])
        if event is not None:
            check.warn("decision-code", "not a code that Defra's list has: read by its letter", "DecisionCode")
    if code is None or event is None:
        check.fault("decision-code", "a code of Defra's list; nothing is guessed to be a release", "DecisionCode")
        return None
    if name not in codes(origin.profile, "authority"):
        check.warn("check-code", "not a check that Defra's list has", "CheckCode")
    reasons = tuple(
        said
        for reason in check.all("DecisionReason", "DecisionReasons")
        if (said := reason.own_text(limit=MAX_REASON)) is not None
    )
    return event, Ruling(name, code, _until(check, origin), reasons[:14])


def _until(check: Record, origin: Origin) -> datetime | None:
    """Read how long a decision holds: twelve digits (yyyyMMddHHmm), or a date-time without a zone."""
    given = check.text("DecisionValidUntil", "decisionsValidUntil", limit=64)
    if given is None:
        return None
    digits = re.fullmatch(r"([0-9]{8})([0-9]{4})", given)
    found = read_time(f"{digits[1]}T{digits[2]}" if digits else given, origin.zone)
    if found is None:
        check.warn("time", "neither twelve digits nor a date-time: not carried", "DecisionValidUntil")
        return None
    return found[0].replace(tzinfo=None, second=0, microsecond=0)


def _cheds(record: Record) -> dict[tuple[int | None, str], list[str]]:
    """The CHEDs on which the data API says that each decision rests, by item and check."""
    found: dict[tuple[int | None, str], list[str]] = {}
    for result in record.all("results")[:MAX_DECISIONS]:
        key = (whole(result, "itemNumber", most=99_999), normal_identifier(result.text("checkCode") or ""))
        for name in ("importPreNotification", "documentReference"):
            reference = result.text(name, limit=256)
            if reference is not None:
                found.setdefault(key, []).append(reference)
    return found
