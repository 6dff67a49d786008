"""Writes CAP 1.2 (OASIS, July 2010): alerts as they are, shipment events as notices for border security.

Owns which shipment events officers are told of, and that no scope is wider than the marking. What it
emits is valid under cap12.xsd whatever the message holds, and the same bytes every time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from lxml import etree

from adapters import cap_words as words
from adapters.cap_read import stand_in_area
from adapters.document import xml_text
from schemas import Alert, AlertMessage, Message, Shipment, ShipmentMessage, Tlp
from schemas.alert import INFO_REQUIRED, Area, NamedValue, Translation
from schemas.errors import Fault, TranslationError
from schemas.shipment import Identifier, Place

_WIDTH = {"Public": 0, "Restricted": 1, "Private": 2}
_SCOPE_OF = {
    Tlp.CLEAR: "Public", Tlp.GREEN: "Restricted", Tlp.AMBER: "Restricted", Tlp.AMBER_STRICT: "Restricted",
    Tlp.RED: "Private",
}  # fmt: skip
_IMPLIED = {"Public": Tlp.CLEAR, "Restricted": Tlp.AMBER_STRICT, "Private": Tlp.RED}


@dataclass(frozen=True, slots=True)
class _Notice:
    """How a shipment event reads as an alert."""

    event: str
    severity: str
    response: str
    urgency: str = "Expected"


# What an officer at the border acts on or is no longer to act on; everything else is no alert.
_NOTICES = {
    "shipment.selected-for-scan": _Notice("Consignment selected for scan", "Minor", "Execute"),
    "shipment.selected-for-inspection": _Notice("Consignment selected for inspection", "Minor", "Execute"),
    "shipment.held": _Notice("Consignment held", "Minor", "Execute"),
    "shipment.refused": _Notice("Consignment refused", "Minor", "Execute"),
    "shipment.resealed": _Notice("Consignment resealed", "Minor", "Assess"),
    "shipment.inspected": _Notice("Consignment inspected", "Unknown", "Monitor", "Past"),
    "shipment.released": _Notice("Consignment released", "Unknown", "AllClear", "Past"),
}


def write_alert(message: Message) -> bytes:
    """Write a message as one CAP 1.2 alert.

    Raises:
        TranslationError: a receipt, or a shipment event that is no matter for border security.
    """
    if isinstance(message, AlertMessage):
        root = _alert(message)
    elif isinstance(message, ShipmentMessage) and message.type in _NOTICES:
        root = _notice(message, _NOTICES[message.type])
    else:
        detail = f"CAP says alerts and {', '.join(sorted(_NOTICES))}; not {message.type}"
        raise TranslationError([Fault("not-expressible", "/type", detail)])
    etree.indent(root)
    content: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return content + b"\n"


class _Writer:
    """Appends elements, leaving out what is absent and what XML cannot hold."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent

    def add(self, name: str, value: str | None, *, required: bool = False) -> None:
        clean = xml_text(value or "")
        if clean.strip() or required:
            etree.SubElement(self.parent, f"{{{words.CAP}}}{name}").text = clean

    def all(self, name: str, values: Iterable[str]) -> None:
        for value in values:
            self.add(name, value)

    def time(self, name: str, moment: datetime | None) -> None:
        if moment is not None:
            self.add(name, _time(moment))

    def pairs(self, name: str, pairs: Iterable[NamedValue]) -> None:
        for pair in pairs:
            inner = self.inside(name)
            inner.add("valueName", pair.value_name, required=True)
            inner.add("value", pair.value, required=True)

    def inside(self, name: str) -> "_Writer":
        return _Writer(etree.SubElement(self.parent, f"{{{words.CAP}}}{name}"))


_LIMIT = timedelta(hours=14)


def _time(moment: datetime) -> str:
    """CAP 1.2, 3.3.2: to the second, with an offset, UTC as -00:00 and never Z."""
    offset = moment.utcoffset() or timedelta()
    if offset.total_seconds() % 60 or abs(offset) > _LIMIT:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:  # within a day of year 1 or 9999
            moment = moment.replace(tzinfo=UTC)
    text = moment.replace(microsecond=0).isoformat()
    return text[:-6] + "-00:00" if text.endswith("+00:00") else text


