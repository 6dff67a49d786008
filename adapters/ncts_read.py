"""One message of NCTS on its way into drafts: the same reading for all, steered by `ncts_codes.KINDS`.

Owns what becomes what. Never refuses what can be understood: oddities are warnings; only a message that
names no movement, or two, is left with a fault.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.document import (
    Element,
    Findings,
    Identifiers,
    Origin,
    child,
    children,
    descendants,
    local_name,
    namespace,
    place_of,
    read_time,
    text,
)
from adapters.ncts_codes import FAMILY, GUARANTEE_MESSAGES, KINDS, NAMESPACE, own_word
from adapters.ncts_goods import Content, all_at
from adapters.profile import Profile
from adapters.translator import Draft
from schemas import Shipment
from schemas.base import present
from schemas.codes import is_country, is_locode, normal_identifier
from schemas.shipment import Decision, Goods, Place, Scheme

# A transit declaration has at most 1 999 items; five times that is none, and would not fit a message either.
MAX_ITEMS = 9999
# Releases of so many items are told one by one; each repeats all references.
MAX_DECISIONS = 99
# Together the lines of a reason stay below what a reason holds.
MAX_REASON = 8192
# What a movement is known by that names no reference of its own; an MRN is then that of another declaration.
_SUBJECTS: tuple[Scheme, ...] = ("ucr", "transport-document", "container", "mrn", "other")
_DAY_CHARACTERS = len("2026-03-01")
# MRN of NCTS: year, country, thirteen characters, check digit (UCC DA annex B, data element 12 01 000 000).
_MRN = re.compile(r"[0-9]{2}[A-Z]{2}[A-Z0-9]{13}[0-9]", re.ASCII)
_HEADER = ("messageSender", "messageRecipient", "preparationDateAndTime", "messageIdentification", "messageType")


class MessageReader:
    """Reads one message; what it found odd or wrong is among the findings."""

    def __init__(self, message: Element, origin: Origin, findings: Findings) -> None:
        self.root = message
        self.name = local_name(message)
        self.origin = origin
        self.findings = findings
        self.kind = KINDS[self.name]
        self.identifiers = Identifiers()

    def drafts(self) -> list[Draft]:
        """Return the drafts: one, or where part of the goods is released one more for each item that is."""
        before = len(self.findings.faults)
        self._judge()
        if len(self.findings.faults) > before:
            return []
        self._judge_header()
        content = Content(self.root, self.origin.profile, self.findings, self.identifiers)
        self._gather_references()
        own = self.identifiers.first("mrn", "lrn")
        content.gather_identifiers()
        subject = own or self.identifiers.first(*_SUBJECTS)
        if subject is None:
            self.findings.fault(
                "no-reference", place_of(self.root), "neither an MRN nor an LRN, nor any other reference"
            )
            return []
        event, outcome, classifier = self._event()
        issued, occurred, assumed = self._moments()
        goods = content.goods()
        body = present(
            identifiers=self.identifiers.as_list(), occurred=occurred, zone_assumed=assumed, classifier=classifier,
            place=self._place(), transport=content.transport(), parties=content.parties(),
            equipment=content.equipment(), documents=content.documents(),
        )  # fmt: skip
        attributes = present(correlationid=text(self.root, "correlationIdentifier"))
        if len(attributes.get("correlationid", "")) > 256:
            attributes = {}
        decision = self._decision(outcome)
        data = Shipment(**body | present(goods=goods, decision=decision))
        drafts = [Draft(event, subject, issued, data, attributes)]
        for item in self._released(event, goods):
            released = Decision(**present(outcome="released", authority=self._authority(), item=item.item))
            told = Shipment(**body | {"goods": [item], "decision": released})
            drafts.append(Draft("shipment.released", subject, issued, told, attributes))
        return drafts

    def _judge(self) -> None:
        """Find what leaves nothing to read, or two things that cannot both be true."""
        fault = self.findings.fault
        if self.name in GUARANTEE_MESSAGES:
            fault(
                "no-consignment", place_of(self.root), "a message about a guarantee, which no consignment is named in"
            )
        for group in ("TransitOperation", "Header"):
            operations = children(self.root, group)
            if len(operations) > 1:
                fault("contradictory", place_of(operations[1]), f"a second {group}: which one holds is not told")
            for name in ("MRN", "LRN"):
                told = [field for operation in operations[:1] for field in children(operation, name)]
                if len({normal_identifier(field.text or "") for field in told}) > 1:
                    fault("contradictory", place_of(told[1]), f"a second {name}, other than the first")
        if sum(1 for _ in descendants(self.root, "ConsignmentItem")) > MAX_ITEMS:
            fault("too-many-items", place_of(self.root), f"more than {MAX_ITEMS} goods items")

    def _judge_header(self) -> None:
        """Note what NCTS itself would refuse a message for, and the two references that exclude each other."""
        warn = self.findings.warn_at
        if namespace(self.root) != NAMESPACE:
            warn("namespace", self.root, f"the namespace is {NAMESPACE}")
        for name in _HEADER:
            told = children(self.root, name)
            content = text(told[0]) if told else None
            if content is None:
                warn("missing", self.root, f"{name} is required")
            elif len(content) > 35:
                warn("too-long", told[0], "has at most 35 characters")
            if len(told) > 1:
                warn("repeats", told[1], "stands here once; the first holds")
        kind = text(self.root, "messageType")
        if kind is not None and kind != self.name:
            warn("message-type", child(self.root, "messageType"), "is not that of the root, which holds")
        operation = self._operation()
        if operation is None:
            warn("missing", self.root, "TransitOperation is required")
        elif text(operation, "MRN") is None and text(operation, "LRN") is None:
            warn("missing", operation, "neither an MRN nor an LRN: which movement it is, is not told")
        elif self.kind.one_reference and text(operation, "MRN") and text(operation, "LRN"):
            warn("mrn-and-lrn", operation, "once there is an MRN, the LRN is not told (C0467)")

    def _operation(self) -> Element | None:
        found = child(self.root, "TransitOperation")
        return found if found is not None else child(self.root, "Header")

    # References, times, place.

    def _gather_references(self) -> None:
        """Take the movement's own references first; those of goods and documents come after."""
        operation = self._operation()
        if operation is None:
            return
        mrn = text(operation, "MRN")
        self.identifiers.add("mrn", mrn)
        self.identifiers.add("lrn", text(operation, "LRN"), self._holder())
        if mrn is not None and _MRN.fullmatch(mrn) is None:
            self.findings.warn_at(
                "mrn", operation, "an MRN has a year, a country, thirteen characters and a digit", "MRN"
            )

    def _holder(self) -> str | None:
        return text(self.root, "HolderOfTheTransitProcedure", "identificationNumber")

    def _moments(self) -> tuple[datetime, datetime, bool | None]:
        """When the message was prepared, when its event happened, and whether a zone had to be assumed."""
        issued = self._time("preparationDateAndTime")
        occurred = self._time(self.kind.moment) if self.kind.moment else None
        if occurred is None and self.name == "CC009C":
            occurred = self._time("Invalidation/requestDateAndTime")
        first, second = issued or occurred, occurred or issued
        if first is None or second is None:
            self.findings.warn_at("no-time", self.root, "no time can be read: that of receipt stands in")
            return self.origin.received, self.origin.received, None
        return first[0], second[0], True if second[1] else None

    def _time(self, path: str) -> tuple[datetime, bool] | None:
        field = next(all_at(self.root, path), None)
        told = text(field)
        if told is None:
            return None
        # Of date-times the schema says that UTC is implied (DateTimeType); a day alone begins where the adapter is.
        is_day = len(told) <= _DAY_CHARACTERS
        found = read_time(told, self.origin.zone if is_day else UTC)
        if found is None:
            self.findings.warn_at("time", field, "is no date or time, and is left out")
            return None
        return found[0], found[1] and is_day

    def _authority(self) -> str | None:
        author = text(self.root, *self.kind.author.split("/")) if self.kind.author else None
        office = text(self.root, self.kind.office, "referenceNumber") if self.kind.office else None
        return _short(author or office or text(self.root, "messageSender"))

    def _place(self) -> Place | None:
        """Where the goods are said to be, at the office that the message is about."""
        office = _short(text(self.root, self.kind.office, "referenceNumber")) if self.kind.office else None
        fields: dict[str, Any] = {"facility": office}
        for path in ("Consignment/LocationOfGoods", "Consignment/Incident/Location"):
            location = child(self.root, *path.split("/"))
            code = normal_identifier(text(location, "UNLocode") or "") if location is not None else ""
            if code and is_locode(code):
                fields |= {"locode": code, "country": code[:2]}
            elif code:
                self.findings.warn_at("place", location, "is no UN/LOCODE, and is left out", "UNLocode")
            country = text(location, "country") if location is not None else None
            if country is not None and is_country(country):
                fields.setdefault("country", country)
        if "country" not in fields and office is not None and is_country(office[:2]):
            fields["country"] = office[:2]
        found = present(**fields)
        return Place(**found) if found else None

    # What is told.

    def _event(self) -> tuple[str, str | None, str | None]:
        """Return the event, the outcome and the classifier that the message's codes say, or the kind itself."""
        told = (self.kind.event, self.kind.outcome, self.kind.classifier)
        for section, path in self.kind.codes:
            values = {code for field in all_at(self.root, path) if (code := text(field)) is not None}
            if len(values) == 1:
                (code,) = values
                meaning = self.origin.profile.table(FAMILY, section).get(code)
                if meaning is not None:
                    told = (meaning["event"], meaning["outcome"], meaning.get("classifier"))
                    break
                self.findings.warn_at("code", self.root, f"{path.rpartition('/')[2]} is not in the code list")
        return self._controlled(told) if self.name == "CC060C" else told

    def _controlled(self, told: tuple[str, str | None, str | None]) -> tuple[str, str | None, str | None]:
        """A control's own word says more than the notification's type; so do codes, where all are of one kind."""
        if told[0] != "shipment.selected-for-inspection" or told[2] is not None:
            return told
        groups = [(text(group, "type"), text(group, "text")) for group in children(self.root, "TypeOfControls")]
        if (word := next(filter(None, (own_word(*group) for group in groups)), None)) is not None:
            return (*word, None)
        return (*control_meaning([code for code, _ in groups], self.origin.profile, told[:2]), None)

    def _released(self, event: str, goods: list[Goods]) -> Iterator[Goods]:
        """Yield the items that go while the rest stays."""
        if self.name != "CC025C" or event != "shipment.held":
            return
        full = {code for code, word in self.origin.profile.table(FAMILY, "release-type").items() if word == "full"}
        items = [e for e in self.root.iter() if local_name(e) == "ConsignmentItem"]
        released = [
            told for element, told in zip(items, goods, strict=True)
            if text(element, "releaseType") in full and told.item is not None
        ]  # fmt: skip
        if len(released) > MAX_DECISIONS:
            self.findings.warn_at("many-items", self.root, f"more than {MAX_DECISIONS} items released: told as held")
            return
        yield from released

    def _decision(self, outcome: str | None) -> Decision | None:
        if outcome is None:
            return None
        reason = "\n".join(self._lines())
        return Decision(outcome=outcome, **present(authority=self._authority(), reason=reason))

    def _lines(self) -> list[str]:
        """What the canonical body has no field for, a line each; without the values at fault, which are cargo data."""
        lines: list[str] = []
        size = 0
        for told in self.kind.told:
            for group in all_at(self.root, told.path):
                if told.name == "TypeOfControls" and own_word(text(group, "type"), text(group, "text")) is not None:
                    continue
                line = f"{told.name}: {_group_text(group, told.fields) if told.fields else text(group) or ''}"
                size += len(line) + 1
                if size > MAX_REASON:
                    self.findings.warn_at(
                        "many-reasons", group, f"more than {MAX_REASON} characters: the rest is left out"
                    )
                    return lines
                if line.strip() != f"{told.name}:":
                    lines.append(line)
        return lines


def control_meaning(
    codes: Sequence[str | None], profile: Profile, otherwise: tuple[str, str | None]
) -> tuple[str, str | None]:
    """Return the event and outcome that all of these control codes have, or those that hold otherwise."""
    kinds = profile.table(FAMILY, "control")
    found = [kinds.get(code or "") for code in codes]
    told = {(one["event"], one["outcome"]) if one is not None else otherwise for one in found}
    return told.pop() if len(told) == 1 else otherwise


def _group_text(group: Element, fields: tuple[str, ...]) -> str:
    parts = []
    for name in fields:
        holder = group.getparent() if name.startswith("^") else group
        parts.append(text(holder, name.removeprefix("^")) or "")
    *before, last = parts
    # A bar in any but the last would read as one field more.
    return " | ".join([*(part.replace("|", "/") for part in before), last]).rstrip(" |")


def _short(told: str | None) -> str | None:
    return told[:512] if told is not None else None
