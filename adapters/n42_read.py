"""ANSI N42.42: what an instrument found, from either dialect of its documents.

Owns finding instrument, place, passage, item, alarms and nuclides in N42InstrumentData (2005 and 2006) and
RadInstrumentData (2011). Never takes a spectrum, but its fingerprint: megabytes that nobody beyond the
laboratory reads.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
    read_time,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.records import fold
from adapters.waybills import air_waybill
from schemas.codes import (
    container_check_digit,
    container_warning,
    equipment_number,
    has_container_form,
    normal_identifier,
)
from schemas.shipment import Scheme

ROOTS = ("RadInstrumentData", "N42InstrumentData")
# An occupancy has an alarm or two for each kind of radiation; a file with more has one cause.
MAX_ALARMS = 50
MAX_NUCLIDES = 50
# A vehicle's passage has a thousand of a tenth of a second each; these tell one file's measurement from another's.
MAX_SPECTRA = 10
# What measurements and spectra are called that are not of the item (N42-2011, MeasurementClassCode; 2006, SourceType).
_NOT_OF_THE_ITEM = {"background", "calibration", "intrinsicactivity", "stabilization"}
# What says that something was measured, besides a spectrum.
_MEASURED = ("GrossCounts", "DoseRate", "ExposureRate", "CountDoseData", "DoseRateValue", "Nuclide")
# Where spectra are: nothing in them names an item.
_SPECTRA = {
    "Spectrum", "ChannelData", "Calibration", "EnergyCalibration", "FWHMCalibration", "GrossCounts", "EnergyWindows",
    "RadDetectorInformation", "MultimediaData",
}  # fmt: skip
# Settings of an alarm are no alarm.
_SETTING = re.compile(
    r"threshold|setting|level|light|window|audible|indices|datetime|time$|description|extension", re.I
)
_CATEGORIES = ("neutron", "gamma", "alpha", "beta", "isotope")
_PAIR = re.compile(r"\s*([A-Za-z][A-Za-z _-]{1,40}?)\s*[:=]\s*(\S.{0,120}?)\s*")
_CONTAINER = re.compile(r"(?<![A-Z0-9])([A-Z]{3}[UJZR])[ -]?([0-9]{6})[ -]?([0-9])(?![0-9])")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: `category` in lower case, of RadAlarmCategoryCode."""

    category: str
    description: str | None = None
    moment: tuple[datetime, bool] | None = None


@dataclass(frozen=True, slots=True)
class Nuclide:
    """A nuclide that was identified."""

    name: str
    confidence: str | None = None
    category: str | None = None


@dataclass
class Passage:
    """What one document says of one item that was measured."""

    uuid: str | None = None
    dialect: str = ""
    instrument: dict[str, str] = field(default_factory=dict)
    """manufacturer, model, serial, class."""
    moment: tuple[datetime, bool] | None = None
    noted: dict[str, str] = field(default_factory=dict)
    """lane, occupancy, speed, site."""
    occupied: bool = False
    point: str | None = None
    """Latitude and longitude, with a comma."""
    description: str | None = None
    identifiers: Identifiers = field(default_factory=Identifiers)
    alarms: list[Alarm] = field(default_factory=list)
    nuclides: list[Nuclide] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    spectra: list[str] = field(default_factory=list)
    """SHA-256 of the channel data, of the first of the item's."""
    measured: bool = False
    """Whether it holds a measurement at all."""


def codes(profile: Profile, section: str) -> Mapping[str, Any]:
    """Return a section of the profile's words for instruments; cbm's own where it has none."""
    return profile.table("n42", section) or NEUTRAL.table("n42", section)


@dataclass(frozen=True, slots=True)
class Words:
    """What instruments say, as a profile has it."""

    item: Mapping[str, Any]
    passage: Mapping[str, Any]
    answer: Mapping[str, str]

    def is_yes(self, said: str) -> bool:
        """Tell whether a word says yes, there is an alarm."""
        return self.answer.get(fold(said)) == "yes"

    def is_no(self, said: str) -> bool:
        """Tell whether a word, or none, says that there is no alarm."""
        return not fold(said) or self.answer.get(fold(said)) == "no"


def words_of(profile: Profile) -> Words:
    """Return a profile's words for instruments."""
    return Words(codes(profile, "item"), codes(profile, "passage"), codes(profile, "answer"))


def instruments(root: Element) -> list[Element]:
    """Return the instrument documents: the root, or what stands in an envelope (HPRDS `Event`)."""
    if local_name(root) in ROOTS:
        return [root]
    return [found for name in ROOTS for found in root.iter(f"{{*}}{name}")]


