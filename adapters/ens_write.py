"""Writes an authority's decision as the answer of the ICS that tells it, valid under the answer's own schema.

Owns which answer an event goes out as, and where each element comes from. What no message carries is never made
up: it is refused with the name of every element that is missing. Never writes a time of its own or anything by
chance: the same message gives the same bytes.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lxml import etree

from adapters.document import Element, xml_text
from adapters.ens_codes import FAMILY
from adapters.ens_form import Part, has_form, structure
from adapters.ens_reason import Told, as_errors, as_intervention, taken_apart
from adapters.ens_structures import NAMESPACE_PREFIX, TRADERS
from adapters.profile import Profile
from schemas import Message, ShipmentMessage
from schemas.errors import Fault, TranslationError
from schemas.shipment import Party, Shipment

# The element of the moment at which it happened, by answer.
MOMENTS = {
    "CC304A": "AmeAccDatTimHEA111",
    "CC305A": "AmeRejDatTimHEA112",
    "CC316A": "DecRejDatTimHEA116",
    "CC328A": "DecRegDatTimHEA115",
    "CC351A": "NotDatTimHEA104",
}
_CONTROLLED = ("shipment.held", "shipment.selected-for-inspection", "shipment.selected-for-scan")
_HELD: Told = ("held", "held")
_TEXT_SIZE = 350
_MAX_ITEMS = 999
# Content for the elements of a structure: text, a group, or a group that repeats.
Content = Mapping[str, Any]


def write_answer(message: Message, profile: Profile) -> bytes:
    """Write the message; see `Translator.write` for what is raised."""
    if not isinstance(message, ShipmentMessage):
        raise TranslationError([Fault("no-words", "/type", "the ICS has words for shipment events only")])
    decision = message.data.decision
    elements, lines = taken_apart((decision.reason or "") if decision else "")
    name = _answer_name(message, elements)
    uri = NAMESPACE_PREFIX + name
    root: Element = etree.Element(f"{{{uri}}}{name}", nsmap={"ie": uri})
    faults: list[Fault] = []
    content = _header(message, name) | _groups(message, name, elements, lines, profile)
    _fill(root, structure(name).parts, content, f"/{name}", faults)
    if faults:
        raise TranslationError(list(dict.fromkeys(faults)))
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def _answer_name(message: ShipmentMessage, elements: Mapping[str, str]) -> str:
    if message.data.classifier not in (None, "actual"):
        raise TranslationError([Fault("no-words", "/data/classifier", "what is only planned would read as done")])
    outcome = message.data.decision.outcome if message.data.decision else None
    match message.type, outcome:
        case "shipment.declared", "accepted":
            return "CC328A"
        case "shipment.amended", "accepted":
            return "CC304A"
        case "shipment.rejected", _:
            return "CC305A" if "DatTimAmeHEA113" in elements else "CC316A"
        case type_, _ if type_ in _CONTROLLED:
            return "CC351A"
    words = f"the ICS has none for {message.type}" + (
        f" with the outcome {outcome}" if outcome else " without a decision"
    )
    raise TranslationError([Fault("no-words", "/type", words)])


def _fill(parent: Element, parts: Sequence[Part], content: Content, path: str, faults: list[Fault]) -> None:
    """Write the parts that the content has; what is required and not there, or does not fit, is a fault."""
    for part in parts:
        place = f"{path}/{part.name}"
        told = content.get(part.name)
        if part.form is not None:
            if told is not None and has_form(part.form, told):
                etree.SubElement(parent, part.name).text = told
            elif part.low:
                detail = "no field of the message holds it" if told is None else "what the message holds does not fit"
                faults.append(Fault("missing", place, detail))
            continue
        groups = told if isinstance(told, list) else [told] if told else [{}] if part.low else []
        for group in groups:
            element: Element = etree.SubElement(parent, part.name)
            inner: list[Fault] = []
            _fill(element, part.parts, group, place, inner)
            if inner and not part.low:
                parent.remove(element)
            else:
                faults += inner


def _header(message: ShipmentMessage, name: str) -> dict[str, Any]:
    """Return who sends it to whom, and when it was prepared."""
    decision, time = message.data.decision, message.time
    # yyMMdd is read as a year of this century.
    dated = 2000 <= time.year <= 2099
    return {
        "MesSenMES3": _line((decision.authority if decision else None) or message.source),
        "MesRecMES6": _line(_party_id(message.data, "recipient", "declarant", "agent")),
        "DatOfPreMES9": f"{time:%y%m%d}" if dated else None,
        "TimOfPreMES10": f"{time:%H%M}" if dated else None,
        "TesIndMES18": "1" if message.test else None,
        "MesIdeMES19": _identification(message.id),
        "MesTypMES20": name,
        "CorIdeMES25": _line(message.correlationid),
    }


def _identification(id_: str) -> str:
    """Return the message's id in the fourteen characters that there are: itself, or the start of its fingerprint."""
    bare = id_.replace("-", "")
    fits = re.fullmatch(r"[0-9A-Za-z]{1,14}", bare, re.ASCII)
    return bare if fits else hashlib.sha256(id_.encode()).hexdigest()[:14].upper()


