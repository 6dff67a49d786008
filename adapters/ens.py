"""Reads the EU/UK Import Control System: entry summary declarations, and what customs answers to them.

Owns the mapping of CC315A (declared), CC313A (amended), CC328A and CC304A (accepted), CC316A and CC305A
(rejected) and CC351A (advanced intervention) to shipment messages. Form and business rules are judged in
`ens_form` and `ens_rules`; what they find is a warning here, never a refusal. Never writes: `ens_write` does.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.document import (
    MAX_WARNINGS,
    Document,
    Element,
    Findings,
    Identifiers,
    Origin,
    namespace,
    place_of,
    read_time,
)
from adapters.ens_check import check_message, messages_of
from adapters.ens_codes import FAMILY, SHIP, codes_of
from adapters.ens_group import Group, IcsMessage
from adapters.ens_reason import facts, interventions, joined, rejection
from adapters.ens_structures import NAMESPACE_PREFIX, STRUCTURES, TRADERS, Trader
from adapters.ens_write import write_answer
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from adapters.waybills import air_waybill
from schemas import Message, Shipment
from schemas.base import present
from schemas.codes import (
    container_warning,
    equipment_number,
    has_container_form,
    is_country,
    is_locode,
    normal_identifier,
)
from schemas.errors import TranslationError
from schemas.shipment import Decision, Equipment, Goods, Means, Party, Place, Scheme, Transport
from schemas.shipment import Document as Accompanying

# HMRC allows 999 items; ten times that is no declaration, and would not fit a message either.
MAX_ITEMS = 9999
# An envelope holds one message, or what a system sends at once; each costs a place to look for its faults.
MAX_MESSAGES = 999
# Interventions in so many items are told as one in the whole consignment: each would repeat all references.
MAX_DECISIONS = 99
_SIGNATURE = re.compile(rb"<(?:[\w.-]+:)?CC3(?:0[45]|1[356]|28|51)A[\s/>]")
_MASS = re.compile(r"\+?(?:[0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_SUBJECTS: tuple[Scheme, ...] = ("ucr", "mrn", "transport-document", "lrn", "certificate", "container", "other")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a message of the ICS tells: the event, the element of its moment, the outcome decided."""

    event: str
    moment: str
    outcome: str | None = None


_KINDS = {
    "CC315A": _Kind("shipment.declared", "DecDatTimHEA114"),
    "CC313A": _Kind("shipment.amended", "DatTimAmeHEA113"),
    "CC328A": _Kind("shipment.declared", "DecRegDatTimHEA115", "accepted"),
    "CC304A": _Kind("shipment.amended", "AmeAccDatTimHEA111", "accepted"),
    "CC316A": _Kind("shipment.rejected", "DecRejDatTimHEA116", "rejected"),
    "CC305A": _Kind("shipment.rejected", "AmeRejDatTimHEA112", "rejected"),
    "CC351A": _Kind("shipment.held", "NotDatTimHEA104", "held"),
}