def passage_of(data: Element, origin: Origin, findings: Findings, profile: Profile) -> Passage:
    """Read one instrument document."""
    found = Passage(dialect="2011" if local_name(data) == "RadInstrumentData" else "2006")
    first = next(descendants(data, "Measurement"), None)
    found.uuid = data.get("n42DocUUID") or (first.get("UUID") if first is not None else None)
    found.moment = _time(data, origin, findings)
    words = words_of(profile)
    for element in _leaves(data):
        _leaf(element, found, words, findings)
    _alarms(data, found, origin, words)
    for nuclide in descendants(data, "Nuclide"):
        _nuclide(nuclide, found, words)
    _spectra(data, found)
    return found


def _spectra(data: Element, found: Passage) -> None:
    """Take the fingerprints of the item's first spectra: of the channel data as it stands, without blanks around."""
    found.measured = next(data.iter(*(f"{{*}}{name}" for name in ("Spectrum", *_MEASURED))), None) is not None
    for spectrum in descendants(data, "Spectrum"):
        around = spectrum.getparent()
        class_ = text(spectrum, "SourceType") or text(around, "MeasurementClassCode") or ""
        counts = child(spectrum, "ChannelData")
        said = "" if counts is None else "".join(counts.itertext()).strip()
        if not said or fold(class_) in _NOT_OF_THE_ITEM:
            continue
        found.spectra.append(hashlib.sha256(said.encode()).hexdigest())
        if len(found.spectra) == MAX_SPECTRA:
            return


def _leaves(data: Element) -> Iterator[Element]:
    """Every element with text of its own, spectra aside."""
    stack = [data]
    while stack:
        element = stack.pop()
        name = local_name(element)
        if name in _SPECTRA and element is not data:
            continue
        if len(element) == 0 or name == "Characteristic":
            yield element
        else:
            stack.extend(reversed(element))


# The element's name, and which detail of the instrument it is.
_INSTRUMENT = {
    "RadInstrumentManufacturerName": "manufacturer", "Manufacturer": "manufacturer",
    "RadInstrumentModelName": "model", "InstrumentModel": "model",
    "RadInstrumentIdentifier": "serial", "InstrumentID": "serial",
    "RadInstrumentClassCode": "class", "InstrumentType": "class",
}  # fmt: skip
_DESCRIPTIONS = {"RadItemDescription", "ItemDescription", "ItemMeasuredDescription"}


def _leaf(element: Element, found: Passage, words: Words, findings: Findings) -> None:
    name, said = local_name(element), text(element)
    if name == "Characteristic":
        key, said = text(element, "CharacteristicName"), text(element, "CharacteristicValue")
        _named(key, said, element, found, words, findings)
        return
    if said is None:
        return
    if name in _INSTRUMENT:
        found.instrument.setdefault(_INSTRUMENT[name], said[:200])
    elif name in ("Occupied", "OccupancyIndicator"):
        found.occupied = found.occupied or words.is_yes(said)
    elif name in ("Coordinates", "GeographicPoint"):
        found.point = found.point or _point(*said.replace(",", " ").split()[:2])
    elif name == "LatitudeValue":
        found.point = found.point or _point(said, text(element.getparent(), "LongitudeValue"))
    elif name in ("Speed", "SpeedValue"):
        unit = element.get("Units") or ("m/s" if name == "SpeedValue" else "")
        found.noted.setdefault("speed", f"{said} {unit}".strip()[:64])
    elif name == "Remark" or name in _DESCRIPTIONS:
        _sentence(name, said, element, found, words, findings)
    elif name == "AnalysisResultDescription" or name == "AnalysisResultStatusCode":
        if len(found.results) < MAX_ALARMS:
            found.results.append(said[:512])
    else:
        _named(name, said, element, found, words, findings)


def _sentence(name: str, said: str, element: Element, found: Passage, words: Words, findings: Findings) -> None:
    """Read a remark: pairs of name and value; and container numbers whose check digit holds."""
    if name in _DESCRIPTIONS and found.description is None:
        found.description = said[:512]
    for part in re.split(r"[;,\n]", said[:2000]):
        pair = _PAIR.fullmatch(part)
        if pair is not None and "alarm" in pair[1].lower() and name == "Remark":
            alarm = None if _SETTING.search(pair[1]) else _word(pair[1].lower(), pair[2], words)
            if alarm is not None and alarm not in found.alarms and len(found.alarms) < MAX_ALARMS:
                found.alarms.append(alarm)
        elif pair is not None:
            _named(pair[1], pair[2], element, found, words, findings)
    for match in _CONTAINER.finditer(said[:2000].upper()):
        number = "".join(match.groups())
        if container_check_digit(number) == int(number[10]):
            found.identifiers.add("container", number)


