"""OASIS CAP: alerts of other warning services in, alerts and consignment notices for officers out.

Owns where alerts hide: bare, in lists, in Atom entries, in EDXL-DE 1.0, in any XML around them. Reads
CAP 1.0, 1.1 and 1.2 in whatever namespace, writes CAP 1.2 (cap_write). Never follows a link: an index
that only points at alerts is refused.
"""

from collections.abc import Iterator

from lxml import etree

from adapters import cap_words as words
from adapters.cap_read import Wrapping, read_alert
from adapters.cap_write import write_alert
from adapters.document import (
    Document,
    Element,
    Findings,
    Origin,
    children,
    descendants,
    local_name,
    namespace,
    place_of,
    text,
)
from adapters.profile import NEUTRAL, Profile
from adapters.translator import Draft, Reading, Translator
from schemas import Message, Tlp
from schemas.errors import Fault, TranslationError

ATOM = "http://www.w3.org/2005/Atom"
_CAP_NAMESPACES = ("urn:oasis:names:tc:emergency:cap:", "http://www.incident.com/cap/")
# The largest national feeds hold some hundreds.
MAX_ALERTS = 2000
_HEADER = ("identifier", "sender", "sent", "status", "msgType", "scope", "code", "note", "references", "incidents")
_AREA = ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling")


class Cap:
    """Translates between CAP and cbm; see docs/FORMATS.md for what becomes what."""

    name = "cap"
    title = "OASIS Common Alerting Protocol 1.2 (reads 1.0, 1.1, Atom and EDXL-DE 1.0 around it)"
    can_read = True
    can_write = True
    suffix = ".xml"

    def recognise(self, document: Document) -> float:
        """By root element and namespace; a document that is no XML is CAP if it names CAP's namespace."""
        if not document.looks_like_xml:
            return 0.0
        try:
            root = document.xml
        except TranslationError:
            return 0.6 if any(ns.encode() in document.content[:4096] for ns in _CAP_NAMESPACES) else 0.0
        kind, inside = local_name(root), next(root.iter("{*}alert"), None) is not None
        if kind == "alert":
            if _is_cap(namespace(root)):
                return 1.0
            return 0.8 if children(root, "identifier") or children(root, "msgType") else 0.2
        if kind == "EDXLDistribution":
            return 0.95 if inside else 0.5
        if kind in ("feed", "entry") and namespace(root) == ATOM:
            return 0.95 if inside or any(_is_cap(namespace(e)) for e in root.iter("{*}*")) else 0.5
        if kind == "alerts":
            return 0.9 if inside else 0.5
        return 0.7 if any(_is_cap(namespace(e)) for e in root.iter("{*}alert")) else 0.0

    def read(self, document: Document, origin: Origin) -> Reading:
        """Read every alert of the document.

        In a document of several, one that is illegible does not keep the others back: its faults are
        told as warnings. Where none is legible the document is refused with the faults of all.
        """
        root, findings = document.xml, Findings()
        wrapping = _wrapping(root, findings)
        drafts: list[Draft] = []
        faults: list[Fault] = []
        found = 0
        for alert in _alerts(root, findings):
            found += 1
            if found > MAX_ALERTS:
                raise TranslationError([Fault("too-many", place_of(root), f"more than {MAX_ALERTS} alerts")])
            own = Findings(warnings=findings.warnings)
            drafts += read_alert(alert, origin, own, wrapping)
            faults += own.faults
        if drafts:
            for fault in faults:
                findings.warn("alert-not-read", fault.pointer, f"{fault.code}: {fault.detail}")
            return Reading(tuple(drafts), tuple(findings.warnings))
        if not found:
            faults.append(Fault("no-alert", place_of(root), "holds no CAP alert, at most links to some"))
        raise TranslationError(faults)

    def write(self, message: Message, profile: Profile = NEUTRAL) -> bytes:
        """Write one CAP 1.2 alert."""
        return write_alert(message)


def _is_cap(uri: str) -> bool:
    return uri.startswith(_CAP_NAMESPACES) or ("cap" in uri and "emergency" in uri)


def _alerts(root: Element, findings: Findings) -> Iterator[Element]:
    """Yield every alert in document order; Atom entries with CAP fields of their own become alerts."""
    if local_name(root) == "alert":
        yield root
        return
    for element in root.iter("{*}alert", "{*}entry"):
        if local_name(element) == "alert":
            if not any(local_name(above) == "alert" for above in element.iterancestors()):
                yield element
        elif next(element.iter("{*}alert"), None) is None:
            flat = [field for field in element if _is_cap(namespace(field))]
            if flat:
                yield _from_entry(element, flat)
            else:
                findings.warn_at("no-alert", element, "an entry that holds no CAP alert, at most a link to one")


def _from_entry(entry: Element, fields: list[Element]) -> Element:
    """Make an alert of an Atom entry with CAP fields strewn into it; what Atom says itself fills the gaps.

    The entry's line is kept on every element, so that places still lead into the document.
    """
    names = {local_name(found) for found in fields}
    alert, info, area = (_made(name, entry) for name in ("alert", "info", "area"))
    own = {"identifier": text(entry, "id"), "sender": text(entry, "author", "name"), "sent": text(entry, "updated")}
    for name, value in own.items():
        if name not in names and value is not None:
            etree.SubElement(alert, f"{{{words.CAP}}}{name}").text = value
    for found in fields:
        if len(found) == 0 and not (found.text or "").strip():
            continue
        name = local_name(found)
        copy = etree.SubElement(alert if name in _HEADER else area if name in _AREA else info, f"{{{words.CAP}}}{name}")
        copy.text = found.text
        copy.sourceline = found.sourceline
        for part in found:
            etree.SubElement(copy, f"{{{words.CAP}}}{local_name(part)}").text = "".join(part.itertext())
    for name, value in {"headline": text(entry, "title"), "description": text(entry, "summary")}.items():
        if name not in names and value is not None:
            etree.SubElement(info, f"{{{words.CAP}}}{name}").text = value
    if len(area):
        info.append(area)
    alert.append(info)
    return alert


def _made(name: str, origin: Element) -> Element:
    made: Element = etree.Element(f"{{{words.CAP}}}{name}")
    made.sourceline = origin.sourceline or 1
    return made


def _wrapping(root: Element, findings: Findings) -> Wrapping:
    """Read what EDXL-DE 1.0 says of its content: confidentiality, status, addressees."""
    if local_name(root) != "EDXLDistribution":
        return Wrapping()
    markings: list[Tlp] = []
    for name in ("combinedConfidentiality", "confidentiality"):
        for element in descendants(root, name):
            said = "".join(element.itertext())
            marking = words.marking_in(said) or words.CONFIDENTIALITY.get(words.plain(said))
            if marking is None:
                findings.warn_at("confidentiality", element, "not a known marking: AMBER+STRICT, the safe side")
            markings.append(marking or Tlp.AMBER_STRICT)
    addressed = [
        "".join(value.itertext()).strip().lower()
        for address in descendants(root, "explicitAddress")
        for value in children(address, "explicitAddressValue")
    ]
    status = text(root, "distributionStatus")
    return Wrapping(
        markings=tuple(markings),
        recipients=tuple(addressed),
        test=status is not None and words.word(status, ("Test", "Exercise")) is not None,
    )


TRANSLATORS: tuple[Translator, ...] = (Cap(),)
