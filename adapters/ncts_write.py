"""Writes an authority's decision as the message of NCTS that tells it, valid under the message's own XSD.

Owns which message an event goes out as, and where each element comes from. What no message carries is never made
up: it is refused with the name of every element that is missing. Never writes a time of its own or anything by
chance: the same message gives the same bytes.

Elements that the canonical body has no field for stand as lines in `decision.reason` (`noReleaseMotivationCode: G1`),
in the form in which `ncts_read` leaves them there; whatever else the reason says is the message's free text.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lxml import etree

from adapters.document import Element, xml_text
from adapters.ncts_answers import FORMS, RELEASE_FOR_TRANSIT, Part, structure
from adapters.ncts_codes import FAMILY, KINDS, NAMESPACE, OTHER_CONTROL, own_word
from adapters.ncts_read import control_meaning
from adapters.profile import Profile
from schemas import Message, ShipmentMessage
from schemas.codes import normal_identifier
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision, Party

# CL226 and CL227: another reason, which has to be told in words then (C0492).
_OTHER_REASON = "4"
_CONTROLLED = ("shipment.held", "shipment.selected-for-inspection", "shipment.selected-for-scan")
# What a group's free text may have.
_TEXT_SIZE = 512
Entry = Mapping[str, Any]


def write_message(message: Message, profile: Profile) -> bytes:
    """Write the message; see `Translator.write` for what is raised."""
    if not isinstance(message, ShipmentMessage):
        raise TranslationError([Fault("no-words", "/type", "NCTS has words for shipment events only")])
    name = _message_name(message)
    if name == "CC029C":
        missing = "stands in the declaration that CC029C repeats; no message carries it"
        raise TranslationError([Fault("missing", f"/CC029C/{path}", missing) for path in RELEASE_FOR_TRANSIT])
    return _Writer(message, name, profile).written()


def _message_name(message: ShipmentMessage) -> str:
    """Return the message that tells this event of an authority's decision.

    Raises:
        TranslationError: none does.
    """
    body = message.data
    decision = body.decision
    if decision is None and message.type not in _DECIDING:
        words = f"what is written is an authority's decision; {message.type} without one is a trader's"
        raise TranslationError([Fault("no-words", "/data/decision", words)])
    outcome = _outcome(message)
    found = _BY_OUTCOME.get((message.type, outcome)) or _BY_TYPE.get(message.type)
    if found is None or (message.type == "shipment.held" and outcome.startswith("partially-released")):
        words = f"there are none for {message.type} with the outcome {outcome}"
        raise TranslationError([Fault("no-words", "/data/decision/outcome", words)])
    if message.type == "shipment.refused" and any(one.role == "trader-at-destination" for one in body.parties or ()):
        found = "CC025C"
    if decision is not None and decision.item is not None and found != "CC060C":
        words = "a decision on one item would read as one on the whole"
        raise TranslationError([Fault("no-words", "/data/decision/item", words)])
    if body.classifier not in (None, "actual") and found != "CC060C":
        words = "what is only planned would read as done"
        raise TranslationError([Fault("no-words", "/data/classifier", words)])
    return found


def _outcome(message: ShipmentMessage) -> str:
    """Return what was decided; the event's own word where it says it all."""
    decision = message.data.decision
    return decision.outcome if decision is not None else message.type.removeprefix("shipment.")


_BY_TYPE = {
    "shipment.withdrawn": "CC009C",
    "shipment.rejected": "CC056C",
    "shipment.documents-required": "CC060C",
    "shipment.released": "CC025C",
    "shipment.refused": "CC051C",
} | dict.fromkeys(_CONTROLLED, "CC060C")
# Events that are an authority's by themselves, also where nothing more is told of the decision.
_DECIDING = frozenset(_BY_TYPE) - {"shipment.withdrawn"}
_BY_OUTCOME = {
    ("shipment.declared", "accepted"): "CC028C",
    ("shipment.declared", "received"): "CC928C",
    ("shipment.declared", "request-refused"): "CC009C",
    ("shipment.declared", "request-decided"): "CC009C",
    ("shipment.amended", "accepted"): "CC004C",
    ("shipment.rejected", "arrival-rejected"): "CC057C",
    ("shipment.rejected", "unloading-remarks-rejected"): "CC057C",
    ("shipment.documents-required", "amendment-required"): "CC022C",
    ("shipment.documents-required", "guarantee-invalid"): "CC055C",
    ("shipment.inspected", "discrepancies"): "CC019C",
    ("shipment.arrived", "written-off"): "CC045C",
    ("shipment.released", "released-for-transit"): "CC029C",
    ("shipment.refused", "not-released"): "CC025C",
}