def _named(
    key: str | None, said: str | None, element: Element, found: Passage, words: Words, findings: Findings
) -> None:
    """Take what a name says that it is: an identifier of the item, or a detail of its passage."""
    name = fold(key or "")
    if said is None:
        return
    if name in words.passage:
        found.noted.setdefault(words.passage[name], said[:200])
    elif name in words.item:
        scheme: Scheme = words.item[name]
        normal = normal_identifier(said)
        if scheme == "container":
            normal = equipment_number(said)
            odd = container_warning(normal)
            if odd is not None:
                findings.warn_at("container-number", element, odd)
            scheme = "container" if has_container_form(normal) else "equipment"
        found.identifiers.add(scheme, air_waybill(normal) if name == "airwaybill" else normal)


def _point(latitude: str | None = None, longitude: str | None = None) -> str | None:
    """A point of the Earth, WGS 84; None where it is none, and where it is nowhere."""
    try:
        north, east = float(latitude or ""), float(longitude or "")
    except ValueError:
        return None
    known = abs(north) <= 90 and abs(east) <= 180 and (north, east) != (0.0, 0.0)
    return f"{north:.6f},{east:.6f}" if known else None


def _time(data: Element, origin: Origin, findings: Findings) -> tuple[datetime, bool] | None:
    """When the measurement began: the first one of the foreground; else the document's own time."""
    given: list[str] = []
    for measurement in descendants(data, "RadMeasurement"):
        if (text(measurement, "MeasurementClassCode") or "Foreground") == "Foreground":
            given += [said for one in children(measurement, "StartDateTime") if (said := text(one))]
    given += [said for one in descendants(data, "StartTime") if (said := text(one))][:1]
    given += [said for one in descendants(data, "StartDateTime") if (said := text(one))][:1]
    stated = data.get("n42DocDateTime")
    for said in [*given[:100], *([stated] if stated else [])]:
        moment = read_time(said, origin.zone)
        if moment is not None:
            return moment
    findings.warn_at("missing", data, "no legible time; when it was received stands in")
    return None


def _alarms(data: Element, found: Passage, origin: Origin, words: Words) -> None:
    for element in data.iter():
        name = local_name(element)
        if "alarm" not in name.lower() or _SETTING.search(name) or len(found.alarms) >= MAX_ALARMS:
            continue
        above = local_name(element.getparent()) if element.getparent() is not None else ""
        if "alarm" in above.lower():
            continue
        alarm = _alarm(element, origin, words)
        if alarm is not None and alarm not in found.alarms:
            found.alarms.append(alarm)


def _alarm(element: Element, origin: Origin, words: Words) -> Alarm | None:
    """Read an alarm: with parts (2011), or a name with a yes or a word (extensions of 2006)."""
    name = local_name(element).lower()
    if len(element):
        parts = {local_name(part): said for part in element.iter() if part is not element and (said := text(part))}
        said = next((value for key, value in parts.items() if re.search("category|type|code|kind", key, re.I)), None)
        described = next((value for key, value in parts.items() if re.search("description|remark", key, re.I)), None)
        if said is None:
            raised = [key for key, value in parts.items() if words.is_yes(value) and not _SETTING.search(key)]
            said = " ".join(raised) if raised else None
        if said is None or words.is_no(said):
            return None
        given = next((value for key, value in parts.items() if re.search("time$", key, re.I)), None)
        moment = read_time(given, origin.zone) if given else None
        return Alarm(_category(said, name), described[:512] if described else None, moment)
    said = text(element) or ""
    # A number with a unit or a fraction is what an alarm is set to.
    if element.get("Units") or re.fullmatch(r"[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?", said):
        return None
    return _word(name, said, words)


def _word(name: str, said: str, words: Words) -> Alarm | None:
    """An alarm by its name and a yes or a word; None where the word is that there is none."""
    if words.is_no(said):
        return None
    return Alarm(_category(said, name), None if words.is_yes(said) else said[:512])


def _category(said: str, name: str) -> str:
    """The category that is named; else the one in the element's own name."""
    for where in (said.lower(), name):
        for category in _CATEGORIES:
            if category in where:
                return category
    return "other"


def _nuclide(element: Element, found: Passage, words: Words) -> None:
    name = text(element, "NuclideName")
    if name is None or not words.is_yes(text(element, "NuclideIdentifiedIndicator") or "true"):
        return
    details = {local_name(part): said for part in element.iter() if part is not element and (said := text(part))}
    confidence = next(
        (details[key] for key in ("NuclideIDConfidenceValue", "NuclideConfidence") if key in details), None
    )
    if confidence is None:
        confidence = next((said for key, said in details.items() if "Confidence" in key), None)
    category = next((said for key, said in details.items() if re.search("Category|NuclideType", key)), None)
    nuclide = Nuclide(name[:64], confidence[:64] if confidence else None, category[:64] if category else None)
    if nuclide not in found.nuclides and len(found.nuclides) < MAX_NUCLIDES:
        found.nuclides.append(nuclide)
