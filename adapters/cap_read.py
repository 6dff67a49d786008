"""Reads one CAP alert element (1.0, 1.1 or 1.2, any namespace) into drafts.

Owns which `info` blocks are one alert and which are several, and how scope, status and parameters become
marking, test flag, identifiers and place. Never looks at what the alert was wrapped in: cap.py does.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from adapters import cap_codes as codes
from adapters import cap_words as words
from adapters.cap_values import Index, Values, content_of
from adapters.document import Element, Findings, Identifiers, Origin, child, children, namespace, place_of
from adapters.translator import Draft
from schemas import Alert, Tlp
from schemas.alert import Area, NamedValue, Profile, Translation
from schemas.base import present
from schemas.codes import AGENCY_PATTERN, container_warning, equipment_number, has_container_form, is_country, is_locode
from schemas.codes import normal_identifier as normal
from schemas.envelope import faults_from
from schemas.shipment import Place

# A language each for every nation that has an alerting service, and room; more is no alert.
_MAX_INFOS = 500

# The least that a scope allows a marking to be, and what it means when nothing else is said.
_FLOOR = {"Public": Tlp.CLEAR, "Restricted": Tlp.GREEN, "Private": Tlp.AMBER}
_IMPLIED = {"Public": Tlp.CLEAR, "Restricted": Tlp.AMBER_STRICT, "Private": Tlp.RED}


def _is_line(value: str) -> bool:
    return len(value) <= 512


# cbm's own parameters of place and profile, and what each may hold.
_FITS: dict[str, Callable[[str], bool]] = {
    "place-locode": is_locode,
    "place-country": is_country,
    "place-name": _is_line,
    "place-facility": _is_line,
    "profile-hs": lambda value: re.fullmatch(r"[0-9]{2,14}", value) is not None,
    "profile-origin": is_country,
    "profile-party": _is_line,
}


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What the wrapper around the alerts of a document says of each of them."""

    markings: tuple[Tlp, ...] = ()
    recipients: tuple[str, ...] = ()
    test: bool = False


@dataclass
class _Ours:
    """What the parameters of an info block hold of cbm's own fields."""

    about: Identifiers = field(default_factory=Identifiers)
    place: dict[str, str] = field(default_factory=dict)
    profile: dict[str, list[str]] = field(default_factory=dict)
    zone_assumed: bool = False
    area_given: bool = False
    """The one area is the message's own, though it says no more than a stand-in for its place would."""
    correlationid: str | None = None
    others: list[NamedValue] = field(default_factory=list)


def read_alert(
    alert: Element, origin: Origin, findings: Findings, wrapping: Wrapping, index: Index | None = None
) -> list[Draft]:
    """Read one `alert` element (`index`: its children where they are not in it); one draft for each event in it."""
    return _Reader(alert, origin, findings, wrapping, index).drafts()