def _root(message: Message, header: dict[str, Any], identifier: str) -> Any:
    """Write what stands before the info blocks."""
    prefixes: Any = {None: words.CAP}
    root = etree.Element(f"{{{words.CAP}}}alert", nsmap=prefixes)
    writer, marking = _Writer(root), message.marking
    scope = max(header.get("scope", "Public"), _SCOPE_OF[marking], key=lambda one: _WIDTH[one])
    restriction = header.get("restriction")
    codes = list(header.get("code") or [])
    if scope == "Restricted" and restriction is None:
        restriction = f"TLP:{marking.value}"
    elif marking is not _IMPLIED[scope]:
        codes.append(f"TLP:{marking.value}")
    writer.add("identifier", identifier, required=True)
    writer.add("sender", header.get("sender") or message.source, required=True)
    writer.time("sent", message.time)
    writer.add("status", "Test" if message.test and header["status"] == "Actual" else header["status"])
    writer.add("msgType", header["msg_type"])
    writer.add("source", header.get("source"))
    writer.add("scope", scope)
    writer.add("restriction", restriction)
    # CAP 1.2 asks for them where the scope is Private; without them nobody could tell who was meant.
    named = (message.recipients or "").split() if scope == "Private" else []
    writer.add("addresses", words.join_list(header.get("addresses") or named))
    writer.all("code", codes)
    writer.add("note", header.get("note"))
    writer.add("references", " ".join("".join(one.split()) for one in _many(header.get("references"))))
    writer.add("incidents", words.join_list(_many(header.get("incidents"))))
    return root


