"""ANSI N42.42, radiation portals and handhelds: an alarm becomes an alert, anything else measured an inspection.

Owns what a measurement means at a border. Reading the document is in n42_read.py; how grave an alarm is and
what it does to a consignment, in profiles/neutral/n42.toml. Never carries a spectrum, and never reads
silence of an instrument as clearance.
"""

import re
from datetime import datetime
from typing import Any

from adapters.document import Document, Element, Findings, Identifiers, Origin, local_name, place_of
from adapters.n42_read import MAX_SPECTRA, ROOTS, Alarm, Passage, codes, instruments, passage_of
from adapters.profile import NEUTRAL, Profile
from adapters.records import fold
from adapters.translator import Draft, Reading, Translator
from adapters.xml_repair import root_of
from schemas import Alert, Message, Shipment
from schemas.alert import Area, NamedValue
from schemas.base import present
from schemas.codes import is_locode
from schemas.errors import Fault, TranslationError
from schemas.shipment import Decision, Place, Scheme
from schemas.shipment import Document as Paper

_SIGN = re.compile(rb"<(?:[\w.-]+:)?(?:RadInstrumentData|N42InstrumentData)[\s>/]")
# How many instrument documents one envelope holds at most.
MAX_DOCUMENTS = 100
# The profile's word for what shall not become a message.
REFUSED = "refused"
_GRAVITY = ("Unknown", "Minor", "Moderate", "Severe", "Extreme")