class EntrySummary:
    """ICS messages, bare or in an envelope (SOAP, or the bodies of HMRC's interfaces), whatever the prefix."""

    name = "ens"
    title = "Entry summary declaration (EU/UK ICS: CC315A, CC313A and the answers to them)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """Certain of a root or content in the ICS name space; less so by name alone, or if it cannot be parsed."""
        # Looking for three letters, of one byte or two, is a hundredth of what going through the tree takes.
        if not document.looks_like_xml or not any(name in document.content for name in (b"CC3", b"C\0C\x003")):
            return 0.0
        try:
            found = messages_of(document.xml)
        except TranslationError:
            return 0.5 if _SIGNATURE.search(document.content[:4096].replace(b"\x00", b"")) else 0.0
        if not found:
            return 0.0
        return 1.0 if namespace(found[0]).startswith(NAMESPACE_PREFIX) else 0.8

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every ICS message of the document; a CC351A makes a message for each item that it is about."""
        found = messages_of(document.xml)
        findings = Findings()
        if not found:
            findings.fault("not-ens", place_of(document.xml), f"holds none of {', '.join(STRUCTURES)}")
        if len(found) > MAX_MESSAGES:
            findings.fault("too-many-messages", place_of(document.xml), f"more than {MAX_MESSAGES} messages")
            findings.settle()
        drafts = [draft for message in found for draft in _Reader(message, origin, findings).drafts()]
        findings.settle()
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write the answer that tells the decision; see `ens_write` for which, and for what each asks."""
        return write_answer(message, profile)


class _Reader:
    """One ICS message on its way into drafts."""

    def __init__(self, message: Element, origin: Origin, findings: Findings) -> None:
        self.message = IcsMessage(message)
        self.root = message
        self.origin = origin
        self.findings = findings
        self.kind = _KINDS[self.message.name]
        self.header = self.message.header
        self.items = self.message.items
        self.identifiers = Identifiers()
        self.codes = codes_of(origin.profile)
        self.mode = self.codes.mode(self.header.value("TraModAtBorHEA76"))

    def drafts(self) -> list[Draft]:
        """Return the drafts; what makes the message illegible is among the findings' faults instead."""
        before = len(self.findings.faults)
        self._judge()
        if len(self.findings.faults) > before:
            return []
        self._gather_identifiers()
        subject = self.identifiers.first(*_SUBJECTS)
        if subject is None:
            self.findings.fault(
                "no-reference", place_of(self.root), "neither RefNumHEA4, DocNumHEA5 nor ComRefNumHEA, nor a document"
            )
            return []
        issued, occurred, assumed = self._moments()
        body = present(
            identifiers=self.identifiers.as_list(), occurred=occurred, zone_assumed=assumed, place=self._place(),
            transport=self._transport(), parties=self._parties(), equipment=self._equipment(),
            documents=self._documents(),
        )  # fmt: skip
        goods = [self._goods(item) for item in self.items]
        attributes = present(
            correlationid=_cut(self.message.value("CorIdeMES25"), 256),
            test=True if self.message.value("TesIndMES18") == "1" else None,
        )
        for fault in check_message(self.message, self.origin.profile, MAX_WARNINGS - len(self.findings.warnings)):
            self.findings.warn(fault.code, fault.pointer, fault.detail)
        drafts: list[Draft] = []
        for event, decision in self._decisions():
            about = decision.item if decision is not None else None
            told = [each for each in goods if about is None or each.item == about]
            data = Shipment(**body | present(goods=told, decision=decision))
            drafts.append(Draft(event, subject, issued, data, attributes))
        return drafts

    def _judge(self) -> None:
        """Find what leaves nothing to read, or two things that cannot both be true."""
        if self.header.element is None:
            self.findings.fault("missing", place_of(self.root), "the header, HEAHEA, is not there")
        if len(self.items) > MAX_ITEMS:
            self.findings.fault("too-many-items", place_of(self.root), f"more than {MAX_ITEMS} goods items")
        if len(headers := list(self.message.fields("HEAHEA"))) > 1:
            self.findings.fault("contradictory", place_of(headers[1]), "a second header: which one holds is not told")
        for name in ("RefNumHEA4", "DocNumHEA5", "ComRefNumHEA"):
            told = list(self.header.fields(name))
            if len({normal_identifier(field.text or "") for field in told}) > 1:
                self.findings.fault("contradictory", place_of(told[1]), "a second reference, other than the first")
        kind = self.message.value("MesTypMES20")
        if kind is not None and kind != self.message.name:
            place = self.message.field("MesTypMES20")
            self.findings.warn_at("message-type", place, "the message type is not that of the root, which holds")

    # References.

    def _gather_identifiers(self) -> None:
        add = self.identifiers.add
        declarant = self.message.group("PERLODSUMDEC").value("TINPLD1")
        add("ucr", self.header.value("ComRefNumHEA"))
        add("mrn", self.header.value("DocNumHEA5"))
        add("lrn", self.header.value("RefNumHEA4"), declarant)
        for item in self.items:
            add("ucr", item.value("ComRefNumGIM1"))
            for produced in item.groups("PRODOCDC2"):
                kind, number = produced.value("DocTypDC21") or "", produced.value("DocRefDC23") or ""
                add(self.codes.document(kind), air_waybill(number, kind))
            for container in item.groups("CONNR2"):
                self._add_container(container.field("ConNumNR21"))
            for means in item.groups("IDEMEATRAGI970"):
                # By rail and road these are wagons and vehicles; of ships and aircraft they name the conveyance.
                add("equipment" if self.mode.is_on_land else "other", means.value("IdeMeaTraGIMEATRA971"))
        for seal in self.message.groups("SEAID529"):
            add("seal", seal.value("SeaIdSEAID530"))

    def _add_container(self, field: Element | None) -> None:
        number = equipment_number(field.text or "") if field is not None else ""
        if not number:
            return
        if (oddity := container_warning(number)) is not None:
            self.findings.warn_at("container-number", field, oddity)
        self.identifiers.add("container" if has_container_form(number) else "equipment", number)

    # Times.

    def _moments(self) -> tuple[datetime, datetime, bool | None]:
        """When the message was prepared, when its event happened, and whether a zone had to be assumed."""
        prepared, time = self.message.value("DatOfPreMES9"), self.message.value("TimOfPreMES10")
        century = "20" if prepared is not None and len(prepared) == 6 else ""
        issued = self._time(f"{century}{prepared}{time or ''}", "DatOfPreMES9") if prepared else None
        told = self.header.value(self.kind.moment)
        occurred = self._time(told, self.kind.moment) if told else None
        first, second = issued or occurred, occurred or issued
        if first is None or second is None:
            self.findings.warn_at("no-time", self.root, "no time can be read: that of receipt stands in")
            return self.origin.received, self.origin.received, None
        return first, second, True

    def _time(self, text: str, name: str) -> datetime | None:
        found = read_time(text, self.origin.zone)
        if found is None:
            self.findings.warn_at("time", self.root, f"{name} is no date and time, and is left out")
            return None
        return found[0]

    # What, where, who.

    def _place(self) -> Place | None:
        """The place of unloading, at the office of first entry."""
        told = self.header.field("PlaUnlGOOITE334")
        if told is None:
            places = [found for item in self.items if (found := item.field("PlaUnlGOOITE333")) is not None]
            told = places[0] if len({normal_identifier(place.text or "") for place in places}) == 1 else None
        office = self.message.group("CUSOFFFENT730").value("RefNumCUSOFFFENT731")
        fields: dict[str, Any] = {"facility": _short(office)}
        name = " ".join((told.text or "").split()) if told is not None else ""
        code = name.upper()
        if name and not is_country(code[:2]):
            self.findings.warn_at("place", told, "a place begins with a UN/LOCODE or a country code")
            fields["name"] = _short(name)
        elif len(code) == 5 and is_locode(code):
            fields |= {"locode": code, "country": code[:2]}
        elif name:
            fields |= {"country": code[:2], "name": _short(name)}
        if "country" not in fields and office is not None and is_country(office[:2].upper()):
            fields["country"] = office[:2].upper()
        found = present(**fields)
        return Place(**found) if found else None

    def _transport(self) -> Transport | None:
        carrier = self.message.group("TRACARENT601")
        names = TRADERS["TRACARENT601"]
        found = present(
            mode=self.mode.rec19 or None,
            means=self._means(),
            voyage=_short(self.header.value("ConRefNumHEA")),
            carrier=_short(carrier.value(names.tin) or carrier.value(names.address[0])),
        )
        return Transport(**found) if found else None

    def _means(self) -> Means | None:
        identity = self.header.value("IdeOfMeaOfTraCroHEA85")
        if identity is None:
            means = (one for item in self.items for one in item.groups("IDEMEATRAGI970"))
            told = {one.value("IdeMeaTraGIMEATRA971") for one in means}
            identity = told.pop() if len(told) == 1 else None
        if identity is None:
            return None
        if self.mode.means != SHIP:
            return Means(scheme=self.mode.means, value=identity[:512])
        digits = len(identity) if re.fullmatch(r"[0-9]+", identity, re.ASCII) else 0
        return Means(scheme={7: "imo", 8: "eni"}.get(digits, "name"), value=identity[:512])

    def _parties(self) -> list[Party]:
        parents: tuple[Group, ...] = (self.message, *self.items)
        told = ((name, group) for parent in parents for name in TRADERS for group in parent.groups(name))
        parties = [party for name, group in told if (party := self._party(TRADERS[name], group)) is not None]
        # An answer that names no declarant says by its recipient alone whose declaration it is about.
        recipient = _short(self.message.value("MesRecMES6"))
        if self.kind.outcome is not None and recipient is not None and not any(p.role == "declarant" for p in parties):
            parties.append(Party(role="recipient", id=recipient))
        return list(dict.fromkeys(parties))

    def _party(self, trader: Trader, group: Group) -> Party | None:
        name, street, postcode, city, country = map(group.value, trader.address)
        if country is not None and not is_country(country):
            self.findings.warn_at("country", group.element, "the country is no ISO 3166-1 code, and is left out")
            country = None
        found = present(
            name=_short(name), id=_short(group.value(trader.tin)), country=country,
            address=_short(", ".join(part for part in (street, postcode, city) if part)),
        )  # fmt: skip
        return Party(role=trader.role, **found) if found else None

    def _goods(self, item: Group) -> Goods:
        mass, number = item.value("GroMasGDS46"), item.value("IteNumGDS7")
        if mass is not None and _MASS.fullmatch(mass) is None:
            self.findings.warn_at("mass", item.element, "the gross mass is no decimal number of kilograms: left out")
            mass = None
        hs, un_number = item.group("COMCODGODITM").value("ComNomCMD1"), item.value("UNDanGooCodGDI1")
        if hs is not None and re.fullmatch(r"[0-9]{2,14}", hs, re.ASCII) is None:
            self.findings.warn_at("commodity", item.element, "the commodity code has not 2 to 14 digits: left out")
            hs = None
        if un_number is not None and re.fullmatch(r"[0-9]{4}", un_number, re.ASCII) is None:
            self.findings.warn_at("un-number", item.element, "the UN number has other than four digits: left out")
            un_number = None
        return Goods(
            **present(
                item=int(number) if number and _COUNT.fullmatch(number) else None,
                hs=hs, description=_cut(item.value("GooDesGDS23"), 8192),
                gross_mass_kg=float(mass) if mass else None, packages=self._packages(item), un_number=un_number,
            )
        )  # fmt: skip

    def _packages(self, item: Group) -> int | None:
        """How many there are: packages, or pieces where goods are unpacked; None where none are counted."""
        total: int | None = None
        for package in item.groups("PACGS2"):
            unpacked = self.codes.packages.get(package.value("KinOfPacGS23") or "") == "unpacked"
            counted = package.value("NumOfPieGS25" if unpacked else "NumOfPacGS24")
            if counted is not None and _COUNT.fullmatch(counted):
                total = (total or 0) + int(counted)
        return total if total is None or total <= 10**9 else None

    def _equipment(self) -> list[Equipment]:
        """The containers; the seals only where there is one container that they can be on."""
        numbers = [i.value for i in self.identifiers.as_list() if i.scheme == "container"]
        seals = [i.value for i in self.identifiers.as_list() if i.scheme == "seal"] if len(numbers) == 1 else []
        return [Equipment(**present(number=number, seals=seals)) for number in numbers]

    def _documents(self) -> list[Accompanying]:
        found: dict[tuple[str | None, str], Accompanying] = {}
        for item in self.items:
            for produced in item.groups("PRODOCDC2"):
                type_, id_ = produced.value("DocTypDC21"), produced.value("DocRefDC23")
                if id_ is not None:
                    document = Accompanying(**present(type=_short(type_), id=_short(id_)))
                    found.setdefault((document.type, document.id), document)
        return list(found.values())

    # Decisions.

    def _decisions(self) -> list[tuple[str, Decision | None]]:
        """What customs decided: nothing in a declaration, one thing in an answer, one for each item in a CC351A."""
        if self.kind.outcome is None:
            return [(self.kind.event, None)]
        found = interventions(self.message, self.origin.profile.table(FAMILY, "intervention"))
        if len(found) > MAX_DECISIONS:
            self.findings.warn_at("many-items", self.root, f"more than {MAX_DECISIONS} items: told as one")
            found = {None: ([line for lines, _ in found.values() for line in lines], None)}
        last = facts(self.message)
        decisions: list[tuple[str, Decision | None]] = []
        for item, (lines, told) in (found or {None: (rejection(self.message), None)}).items():
            event, outcome = told or (self.kind.event.removeprefix("shipment."), self.kind.outcome)
            reason = joined(lines, last)
            decision = Decision(outcome=outcome, **present(authority=self._authority(), item=item, reason=reason))
            decisions.append((f"shipment.{event}", decision))
        return decisions

    def _authority(self) -> str | None:
        office = self.message.group("CUSOFFFENT730").value("RefNumCUSOFFFENT731")
        return _short(office or self.message.value("MesSenMES3"))


def _short(text: str | None) -> str | None:
    return _cut(text, 512)


def _cut(text: str | None, limit: int) -> str | None:
    return text[:limit] or None if text is not None else None


TRANSLATORS: tuple[Translator, ...] = (EntrySummary(),)