def _many(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _alert(message: AlertMessage) -> Any:
    data = message.data
    msg_type = words.MSG_OF_TYPE.get(message.type) or ("Error" if data.msg_type == "Error" else "Ack")
    header = {
        "status": data.status, "msg_type": msg_type, "scope": data.scope, "sender": data.sender, "source": data.source,
        "restriction": data.restriction, "addresses": data.addresses, "code": data.code, "note": data.note,
        "references": data.references, "incidents": data.incidents,
    }  # fmt: skip
    root = _root(message, header, words.identifier(xml_text(message.subject)) or "_")
    if _has_info(data):
        _info(root, data, None)
        # A second block in one language would read as a second event.
        said = {_language(data.language or words.DEFAULT_LANGUAGE).lower()}
        for translation in data.translations or []:
            if _language(translation.language).lower() not in said:
                said.add(_language(translation.language).lower())
                _info(root, data, translation)
    return root


def _language(tag: str) -> str:
    return tag if words.is_language(tag) else "und"


_OUTSIDE_INFO = frozenset(
    """
    status msg_type scope references incidents native zone_assumed sender restriction addresses note source code
    """.split()  # noqa: SIM905 (quoted one by one they fill a page)
)


def _has_info(data: Alert) -> bool:
    return any(getattr(data, name) not in (None, []) for name in type(data).model_fields if name not in _OUTSIDE_INFO)


def _info(root: Any, data: Alert, translation: Translation | None) -> None:
    """Write one info block; a translation repeats all that is not text, as CAP 1.2, 3.2.2 has it."""
    writer = _Writer(root).inside("info")
    texts = translation or data
    language = None if texts.language is None else _language(texts.language)
    category, event, urgency, severity, certainty = (getattr(data, name) for name in INFO_REQUIRED)
    writer.add("language", language)
    writer.all("category", dict.fromkeys(_many(category) or ["Other"]))
    writer.add("event", texts.event or event or "unspecified", required=True)
    writer.all("responseType", [one for one in data.response_type or [] if one in words.RESPONSE_TYPES])
    writer.add("urgency", urgency or "Unknown")
    writer.add("severity", severity or "Unknown")
    writer.add("certainty", certainty or "Unknown")
    writer.add("audience", data.audience)
    writer.pairs("eventCode", data.event_code or [])
    writer.time("effective", data.effective)
    writer.time("onset", data.onset)
    writer.time("expires", data.expires)
    writer.add("senderName", data.sender_name)
    writer.add("headline", texts.headline)
    writer.add("description", texts.description)
    writer.add("instruction", texts.instruction)
    writer.add("web", words.uri(data.web) if data.web else None)
    writer.add("contact", data.contact)
    writer.pairs("parameter", data.parameters or [])
    writer.pairs("parameter", _ours(data))
    areas = data.areas or ([stand_in_area(data.place)] if data.place else [])
    for area in areas:
        _area(writer.inside("area"), area)


def _ours(data: Alert) -> list[NamedValue]:
    """cbm's own fields as parameters, which `cap_read` takes back out."""
    found = [*_references(data.about or []), *_place(data.place)]
    for name in ("hs", "origin", "party"):
        found += [_own(f"profile-{name}", one) for one in _many(getattr(data.profile, name, None))]
    if data.zone_assumed:
        found.append(_own("zone-assumed", "true"))
    if data.place is not None and data.areas == [stand_in_area(data.place)]:
        found.append(_own("area-given", "true"))
    return found


def _own(name: str, value: str) -> NamedValue:
    return NamedValue(value_name=(words.OURS + name)[:512], value=value)


def _references(identifiers: Iterable[Identifier]) -> list[NamedValue]:
    return [_own(one.scheme + (f"@{one.issuer}" if one.issuer else ""), one.value) for one in identifiers]


def _place(place: Place | None) -> list[NamedValue]:
    parts = {name: getattr(place, name, None) for name in words.PLACE_PARTS}
    return [_own(f"place-{name}", value) for name, value in parts.items() if value]


def _area(writer: _Writer, area: Area) -> None:
    writer.add("areaDesc", area.area_desc, required=True)
    writer.all("polygon", area.polygon or [])
    writer.all("circle", area.circle or [])
    writer.pairs("geocode", area.geocode or [])
    for name, number in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if number is not None:
            # xs:decimal has no exponent.
            writer.add(name, format(Decimal(repr(number)), "f"))


def _notice(message: ShipmentMessage, notice: _Notice) -> Any:
    """Write a shipment event as an alert of its own; its references travel as parameters."""
    data = message.data
    header = {"status": "Actual", "msg_type": "Alert", "source": f"cbm {message.type}"}
    root = _root(message, header, words.identifier(f"{message.source}:{xml_text(message.id)}"))
    writer = _Writer(root).inside("info")
    writer.add("language", "en")
    writer.all("category", ["Security", "Transport"])
    writer.add("event", notice.event)
    writer.add("responseType", notice.response)
    writer.add("urgency", notice.urgency)
    writer.add("severity", notice.severity)
    writer.add("certainty", "Observed" if data.classifier in (None, "actual") else "Likely")
    writer.time("onset", data.occurred)
    writer.time("expires", message.expires)
    writer.add("senderName", message.source)
    writer.add("headline", f"{notice.event}: {message.subject}")
    writer.add("description", data.decision.reason if data.decision else None)
    writer.pairs("parameter", [*_references(_all_references(data)), *_place(data.place), *_decision(data)])
    if data.place is not None:
        _area(writer.inside("area"), stand_in_area(data.place))
    return root


def _all_references(data: Shipment) -> list[Identifier]:
    """The identifiers, and containers and seals that are told as equipment only."""
    found = {(one.scheme, one.value): one for one in data.identifiers}
    known = {value for _, value in found}
    for equipment in data.equipment or []:
        if equipment.number not in known:
            found["equipment", equipment.number] = Identifier(scheme="equipment", value=equipment.number)
        for seal in equipment.seals or []:
            found.setdefault(("seal", seal), Identifier(scheme="seal", value=seal))
    return list(found.values())


def _decision(data: Shipment) -> list[NamedValue]:
    if data.decision is None:
        return []
    parts = {"outcome": data.decision.outcome, "authority": data.decision.authority, "item": data.decision.item}
    return [_own(f"decision-{name}", str(value)) for name, value in parts.items() if value is not None]