class _Writer:
    """One message of NCTS on its way out."""

    def __init__(self, message: ShipmentMessage, name: str, profile: Profile) -> None:
        self.message = message
        self.body = message.data
        self.name = name
        self.profile = profile
        self.decision = self.body.decision or Decision(outcome=_outcome(message))
        self.said: dict[str, str] = {}
        self.groups: dict[str, list[Entry]] = {}
        self.free: list[str] = []
        self.parts = structure(name)
        self._take_lines()

    def written(self) -> bytes:
        """Return the document, or raise with every element that is missing."""
        nsmap: Any = {"ncts": NAMESPACE}
        root: Element = etree.Element(f"{{{NAMESPACE}}}{self.name}", nsmap=nsmap)
        faults: list[Fault] = []
        self._fill(root, self.parts, f"/{self.name}", {}, faults)
        operation = root.find("TransitOperation")
        if operation is not None and operation.find("MRN") is None and operation.find("LRN") is None:
            faults.append(Fault("missing", f"/{self.name}/TransitOperation/MRN", "neither an MRN nor an LRN that fits"))
        faults += self._broken_conditions(root)
        if faults:
            raise TranslationError(list(dict.fromkeys(faults)))
        written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
        return written

    def _broken_conditions(self, root: Element) -> list[Fault]:
        """What the XSD lets pass and NCTS would refuse."""
        found = []
        code, reason = (root.find(f"TransitOperation/{name}") for name in ("rejectionCode", "rejectionReason"))
        if code is not None and code.text == _OTHER_REASON and reason is None:
            place = f"/{self.name}/TransitOperation/rejectionReason"
            found.append(Fault("missing", place, "another reason is told in words (C0492)"))
        if root.findtext("TransitOperation/notificationType") == "1" and root.find("RequestedDocument") is None:
            found.append(Fault("missing", f"/{self.name}/RequestedDocument", "which documents are asked for (C0455)"))
        return found

    # The reason's lines.

    def _take_lines(self) -> None:
        """Sort the reason's lines into elements, groups and free text; a group that does not fit is free text."""
        elements = {told.name for told in KINDS[self.name].told if not told.fields}
        fields = {told.name: told.fields for told in KINDS[self.name].told if told.fields}
        for line in (self.decision.reason or "").splitlines():
            name, colon, rest = line.partition(": ")
            if colon and name in elements and name not in self.said:
                self.said[name] = _one_line(rest)
            elif colon and name in fields and (entry := self._entry(name, fields[name], rest)) is not None:
                self.groups.setdefault(name, []).append(entry)
            elif _one_line(line):
                self.free.append(_one_line(line))

    def _entry(self, group: str, fields: tuple[str, ...], rest: str) -> Entry | None:
        values = [part.strip() for part in rest.split(" | ", len(fields) - 1)]
        entry = {
            field.removeprefix("^"): _one_line(part)
            for field, part in zip(fields, values, strict=False) if _one_line(part)
        }  # fmt: skip
        parts = _parts_of(self.parts, group)
        for part in parts:
            if part.source == "field" and not _fits(part, entry.get(part.name)):
                return None
        return entry if parts else None

    # The tree.

    def _fill(self, parent: Element, parts: tuple[Part, ...], path: str, entry: Entry, faults: list[Fault]) -> None:
        for part in parts:
            place = f"{path}/{part.name}"
            if not part.parts:
                self._leaf(parent, part, place, entry, faults)
                continue
            entries = self._entries(part, entry) if part.repeats else [entry]
            written = 0
            for one in entries:
                element: Element = etree.SubElement(parent, part.name)
                inner: list[Fault] = []
                self._fill(element, part.parts, place, one, inner)
                if part.times == "" or (not inner and len(element)):
                    written += 1
                    faults += inner
                else:
                    parent.remove(element)
            if part.times == "+" and not written:
                faults.append(Fault("missing", place, "at least one is required, and no message field holds any"))

    def _leaf(self, parent: Element, part: Part, place: str, entry: Entry, faults: list[Fault]) -> None:
        if part.source == "field":
            value = entry.get(part.name)
        elif part.source == "count":
            value = str(entry["count"])
        elif part.source.startswith("code:"):
            value = self._code(part.source.removeprefix("code:"))
        elif part.source == "occurred":
            day = self.body.occurred.date().isoformat()
            value = day if part.form == "date" else _utc(self.body.occurred)
        elif part.source in ("said", "text"):
            value = self.said.get(part.name) or (self._text() if part.source == "text" else None)
        else:
            value = self._from_message(part.source)
        if value is not None and FORMS[part.form].fullmatch(value):
            etree.SubElement(parent, part.name).text = value
        elif part.needed:
            detail = "no field of the message holds it" if value is None else "what the message holds does not fit"
            faults.append(Fault("missing", place, detail))

    def _text(self) -> str | None:
        return " ".join(self.free)[:_TEXT_SIZE].strip() or None

    # Where elements come from.

    def _from_message(self, source: str) -> str | None:
        if source in _SIMPLE:
            return _SIMPLE[source](self)
        role, _, field = source.partition("-")
        return self._party_field(role, field)

    def _identifier(self, scheme: str, form: str) -> str | None:
        """Return the first reference of a scheme that fits; else the first there is.

        One that is among the documents is the number of another declaration, which went before.
        """
        others = {normal_identifier(document.id) for document in self.body.documents or ()}
        told = [one.value for one in self.body.identifiers if one.scheme == scheme and one.value not in others]
        return next((value for value in told if FORMS[form].fullmatch(value)), told[0] if told else None)

    def _lrn_alone(self) -> str | None:
        """Return the LRN where there is no MRN: the two exclude each other (C0467, C0685)."""
        return None if self._identifier("mrn", "mrn") is not None else self._identifier("lrn", "an..22")

    def _office(self, role: str) -> str | None:
        """Return the office of a role; else the authority or the place of the decision, if it is an office."""
        told = [party.id for party in self.body.parties or () if party.role == role]
        told += [self.decision.authority, self.body.place.facility if self.body.place else None]
        return next((office for office in told if office and FORMS["office"].fullmatch(office)), None)

    @cached_property
    def _at_destination(self) -> bool:
        return any(part.name == "TraderAtDestination" for part in self.parts)

    def _own_office(self) -> str | None:
        return self._office("office-of-destination" if self._at_destination else "office-of-departure")

    def _recipient(self) -> str | None:
        return self._party_field("trader" if self._at_destination else "holder", "id")

    def _party(self, role: str) -> Party | None:
        """Return a party. Whoever lodges a transit declaration holds the procedure (UCC, article 5(35))."""
        for name in _ROLES[role]:
            for party in self.body.parties or ():
                if party.role == name:
                    return party
        return None

    def _party_field(self, role: str, field: str) -> str | None:
        party = self._party(role)
        if party is None:
            return None
        if field in ("id", "name", "country"):
            return _one_line(getattr(party, field) or "") or None
        return _address(party.address or "").get(field)

    def _code(self, section: str) -> str | None:
        """Return the code that a section of the profile has for this event and outcome."""
        table = self.profile.table(FAMILY, section)
        event = self.message.type
        for wanted in (self.decision.outcome, None):
            for code, meaning in table.items():
                if meaning["event"] == event and wanted in (None, meaning["outcome"]) and "classifier" not in meaning:
                    return code
        return None

    def _rejected_type(self) -> str | None:
        """Return which message was rejected. A declaration's own rejection tells no MRN: none was given (C0467)."""
        said = self.said.get("businessRejectionType")
        if said is not None or (self.decision.outcome == "rejected" and self._identifier("mrn", "mrn") is not None):
            return said
        for code, meaning in self.profile.table(FAMILY, "rejection").items():
            if meaning["outcome"] == self.decision.outcome:
                return code
        return None

    def _notification(self) -> str | None:
        if self.message.type == "shipment.documents-required":
            return self._code("notification")
        if self.body.classifier == "planned":
            table = self.profile.table(FAMILY, "notification")
            return next((code for code, meaning in table.items() if meaning.get("classifier") == "planned"), None)
        return "0"

    # Groups that repeat.

    def _entries(self, part: Part, entry: Entry) -> list[Entry]:
        told: list[Entry]
        match part.source:
            case "controls":
                told = self._controls()
            case "requested":
                told = self._requested()
            case "guarantees":
                told = self._guarantees()
            case "reasons":
                told = entry.get("reasons", [])
            case _:
                told = self.groups.get(part.name, [])
        return [{**one, "count": index} for index, one in enumerate(told, 1)]

    def _controls(self) -> list[Entry]:
        """Return the controls as told, free text as one more. Only a decision to control has any (C0452).

        Where these would be read as something else than the event, its own word goes before them.
        """
        if self._notification() != "0":
            return []
        wanted = (self.message.type, self.decision.outcome)
        told = [one for one in self.groups.get("TypeOfControls", []) if own_word(one["type"], one.get("text")) is None]
        words = self._text()
        table = self.profile.table(FAMILY, "control")
        code = next((code for code, one in table.items() if (one["event"], one["outcome"]) == wanted), None)
        if not told and code is not None:
            return [{"type": code} | ({"text": words} if words else {})]
        if words is not None and own_word(OTHER_CONTROL, words) is None:
            told.append({"type": OTHER_CONTROL, "text": words})
        plain = self.profile.table(FAMILY, "notification").get("0", {})
        otherwise = (plain.get("event", ""), plain.get("outcome"))
        if told and control_meaning([one["type"] for one in told], self.profile, otherwise) == wanted:
            return told
        return [{"type": OTHER_CONTROL, "text": f"{wanted[0].removeprefix('shipment.')}: {wanted[1]}"}, *told][:99]

    def _requested(self) -> list[Entry]:
        if self._notification() not in ("0", "1"):
            return []
        if self.groups.get("RequestedDocument") or self._notification() == "0":
            return self.groups.get("RequestedDocument", [])
        types = dict.fromkeys(document.type for document in self.body.documents or () if document.type)
        return [{"documentType": type_} for type_ in types if FORMS["an4"].fullmatch(type_)]

    def _guarantees(self) -> list[Entry]:
        found: dict[str, list[Entry]] = {}
        for one in self.groups.get("InvalidGuaranteeReason", []):
            if "GRN" in one:
                found.setdefault(one["GRN"], []).append(one)
        return [{"GRN": grn, "reasons": reasons} for grn, reasons in found.items()]