class N42:
    """The translator."""

    name = "n42"
    title = "ANSI N42.42, radiation instruments, 2005, 2006 and 2011"
    can_read = True
    can_write = False
    suffix = ".n42"

    def recognise(self, document: Document) -> float:
        """By the root element of either dialect, at the root or in an envelope."""
        if not document.looks_like_xml:
            return 0.0
        match = _SIGN.search(document.content.replace(b"\x00", b""))
        return 0.0 if match is None else 0.95 if match.start() < 2048 else 0.8

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every instrument's document; one that does not say what was measured, nor by what, is refused."""
        findings = Findings()
        root = root_of(document, findings)
        found = instruments(root)
        if not found:
            findings.fault("no-measurement", place_of(root), f"holds neither {' nor '.join(ROOTS)}")
        if len(found) > MAX_DOCUMENTS:
            findings.fault("too-many", place_of(root), f"more than {MAX_DOCUMENTS} instrument documents")
        findings.settle()
        drafts: list[Draft] = []
        for number, data in enumerate(found):
            passage = passage_of(data, origin, findings, origin.profile)
            key = passage.uuid if passage.uuid and re.fullmatch(r"[\w.{}-]{8,64}", passage.uuid) else ""
            subject = f"n42-{key or document.sha256[:32]}" + (f"-{number}" if number and not key else "")
            _raise(passage, data, findings, origin.profile)
            made = _drafts(passage, subject, origin)
            if not made:
                code, detail = _untold(passage)
                findings.fault(code, place_of(data), detail)
            drafts += made
        findings.settle()
        if next(root.iter("{*}Spectrum"), None) is not None:
            where = f"/{local_name(root)}"
            detail = f"the spectra stay with the native document; told are fingerprints of the first {MAX_SPECTRA}"
            findings.warn("spectra-not-carried", where, detail)
        return Reading(tuple(drafts), tuple(findings.warnings))

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Refuse: an instrument writes what it measured."""
        detail = "n42 is read only; cap writes the alert, wco-res or defra-decision the hold"
        raise TranslationError([Fault("not-expressible", "/type", detail)])


def _raise(passage: Passage, data: Element, findings: Findings, profile: Profile) -> None:
    """Take nuclear material identified in a named item for an alarm, where the instrument raised none.

    Handhelds identify and do not alarm; of what an officer cannot release, nobody should only be told that it was
    inspected.
    """
    alarming = codes(profile, "alarming")
    grave = [one.name for one in passage.nuclides if alarming.get(fold(one.category or "")) == "yes"]
    if grave and not passage.alarms and passage.identifiers:
        passage.alarms.append(Alarm("isotope", f"identified: {', '.join(grave)}"[:512]))
        findings.warn("alarm-by-nuclide", place_of(data), "nuclear material in a named item is taken for an alarm")


def _drafts(passage: Passage, subject: str, origin: Origin) -> list[Draft]:
    """An alert and a hold where it alarmed; an inspection where something was measured and it did not."""
    events = codes(origin.profile, "event")
    moment, assumed = passage.moment or (origin.received, False)
    told = _words(passage)
    place = _place(passage)
    if passage.alarms:
        stated = next((alarm.moment for alarm in passage.alarms if alarm.moment is not None), None)
        moment, assumed = stated or (moment, assumed)
        alert = _alert(passage, told, place, assumed, origin.profile)
        # What tells that the hold and the alert are of one passage.
        both = {"correlationid": subject}
        drafts = [Draft("alert.issued", subject, moment, alert.model_copy(update={"onset": moment}), both)]
        if passage.identifiers:
            reason = "\n".join(("radiation alarm", *told))
            outcome = events["alarm"].partition(".")[2]
            body = _shipment(passage, moment, assumed, place, outcome, reason)
            drafts.append(Draft(events["alarm"], _key(passage.identifiers), moment, body, both))
        return drafts
    identifiers, kind, outcome = passage.identifiers, "quiet", "no-alarm"
    if not identifiers and (passage.occupied or "occupancy" in passage.noted):
        identifiers.add("other", _occupancy(passage), "portal")
    elif not identifiers and passage.measured:
        # Whoever measured knows what it was; the message says that, by what and when, and claims nothing more.
        kind, outcome = "measured", "measured"
        identifiers.add("other", _measurement(passage), _instrument(passage))
    if not identifiers or events[kind] == REFUSED:
        return []
    outcome = "nuclides-identified" if passage.nuclides else outcome
    first = "no alarm" if kind == "quiet" else "measured; neither an alarm nor what was measured is told"
    body = _shipment(passage, moment, assumed, place, outcome, "\n".join((first, *told)))
    return [Draft(events[kind], _key(identifiers), moment, body)]


def _untold(passage: Passage) -> tuple[str, str]:
    """Why a document becomes no message."""
    if not passage.measured and not passage.identifiers:
        return "no-measurement", "neither an alarm nor an item, and nothing that was measured"
    if not passage.identifiers:
        return "no-instrument", "neither an item nor a passage, nor an identifier of the measurement or its instrument"
    return "no-shipment", "the profile refuses measurements that name neither an item nor a passage"


def _key(identifiers: Identifiers) -> str:
    schemes: tuple[Scheme, ...] = (
        "ucr",
        "mrn",
        "transport-document",
        "lrn",
        "certificate",
        "container",
        "equipment",
        "other",
        "seal",
    )
    return identifiers.first(*schemes) or ""


def _occupancy(passage: Passage) -> str:
    """What names a passage where nothing names the vehicle: instrument, lane, occupancy."""
    serial = re.sub(r"(?i)serial|[#\s:]", "", passage.instrument.get("serial", "")) or "portal"
    lane, number = passage.noted.get("lane", "-"), passage.noted.get("occupancy")
    at = number or (passage.moment[0].isoformat() if passage.moment else passage.uuid or "-")
    return f"{serial}/lane-{lane}/occupancy-{at}"[:256]


def _measurement(passage: Passage) -> str | None:
    """What names a measurement where nothing names the item: its UUID, else instrument and time; None without."""
    if passage.uuid and len(passage.uuid) <= 128:
        return passage.uuid
    instrument, moment = _instrument(passage), passage.moment
    return f"{instrument[:200]}/{moment[0].isoformat()}" if instrument and moment else None


def _shipment(
    passage: Passage, moment: datetime, assumed: bool, place: Place | None, outcome: str, reason: str
) -> Shipment:
    return Shipment(
        **present(
            identifiers=passage.identifiers.as_list(),
            documents=[Paper(type="spectrum", id=f"sha256:{digest}") for digest in passage.spectra],
            occurred=moment,
            zone_assumed=assumed or None,
            place=place,
            decision=Decision(outcome=outcome, reason=reason[:8192], automatic=True),
        )
    )


def _alert(passage: Passage, told: list[str], place: Place | None, assumed: bool, profile: Profile) -> Alert:
    kinds = sorted({alarm.category for alarm in passage.alarms})
    event = f"Radiation alarm ({', '.join(kinds)})"
    site = passage.noted.get("site")
    lane = passage.noted.get("lane")
    where = ", ".join(filter(None, (site, f"lane {lane}" if lane else None)))
    area = Area(area_desc=where or "the instrument's place", circle=[f"{passage.point} 0"]) if passage.point else None
    return Alert(
        **present(
            status="Actual",
            msg_type="Alert",
            scope="Restricted",
            category=["CBRNE"],
            event=event,
            urgency="Immediate",
            severity=_severity(passage, profile),
            certainty="Observed",
            headline=" at ".join(filter(None, (event, where)))[:512],
            description="\n".join(told)[:8192],
            response_type=["Execute"],
            areas=[area] if area else None,
            place=place,
            about=passage.identifiers.as_list(),
            source=_instrument(passage),
            parameters=_parameters(passage),
            zone_assumed=assumed or None,
        )
    )


def _severity(passage: Passage, profile: Profile) -> str:
    """The gravest of the alarms and of what was identified."""
    of_alarm = codes(profile, "severity")
    of_nuclide = codes(profile, "severity-of-nuclide")
    found = [of_alarm.get(alarm.category, "Severe") for alarm in passage.alarms]
    found += [of_nuclide[name] for one in passage.nuclides if (name := fold(one.category or "")) in of_nuclide]
    return max((str(one) for one in found if one in _GRAVITY), key=_GRAVITY.index, default="Severe")


def _instrument(passage: Passage) -> str | None:
    found = passage.instrument
    named = [found.get(name) for name in ("manufacturer", "model", "serial")]
    return " ".join(one for one in named if one and one.lower() not in ("unknown", "other"))[:512] or None


def _place(passage: Passage) -> Place | None:
    lane, site = passage.noted.get("lane"), passage.noted.get("site")
    # `Gate 3` has the form as well, but for its small letters.
    code = (site or "").replace(" ", "") if re.fullmatch(r"[A-Z]{2} ?[A-Z2-9]{3}", site or "") else ""
    locode = code if is_locode(code) else None
    found = present(
        locode=locode,
        country=locode[:2] if locode else None,
        name=None if locode else site,
        facility=f"lane {lane}"[:512] if lane else None,
    )
    return Place(**found) if found else None


def _alarm_words(alarm: Alarm) -> str:
    return f"{alarm.category} alarm" + (f": {alarm.description}" if alarm.description else "")


def _words(passage: Passage) -> list[str]:
    """What was found, a line each, for people."""
    lines = [_alarm_words(alarm) for alarm in passage.alarms]
    for nuclide in passage.nuclides:
        details = [f"confidence {nuclide.confidence}" if nuclide.confidence else None, nuclide.category]
        said = ", ".join(filter(None, details))
        lines.append(f"nuclide {nuclide.name}" + (f" ({said})" if said else ""))
    lines += passage.results[:10]
    if passage.description:
        lines.append(f"item: {passage.description}")
    noted = [f"{name} {passage.noted[name]}" for name in ("lane", "occupancy", "speed") if name in passage.noted]
    if noted:
        lines.append(", ".join(noted))
    instrument = _instrument(passage)
    if instrument:
        lines.append(f"instrument: {instrument}")
    return lines


def _parameters(passage: Passage) -> list[NamedValue]:
    """The same, a pair each, for machines."""
    found: list[tuple[str, str | None]] = [("n42:alarm", alarm.category) for alarm in passage.alarms]
    found += [
        ("n42:nuclide", " ".join(filter(None, (one.name, one.confidence, one.category)))) for one in passage.nuclides
    ]
    found += [(f"n42:{name}", passage.noted.get(name)) for name in ("lane", "occupancy", "speed")]
    found += [(f"n42:instrument-{name}", said) for name, said in sorted(passage.instrument.items())]
    found.append(("n42:uuid", passage.uuid))
    found += [("n42:spectrum", f"sha256:{digest}") for digest in passage.spectra]
    pairs: list[dict[str, Any]] = [present(value_name=name, value=said) for name, said in found]
    return [NamedValue(**pair) for pair in pairs if len(pair) == 2]


TRANSLATORS: tuple[Translator, ...] = (N42(),)