class _Reader:
    def __init__(
        self, alert: Element, origin: Origin, findings: Findings, wrapping: Wrapping, index: Index | None
    ) -> None:
        self.alert, self.origin, self.findings, self.wrapping = alert, origin, findings, wrapping
        self.values = Values(findings, origin.zone, index)

    def drafts(self) -> list[Draft]:
        alert, values, findings = self.alert, self.values, self.findings
        self._unknown(alert, words.ALERT)
        if any(namespace(c) == words.SIGNATURE for c in values.every(alert, "Signature")):
            detail = "signed; the XML signature was not verified and stays with the native document"
            findings.warn_at("signature-not-verified", alert, detail)
        identifier = self._identifier()
        status = self._required("status", words.STATUSES)
        msg_type = self._required("msgType", words.MSG_TYPES)
        sent = values.moment(alert, "sent")
        if sent is None:
            findings.warn_at("missing", alert, "no legible time; when it was received stands in", "sent")
        header = self._header()
        if findings.faults or identifier is None or status is None or msg_type is None:
            return []
        header |= {"status": status, "msg_type": msg_type}
        if msg_type == "Error":
            findings.warn_at("error-message", alert, "a CAP Error is read as acknowledged, msg_type Error")
        attributes = self._confidentiality(header)
        if self.wrapping.test or status in ("Test", "Exercise", "Draft"):
            attributes["test"] = True
        infos = values.every(alert, "info")
        if len(infos) > _MAX_INFOS:
            findings.fault("too-many", place_of(alert), f"more than {_MAX_INFOS} info blocks")
            return []
        groups = self._groups(infos)
        header_assumed = values.zone_assumed
        # By it, references to this alert are found again, even where it is several messages.
        attributes["correlationid"] = identifier
        result: list[Draft] = []
        for number, group in enumerate(groups or [[]], start=1):
            values.zone_assumed = header_assumed
            body = header | (self._event(group) if group else self._without_info(header))
            if values.zone_assumed:
                body["zone_assumed"] = True
            subject = identifier if number == 1 else f"{identifier}#{number}"
            own = attributes | present(correlationid=body.pop("correlationid", None)) | self._expiry(body, sent)
            try:
                data = Alert(**body)
            except ValidationError as error:
                findings.faults.extend(faults_from(error, tagged=False, prefix=place_of(alert)))
                continue
            result.append(Draft(words.TYPE_OF_MSG[msg_type], subject, sent or self.origin.received, data, own))
        return result

    def _identifier(self) -> str | None:
        given = self.values.line(self.alert, "identifier", limit=4096)
        found = words.identifier(given) if given else None
        if not found:
            place = f"{place_of(self.alert)}/identifier"
            self.findings.fault("missing", place, "CAP 1.2, 3.2.1: an alert has an identifier")
            return None
        if found != given:
            detail = "blanks, commas, < and & may not stand in it: read without"
            self.findings.warn_at("identifier-form", self.alert, detail, "identifier")
        if len(found) > 240:
            place = f"{place_of(self.alert)}/identifier"
            self.findings.fault("too-long", place, "an identifier of more than 240 characters")
            return None
        return found

    def _required(self, name: str, known: Sequence[str]) -> str | None:
        given = self.values.line(self.alert, name)
        found = words.word(given, known) if given is not None else None
        if found is None:
            code, place = "missing" if given is None else "not-in-list", f"{place_of(self.alert)}/{name}"
            self.findings.fault(code, place, f"CAP 1.2, 3.2.1: one of {', '.join(known)}")
        elif found != given:
            self.findings.warn_at("spelling", self.alert, f"read as {found}", name)
        return found

    def _header(self) -> dict[str, Any]:
        alert, values = self.alert, self.values
        sender = values.line(alert, "sender")
        if sender is None:
            self.findings.warn_at("missing", alert, "CAP 1.2, 3.2.1: an alert has a sender", "sender")
        scope = values.choice(alert, "scope", words.SCOPES)
        if scope is None:
            self.findings.warn_at("missing", alert, "no scope: read as Restricted, the safe side", "scope")
        references: list[str] = []
        for item in (values.joined(alert, "references") or "").split():
            if len(item) > 512 or item.count(",") < 2:
                self.findings.warn_at("reference-form", alert, "not sender,identifier,sent", "references")
            if len(item) <= 512:
                references.append(item)
        return present(
            sender=sender if sender != self.origin.agency else None,
            scope=scope or "Restricted",
            source=values.line(alert, "source"),
            restriction=values.paragraph(alert, "restriction"),
            addresses=values.items(alert, "addresses"),
            code=values.lines(alert, "code"),
            note=values.paragraph(alert, "note"),
            references=references,
            incidents=values.items(alert, "incidents"),
        )

    def _confidentiality(self, header: dict[str, Any]) -> dict[str, Any]:
        """Take the marking out of scope, restriction, codes and wrapper; where they differ, the strictest holds."""
        scope = header["scope"]
        codes = header.pop("code", [])
        if kept := [code for code in codes if not words.is_marking(code)]:
            header["code"] = kept
        explicit = [m for text in [header.get("restriction"), *codes] if (m := words.marking_in(text)) is not None]
        if words.is_marking(header.get("restriction", "")):
            del header["restriction"]
        named = [address.lower() for address in header.get("addresses", [])] if scope == "Private" else []
        recipients = sorted({n for n in [*named, *self.wrapping.recipients] if re.match(AGENCY_PATTERN, n)})
        if len(set(named)) > len(set(named) & set(recipients)):
            self.findings.warn_at("address-not-an-agency", self.alert, "cannot be delivered to", "addresses")
        marking = words.strictest([_FLOOR[scope], *explicit]) if explicit else _IMPLIED[scope]
        marking = words.strictest([marking, *self.wrapping.markings])
        if marking is Tlp.RED and not recipients:
            detail = "nobody can be named as its recipient: AMBER+STRICT"
            self.findings.warn_at("recipients-unknown", self.alert, detail, "scope")
            marking = Tlp.AMBER_STRICT
        if scope == "Public" and marking is not Tlp.CLEAR:
            detail = f"Public, and elsewhere marked {marking}: read as Restricted"
            self.findings.warn_at("scope-raised", self.alert, detail, "scope")
            header["scope"] = "Restricted"
        return present(tlp=marking.value, recipients=" ".join(recipients))

    def _groups(self, infos: Sequence[Element]) -> list[list[Element]]:
        """Put info blocks together that say the same event in different languages."""
        if len(infos) == 1:
            return [[infos[0]]]
        groups: list[tuple[Any, set[str], list[Element]]] = []
        for info in infos:
            language = (self.values.peek(info, "language") or words.DEFAULT_LANGUAGE).lower()
            key = _fingerprint(info)
            for other, languages, members in groups:
                if other == key and language not in languages:
                    languages.add(language)
                    members.append(info)
                    break
            else:
                groups.append((key, {language}, [info]))
        return [members for _, _, members in groups]

    def _without_info(self, header: dict[str, Any]) -> dict[str, Any]:
        """An Alert or Update may lack every info block by the schema; it still has to say something here."""
        if header["msg_type"] not in ("Alert", "Update"):
            return {}
        self.findings.warn_at("missing", self.alert, "an alert without info: read as Unknown", "info")
        return {
            "category": ["Other"], "event": "unspecified",
            "urgency": "Unknown", "severity": "Unknown", "certainty": "Unknown",
        }  # fmt: skip

    def _event(self, group: list[Element]) -> dict[str, Any]:
        info, values = group[0], self.values
        self._unknown(info, words.INFO)
        for resource in values.every(info, "resource"):
            values.resource(resource)
        ours = self._parameters(info)
        areas = [area for element in values.every(info, "area") if (area := self._area(element)) is not None]
        place = self._place(ours, areas)
        if place is not None and ours.place and not ours.area_given and areas == [stand_in_area(place)]:
            areas = []
        values.zone_assumed |= ours.zone_assumed
        event = values.line(info, "event") or self._event_from_headline(info)
        return present(
            language=self._language(info),
            category=self._categories(info),
            event=event,
            response_type=values.choices(info, "responseType", words.RESPONSE_TYPES),
            urgency=self._level(info, "urgency", words.URGENCIES),
            severity=self._level(info, "severity", words.SEVERITIES),
            certainty=self._level(info, "certainty", words.CERTAINTIES),
            audience=values.paragraph(info, "audience"),
            event_code=values.pairs(info, "eventCode"),
            effective=values.moment(info, "effective"),
            onset=values.moment(info, "onset"),
            expires=values.moment(info, "expires"),
            sender_name=values.line(info, "senderName"),
            headline=values.paragraph(info, "headline"),
            description=values.paragraph(info, "description"),
            instruction=values.paragraph(info, "instruction"),
            web=values.web(info, "web"),
            contact=values.line(info, "contact"),
            parameters=ours.others,
            correlationid=ours.correlationid,
            about=ours.about.as_list(),
            profile=Profile(**ours.profile) if ours.profile else None,
            areas=areas,
            place=place,
            translations=[self._translation(other, info, event) for other in group[1:]],
        )

    def _event_from_headline(self, info: Element) -> str:
        self.findings.warn_at("missing", info, "CAP 1.2, 3.2.2: an info block names its event", "event")
        return (self.values.peek(info, "headline") or "unspecified")[:512]

    def _language(self, info: Element) -> str | None:
        found = self.values.line(info, "language")
        if found is not None and not words.is_language(found):
            self.findings.warn_at("language-form", info, "not a language tag (RFC 3066)", "language")
            return None
        return found

    def _categories(self, info: Element) -> list[str]:
        found = self.values.choices(info, "category", words.CATEGORIES)
        if not found:
            self.findings.warn_at("missing", info, "none that is known: read as Other", "category")
        return found or ["Other"]

    def _level(self, info: Element, name: str, known: Sequence[str]) -> str:
        found = self.values.choice(info, name, known)
        if found is None:
            self.findings.warn_at("missing", info, "none that is known: read as Unknown", name)
        return found or "Unknown"

    def _translation(self, info: Element, first: Element, event: str) -> Translation:
        values = self.values
        own = values.line(info, "event")
        lost = [
            name
            for name in ("senderName", "web", "contact", "audience", "parameter", "area")
            if [c.xpath("normalize-space(string())") for c in children(info, name)]
            != [c.xpath("normalize-space(string())") for c in children(first, name)]
        ]
        if lost:
            self.findings.warn_at("translation-reduced", info, f"not carried in this language: {', '.join(lost)}")
        return Translation(
            **present(
                language=self._language(info) or words.DEFAULT_LANGUAGE,
                event=own if own != event else None,
                headline=values.paragraph(info, "headline"),
                description=values.paragraph(info, "description"),
                instruction=values.paragraph(info, "instruction"),
            )
        )

    def _area(self, element: Element) -> Area | None:
        values, findings = self.values, self.findings
        self._unknown(element, words.AREA)
        description = values.paragraph(element, "areaDesc")
        found = present(
            polygon=values.shapes(element, "polygon", words.polygon, words.polygon_warning),
            circle=values.shapes(element, "circle", words.circle),
            geocode=values.pairs(element, "geocode"),
            altitude=values.feet(element, "altitude"),
            ceiling=values.feet(element, "ceiling"),
        )
        if description is None:
            findings.warn_at("missing", element, "CAP 1.2, 3.2.4: an area is described", "areaDesc")
        return Area(area_desc=description or "unspecified", **found) if description or found else None

    def _parameters(self, info: Element) -> _Ours:
        ours = _Ours()
        for element in self.values.every(info, "parameter"):
            for pair in self.values.pairs_of(element):
                if not self._take(ours, pair, element):
                    ours.others.append(pair)
        return ours

    def _take(self, ours: _Ours, pair: NamedValue, element: Element) -> bool:
        """Keep a parameter as one of cbm's fields if it is one; whether it was."""
        name, value = pair.value_name, " ".join(pair.value.split())
        if not name.startswith(words.OURS):
            found = codes.reference(self.origin.profile, name)
            return found is not None and self._refer(ours, found[0], value, found[1], element)
        part, _, issuer = name.removeprefix(words.OURS).partition("@")
        if part in words.SCHEMES:
            return self._refer(ours, part, value, issuer.strip() or None, element)
        if (fits := _FITS.get(part)) is not None and fits(value):
            kind, _, leaf = part.partition("-")
            if kind == "place":
                ours.place.setdefault(leaf, value)
            else:
                ours.profile.setdefault(leaf, []).append(value)
            return True
        if part == "correlationid" and not issuer and len(value) <= 256 and words.identifier(value) == value:
            ours.correlationid = value
            return True
        if part == "area-given":
            ours.area_given = value == "true"
            return True
        if part == "zone-assumed":
            ours.zone_assumed = value == "true"
            return True
        return False

    def _refer(self, ours: _Ours, scheme: Any, value: str, issuer: str | None, element: Element) -> bool:
        if len(value) > 256 or (issuer and len(issuer) > 512):
            return False
        values = value.replace(",", " ").replace(";", " ").split()
        several = scheme == "container" and len(values) > 1 and all(has_container_form(v.upper()) for v in values)
        for one in values if several else [value]:
            kind, number = scheme, equipment_number(one) if scheme == "container" else normal(one)
            if kind == "container" and (odd := container_warning(number)) is not None:
                self.findings.warn_at("container-number", element, odd)
                kind = "container" if has_container_form(number) else "equipment"
            ours.about.add(kind, number, issuer)
        return True

    def _place(self, ours: _Ours, areas: list[Area]) -> Place | None:
        if ours.place:
            return Place(**ours.place)
        for area in areas:
            for code in area.geocode or []:
                if codes.is_locode_name(self.origin.profile, code.value_name):
                    if is_locode(locode := normal(code.value)):
                        return Place(locode=locode, country=locode[:2])
                    self.findings.warn_at("locode-form", self.alert, "a geocode UN/LOCODE that is none")
        return None

    def _expiry(self, body: dict[str, Any], sent: datetime | None) -> dict[str, Any]:
        """The envelope's `expires`, by which an undelivered alert is given up; a cancellation never is."""
        expires = body.get("expires")
        if expires is None or body["msg_type"] not in ("Alert", "Update"):
            return {}
        if sent is not None and expires <= sent:
            self.findings.warn_at("expires-before-sent", self.alert, "it expired before it was sent")
            return {}
        return {"expires": expires}

    def _unknown(self, element: Element, known: frozenset[str]) -> None:
        for name in sorted(self.values.fields(element).keys() - known):
            self.findings.warn_at("unknown-element", element, "not of CAP 1.2: not carried", name)