def _groups(
    message: ShipmentMessage, name: str, elements: Mapping[str, str], lines: list[str], profile: Profile
) -> dict[str, Any]:
    body = message.data
    errors, texts = as_errors(lines)
    text = " ".join(texts)[:_TEXT_SIZE].strip() or None
    transport = body.transport
    identity = transport.means if transport else None
    header: dict[str, str | None] = {
        "RefNumHEA4": _first(body, "lrn"),
        "DocNumHEA5": _first(body, "mrn"),
        "TraModAtBorHEA76": transport.mode if transport else None,
        "IdeOfMeaOfTraCroHEA85": _line(identity.value) if identity else None,
        "TotNumOfIteHEA305": str(len(body.goods)) if body.goods and not _about_item(body) else None,
        "ComRefNumHEA": _first(body, "ucr"),
        "ConRefNumHEA": _line(transport.voyage) if transport else None,
        "DecRejReaHEA252": text,
        "AmeRejMotTexHEA605": text,
    }
    header |= dict(elements) | {MOMENTS[name]: _moment(body.occurred)}
    groups: dict[str, Any] = {
        "HEAHEA": header,
        "GOOITEGDS": _items(body),
        "FUNERRER1": errors,
        "CUSOFFFENT730": {"RefNumCUSOFFFENT731": _office(body)},
    }
    for group, role in (("TRAREP", "agent"), ("PERLODSUMDEC", "declarant"), ("TRACARENT601", "carrier")):
        party = next((one for one in body.parties or () if one.role == role), None)
        if party is not None:
            groups[group] = _trader(group, party)
    if name == "CC351A":
        groups["CUSINT632"] = _interventions(message, lines, profile)
    return groups


def _interventions(message: ShipmentMessage, lines: list[str], profile: Profile) -> list[Content]:
    """Return the interventions as told; where no code among them tells the event, one more does."""
    decision = message.data.decision
    told = [as_intervention(line) for line in lines]
    event = message.type.removeprefix("shipment.")
    wanted = (event, decision.outcome if decision else event)
    meanings = profile.table(FAMILY, "intervention")
    codes = [code for code, one in meanings.items() if (one["event"], one["outcome"]) == (message.type, wanted[1])]
    if not any(one["CusIntCodCUSINT665"] in codes for one in told) and (wanted != _HELD or not told):
        own = {"CusIntCodCUSINT665": "", "CusIntTexCUSINT666": ": ".join(wanted)}
        told.insert(0, {"CusIntCodCUSINT665": codes[0]} if codes else own)
    item = {"IteNumConCUSINT668": str(decision.item)} if decision and decision.item is not None else {}
    return [item | {name: text[:_TEXT_SIZE].strip() for name, text in one.items()} for one in told]


def _about_item(body: Shipment) -> bool:
    return body.decision is not None and body.decision.item is not None


def _items(body: Shipment) -> list[Content]:
    """Return the goods items; documents and containers only where there is but one item that they can be of."""
    goods = [one for one in body.goods or () if one.item is not None][:_MAX_ITEMS]
    items: list[dict[str, Any]] = [{"IteNumGDS7": str(one.item)} for one in goods]
    if len(items) == 1 and len(body.goods or ()) == 1 and not _about_item(body):
        documents = [{"DocTypDC21": _line(one.type), "DocRefDC23": _line(one.id)} for one in body.documents or ()]
        containers = [one.value for one in body.identifiers if one.scheme == "container"]
        items[0] |= {
            "PRODOCDC2": documents[:99],
            "CONNR2": [{"ConNumNR21": number} for number in containers][:99],
        }
    return list(items)


def _trader(group: str, party: Party) -> Content:
    names = TRADERS[group]
    *street, city = [part for part in (party.address or "").split(", ") if part] or [""]
    postcode = street.pop() if len(street) > 1 and any(letter.isdigit() for letter in street[-1]) else None
    parts = (party.name, ", ".join(street), postcode, city if street else None, party.country)
    address = {field: _line(part) for field, part in zip(names.address, parts, strict=True)}
    return address | {names.tin: _line(party.id)}


def _office(body: Shipment) -> str | None:
    told = [body.decision.authority if body.decision else None, body.place.facility if body.place else None]
    return next((office for office in told if office and has_form("office", office)), next(filter(None, told), None))


def _first(body: Shipment, scheme: str) -> str | None:
    """Return the first reference of a scheme; not that of a document that goes with the goods."""
    return next((one.value for one in body.identifiers if one.scheme == scheme), None)


def _party_id(body: Shipment, *roles: str) -> str | None:
    found = (party.id for role in roles for party in body.parties or () if party.role == role and party.id)
    return next(found, None)


def _moment(moment: datetime) -> str | None:
    """Return a time as the ICS has it: that of the clock on the wall, to the minute, without its offset."""
    return f"{moment:%Y%m%d%H%M}" if moment.year >= 1000 else None


def _line(told: str | None) -> str | None:
    return " ".join(xml_text(told).split()) or None if told is not None else None