_ROLES = {
    "holder": ("holder", "declarant"),
    "guarantor": ("guarantor",),
    "trader": ("trader-at-destination",),
    "agent": ("agent",),
}


def _sender(writer: _Writer) -> str | None:
    """The national transit application of the office's country; the office stands for none other."""
    office = writer._own_office()
    return f"NTA.{office[:2]}" if office is not None else None


def _identification(writer: _Writer) -> str:
    """The message's id, which no schema limits to 35 characters."""
    id_ = writer.message.id.replace("-", "")
    fits = re.fullmatch(r"[0-9A-Za-z]{1,35}", id_, re.ASCII)
    return id_ if fits else hashlib.sha256(writer.message.id.encode()).hexdigest()[:32]


_SIMPLE: dict[str, Callable[[_Writer], str | None]] = {
    "name": lambda writer: writer.name,
    "sender": _sender,
    "recipient": lambda writer: writer._recipient(),
    "prepared": lambda writer: _utc(writer.message.time),
    "identification": _identification,
    "correlation": lambda writer: _one_line(writer.message.correlationid or "") or None,
    "mrn": lambda writer: writer._identifier("mrn", "mrn"),
    "lrn": lambda writer: writer._identifier("lrn", "an..22"),
    "lrn-alone": lambda writer: writer._lrn_alone(),
    "departure": lambda writer: writer._office("office-of-departure"),
    "destination": lambda writer: writer._office("office-of-destination"),
    "rejected-type": lambda writer: writer._rejected_type(),
    "rejection-code": lambda writer: writer.said.get("rejectionCode", _OTHER_REASON),
    "notification": lambda writer: writer._notification(),
}


def _fits(part: Part, value: str | None) -> bool:
    return not part.needed if value is None else FORMS[part.form].fullmatch(value) is not None


def _parts_of(parts: tuple[Part, ...], group: str) -> tuple[Part, ...]:
    """Return the parts of a group, wherever in the message it stands."""
    for part in parts:
        if part.name == group:
            return part.parts
        if found := _parts_of(part.parts, group):
            return found
    return ()


def _utc(moment: datetime) -> str:
    """Return a time as NCTS has it: in UTC, which goes without saying (DateTimeType), in whole seconds."""
    return moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat()


def _one_line(told: str) -> str:
    return " ".join(xml_text(told).split())


def _address(line: str) -> dict[str, str]:
    """Take an address apart that was put into one line: street, postcode if there is one, city."""
    parts = [part for part in _one_line(line).split(", ") if part]
    if len(parts) < 2:
        return {}
    *street, city = parts
    if len(street) > 1 and len(street[-1]) <= 17 and any(letter.isdigit() for letter in street[-1]):
        return {"street": ", ".join(street[:-1]), "postcode": street[-1], "city": city}
    return {"street": ", ".join(street), "city": city}