def stand_in_area(place: Place) -> Area:
    """The area by which a place is told to readers of CAP that know no cbm parameters."""
    codes = [NamedValue(value_name="UN/LOCODE", value=place.locode)] if place.locode else []
    told = place.name or place.locode or place.facility or place.country or "-"
    return Area(**present(area_desc=told, geocode=codes))


def _fingerprint(info: Element) -> Any:
    """What stays the same when an info block is said in another language: no text, no name."""

    def all_of(element: Element, name: str) -> tuple[str, ...]:
        return tuple([" ".join(content_of(c).split()) for c in children(element, name)])

    def codes(element: Element, name: str) -> tuple[str, ...]:
        values = [value for pair in children(element, name) if (value := child(pair, "value")) is not None]
        return tuple(sorted([content_of(value) for value in values]))

    areas = children(info, "area")
    shapes = tuple((all_of(area, "polygon"), all_of(area, "circle")) for area in areas)
    if not any(polygon or circle for polygon, circle in shapes):
        shapes = tuple((codes(area, "geocode"), ()) for area in areas)
    one_each = tuple(
        all_of(info, name) for name in ("urgency", "severity", "certainty", "effective", "onset", "expires")
    )
    return sorted(all_of(info, "category")), one_each, codes(info, "eventCode"), shapes
